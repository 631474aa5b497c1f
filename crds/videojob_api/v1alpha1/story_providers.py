"""Who speaks and who finds pictures for a story, and where it may be shown: closed sets, as a spec has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .story_parts import Images, Provider, Voice

VoiceName = Literal["offline", "flite", "espeak", "piper", "silent", "openai", "elevenlabs", "azure", "google", "polly"]
ImageSource = Literal["files", "stock", "solid", "gradient", "card", "pexels", "unsplash", "stability", "openai"]
PlatformName = Literal[
    "tiktok", "youtube", "youtube_shorts", "instagram_reels", "instagram_stories", "instagram_post", "facebook"
]


class VoiceProvider(Provider):
    """Who reads aloud."""

    name: VoiceName
    """`offline` is flite for English and espeak-ng for other languages; `piper` speaks with a model that the worker class
    brings; `silent` says nothing; the others are services on the internet, and need a Secret."""


class ImageProvider(Provider):
    """Where pictures come from."""

    name: ImageSource
    """`files` and `stock` choose among the store's files by tags and words; `solid`, `gradient` and `card` draw a plain ground
    or the scene's text; the others are services on the internet, and need a Secret."""


class StoryVoice(Voice):
    """Narration (S-032 to S-034)."""

    providers: Annotated[tuple[VoiceProvider, ...], Field(min_length=1, max_length=8)] = (
        VoiceProvider(name="offline"),
    )
    """Tried in order; the first that speaks wins. What fails is told in the condition `Degraded`, or ends the job where
    `spec.fallback.policy` is Deny."""


class StoryImages(Images):
    """Backgrounds (S-035 to S-037)."""

    providers: Annotated[tuple[ImageProvider, ...], Field(min_length=1, max_length=8)] = (
        ImageProvider(name="files"),
        ImageProvider(name="card"),
    )
    """Tried in order for each scene; the first that has a picture wins."""
