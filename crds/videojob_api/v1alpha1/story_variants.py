"""Variants: more films, or more thumbnails, of one story from one VideoJob (S-067)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from .base import Rule, StatusModel
from .sources import STORED
from .story_looks import AspectRatio, ThumbnailParams
from .story_providers import PlatformName, StoryVoice

MAX_VARIANTS = 5
MOST_VARIANT_TEXT = 16_384
VariantName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,14}[a-z0-9])?$", max_length=16)]


class VariantScript(StatusModel):
    """Other words, in the story's own markup; exactly one of `text` and `uri`."""

    text: Annotated[str, Field(min_length=1, max_length=MOST_VARIANT_TEXT)] | None = None
    """The script itself."""
    uri: Annotated[str, Field(pattern=f"^{STORED}$", max_length=2048)] | None = None
    """A text file of the store: `store://inbox/<sha256>` or `store://stock/<path>`."""

    @model_validator(mode="after")
    def _one(self) -> VariantScript:
        if (self.text is None) == (self.uri is None):
            raise ValueError("a variant's script has one place: set either script.text or script.uri")
        return self


class Variant(StatusModel):
    """The same story once more, with what differs. What both have in common is made once."""

    unset_stays = True
    cel = (
        Rule(
            "!(has(self.script) && has(self.texts)) && [has(self.platform), has(self.aspectRatio), has(self.language), "
            "has(self.title), has(self.script), has(self.texts), has(self.voice), has(self.thumbnail)].exists(x, x)",
            "a variant differs in something, and has its words in one place: set platform, aspectRatio, language, title, voice, "
            "thumbnail, or one of script and texts",
        ),
    )

    name: VariantName
    """Its name, at the end of its outputs': `video-<name>`, `thumbnail-<name>`."""
    platform: PlatformName | None = None
    """Another platform: its shape, and its limits."""
    aspect_ratio: AspectRatio | None = None
    """Another shape; without it the variant's platform's, else the story's."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] | None = None
    """Another language, of `script` or `texts`."""
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Another title."""
    script: VariantScript | None = None
    """Another script, for example a translation; its pictures are found by its own words."""
    texts: Annotated[tuple[Annotated[str, Field(max_length=4000)], ...], Field(max_length=200)] | None = None
    """Other words for an explicit list of scenes, one text for each; pictures, effects and order stay."""
    voice: StoryVoice | None = None
    """Another voice."""
    thumbnail: ThumbnailParams | None = None
    """Another thumbnail, instead of the story's. A variant with nothing but a title and a thumbnail is no film of its own: it
    costs one frame of the story's film, and no encode."""

    @model_validator(mode="after")
    def _something(self) -> Variant:
        nothing = not self.films and self.title is None and self.thumbnail is None
        if nothing or (self.script is not None and self.texts is not None):
            raise ValueError(self.cel[0].message)
        return self

    @property
    def films(self) -> bool:
        """Whether it is a film of its own."""
        own = (self.platform, self.aspect_ratio, self.language, self.script, self.texts, self.voice)
        return any(part is not None for part in own)

    @property
    def retold(self) -> bool:
        """Whether its words are other ones."""
        return self.language is not None or self.script is not None or self.texts is not None
