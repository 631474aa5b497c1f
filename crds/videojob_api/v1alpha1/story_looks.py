"""How a story looks and sounds: transitions, texts, captions, music, thumbnail, compression."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import StatusModel
from .sources import STORED
from .videoprofile import Bitrate

Effect = Literal["fade_in", "fade_out", "ken_burns", "pan"]
"""`ken_burns` goes in on the picture's middle, together with `pan` on a point beside it; `pan` alone slides (S-021)."""
TransitionKind = Literal["fade", "cut", "dissolve", "slide", "wipe", "zoom"]
AspectRatio = Literal["9:16", "16:9", "1:1", "4:5"]
QualityName = Literal["Draft", "Standard", "High"]
VideoPreset = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
FrameRate = Literal[24, 25, 30, 50, 60]
"""Frames a second; each divides SAMPLE_RATE."""
SAMPLE_RATE = 48_000
"""Samples a second of all sound between the stages."""
Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]


class Transition(StatusModel):
    """How one scene becomes the next; it overlaps no scene time (S-020)."""

    kind: TransitionKind = "fade"
    """`fade` dips to black inside each scene's own time; `dissolve`, `slide`, `wipe` and `zoom` show both pictures round the
    cut; `cut` does nothing."""
    duration_ms: Annotated[int, Field(ge=0, le=5000)] = 500
    """Whole length, half of it on either side of the cut (S-018)."""


class Overlay(StatusModel):
    """A text over the picture (S-022)."""

    content: Annotated[str, Field(min_length=1, max_length=2000)]
    """The text; it is wrapped."""
    position: Literal["bottom", "center", "top"] = "bottom"
    """`bottom` begins at 0.8 of the height."""
    size: Annotated[int, Field(ge=8, le=400)] = 48
    """Size in pixels of a picture whose shorter side is 1080."""
    color: Colour = "#FFFFFF"
    """Colour of the letters."""
    font: Annotated[str, Field(max_length=100)] = "Arial-Bold"
    """Family; one that is not there falls back to the bundled one."""
    width_percent: Annotated[int, Field(ge=10, le=100)] = 90
    """Width of the text's box."""
    animation: Literal["fade_in", "none"] = "fade_in"
    """How it comes."""
    animation_ms: Annotated[int, Field(ge=0, le=5000)] = 500
    """How long that takes."""
    start_ms: Annotated[int, Field(ge=0)] = 0
    """When it comes, from the scene's start."""
    duration_ms: Annotated[int, Field(ge=1)] | None = None
    """How long it stays; None: to the scene's end."""


class TextStyle(Overlay):
    """How each scene's own text is shown as an overlay."""

    content: Annotated[str, Field(max_length=2000)] = ""
    """Left to the scenes."""


class Captions(StatusModel):
    """The narration as text."""

    style: Literal["standard", "karaoke", "word", "none"] = "standard"
    """`standard` shows phrases, `karaoke` fills them word by word, `word` marks the spoken word, `none` shows nothing."""
    burn: bool = True
    """Whether they are in the picture. A text card shows its scene's words itself, and no captions beside them."""
    sidecars: Annotated[tuple[Literal["srt", "vtt"], ...], Field(max_length=2)] = ("srt", "vtt")
    """Files beside the video."""
    words_per_line: Annotated[int, Field(ge=1, le=20)] = 7
    """Most words of a line."""
    size: Annotated[int, Field(ge=8, le=400)] = 48
    """Size in pixels of a picture whose shorter side is 1080."""
    color: Colour = "#FFFFFF"
    """Colour of the letters."""
    highlight: Colour = "#FFD54A"
    """Colour of the spoken word."""
    font: Annotated[str, Field(max_length=100)] = "Arial-Bold"
    """Family."""
    position: Literal["bottom", "center", "top"] = "bottom"
    """Where they stand."""


class Music(StatusModel):
    """Music under the narration."""

    uri: Annotated[str, Field(pattern=f"^{STORED}$", max_length=2048)]
    """A file of the store: `store://stock/<path>` or `store://inbox/<sha256>`."""
    gain_db: Annotated[int, Field(ge=-60, le=6)] = -18
    """Its level where nobody speaks, against the narration."""
    duck_db: Annotated[int, Field(ge=-40, le=0)] = -8
    """How far it steps back under speech."""
    fade_ms: Annotated[int, Field(ge=0, le=20_000)] = 2000
    """Fade at its start and end."""


class ThumbnailParams(StatusModel):
    """The still picture (S-042, S-043, C12)."""

    at_ms: Annotated[int, Field(ge=0)] = 2000
    """Moment of the video; half of a video that is shorter than that."""
    quality: Annotated[int, Field(ge=1, le=100)] = 90
    """JPEG quality."""
    width: Annotated[int, Field(ge=16, le=7680)] | None = None
    """Width in pixels; the video's when None."""
    height: Annotated[int, Field(ge=16, le=7680)] | None = None
    """Height in pixels."""
    title_overlay: bool = True
    """Whether a bar bears the title."""
    title: Annotated[str, Field(max_length=200)] | None = None
    """What the bar bears instead of the title."""


class Encoding(StatusModel):
    """How the video is compressed (S-058, S-059, C2)."""

    quality: QualityName = "Standard"
    """A row of QUALITIES."""
    crf: Annotated[int, Field(ge=0, le=51)] | None = None
    """Instead of the quality's."""
    maxrate: Bitrate | None = None
    """Instead of the quality's."""
    preset: VideoPreset | None = None
    """Instead of the quality's."""
