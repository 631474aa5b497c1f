"""What a film must show before anything of it is published (S-064), and what each platform takes (S-047 to S-049).

Packets and lengths are those of the finished file. What it shows and sounds like is measured where it is made and known anyway:
a piece's frames as they are drawn, the sound as it is encoded (`measuring`); joining copies them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.story.platforms import Platform, shape

QUIET_LUFS = -70.0
"""Below this a sound counts as silence, which no gain helps."""


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
