"""VideoJob.spec: what a user asks for."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from .. import names
from .accelerator import Accelerator
from .avatar import AvatarSpec
from .base import ApiModel, Rule
from .notify import NotifyTarget
from .publish import Publish
from .retention import Retention
from .sources import Source
from .story import StorySpec

QUANTITY = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"
"""Byte amounts as Kubernetes writes them: `500Mi`, `2G`, `524288000`."""

_FACTORS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip

VideoType = Literal["mp4", "mov", "avi", "mkv", "webm"]
ALLOWED_TYPES: tuple[VideoType, ...] = ("mp4", "mov", "avi", "mkv", "webm")
"""Input formats of the seeds (T-021)."""


def quantity_bytes(text: str) -> int:
    """Bytes of a Kubernetes quantity (`500Mi` -> 524288000). Raises ValueError naming the expected form."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)", text)
    if match is None or match[2] not in _FACTORS:
        raise ValueError(f"{text!r} is not a quantity of bytes such as 500Mi or 2G")
    return int(float(match[1]) * _FACTORS[match[2]])


class InputLimits(ApiModel):
    """What an input may be at most; anything beyond fails at once, with the limit in the message."""

    cel = (
        Rule(
            "quantity(self.maxInputSize).isGreaterThan(quantity('0'))",
            "limits.maxInputSize must be above zero, for example 500Mi",
            field_path=".maxInputSize",
        ),
    )

    max_input_size: Annotated[str, Field(pattern=QUANTITY, max_length=20)] = "500Mi"
    """Largest input in bytes, as a quantity (`500Mi`, `2G`); a larger one fails with `File too large` (T-014)."""
    max_duration_seconds: Annotated[int, Field(ge=1, le=86400)] = 7200
    """Longest input in seconds."""
    allowed_types: Annotated[
        tuple[VideoType, ...],
        Field(min_length=1, max_length=5, json_schema_extra={"list_type": "set"}),
    ] = ALLOWED_TYPES
    """Formats to let in, judged by the file's content, never by its name (T-021)."""

    @property
    def max_input_bytes(self) -> int:
        """`max_input_size` in bytes."""
        return quantity_bytes(self.max_input_size)

    @field_validator("max_input_size")
    @classmethod
    def _positive(cls, value: str) -> str:
        if quantity_bytes(value) <= 0:
            raise ValueError("limits.maxInputSize must be above zero, for example 500Mi")
        return value


ProfileName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]


class TranscodeSpec(ApiModel):
    """A video file becomes a ladder of renditions and still pictures (T-001 to T-008)."""

    cel = (Rule("self == oldSelf", "spec.transcode is immutable: create another VideoJob to work on other input"),)

    source: Source
    """The input."""
    profiles: Annotated[
        tuple[ProfileName, ...],
        Field(min_length=1, max_length=16, json_schema_extra={"list_type": "set"}),
    ] = ("720p", "480p", "thumbnail")
    """Names of VideoProfiles, one output each; looked up in the job's namespace, then in the operator's. Built in:
    `720p`, `480p`, `360p`, `webm_720p`, `thumbnail` (T-006, T-007)."""
    limits: InputLimits = InputLimits()
    """Bounds on the input."""


class Retry(ApiModel):
    """When an attempt of a stage fails (X-006, A-033)."""

    cel = (
        Rule(
            "self.backoffSeconds <= self.maxBackoffSeconds",
            "retry.maxBackoffSeconds must be at least retry.backoffSeconds",
            field_path=".maxBackoffSeconds",
        ),
    )

    max_attempts: Annotated[int, Field(ge=1, le=20)] = 3
    """Attempts of each stage, the first included. Disruptions (eviction, node loss) have a budget of their own."""
    backoff_seconds: Annotated[int, Field(ge=0, le=3600)] = 2
    """Wait before the second attempt."""
    multiplier: Annotated[int, Field(ge=1, le=10)] = 2
    """Factor by which each further wait grows."""
    max_backoff_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """Longest wait."""

    @model_validator(mode="after")
    def _ordered(self) -> Retry:
        if self.backoff_seconds > self.max_backoff_seconds:
            raise ValueError(self.cel[0].message)
        return self


class Execution(ApiModel):
    """How stages are spread over pods."""

    mode: Literal["Auto", "Compact", "Spread"] = "Auto"
    """`Compact` runs as many stages in one pod as their trust permits, `Spread` gives each stage its own Job, and draws the
    pieces of a story in pods of their own; `Auto` is Compact, for stories expected to last two minutes or more Spread."""


class Cache(ApiModel):
    """Outputs that VideoJobs of the namespace have published before."""

    mode: Literal["ReadWrite", "ReadOnly", "Off"] = "ReadWrite"
    """`ReadWrite` takes a stage's outputs from the namespace's cache where the same work on the same bytes was published
    before, and keeps what this job publishes; `ReadOnly` only takes; `Off` does neither: everything is made anew."""


class Fallback(ApiModel):
    """What happens when somebody else's service fails for good (S-038 to S-041, C14)."""

    policy: Literal["Allow", "Deny"] = "Allow"
    """`Allow`: the next provider, then the last resort (a text card for a picture, a silent and longer video for a voice),
    told in the condition `Degraded`. `Deny`: the first failure ends the job as a dead letter, once its retries are used up."""


class VideoJobSpec(ApiModel):
    """One video request: exactly one of `transcode`, `story` and `avatar`, and how to run it."""

    cel = (
        Rule(
            "[has(self.transcode), has(self.story), has(self.avatar)].filter(x, x).size() == 1",
            "a VideoJob asks for exactly one kind of work: set one of spec.transcode, spec.story, spec.avatar",
        ),
        Rule(
            "self.store == oldSelf.store",
            "spec.store is immutable, for the files lie there: create another VideoJob to use another store",
        ),
        Rule(
            "has(self.stopAfter) == has(oldSelf.stopAfter) && "
            "(!has(self.stopAfter) || self.stopAfter == oldSelf.stopAfter)",
            "spec.stopAfter is immutable: create another VideoJob to go further, or less far",
        ),
        Rule(
            "!has(self.stopAfter) || has(self.story) == (self.stopAfter in ['SceneParsing', 'AudioGeneration'])",
            "spec.stopAfter must be a stage of what is asked for: SceneParsing or AudioGeneration of a story; Ingest, Transcode "
            "or Verify of a transcode",
        ),
        Rule(
            "has(self.idempotencyKey) == has(oldSelf.idempotencyKey) && "
            "(!has(self.idempotencyKey) || self.idempotencyKey == oldSelf.idempotencyKey)",
            "spec.idempotencyKey is immutable: create another VideoJob with the other key",
        ),
    )

    transcode: TranscodeSpec | None = None
    """A video file becomes renditions and thumbnails."""
    story: StorySpec | None = None
    """A script becomes a narrated video."""
    avatar: AvatarSpec | None = None
    """A portrait and a voice become a talking person."""
    queue: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] = names.DEFAULT_QUEUE
    """VideoQueue in the operator's namespace whose slots this job uses."""
    priority: Literal["High", "Normal", "Low"] = "Normal"
    """Order in the queue (X-003): High before Normal before Low, and by age within each; every retry counts as High."""
    suspend: bool = False
    """While true, no further stage starts; a running one ends first."""
    timeout_seconds: Annotated[int, Field(ge=1, le=604800)] | None = None
    """Longest time in seconds with a pod at work, over all stages and attempts. Without it 600, for a transcode at least
    ten times the input's duration (X-005)."""
    retry: Retry = Retry()
    """Attempts and waits."""
    fallback: Fallback = Fallback()
    """What happens when a provider of a story has failed."""
    store: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] = names.DEFAULT_STORE
    """MediaStore of this namespace that holds input and outputs."""
    execution: Execution = Execution()
    """One pod or several."""
    worker_class: Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")] = (
        names.DEFAULT_WORKER_CLASS
    )
    """Kind of pod to work in, one of the chart's `workerClasses`: image, resources, GPUs, nodes. Taken into `status.plan` at
    acceptance; a later change counts from the next redrive."""
    accelerator: Accelerator = Accelerator()
    """GPU or CPU."""
    cache: Cache = Cache()
    """Whether work that was done before is done again."""
    retention: Retention = Retention()
    """How long its files stay, and whether they, and it, are kept at all."""
    notify: Annotated[tuple[NotifyTarget, ...], Field(max_length=4, json_schema_extra={"list_map_key": "url"})] = ()
    """Webhooks: whom to tell when a stage begins or the job has ended. A webhook that fails never fails the job: it is tried
    again for a quarter of an hour and shows as the condition `Degraded`."""
    publish: Publish | None = None
    """Platforms on which a finished story goes out. May be changed until that begins."""
    stop_after: Literal["Ingest", "Transcode", "Verify", "SceneParsing", "AudioGeneration"] | None = None
    """Last stage to run: the job then succeeds without publishing anything, and `status.outputs` stays empty. `Ingest`
    probes the input into `status.input`; `Verify` is a rehearsal of everything but the publication; `SceneParsing` and
    `AudioGeneration` tell in `status.story` how many scenes a story has and how long it lasts. Immutable."""
    idempotency_key: (
        Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/=+@-]*$")] | None
    ) = None
    """A name for the request itself: of all VideoJobs of the namespace with the same key one is worked on, the oldest; the
    others fail with reason `Duplicate` and name it. Immutable."""
    external_id: Annotated[str, Field(max_length=253)] | None = None
    """Your own identifier, carried through to the manifest and the logs; nothing depends on it."""

    @model_validator(mode="after")
    def _exactly_one(self) -> VideoJobSpec:
        chosen = [name for name in ("transcode", "story", "avatar") if getattr(self, name) is not None]
        if len(chosen) != 1:
            raise ValueError(self.cel[0].message)
        stages = ("SceneParsing", "AudioGeneration")
        if self.stop_after is not None and (self.story is not None) != (self.stop_after in stages):
            raise ValueError(next(rule.message for rule in self.cel if "SceneParsing" in rule.message))
        if self.publish is not None and self.story is None:
            raise ValueError("spec.publish goes with spec.story: remove it, or ask for a story")
        if self.accelerator.mode == "Require" and self.avatar is None:
            raise ValueError(
                "spec.accelerator.mode Require goes with spec.avatar, whose models can compute on a GPU: set it to Prefer"
            )
        return self

    @property
    def type(self) -> Literal["Transcode", "Story", "Avatar"]:
        """The kind of work, as `status.type` shows it."""
        if self.story is not None:
            return "Story"
        return "Avatar" if self.avatar is not None else "Transcode"
