"""What a Story asks for, resolved: one model that every stage of it is given (S-001 to S-072)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..v1alpha1.base import StatusModel
from ..v1alpha1.story_parts import (
    ConfigMapKey,
    ImageHint,
    Images,
    Name,
    OwnMetadata,
    Provider,
    SceneInput,
    Splitting,
    Voice,
)
from ..v1alpha1.story_variants import Variant
from .looks import (
    AspectRatio,
    Captions,
    Effect,
    Encoding,
    FrameRate,
    Music,
    TextStyle,
    ThumbnailParams,
    Transition,
)

__all__ = [
    "MAX_SCENES",
    "UNTITLED",
    "ConfigMapKey",
    "ImageHint",
    "Images",
    "Name",
    "OwnMetadata",
    "Provider",
    "SceneInput",
    "Script",
    "Splitting",
    "StoryFallback",
    "StoryParams",
    "Voice",
]

MAX_SCENES = 500
UNTITLED = "Untitled Story"
"""Title of a story that has none (S-005)."""


class Script(StatusModel):
    """Where the words are; exactly one of the three, unless scenes are given."""

    text: Annotated[str, Field(max_length=200_000)] | None = None
    """The script itself; Markdown and stage directions are cleaned away."""
    uri: Annotated[str, Field(max_length=2048)] | None = None
    """A file of the store that holds it, UTF-8."""
    config_map: ConfigMapKey | None = None
    """An entry of a ConfigMap that holds it; mounted at `places.CONFIG_PATH/<name>/<key>`."""
    markup: Literal["Markdown", "Plain"] = "Markdown"
    """Whether marks of Markdown and stage directions are cleaned away."""

    @model_validator(mode="after")
    def _one(self) -> Script:
        if sum(part is not None for part in (self.text, self.uri, self.config_map)) > 1:
            raise ValueError("script has more than one of text, uri and configMap: give one of them")
        return self


class StoryFallback(StatusModel):
    """What happens when a chain of providers has nothing (S-038 to S-041, C14)."""

    policy: Literal["Allow", "Deny"] = "Allow"
    """`Deny`: any provider's failure fails the job. `Allow`: the next one, then the last resort, visible as Degraded."""


class StoryParams(StatusModel):
    """A story, resolved. Every stage of it is given this, and reads its part."""

    title: Annotated[str, Field(max_length=200)] = ""
    """Title; UNTITLED when there is none."""
    genre: Annotated[str, Field(max_length=63)] = ""
    """Genre, for metadata."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] = "en"
    """BCP 47 tag of the narration."""
    script: Script = Script()
    """The words."""
    scenes: Annotated[tuple[SceneInput, ...], Field(max_length=MAX_SCENES)] = ()
    """Explicit scenes instead of a script."""
    splitting: Splitting = Splitting()
    """How the script is divided."""
    target_duration_ms: Annotated[int, Field(ge=1000, le=7_200_000)] | None = None
    """What the whole should last; met as far as rate and pauses allow (S-002)."""
    platform: Name | None = None
    """A row of PLATFORMS; sets shape and limits (S-027)."""
    aspect_ratio: AspectRatio | None = None
    """Shape; None: the platform's, else 9:16 (C3)."""
    width: Annotated[int, Field(ge=16, le=7680, multiple_of=2)] | None = None
    """Width in pixels, with `height`, instead of what platform and shape say."""
    height: Annotated[int, Field(ge=16, le=7680, multiple_of=2)] | None = None
    """Height in pixels."""
    fps: FrameRate = 30
    """Frames a second (S-024)."""
    voice: Voice = Voice()
    """Narration."""
    images: Images = Images()
    """Backgrounds."""
    effects: Annotated[tuple[Effect, ...], Field(max_length=4)] = ("fade_in", "fade_out")
    """Of every scene that names none (S-019)."""
    effect_ms: Annotated[int, Field(ge=0, le=5000)] = 500
    """Length of fade_in and fade_out (S-021)."""
    transition: Transition = Transition()
    """Between scenes that name none."""
    text: TextStyle | None = None
    """Style of each scene's own text as an overlay; None: no such overlay."""
    captions: Captions = Captions()
    """The narration as text."""
    music: Music | None = None
    """Music under it."""
    thumbnail: ThumbnailParams = ThumbnailParams()
    """The still picture."""
    metadata: OwnMetadata | None = None
    """What platforms are told, where it is not to be derived."""
    encoding: Encoding = Encoding()
    """How the video is compressed."""
    fallback: StoryFallback = StoryFallback()
    """What happens when providers fail."""
    variants: tuple[Variant, ...] | None = None
    """The story once more, with what differs; None without any."""

    @model_validator(mode="after")
    def _has_words(self) -> StoryParams:
        given = [self.script.text, self.script.uri, self.script.config_map, self.scenes or None]
        if sum(part is not None for part in given) != 1:
            raise ValueError("a story has exactly one of script.text, script.uri, script.configMap and scenes")
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together: give both, or neither")
        return self
