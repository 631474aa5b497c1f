"""What a film must show before anything of it is published (S-064), and what each platform takes (S-047 to S-049).

Measured in the finished file, in one pass: frames that others refer to are decoded and all the sound. Pure but for that pass,
whose command and words are here and which somebody else runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from videojob_api.story.platforms import Platform, shape

from .sound import QUIET_LUFS, integrated

BLACK_SHARE = 0.98
"""A frame is black when so many of its pixels are."""
BLACK_LEVEL = 0.02
"""A pixel is black up to this part of white: a dark card (S-038) that fades is not black until it is nearly gone."""
SILENCE_DB = -50
SILENCE_SECONDS = 0.5
"""Shorter silences are pauses between words."""


@dataclass(frozen=True)
class Limits:
    """How far a film may be from what was ordered."""

    duration_ms: int = 100
    drift_ms: int = 60
    """Between the ends of picture and sound: a frame, and what an AAC packet rounds."""
    black: float = 0.5
    """Most of the film that may be black."""
    silence: float = 0.9
    """Most of a narrated film that may be silent."""
    loudness_lu: float = 3.0


@dataclass(frozen=True)
class Wanted:
    """What was ordered."""

    frames: int
    fps: int
    narrated: bool
    lufs: float | None
    """Loudness of the whole; None where it follows from more than the narration: then it must be heard, and no more."""

    @property
    def duration_ms(self) -> int:
        """Length."""
        return round(self.frames * 1000 / self.fps)


@dataclass(frozen=True)
class Measured:
    """What was found."""

    frames: int
    video_ms: int
    audio_ms: int
    black_ms: int
    silence_ms: int
    lufs: float
    synthetic: str | None
    """The mark of synthetic media that the file bears."""


def command(program: str, film: Path, threads: int) -> list[str]:
    """One pass that measures black, silence and loudness; the findings come on standard output and at the end of stderr."""
    # `direct` writes each line by itself: the two printers share one pipe.
    look = (
        f"blackdetect=d=0.02:picture_black_ratio_th={BLACK_SHARE}:pixel_black_th={BLACK_LEVEL},"
        "metadata=mode=print:direct=1:file=-"
    )
    listen = (
        f"silencedetect=noise={SILENCE_DB}dB:d={SILENCE_SECONDS},ametadata=mode=print:direct=1:file=-,"
        "ebur128=framelog=verbose"
    )
    return [
        program, "-hide_banner", "-nostdin", "-nostats", "-v", "info", "-threads", str(threads), "-skip_frame:v", "noref",
        "-f", "mp4", "-protocol_whitelist", "file", "-i", f"file:{film.absolute()}", "-map", "0:v:0", "-vf", look,
        "-map", "0:a:0", "-af", listen, "-f", "null", "-",
    ]  # fmt: skip


_MARK = re.compile(r"^lavfi\.(black|silence)_(start|end)=(-?[\d.]+)")


class Listener:
    """Adds up what the pass prints, line by line."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], list[float]] = {}

    def feed(self, line: str) -> None:
        """Take one line of standard output; starts and ends may come in any order."""
        match = _MARK.match(line)
        if match is not None:
            self._marks.setdefault((match[1], match[2]), []).append(float(match[3]))

    def total_ms(self, what: str, end_ms: int) -> int:
        """How long it lasted in all; what has no end lasts to the film's."""
        ends, total, passed = sorted(self._marks.get((what, "end"), ())), 0.0, -1.0
        for start in sorted(self._marks.get((what, "start"), ())):
            end = next((end for end in ends if end > start), end_ms / 1000)
            total += max(0.0, end - max(start, passed))
            passed = max(passed, end)
        return round(total * 1000)


def measured(
    listener: Listener, stderr: str, *, frames: int, video_ms: int, audio_ms: int, synthetic: str | None
) -> Measured:
    """What the pass and the packets' list say together."""
    return Measured(
        frames,
        video_ms,
        audio_ms,
        listener.total_ms("black", video_ms),
        listener.total_ms("silence", audio_ms),
        integrated(stderr),
        synthetic,
    )


def problems(wanted: Wanted, found: Measured, limits: Limits = Limits()) -> tuple[str, ...]:
    """Everything that is not as ordered, a sentence each."""
    said = []
    if found.frames != wanted.frames:
        said.append(f"it has {found.frames} pictures, {wanted.frames} were ordered")
    if abs(found.video_ms - wanted.duration_ms) > limits.duration_ms:
        said.append(f"it lasts {found.video_ms} ms, {wanted.duration_ms} ms were ordered")
    if abs(found.video_ms - found.audio_ms) > limits.drift_ms:
        said.append(f"its picture ends at {found.video_ms} ms, its sound at {found.audio_ms} ms")
    if found.video_ms and found.black_ms > limits.black * found.video_ms:
        said.append(f"it is black for {found.black_ms} of {found.video_ms} ms")
    if found.synthetic is None:
        said.append("it has lost its mark of synthetic media")
    if wanted.narrated:
        if found.audio_ms and found.silence_ms > limits.silence * found.audio_ms:
            said.append(f"it is silent for {found.silence_ms} of {found.audio_ms} ms")
        if found.lufs <= QUIET_LUFS:
            said.append("nothing is heard in it")
        elif wanted.lufs is not None and abs(found.lufs - wanted.lufs) > limits.loudness_lu:
            said.append(f"its loudness is {found.lufs:.1f} LUFS, {wanted.lufs:.1f} were ordered")
    return tuple(said)


def platform_problems(
    platform: Platform, *, width: int, height: int, duration_ms: int, size_bytes: int
) -> tuple[str, ...]:
    """Why a platform would not take a film, or not show it well, in the seeds' words (S-049, C7)."""
    said = []
    if platform.max_bytes is not None and size_bytes > platform.max_bytes:
        said.append(f"Video exceeds {platform.label} file size limit")
    if platform.max_duration_ms is not None and duration_ms > platform.max_duration_ms:
        said.append(f"Video exceeds {platform.label} duration limit")
    if shape(width, height, platform.accepts) is None:
        said.append(f"Video aspect ratio not ideal for {platform.label}")
    return tuple(said)
