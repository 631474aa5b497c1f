"""What status and manifest say of a story: bounded; the scenes themselves stand in the store."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import StatusModel
from .story_variants import MAX_VARIANTS

MAX_TAGS = 10
MAX_HASHTAGS = 16
Word = Annotated[str, Field(max_length=80)]


class StoryMetadata(StatusModel):
    """What a platform is told beside the video; `metadata.json` among the outputs has all of it (S-044)."""

    title: Annotated[str, Field(max_length=200)] = ""
    """Title."""
    description: Annotated[str, Field(max_length=200)] = ""
    """The first two sentences."""
    tags: Annotated[tuple[Word, ...], Field(max_length=MAX_TAGS)] = ()
    """Genre and keywords (S-045)."""
    hashtags: Annotated[tuple[Word, ...], Field(max_length=MAX_HASHTAGS)] = ()
    """Those of the story, then those that every story has (S-046)."""
    genre: Annotated[str, Field(max_length=63)] = ""
    """Genre."""


class VariantStatus(StatusModel):
    """A variant that is a film of its own."""

    name: Annotated[str, Field(max_length=16)]
    """Its name."""
    title: Annotated[str, Field(max_length=200)] = ""
    """Title."""
    language: Annotated[str, Field(max_length=35)] = ""
    """Language of its narration."""
    scenes: int = 0
    """Number of its scenes."""
    duration_ms: int = 0
    """How long it lasts."""


class StoryStatus(StatusModel):
    """A story, as far as it is known."""

    title: Annotated[str, Field(max_length=200)] | None = None
    """Title; `Untitled Story` for one that has none (S-005)."""
    language: Annotated[str, Field(max_length=35)] | None = None
    """Language of the narration."""
    scenes: int | None = None
    """Number of scenes (S-020)."""
    pieces: int | None = None
    """Pieces of video that it is drawn in: scenes, and passages that show two of them."""
    pieces_made: int | None = None
    """How many of them were drawn for this job; the others were there."""
    duration_ms: int | None = None
    """How long it lasts: expected at first, then as it is spoken, then as measured."""
    narrator: Annotated[str, Field(max_length=200)] | None = None
    """Who reads it aloud; absent for a silent story."""
    metadata: StoryMetadata | None = None
    """What a platform is told beside the video."""
    variants: Annotated[tuple[VariantStatus, ...], Field(max_length=MAX_VARIANTS)] | None = None
    """Variants that are films of their own, once they are spoken; `metadata-<name>` among the outputs has more of each."""
