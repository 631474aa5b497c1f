"""What each stage of a story is given: its own part of the parameters, so that what does not concern it renews nothing."""

from __future__ import annotations

from ..v1alpha1.base import StatusModel
from .params import Name, Splitting, StoryFallback, StoryParams, Voice

VOICE_PARTS, PICTURE_PARTS = "voice", "picture"
"""Kinds of the cache whose entries are single sentences and single pictures."""
KEPT_SECONDS: dict[str, int] = {VOICE_PARTS: 30 * 86_400, PICTURE_PARTS: 7 * 86_400}
"""How long these are kept at least after their last use (S-034, S-035)."""


VOICE_KEYS: dict[str, tuple[str, ...]] = {
    "openai": ("key",),
    "elevenlabs": ("key",),
    "azure": ("key",),
    "google": ("key",),
    "polly": ("accessKeyId", "secretAccessKey", "sessionToken"),
}
"""Voices that need the network, each with the keys that its Secret may hold; every other one is offline."""


def online(voice: Voice) -> bool:
    """Whether a chain of voices needs a pod with a network."""
    return any(choice.name in VOICE_KEYS for choice in voice.providers)


class SceneParsingParams(StatusModel):
    """Make scenes of a script."""

    story: StoryParams
    """The whole story."""


class AudioParams(StatusModel):
    """Speak the scenes."""

    voice: Voice = Voice()
    """Who speaks, and how."""
    splitting: Splitting = Splitting()
    """Where speech is divided, and how long scenes without speech last."""
    explicit: bool = False
    """Whether the user listed the scenes: then none is divided."""
    fallback: StoryFallback = StoryFallback()
    """What happens when nobody can speak."""
    target_duration_ms: int | None = None
    """What the whole should last."""
    platform: Name | None = None
    """For its longest duration."""
    effect_ms: int = 500
    """Length of fade_in and fade_out."""


def audio_params(story: StoryParams) -> AudioParams:
    """What of a story concerns its sound."""
    return AudioParams(
        voice=story.voice,
        splitting=story.splitting,
        explicit=bool(story.scenes),
        fallback=story.fallback,
        target_duration_ms=story.target_duration_ms,
        platform=story.platform,
        effect_ms=story.effect_ms,
    )
