"""Shapes, platforms and qualities, as data (S-024 to S-028, S-048, S-058, C2, C3, C7).

Limits drift: each row says as of when it holds, and a profile of one's own overrides it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .looks import AspectRatio, Encoding, QualityName
from .params import StoryParams

SIZES: dict[AspectRatio, tuple[int, int]] = {
    "9:16": (1080, 1920),
    "16:9": (1920, 1080),
    "1:1": (1080, 1080),
    "4:5": (1080, 1350),
}
"""Pixels of each shape (S-026)."""
DEFAULT_ASPECT: AspectRatio = "9:16"
"""Shape of a story without a platform (C3)."""
ASPECT_TOLERANCE_PERCENT = 2
"""How far a picture's shape may be from the one it is taken for (C7)."""


@dataclass(frozen=True)
class Platform:
    """Where a video is to be shown: its shape, and what the platform takes."""

    name: str
    label: str
    """As it stands in messages."""
    aspect_ratio: AspectRatio
    """Shape a story for it is made in."""
    accepts: tuple[AspectRatio, ...]
    """Shapes that are shown well."""
    max_duration_ms: int | None
    max_bytes: int | None
    as_of: str
    """Day on which these limits were read."""


_SEED = "2025-11-04"
PLATFORMS: dict[str, Platform] = {
    row.name: row
    for row in (
        Platform("tiktok", "TikTok", "9:16", ("9:16",), 180_000, 287 * 10**6, _SEED),
        Platform("youtube", "YouTube", "16:9", ("16:9", "9:16", "1:1", "4:5"), None, 256 * 10**9, _SEED),
        Platform("youtube_shorts", "YouTube Shorts", "9:16", ("9:16", "1:1"), 60_000, 256 * 10**9, _SEED),
        Platform("instagram_reels", "Instagram", "9:16", ("9:16", "1:1", "4:5"), 90_000, 104_857_600, _SEED),
        Platform("instagram_stories", "Instagram", "9:16", ("9:16",), 60_000, 104_857_600, _SEED),
        Platform("instagram_post", "Instagram", "1:1", ("1:1", "4:5", "9:16"), 60_000, 104_857_600, _SEED),
        Platform("facebook", "Facebook", "16:9", ("16:9", "1:1", "4:5", "9:16"), 240 * 60_000, 4 * 10**9, _SEED),
    )
}
"""Built-in platforms by name."""


@dataclass(frozen=True)
class Quality:
    """How much effort and how many bits."""

    crf: int
    maxrate: str
    preset: str


QUALITIES: dict[QualityName, Quality] = {
    "Draft": Quality(28, "2000k", "ultrafast"),
    "Standard": Quality(23, "8000k", "superfast"),
    "High": Quality(18, "16000k", "superfast"),
}
"""C2: a draft of at most 2M, the standard of at most 8M at CRF 23, the best at CRF 18. Slower presets make smaller files, not
better ones: at CRF 18 `medium` takes three times as long and has the lower VMAF (`make bench-quality`)."""


def quality(own: Encoding) -> Quality:
    """The quality asked for, with the user's own values in it."""
    row = QUALITIES[own.quality]
    return Quality(row.crf if own.crf is None else own.crf, own.maxrate or row.maxrate, own.preset or row.preset)


def size(params: StoryParams) -> tuple[int, int]:
    """Width and height: as given, else of the shape asked for, else the platform's, else upright (C3).

    Raises ValueError for a platform nobody knows, listing the known ones.
    """
    if params.width is not None and params.height is not None:
        return params.width, params.height
    return SIZES[params.aspect_ratio or (platform(params.platform).aspect_ratio if params.platform else DEFAULT_ASPECT)]


def platform(name: str) -> Platform:
    """A platform by name. Raises ValueError listing the known ones."""
    try:
        return PLATFORMS[name.replace("-", "_")]
    except KeyError:
        raise ValueError(f"unknown platform {name}; known: {', '.join(sorted(PLATFORMS))}") from None


def shape(width: int, height: int, among: tuple[AspectRatio, ...]) -> AspectRatio | None:
    """Which of these shapes a picture has, within the tolerance; None for none of them (C7)."""
    for name in among:
        across, up = (int(part) for part in name.split(":"))
        if abs(width * up - height * across) * 100 <= ASPECT_TOLERANCE_PERCENT * max(width * up, height * across):
            return name
    return None
