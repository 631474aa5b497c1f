"""What each stage of a story is given: its own part of the parameters, so that what does not concern it renews nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..v1alpha1.base import StatusModel
from ..v1alpha1.story_parts import FromPrompt
from .looks import Encoding, ThumbnailParams
from .params import Images, Name, OwnMetadata, SceneInput, Splitting, StoryFallback, StoryParams, Voice
from .variants import MAIN, stills, takes

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


class Speaking(StatusModel):
    """How the scenes of one take are spoken."""

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


class AudioTake(Speaking):
    """Another take."""

    name: Name
    """Its name."""


class AudioParams(Speaking):
    """Speak the scenes: of the story's own take as it says itself."""

    takes: tuple[AudioTake, ...] | None = None
    """The other ones; None without any."""


def scene_params(story: StoryParams) -> SceneParsingParams:
    """What of a story concerns its scenes: how it is drawn and who is asked renews none of them."""
    others = tuple(one.model_copy(update={"thumbnail": None}) for one in story.variants or () if one.films)
    plain: dict[str, StatusModel | None] = {
        "encoding": Encoding(), "thumbnail": ThumbnailParams(), "images": Images(), "fallback": StoryFallback(),
        "metadata": None,
    }  # fmt: skip
    story = story.model_copy(update={"variants": others or None})
    return SceneParsingParams(story=story.model_copy(update=plain))


def audio_params(story: StoryParams) -> AudioParams:
    """What of a story concerns its sound."""
    others = tuple(AudioTake(name=take.name, **_speaking(take.story)) for take in takes(story)[1:])
    return AudioParams(**_speaking(story), takes=others or None)


def _speaking(story: StoryParams) -> dict[str, Any]:
    same = ("voice", "splitting", "fallback", "target_duration_ms", "platform", "effect_ms")
    return {name: getattr(story, name) for name in same} | {"explicit": bool(story.scenes)}


class ImageTake(StatusModel):
    """Another take."""

    name: Name
    """Its name."""
    pictured: str = MAIN
    """The take whose words find its pictures."""


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
    takes: tuple[ImageTake, ...] | None = None
    """Takes beside the story's own; None without any."""


def image_params(story: StoryParams) -> ImageParams:
    """What of a story concerns its pictures."""
    others = tuple(ImageTake(name=take.name, pictured=take.pictured) for take in takes(story)[1:])
    return ImageParams(images=story.images, fallback=story.fallback, genre=story.genre, takes=others or None)


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
    takes: tuple[Name, ...] | None = None
    """Takes beside the story's own; None without any. Their pieces are drawn together, and what looks the same is one piece."""


def layout_params(story: StoryParams) -> LayoutParams:
    """What of a story concerns its pieces."""
    others = tuple(take.name for take in takes(story)[1:])
    return LayoutParams(encoding=story.encoding, fallback=story.fallback, takes=others or None)


class ComposeParams(StatusModel):
    """Draw one piece of video: the work item is its key, the manifest of `layout` tells what is in it."""

    encoding: Encoding = Encoding()
    """How it is compressed."""


class JoinTake(StatusModel):
    """Another take."""

    name: Name
    """Its name."""
    loudness_lufs: int = -16
    """Loudness of its narration."""


class JoinParams(StatusModel):
    """Join the pieces without encoding them again, lay the sound under them, mark and measure the whole film, write captions.

    Its `files` are the film (`video`) and the sidecars of the captions; a film that fails the gates is Recoverable
    (VerifyFailed) and never leaves the stage.
    """

    loudness_lufs: int = -16
    """Loudness of the narration, which the gates look for."""
    takes: tuple[JoinTake, ...] | None = None
    """Takes beside the story's own; None without any."""


def join_params(story: StoryParams) -> JoinParams:
    """What of a story concerns its films."""
    others = tuple(JoinTake(name=one.name, loudness_lufs=one.story.voice.loudness_lufs) for one in takes(story)[1:])
    return JoinParams(loudness_lufs=story.voice.loudness_lufs, takes=others or None)


class StillTake(StatusModel):
    """Another thumbnail."""

    name: Name
    """Its name."""
    of: str = MAIN
    """The take it shows."""
    thumbnail: ThumbnailParams = ThumbnailParams()
    """How it looks."""


class StillParams(StatusModel):
    """Make the thumbnails of the joined films; its `files` are `thumbnail` and `thumbnail-<name>`."""

    thumbnail: ThumbnailParams = ThumbnailParams()
    """How it looks."""
    others: tuple[StillTake, ...] | None = None
    """Thumbnails beside the story's own; None without any."""


def still_params(story: StoryParams) -> StillParams:
    """What of a story concerns its thumbnails."""
    others = tuple(StillTake(name=one.name, of=one.of, thumbnail=one.look) for one in stills(story)[1:])
    return StillParams(thumbnail=story.thumbnail, others=others or None)


class FinalizeTake(StatusModel):
    """Another take."""

    name: Name
    """Its name."""
    platform: Name | None = None
    """Whose limits its film is held against."""
    metadata: OwnMetadata | None = None
    """What is said of it instead of what follows from its words."""


class FinalizeParams(StatusModel):
    """Write the metadata and publish everything at once, like `commit`; decodes nothing."""

    genre: str = ""
    """Genre, for the metadata."""
    platform: Name | None = None
    """Whose limits the film is held against (S-048, S-049)."""
    metadata: OwnMetadata | None = None
    """What is said of the film instead of what follows from its words (S-044)."""
    takes: tuple[FinalizeTake, ...] | None = None
    """Takes beside the story's own; None without any."""


def finalize_params(story: StoryParams) -> FinalizeParams:
    """What of a story concerns its publication."""
    others = tuple(
        FinalizeTake(name=take.name, platform=take.story.platform, metadata=take.story.metadata)
        for take in takes(story)[1:]
    )
    return FinalizeParams(genre=story.genre, platform=story.platform, metadata=story.metadata, takes=others or None)
