"""What each stage of a story is given: its own part of the parameters, so that what does not concern it renews nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ..v1alpha1.base import StatusModel
from ..v1alpha1.story_parts import FromPrompt
from .looks import Encoding, ThumbnailParams
from .params import Images, Name, OwnMetadata, SceneInput, Splitting, StoryFallback, StoryParams, Voice

VOICE_PARTS, PICTURE_PARTS, PIECE_PARTS, SOUND_PARTS, SCRIPT_PARTS = "voice", "picture", "piece", "sound", "script"
"""Kinds of the cache whose entries are single sentences, pictures and pieces of video, and the laid sounds of whole films."""
KEPT_SECONDS: dict[str, int] = {
    VOICE_PARTS: 30 * 86_400,
    PICTURE_PARTS: 7 * 86_400,
    PIECE_PARTS: 7 * 86_400,
    SOUND_PARTS: 7 * 86_400,
    SCRIPT_PARTS: 30 * 86_400,
}
"""How long these are kept at least after their last use (S-034, S-035, S-056)."""


VOICE_KEYS: dict[str, tuple[str, ...]] = {
    "openai": ("key",),
    "elevenlabs": ("key",),
    "azure": ("key",),
    "google": ("key",),
    "polly": ("accessKeyId", "secretAccessKey", "sessionToken"),
}
"""Voices that need the network, each with the keys that its Secret may hold; every other one is offline."""


IMAGE_KEYS: dict[str, tuple[str, ...]] = {
    "pexels": ("key",),
    "unsplash": ("key",),
    "stability": ("key",),
    "openai": ("key",),
}
"""Sources of pictures that need the network, in the same form."""


PROMPT_KEY = "key"
"""Key of the Secret of who writes scripts."""


def online(voice: Voice) -> bool:
    """Whether a chain of voices needs a pod with a network."""
    return any(choice.name in VOICE_KEYS for choice in voice.providers)


def online_images(images: Images, scenes: Sequence[SceneInput]) -> bool:
    """Whether a chain of picture sources, or a scene that names a URL, needs a pod with a network."""
    return any(choice.name in IMAGE_KEYS for choice in images.providers) or any(
        (scene.image.uri or "").startswith("http") for scene in scenes
    )


class PromptParams(StatusModel):
    """Have a script written (S-072). It lies in `uploads/` under its digest then, like one that was fetched."""

    prompt: FromPrompt
    """What is asked, and of whom."""
    language: str = "en"
    """Language to write in."""
    genre: str = ""
    """Kind of story."""


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


def scene_params(story: StoryParams) -> SceneParsingParams:
    """What of a story concerns its scenes: how it is drawn and who is asked renews none of them."""
    plain: dict[str, StatusModel | None] = {
        "encoding": Encoding(), "thumbnail": ThumbnailParams(), "images": Images(), "fallback": StoryFallback(),
        "metadata": None,
    }  # fmt: skip
    return SceneParsingParams(story=story.model_copy(update=plain))


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


class ImageParams(StatusModel):
    """Find a background for each scene of SceneParsing's manifest, by its id.

    Writes `scenes.json`: the same scenes with `background`, its files beside it (`AssetRef.stage` is `images`). Where
    `StageTask.online` is set nothing is decoded beside network and credentials: pictures are judged by their first bytes, and
    `layout` looks at the rest.
    """

    images: Images = Images()
    """Who is asked."""
    fallback: StoryFallback = StoryFallback()
    """What happens when nobody has a picture."""
    genre: str = ""
    """Words for every picture of the story."""


class LayoutParams(StatusModel):
    """Put together what was spoken and what was found, and list the pieces to draw.

    Reads the manifests of `audio` and `images`, joined by `Scene.origin`; writes `scenes.json`, the manifest that all later
    stages follow, and the work list of `compose`: the key of each piece (`story.segments.segment_key`), in order, so that a
    piece is made anew when what is seen in it differs, wherever it stands. A picture that cannot be read is replaced by the
    text card, or fails the job, as `fallback` says.
    """

    encoding: Encoding = Encoding()
    """How pieces are compressed: part of their keys."""
    fallback: StoryFallback = StoryFallback()
    """What happens to a picture that cannot be read."""


class ComposeParams(StatusModel):
    """Draw one piece of video: the work item is its key, the manifest of `layout` tells what is in it."""

    encoding: Encoding = Encoding()
    """How it is compressed."""


class JoinParams(StatusModel):
    """Join the pieces without encoding them again, lay the sound under them, mark and measure the whole film, write captions.

    Its `files` are the film (`video`) and the sidecars of the captions; a film that fails the gates is Recoverable
    (VerifyFailed) and never leaves the stage.
    """

    loudness_lufs: int = -16
    """Loudness of the narration, which the gates look for."""


class StillParams(StatusModel):
    """Draw the thumbnail, a frame of the film that bears no captions; its `files` are `thumbnail` alone."""

    thumbnail: ThumbnailParams = ThumbnailParams()
    """How it looks."""


class FinalizeParams(StatusModel):
    """Write the metadata and publish everything at once, like `commit`; decodes nothing."""

    genre: str = ""
    """Genre, for the metadata."""
    platform: Name | None = None
    """Whose limits the film is held against (S-048, S-049)."""
    metadata: OwnMetadata | None = None
    """What is said of the film instead of what follows from its words (S-044)."""
