"""Built-in profiles, and the pure arithmetic that fits them to a source (T-006, T-007)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd

from .v1alpha1.videoprofile import AudioEncoding, Rendition, Thumbnail, VideoEncoding, VideoProfileSpec

BUILTIN_PROFILES: dict[str, VideoProfileSpec] = {
    "720p": VideoProfileSpec(
        rendition=Rendition(
            container="mp4",
            video=VideoEncoding(codec="h264", width=1280, height=720, bitrate="2500k"),
            audio=AudioEncoding(codec="aac", bitrate="128k"),
        )
    ),
    "480p": VideoProfileSpec(
        rendition=Rendition(
            container="mp4",
            video=VideoEncoding(codec="h264", width=854, height=480, bitrate="1500k"),
            audio=AudioEncoding(codec="aac", bitrate="128k"),
        )
    ),
    "360p": VideoProfileSpec(
        rendition=Rendition(
            container="mp4",
            video=VideoEncoding(codec="h264", width=640, height=360, bitrate="800k"),
            audio=AudioEncoding(codec="aac", bitrate="96k"),
        )
    ),
    "webm-720p": VideoProfileSpec(
        output_name="webm_720p",
        rendition=Rendition(
            container="webm",
            video=VideoEncoding(codec="vp9", width=1280, height=720, bitrate="2000k"),
            audio=AudioEncoding(codec="opus", bitrate="96k"),
        ),
    ),
    "thumbnail": VideoProfileSpec(thumbnail=Thumbnail(width=320, height=180, at_percent=10, quality=90)),
}
"""The five profiles of T-006 by object name. The operator creates them in its namespace when they are absent."""

DEFAULT_PROFILES = ("720p", "480p", "thumbnail")
"""What a transcode makes when it names no profiles (T-007)."""


def object_name(profile: str) -> str:
    """The Kubernetes name a profile reference means: the seeds' `webm_720p` is the object `webm-720p`."""
    return profile.replace("_", "-")


def kilobits(bitrate: str) -> int:
    """Kilobits a second of a bit rate such as `2500k`."""
    return int(bitrate.removesuffix("k"))


@dataclass(frozen=True)
class Geometry:
    """Exact size and rate of one rendition."""

    width: int
    height: int
    frame_rate: Fraction


def _even(value: Fraction, side: int) -> int:
    """The nearest even whole number, at least 2 and never above the source's side: chroma is stored for pairs of pixels."""
    return max(2, min(round(value / 2) * 2, side // 2 * 2))


def fit(video: VideoEncoding, width: int, height: int, frame_rate: Fraction) -> Geometry:
    """Fit a source, given as shown (rotation applied), into the profile's box.

    The box turns with an upright source; the picture keeps its shape and is never enlarged, the frame rate never raised.
    Sizes are even, an odd source's are rounded down. Units: pixels, frames a second.
    """
    box = (video.width, video.height) if width >= height else (video.height, video.width)
    scale = min(Fraction(box[0], width), Fraction(box[1], height), Fraction(1))
    # A box such as 854x480 is 16:9 only after rounding: when one side fills the box and the other comes within a
    # pixel or two of it, the box itself is meant.
    fitted = tuple(
        _even(Fraction(limit) if scale < 1 and abs(side * scale - limit) <= 2 else side * scale, side)
        for side, limit in zip((width, height), box, strict=True)
    )
    return Geometry(fitted[0], fitted[1], min(frame_rate, Fraction(video.max_frame_rate)))


def aspect_ratio(width: int, height: int) -> str:
    """Shape in small whole numbers, `16:9` also for 854x480 (C7): the nearest common shape within 1 %, else reduced."""
    for a, b in ((16, 9), (9, 16), (4, 3), (3, 4), (1, 1), (21, 9), (4, 5), (5, 4), (3, 2), (2, 3)):
        if abs(width * b - height * a) * 100 <= width * b:
            return f"{a}:{b}"
    divisor = gcd(width, height)
    return f"{width // divisor}:{height // divisor}"
