"""How ffprobe is asked, and its list of a file's packets, which is read line by line and never kept."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..base.errors import Permanent
from . import tools

PACKETS = "packet=stream_index,pts_time,dts_time,duration_time"
"""What is asked of every packet."""


@dataclass
class Span:
    """What the packets of one stream say."""

    packets: int = 0
    first_ms: int = 10**12
    last_ms: int = 0
    """Where the last packet begins."""
    end_ms: int = 0
    """Where the last packet ends."""

    @property
    def rate(self) -> Fraction | None:
        """Average frames a second."""
        lasts = self.last_ms - self.first_ms
        return Fraction((self.packets - 1) * 1000, lasts) if self.packets > 1 and lasts > 0 else None


def command(path: Path, demuxer: str, wanted: tuple[str, ...], form: str = "json") -> list[str]:
    """Command of ffprobe, or the same questions to PyAV where there is no ffprobe."""
    program = tools.find("ffprobe")
    if program is None:
        return [sys.executable, "-m", "videojob_worker.media.pyav", *wanted, demuxer, str(path.absolute())]
    options = tools.flat(tools.input_options(demuxer))
    return [program, "-hide_banner", "-v", "error", *options, "-of", form, *wanted, "-i", tools.file_url(path)]


def spans(path: Path, demuxer: str, run: tools.RunTool) -> dict[int, Span]:
    """What the packets of every stream say, read one by one: a long recording has millions.

    Raises Permanent (CorruptMedia) if there are none.
    """
    found: dict[int, Span] = {}

    def heard(line: str) -> None:
        fields = line.split(",")
        if len(fields) < 4 or not fields[0].isdigit():
            return
        begins = fields[1] if fields[1] != "N/A" else fields[2]
        at, span = round(seconds(begins) * 1000), found.setdefault(int(fields[0]), Span())
        span.packets += 1
        span.first_ms, span.last_ms = min(span.first_ms, at), max(span.last_ms, at)
        span.end_ms = max(span.end_ms, at + (ms(fields[3]) or 0))

    finished = run(command(path, demuxer, ("-show_entries", PACKETS), form="csv=p=0"), on_line=heard)
    if finished.code != 0:
        raise tools.judge_reading(finished, "measuring the file")
    if not found:
        raise Permanent(
            "CorruptMedia",
            "the file cannot be read as a video: it holds no pictures",
            hint="the recording or upload was cut off: submit the whole file",
        )
    return found


def ms(text: Any) -> int | None:
    """Milliseconds of ffprobe's seconds; None for `N/A` and nonsense."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return round(value * 1000) if 0 < value < 10**9 else None


def seconds(text: Any) -> float:
    """Seconds of ffprobe's text; 0 for `N/A` and nonsense."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return 0.0
    return value if abs(value) < 10**9 else 0.0
