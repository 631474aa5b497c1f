"""What each stage of an avatar is given: its own part of the spec, so that what does not concern it renews nothing."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..story.params import StoryFallback, Voice
from ..story.scenes import Word
from ..v1alpha1.avatar import AvatarSpec, Consent, Detection, Matting
from ..v1alpha1.base import StatusModel
from ..v1alpha1.sources import StoredFile
from ..v1alpha1.story_looks import Captions
from .params import Animator

SPEECH_FILE, PORTRAIT_FILE, CUTOUT_FILE = "speech.wav", "portrait.png", "cutout.png"
SCENE_FILE, VIDEO_FILE = "scene.png", "raw.mp4"
"""Files that stages leave each other: the voice, the picture as people see it, the person alone, the person before the
background, and the provider's video."""
FILM_FILE, SCENES_FILE = "film.mp4", "scenes.mp4"
"""The same where a video was given: as people see it, and the person before the background, frame by frame."""
IMAGE_BYTES, AUDIO_BYTES = 20 << 20, 30 << 20
"""Largest portrait or background, and largest voice."""
FILM_BYTES = 200 << 20
"""Largest video of a person."""
SAID_FILE = "said.json"
"""What the voice says when, of a speech that was made of words."""
PAID = "paid"
"""Folder of the job that holds what was asked of providers who are paid; it outlives attempts."""


class Sentence(StatusModel):
    """One sentence of the speech."""

    text: str
    """As it is shown; words point into it."""
    start_ms: Annotated[int, Field(ge=0)]
    """When it begins."""
    end_ms: Annotated[int, Field(ge=1)]
    """When the next one begins, or the speech ends."""
    words: tuple[Word, ...] = ()
    """Its words, in the sentence's own time."""


class Said(StatusModel):
    """What the voice says when, for captions; the record of `speak` beside its sound."""

    sentences: tuple[Sentence, ...]
    """In order."""


class SpeakParams(StatusModel):
    """Speak the words."""

    text: str
    """What is said."""
    language: str = "en"
    """In which language."""
    voice: Voice = Voice()
    """Who speaks."""
    fallback: StoryFallback = StoryFallback()
    """Whether the next voice may speak when one fails; nobody speaking fails the job, for a silent face is no avatar."""


class UploadParams(StatusModel):
    """Judge the portrait and the voice, and bring both into a form that every later stage reads."""

    image: StoredFile
    """The portrait."""
    audio: StoredFile | None = None
    """The recorded voice; None: that of the stage `speak`."""
    moving: bool | None = None
    """Whether a video in the portrait's place stays a video; None: its best frame is the portrait, for the provider takes
    pictures alone (A-041)."""


class DetectParams(StatusModel):
    """Find the person."""

    detection: Detection = Detection()
    """How."""


class MatteParams(StatusModel):
    """Cut the person out, and put it before the background."""

    matting: Matting = Matting()
    """How, and before what."""
    fallback: StoryFallback = StoryFallback()
    """Whether a lesser result is taken when a better one cannot be had."""


class AnimateParams(StatusModel):
    """Make the portrait speak; decodes nothing that comes from the network."""

    animator: Animator
    """Who does it."""


class WithdrawParams(StatusModel):
    """Leave nothing at the provider of an avatar that nobody goes on with; decodes nothing."""

    animator: Animator
    """Who was asked."""


class FinishParams(StatusModel):
    """Check the provider's video, compress it, caption it, mark it, and take a still picture from it."""

    captions: Captions | None = None
    """How its words are shown; None: not at all."""
    language: str | None = None
    """Of the words, where they are shown."""


class DeliverParams(StatusModel):
    """Publish; decodes nothing."""

    consent: Consent | None = None
    """What the manifest says about the person's agreement."""


def of(name: str, number: int | None) -> str:
    """The name of a person's own file where each of several has one (A-039): `cutout-2.png`."""
    stem, dot, suffix = name.rpartition(".") if "." in name else (name, "", "")
    return name if number is None else f"{stem}-{number}{dot}{suffix}"


def animator(asked: AvatarSpec) -> Animator:
    """The provider of a spec as the provider is told."""
    return Animator.model_validate(asked.provider.model_dump(exclude_none=True))
