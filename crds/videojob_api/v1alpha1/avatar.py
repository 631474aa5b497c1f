"""spec.avatar: a portrait, or a video of somebody, and a voice become a talking person (A-001 to A-046)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import ApiModel, Rule
from .sources import STORED
from .story_looks import Captions
from .story_parts import SecretName
from .story_providers import StoryVoice

Colour = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]
Percent = Annotated[int, Field(ge=0, le=100)]
MOST_PERSONS = 8
"""So many videos `select: All` makes of one picture."""
USUAL_CONFIDENCE = 50
"""Percent that a detector has to be sure of a person where nobody says (A-001)."""
AvatarName = Literal["builtin", "command", "http", "did"]


class AvatarFile(ApiModel):
    """A file of the namespace's store."""

    uri: Annotated[str, Field(pattern=f"^{STORED}$", max_length=2048)]
    """`store://inbox/<sha256>` for an upload (`videojob upload` prints it), or `store://stock/<path>`."""
    filename: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\x00-\x1f\x7f]+$")] | None = None
    """The name people know the file by."""


class AvatarSpeech(ApiModel):
    """Words that a voice speaks."""

    text: Annotated[str, Field(min_length=1, max_length=8192)]
    """What the person says."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)] = "en"
    """BCP 47 tag of the text."""
    voice: StoryVoice = StoryVoice()
    """Who speaks it, as in a story."""


class Weights(ApiModel):
    """A model's file in the namespace's store (A-020)."""

    uri: Annotated[str, Field(pattern=f"^{STORED}$", max_length=2048)]
    """`store://stock/<path>` for a file that the team keeps, or `store://inbox/<sha256>` for an upload."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the file; another file in its place is refused."""


Precision = Literal["fp32", "fp16", "int8"]


class Detection(ApiModel):
    """Finding the person (A-001, A-014, A-039)."""

    detector: Literal["mediapipe", "onnx", "yolo"] = "mediapipe"
    """`mediapipe` is part of the worker image and needs no GPU; `onnx` is a detector exported to ONNX, `yolo` one that
    ultralytics has trained, which needs an image built of Containerfile.vision. Both take `weights`."""
    weights: Weights | None = None
    """The detector's weights."""
    precision: Precision | None = None
    """Numbers it computes with on a GPU; without it `fp32`."""
    confidence_percent: Percent | None = None
    """How sure the detector has to be of a person; without it as the worker class says by `YOLO_CONFIDENCE_THRESHOLD` (of GPUs
    0.5), else 50."""
    second_pass_percent: Percent = 30
    """How sure in a second look, when the first found nobody."""
    iou_percent: Percent = 45
    """Boxes that overlap more than this are one person."""
    select: Literal["Largest", "Index", "MostCentral", "All"] = "Largest"
    """Whose portrait it is when there are several. `All` makes a video of each of them, at most eight: `video-1` is of the one on
    the left."""
    index: Annotated[int, Field(ge=1, le=100)] = 1
    """With `select: Index`: the person's number, counted from the left."""
    crop: Literal["None", "UpperBody"] = "None"
    """`UpperBody` cuts the picture to head and shoulders; in a video to where these are when the person is first seen."""

    @model_validator(mode="after")
    def _as_the_rules_say(self) -> Self:
        first = self.confidence_percent if self.confidence_percent is not None else USUAL_CONFIDENCE
        if self.second_pass_percent > first:
            raise ValueError(
                "detection.secondPassPercent must be at most detection.confidencePercent: the second pass sees more, not less"
            )
        _weighed("detection", self.detector, self.weights, self.precision, bare=self.detector == "mediapipe")
        return self


def _weighed(part: str, model: str, weights: Weights | None, precision: Precision | None, *, bare: bool) -> None:
    """What goes with a model of one's own goes with no other, and the other way round."""
    if bare and (weights is not None or precision is not None):
        raise ValueError(
            f"{part}.weights and {part}.precision go with weights of one's own: {model} takes none; remove them"
        )
    if not bare and weights is None:
        raise ValueError(f"{part}.weights names the file and the sha256 of the model; {model} needs it")


class Matting(ApiModel):
    """Cutting the person out, and what is seen behind (A-001, A-040)."""

    matter: Literal["mediapipe", "birefnet", "grabcut", "none"] = "mediapipe"
    """`mediapipe` knows people, and is part of the worker image; `birefnet` cuts out finer by `weights` exported to ONNX or by
    torch.export; `grabcut` knows colours alone, and shows as `Degraded`; `none` leaves the picture as it is."""
    weights: Weights | None = None
    """Weights of `birefnet`."""
    precision: Precision | None = None
    """Numbers it computes with on a GPU; without it `fp16` where the worker class says `BIREFNET_USE_FP16`, else `fp32`."""
    smoothing: bool = True
    """Whether the edge is smoothed (A-001)."""
    padding: Annotated[int, Field(ge=-100, le=100)] = 0
    """Pixels by which the person grows, or shrinks if negative."""
    color: Colour | None = None
    """A plain background; white when nothing else is asked for."""
    image: AvatarFile | None = None
    """A picture of the store as the background."""
    blur: Annotated[int, Field(ge=1, le=100)] | None = None
    """The picture's own background, blurred by so many pixels."""

    @model_validator(mode="after")
    def _as_the_rules_say(self) -> Self:
        if sum(part is not None for part in (self.color, self.image, self.blur)) > 1:
            raise ValueError("matting shows one background: set at most one of color, image and blur")
        _weighed("matting", self.matter, self.weights, self.precision, bare=self.matter != "birefnet")
        return self


class AvatarWays(ApiModel):
    """How whoever makes a portrait speak is asked: what a spec says and what a provider is told are this one declaration."""

    name: Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
    """Row of the providers."""
    model: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = None
    """Of `command`: the program is `videojob-avatar-<model>`; of `http`: told to the server."""
    endpoint: Annotated[str, Field(max_length=1024, pattern=r"^https?://")] | None = None
    """Where the service listens instead of its usual address."""
    secret_name: SecretName | None = None
    """Secret of this namespace: key `D_ID_API_KEY` for D-ID, `key` for http. It is mounted into that stage's pod alone."""
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 60
    """How long one answer may take."""
    poll_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How often it is asked how far it is."""
    patience_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    """How long one attempt waits for the video; the next one goes on waiting for the same."""
    driver: Annotated[str, Field(max_length=200, pattern=r"^(bank://|https://)[!-~]+$")] | None = None
    """Of D-ID: the motion of the head, for example `bank://lively`."""
    expression: Literal["neutral", "happy", "surprise", "serious"] | None = None
    """The face's expression throughout, where the provider can."""
    intensity_percent: Percent = 100
    """How much of it."""
    stitch: bool = True
    """Of D-ID: the face goes back into the whole picture."""
    fluent: bool = False
    """Of D-ID: blend between repetitions of the driver."""
    pad_audio_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    """Silence added behind the speech."""


class AvatarProvider(AvatarWays):
    """Who makes the portrait speak (A-021, A-046)."""

    name: AvatarName = "builtin"
    """`builtin` moves a picture's mouth by the voice, offline and without a GPU; `command` runs a program of the worker class's
    image; `http` asks a server of one's own; `did` asks D-ID, which costs credits."""

    @model_validator(mode="after")
    def _as_the_rules_say(self) -> Self:
        if self.name == "did" and self.secret_name is None:
            raise ValueError("provider.secretName names the Secret with the key D_ID_API_KEY; D-ID needs it")
        if self.name == "http" and self.endpoint is None:
            raise ValueError("provider.endpoint is the https:// URL of the server that http asks; set it")
        return self


class Consent(ApiModel):
    """That the person agreed, and where that is written down."""

    subject: Annotated[str, Field(min_length=1, max_length=200)]
    """Who is shown."""
    reference: Annotated[str, Field(min_length=1, max_length=500)]
    """Where the agreement is kept, for example a document's number. It is carried into the manifest."""


class AvatarSpec(ApiModel):
    """A portrait and a voice become a video of a talking person."""

    cel = (Rule("self == oldSelf", "spec.avatar is immutable: create another VideoJob"),)

    image: AvatarFile
    """The portrait: JPEG, PNG or WebP with one person or several, or a video of them (MP4, MOV, AVI, MKV, WebM; by content, not
    by name) of at most 60 s and 200 MiB. In a video the person is followed and cut out frame by frame, and `builtin` keeps
    their own motion: no mouth is moved, the voice (the video's own, if `audio` names the same file) lies under it, and what is
    made lasts as long as the video, with at most 1280 pixels a side and 30 frames a second. A frame of that size takes about half
    a second of a core: set `timeoutSeconds` for long ones. All other providers get the frame that shows a face best."""
    audio: AvatarFile | None = None
    """What the person says, recorded: MP3, M4A, Ogg, FLAC, WAV, or a video's sound. It may not last longer than a video in
    `image`."""
    speech: AvatarSpeech | None = None
    """What the person says, as words."""
    detection: Detection = Detection()
    """Finding the person."""
    matting: Matting = Matting()
    """Cutting the person out, and the background."""
    provider: AvatarProvider = AvatarProvider()
    """Who makes the portrait speak."""
    captions: Captions | None = None
    """The words of `speech`, in the picture and in files beside the video; without it nothing is shown."""
    consent: Consent | None = None
    """That the person agreed."""

    @model_validator(mode="after")
    def _one_voice(self) -> Self:
        if (self.audio is None) == (self.speech is None):
            raise ValueError("an avatar has one voice: set one of avatar.audio and avatar.speech")
        if self.captions is not None and self.speech is None:
            raise ValueError(
                "avatar.captions shows the words of avatar.speech; a recording has none: remove avatar.captions"
            )
        return self
