"""The scene manifest: what is seen and heard when, to the frame. Each stage of a story writes it anew, with more in it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..v1alpha1.base import StatusModel
from .looks import SAMPLE_RATE, Captions, Colour, Effect, FrameRate, Music, Overlay, Transition
from .params import ImageHint, Name

MANIFEST_VERSION = 1
Basis = Literal["speech", "words", "default", "given"]
"""What a duration follows from."""
SCENES_FILE = "scenes.json"
"""Name of the manifest in the folder of every stage that writes one."""


class Word(StatusModel):
    """One word as it is spoken, by the voice's own clock."""

    text: str
    """The word as it is shown, punctuation included."""
    start_ms: Annotated[int, Field(ge=0)]
    """From the start of the speech."""
    end_ms: Annotated[int, Field(ge=0)]
    """From the start of the speech."""
    begin: Annotated[int, Field(ge=0)] = 0
    """Where it begins in the scene's text, in characters; what stands between two words belongs to neither."""
    end: Annotated[int, Field(ge=0)] = 0
    """Where it ends there."""


class Phoneme(StatusModel):
    """One sound of the speech."""

    symbol: str
    """As the engine names it."""
    start_ms: Annotated[int, Field(ge=0)]
    """From the start of the speech."""
    end_ms: Annotated[int, Field(ge=0)]
    """From the start of the speech."""


class AssetRef(StatusModel):
    """A file that a stage has made or brought."""

    stage: str
    """Kind of the stage in whose folder it lies."""
    path: str
    """Name in that folder."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of its bytes."""


class Speech(StatusModel):
    """A scene's narration: mono PCM at SAMPLE_RATE, loudness normalised."""

    file: AssetRef
    """The sound, WAV."""
    samples: Annotated[int, Field(ge=1)]
    """Its exact length."""
    offset_ms: Annotated[int, Field(ge=0)] = 0
    """When it begins, from the scene's start."""
    provider: str
    """Who spoke."""
    voice: str
    """With which voice."""
    words: tuple[Word, ...] = ()
    """Words with their times."""
    timing: Literal["engine", "aligned", "estimated"] = "engine"
    """Where the words' times come from: the engine itself, its phonemes laid to the words, or sound measured between pauses."""
    phonemes: tuple[Phoneme, ...] = ()
    """Sounds with their times, where the engine tells."""

    @property
    def duration_ms(self) -> int:
        """Its length, rounded up: speech is never cut."""
        return -(-self.samples * 1000 // SAMPLE_RATE)


class Background(StatusModel):
    """What stands behind a scene."""

    kind: Literal["image", "clip", "colour", "gradient", "card"]
    """`image` and `clip` have a file; `card` is the scene's text on a plain ground (S-038)."""
    file: AssetRef | None = None
    """The picture or the clip."""
    color: Colour = "#1A1A2E"
    """Ground of colour, gradient and card; border where a picture does not fill."""
    color_to: Colour | None = None
    """Other end of a gradient."""
    provider: str = ""
    """Whence it came."""
    credit: str | None = None
    """Whom to name for it."""

    @model_validator(mode="after")
    def _files_where_needed(self) -> Background:
        if self.kind in {"image", "clip"} and self.file is None:
            raise ValueError(f"a background of kind {self.kind} names its file")
        return self


class Cut(StatusModel):
    """One end of a scene: what happens there, in frames of this scene's own time."""

    kind: Literal["fade", "cut", "dissolve", "slide", "wipe", "zoom"] = "cut"
    """How the picture changes."""
    frames: Annotated[int, Field(ge=0)] = 0
    """So many of this scene's frames are part of it: the fade's, or this side's half of what shows both pictures."""


class Scene(StatusModel):
    """One scene."""

    index: Annotated[int, Field(ge=0)]
    """Its place."""
    id: Name
    """Its name, such as `s001`."""
    text: str
    """What is shown; words point into it."""
    spoken: str
    """What the voice is given."""
    start_frame: Annotated[int, Field(ge=0)]
    """First frame: the sum of all frames before it (S-020)."""
    frames: Annotated[int, Field(ge=1)]
    """How long it lasts."""
    basis: Basis
    """What its duration follows from: measured speech, counted words, nothing to say, or the user's word (C4)."""
    effects: tuple[Effect, ...] = ()
    """What its picture does."""
    head: Cut = Cut()
    """Where it comes from the scene before."""
    tail: Cut = Cut()
    """Where it becomes the next."""
    image: ImageHint = ImageHint()
    """Which background is wanted."""
    background: Background | None = None
    """Which one was found; None until then."""
    overlays: tuple[Overlay, ...] = ()
    """Texts over it, captions apart."""
    speech: Speech | None = None
    """Its narration; None until then, and for a silent scene."""
    transition: Transition = Transition()
    """As it was asked for; `head` and `tail` are what came of it."""
    given_ms: int | None = None
    """Least duration the user gave."""
    origin: Name | None = None
    """Name that SceneParsing gave to the scene that this one, or the one it was divided from, was: by it a picture that was
    found while the story was spoken comes to its scene."""


class SceneManifest(StatusModel):
    """A whole story, ready to be drawn."""

    version: int = MANIFEST_VERSION
    """Version of this form."""
    title: str
    """Title."""
    language: str
    """BCP 47 tag of the narration."""
    width: Annotated[int, Field(ge=16)]
    """Width in pixels."""
    height: Annotated[int, Field(ge=16)]
    """Height in pixels."""
    fps: FrameRate
    """Frames a second."""
    scenes: Annotated[tuple[Scene, ...], Field(min_length=1)]
    """In order."""
    captions: Captions = Captions()
    """How the narration is shown."""
    music: Music | None = None
    """What is heard under it."""
    rate_percent: Annotated[int, Field(ge=50, le=200)] = 100
    """Rate of speech after the fit to a target duration."""
    pause_ms: Annotated[int, Field(ge=0)] = 300
    """Silence after each scene's speech, after the fit."""
    notes: tuple[str, ...] = ()
    """What could not be met, one sentence each; shown to the user."""
    degraded: tuple[str, ...] = ()
    """Fallbacks that were taken, one sentence each; a reason for Degraded."""

    @property
    def total_frames(self) -> int:
        """Length of the video."""
        last = self.scenes[-1]
        return last.start_frame + last.frames

    @property
    def duration_ms(self) -> int:
        """The same for people."""
        return frames_ms(self.total_frames, self.fps)

    @property
    def samples_per_frame(self) -> int:
        """Exact: every rate offered divides SAMPLE_RATE."""
        return SAMPLE_RATE // self.fps

    @model_validator(mode="after")
    def _running_sum(self) -> SceneManifest:
        at = 0
        for place, scene in enumerate(self.scenes):
            if scene.index != place or scene.start_frame != at:
                raise ValueError(
                    f"scene {place} has index {scene.index} and begins at frame {scene.start_frame}, not {at}: "
                    "scenes stand in order, each begins where the one before ends"
                )
            if scene.head.frames + scene.tail.frames > scene.frames:
                raise ValueError(f"scene {place} has {scene.frames} frames, less than its two cuts take")
            at += scene.frames
        return self


def frames_ms(frames: int, fps: int) -> int:
    """Milliseconds of so many frames, to the nearest one."""
    return (frames * 2000 + fps) // (2 * fps)
