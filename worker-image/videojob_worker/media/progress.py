"""FFmpeg's `-progress` lines become percent, speed and remaining time."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sample:
    """Where an encoder stands."""

    percent: int
    """Whole percent of the duration, below 100 until the process has ended."""
    speed: str | None
    """Multiple of real time, for example `5.9x`."""
    eta_seconds: int | None
    """Estimated seconds left."""


@dataclass
class ProgressReader:
    """Reads key=value lines; a block ends with `progress=continue` or `progress=end`."""

    duration_ms: int
    """Duration of the whole, in milliseconds."""
    position_ms: int = 0
    """Furthest position written so far, in milliseconds."""
    frames: int = 0
    """Frames of the first output."""
    _block: dict[str, str] = field(default_factory=dict)

    @property
    def clock(self) -> float:
        """The media's clock for a watchdog: grows with every frame and every written moment."""
        return float(self.position_ms + self.frames)

    def feed(self, line: str) -> Sample | None:
        """Take one line; a finished block gives a sample."""
        key, _, value = line.partition("=")
        if key != "progress":
            self._block[key.strip()] = value.strip()
            return None
        block, self._block = self._block, {}
        micros = block.get("out_time_us") or block.get("out_time_ms") or ""  # the older name is in microseconds, too
        if re.fullmatch(r"-?[0-9]+", micros):
            self.position_ms = max(self.position_ms, int(micros) // 1000)
        if block.get("frame", "").isdigit():
            self.frames = max(self.frames, int(block["frame"]))
        return self._sample(block.get("speed", ""))

    def _sample(self, speed: str) -> Sample:
        share = min(1.0, self.position_ms / self.duration_ms) if self.duration_ms > 0 else 0.0
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:e\+?([0-9]+))?x", speed.strip())
        rate = float(match[1]) * 10 ** int(match[2] or 0) if match else 0.0
        if rate <= 0:
            return Sample(min(99, int(share * 100)), None, None)
        left = max(0, self.duration_ms - self.position_ms) / 1000 / rate
        return Sample(
            min(99, int(share * 100)), f"{rate:.3g}x" if rate < 1000 else f"{rate:.0f}x", min(10**7, round(left))
        )
