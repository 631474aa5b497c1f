"""VideoJob.status: what the operator reports. Bounded below 32 KiB; details lie in the store's manifest.json."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from ..names import DEFAULT_WORKER_CLASS, Phase
from .avatar_status import AvatarStatus
from .base import StatusModel
from .fanout import FanOutStatus, ListedItems, PlannedFanOut
from .history import HistoryEntry
from .notify import NotifyStatus
from .publish import PublishStatus
from .retention import RetentionStatus
from .story_status import StoryStatus
from .withdrawal import WithdrawalStatus

StageState = Literal["Waiting", "Queued", "Running", "Succeeded", "Cached", "Failed", "Cancelled"]
"""`Waiting` for an earlier stage; `Queued` for a slot or a retry; `Cached`: its outputs were published by another VideoJob
before, and copied; `Cancelled` in the middle; the rest as they say."""


class ProgressStatus(StatusModel):
    """How far it is."""

    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Whole percent over all stages; never falls within an attempt."""
    summary: str = "0%"
    """What the PROGRESS column prints, for example `62%`."""
    message: str | None = None
    """One sentence on what is happening."""
    speed: str | None = None
    """Multiple of real time, for example `5.9x`."""
    eta_seconds: int | None = None
    """Estimated seconds until the running stage ends."""


class ConditionStatus(StatusModel):
    """A condition in the form of metav1.Condition."""

    type: str
    """Name of the condition."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: str
    """One CamelCase word for programs."""
    message: str = ""
    """One sentence for people."""
    observed_generation: int | None = None
    """Generation of the object that was judged."""
    last_transition_time: datetime
    """When `status` last changed."""


class QueueStatus(StatusModel):
    """Why a VideoJob waits."""

    name: str
    """The VideoQueue."""
    reason: str
    """One CamelCase word: WaitingForSlot, WaitingForRetry, Suspended, PodPending, JobRefused."""
    since: datetime
    """Since when."""
    message: str | None = None
    """One sentence with the numbers behind it."""


class StageStatus(StatusModel):
    """One stage."""

    name: str
    """Fetch (of a URL), Ingest, Transcode, Verify or Commit; of a story SceneParsing, AudioGeneration, ImageGeneration,
    SceneLayout, VideoComposition, VideoJoin, ThumbnailGeneration or Finalization; of an avatar SpeechGeneration (of words),
    Upload, Detection, BackgroundRemoval, AvatarGeneration, Finalizing or Delivery."""
    group: str
    """The stage group (one Job) it belongs to."""
    state: StageState = "Waiting"
    """Where it stands."""
    attempt: int = 0
    """Attempts begun so far, those before a redrive included; 0 before the first."""
    attempt_base: int = 0
    """Attempts begun before the latest redrive, or given up before a pod of theirs ran, for want of a GPU: they count against
    no budget, and their numbers are not used again."""
    failures: int = 0
    """Attempts since the latest redrive that failed and count against `retry.maxAttempts`."""
    disruptions: int = 0
    """Attempts since the latest redrive that were lost to eviction or node loss; they have a budget of their own."""
    progress: int = 0
    """Percent of this stage alone."""
    job: str | None = None
    """Name of the Kubernetes Job of the latest attempt."""
    slot: str | None = None
    """Slot class it needs."""
    memory: str | None = None
    """Memory limit of its container in the latest attempt, for example `4608Mi`: half as much again after each attempt that ran
    out of memory, up to the worker class's `maxMemory`."""
    scratch: str | None = None
    """Size of /tmp in its pod in the latest attempt, once an attempt has run out of disk."""
    working_size: str | None = None
    """Smaller working size of the latest attempt, after attempts that ran out of all the memory they may get."""
    accelerator_requested: Literal["Gpu", "Cpu"] | None = None
    """What its latest attempt was given, or waits for: a GPU, or the CPU alone; absent for a stage without models that could
    use one."""
    gpu_since: datetime | None = None
    """Since when it waits for a GPU, or waited in vain, if `acceleratorRequested` is `Cpu`; absent once it has got one."""
    accelerator: Annotated[str, Field(max_length=63)] | None = None
    """What its models computed on, read from them: `cpu` or `cuda`; absent for a stage without models."""
    out_of_memory: int = 0
    """Attempts since the latest redrive that ran out of memory."""
    out_of_disk: int = 0
    """Attempts since the latest redrive that ran out of disk."""
    key: str | None = None
    """Content key: its files lie in `processed/<stage>/<key>` below the job's folder."""
    anew: bool | None = None
    """Whether a redrive has asked for its work anew: the key is another one, and no part that was kept before is taken."""
    fan_out: FanOutStatus | None = None
    """For a stage that runs once for each work item: how many there are, and how far they are."""
    next_retry_time: datetime | None = None
    """When its next attempt may start."""
    start_time: datetime | None = None
    """When the latest attempt started."""
    completion_time: datetime | None = None
    """When it ended."""
    seconds: float | None = None
    """Wall time it took by the worker's clock; absent while it runs, and if an earlier attempt's work was taken."""
    cpu_seconds: float | None = None
    """CPU time it used, children included."""
    gpu_seconds: float | None = None
    """GPU time it held: its wall time for each GPU of its container; absent without one."""
    message: str | None = None
    """One sentence on the latest attempt."""
    degraded: Annotated[tuple[str, ...], Field(max_length=8)] | None = None
    """Fallbacks that its outputs come from; absent when there are none."""
    notes: Annotated[tuple[str, ...], Field(max_length=8)] | None = None
    """What was asked for and could not be met; absent when there is nothing to say."""

    @property
    def hopped(self) -> bool:
        """Whether it has waited for a GPU in vain and does its work on the CPU."""
        return self.accelerator_requested == "Cpu" and self.gpu_since is not None

    @property
    def settled(self) -> int:
        """Attempts that ended without success and are accounted for; a later one is in flight or a success."""
        return self.attempt_base + self.failures + self.disruptions

    @property
    def done(self) -> bool:
        """Whether its outputs are there."""
        return self.state in ("Succeeded", "Cached")


class InputStatus(StatusModel):
    """The input as probed."""

    filename: str | None = None
    """The name people know it by."""
    size_bytes: int
    """Size in bytes."""
    sha256: str
    """Digest of the bytes."""
    container: str
    """mp4, mov, avi, mkv or webm, judged by content."""
    duration_ms: int
    """Duration in milliseconds."""
    width: int
    """Width in pixels as shown, rotation applied."""
    height: int
    """Height in pixels as shown, rotation applied."""
    rotation: int = 0
    """Degrees by which players turn the stored picture: 0, 90, 180 or 270."""
    frame_rate: str
    """Average frames a second as a fraction, for example `30000/1001`."""
    variable_frame_rate: bool = False
    """Whether frames come at uneven distances."""
    video_codec: str
    """Name of the video codec as FFmpeg has it."""
    audio_codec: str | None = None
    """Name of the audio codec; absent for a silent input."""


class FetchedStatus(StatusModel):
    """The file behind a URL as it was fetched, once: later stages and attempts work on these bytes."""

    uri: str
    """`store://uploads/<sha256>`: it lies in `uploads/` of the job's folder."""
    size_bytes: int
    """Size in bytes."""
    sha256: str
    """Digest of the bytes."""


class ValidationStatus(StatusModel):
    """What a platform would say of a file."""

    platform: Annotated[str, Field(max_length=63)]
    """Which platform."""
    message: Annotated[str, Field(max_length=200)]
    """What is beyond its limits."""


class OutputStatus(StatusModel):
    """One published file."""

    name: str
    """The profile's output name, for example `720p`; of a story `video`, `thumbnail`, `metadata`, `captions-srt` or
    `captions-vtt`."""
    profile: str
    """The VideoProfile it was made by; `story` for what a story makes."""
    path: str
    """Path below the job's folder, for example `videos/720p.mp4`."""
    uri: str
    """`store://jobs/<uid>/videos/720p.mp4`."""
    url: Annotated[str, Field(max_length=2000)] | None = None
    """Where people fetch it, if the store's `publicBaseUrl` says where its files are served."""
    media_type: str
    """MIME type."""
    size_bytes: int
    """Size in bytes."""
    sha256: str
    """Digest of the bytes, checked at publication."""
    width: int | None = None
    """Width in pixels; absent for a text."""
    height: int | None = None
    """Height in pixels; absent for a text."""
    duration_ms: int | None = None
    """Duration in milliseconds; absent for a still picture."""
    frame_rate: str | None = None
    """Frames a second as a fraction."""
    aspect_ratio: str | None = None
    """Shape reduced to small whole numbers, for example `16:9`."""
    video_codec: str | None = None
    """`h264`, `vp9` or `mjpeg`; absent for a text."""
    audio_codec: str | None = None
    """`aac` or `opus`; absent without sound."""
    bitrate_kbps: int | None = None
    """Average bit rate of the whole file in kilobits a second."""
    synthetic: Annotated[str, Field(max_length=128)] | None = None
    """Mark of synthetic media that the file bears: the last word of its IPTC digital source type."""
    validation: Annotated[tuple[ValidationStatus, ...], Field(max_length=4)] | None = None
    """Why a platform would not take it, or not show it well; absent when there is nothing to say (S-049)."""
    tier: str = "videos"
    """Retention tier."""
    expires_at: datetime | None = None
    """Until when the bytes are kept; absent while `spec.retention.hold` is set."""
    state: Literal["Available", "Expired"] = "Available"
    """Whether the bytes are still there."""


class FailureStatus(StatusModel):
    """Why it failed, and what to do."""

    failure_class: Annotated[str, Field(alias="class")]
    """Permanent, Recoverable, Resource, External, Stalled or Disruption."""
    code: str
    """One CamelCase word for programs, for example `InvalidFileType`."""
    stage: str | None = None
    """Stage that failed."""
    attempt: int | None = None
    """Attempt that failed."""
    exit_code: int | None = None
    """Exit code of the container."""
    message: str
    """What happened."""
    hint: str | None = None
    """What to do about it."""
    log_tail: str | None = None
    """The last lines of the tool that failed."""
    retry_after_seconds: int | None = None
    """How long the other side asked to be left alone."""
    time: datetime | None = None
    """When."""


class PlannedGroup(StatusModel):
    """One Job to be: its stages and what they need."""

    name: str
    """Name of the group; part of the Job's name."""
    stages: tuple[str, ...]
    """Stages in order."""
    slot: str | None = None
    """Slot class it takes while live."""
    after: tuple[str, ...] | None = None
    """Groups that have to succeed before it starts; absent: the group before it. Groups that wait for the same ones run in
    parallel."""
    fan_out: PlannedFanOut | None = None
    """For a group that is one Indexed Job: where its work items come from."""
    online: bool | None = None
    """Whether its pod has a network and the Secrets of providers; it then decodes nothing that strangers made."""
    accelerated: bool | None = None
    """Whether its models can compute on a GPU; absent where the worker class alone decides who gets one."""


class PlannedAccelerator(StatusModel):
    """Where stages work that compute on a GPU."""

    worker_class: str
    """Name of the worker class that has one."""
    image: str
    """Its worker image."""
    worker: Annotated[dict[str, Any], Field(default_factory=dict, json_schema_extra={"preserve_unknown": True})]
    """The class as the chart had it at acceptance, or at the latest redrive."""
    kueue_queue: str | None = None
    """LocalQueue that Kueue admits its Jobs through."""


class PlannedOutput(StatusModel):
    """A profile as it was when the job was accepted; later edits of the profile do not reach this job."""

    profile: str
    """Name as the spec has it."""
    name: str
    """Output name."""
    spec: Annotated[dict[str, Any], Field(json_schema_extra={"preserve_unknown": True})]
    """The VideoProfile's spec."""


class PlannedTemplate(StatusModel):
    """What a template brings to a story, its blanks filled, as it was when the job was accepted."""

    profile: str
    """Name of the VideoProfile."""
    namespace: str
    """Its namespace."""
    story: Annotated[dict[str, Any], Field(json_schema_extra={"preserve_unknown": True})]
    """Fields of `spec.story`, less those that the spec sets itself."""


class PlanStatus(StatusModel):
    """What was decided before the first Job, and is followed even if profiles or the operator change."""

    execution: Literal["Compact", "Spread"]
    """The mode in force."""
    image: str
    """Worker image of every Job."""
    worker_class: str = DEFAULT_WORKER_CLASS
    """Name of the worker class."""
    worker: Annotated[dict[str, Any], Field(default_factory=dict, json_schema_extra={"preserve_unknown": True})]
    """The worker class as the chart had it at acceptance, or at the latest redrive."""
    accelerator: PlannedAccelerator | None = None
    """Where stages work that can compute on a GPU; absent where there is no such stage, or no such worker class."""
    kueue_queue: str | None = None
    """LocalQueue that Kueue admits the Jobs through."""
    outputs: tuple[PlannedOutput, ...] = ()
    """Outputs to make."""
    groups: tuple[PlannedGroup, ...] = ()
    """Jobs to run, in order."""
    template: PlannedTemplate | None = None
    """What the template of a story has brought."""
    claim_name: str | None = None
    """Claim that holds the bytes."""
    threads: int = 2
    """Threads an encoder may use."""
    fetched: FetchedStatus | None = None
    """What a URL led to, added when it has been fetched; the keys of all later stages follow from its digest."""
    work_lists: Annotated[tuple[ListedItems, ...], Field(json_schema_extra={"list_map_key": "stage"})] = ()
    """Work items of fan-outs, added when the stage that lists them has ended."""


class EstimateStatus(StatusModel):
    """What is expected, from what finished stages took: written with other news, never for itself."""

    start_time: datetime | None = None
    """When the first stage starts, or has started."""
    completion_time: datetime | None = None
    """When it will have ended, if nothing fails."""
    cpu_seconds: float | None = None
    """CPU time of all its stages; absent until the input is known."""
    gpu_seconds: float | None = None
    """GPU time of all its stages; absent until the input is known."""


class VideoJobStatus(StatusModel):
    """Where a VideoJob stands."""

    observed_generation: int = -1
    """Generation of the spec this status is about; -1 until the operator has seen the object."""
    phase: Phase | None = None
    """One word for people: Pending, Queued, Running, Suspended, Succeeded, Failed or Cancelled."""
    type: str | None = None
    """Transcode, Story or Avatar."""
    stage: str | None = None
    """The stage that runs, or ran last; of stages in parallel all that run, separated by commas."""
    progress: ProgressStatus = ProgressStatus()
    """How far it is."""
    conditions: Annotated[tuple[ConditionStatus, ...], Field(json_schema_extra={"list_map_key": "type"})] = ()
    """Accepted, Ready, Reconciling, Stalled, Complete, Failed, Finished, DeadLettered, Degraded."""
    queue: QueueStatus | None = None
    """Why it waits; absent when it does not."""
    attempts: int = 0
    """The highest attempt of any stage."""
    next_retry_time: datetime | None = None
    """When the next attempt of any stage may start."""
    plan: PlanStatus | None = None
    """What was decided before the first Job."""
    stages: Annotated[tuple[StageStatus, ...], Field(json_schema_extra={"list_map_key": "name"})] = ()
    """Every stage in order."""
    estimate: EstimateStatus | None = None
    """When it will be done; absent until a VideoJob of its kind has succeeded. Stays as it was last once it has ended."""
    input: InputStatus | None = None
    """The input as probed."""
    story: StoryStatus | None = None
    """What the story is, as far as it is known."""
    avatar: AvatarStatus | None = None
    """Who was found in the picture, and who made it speak, as far as it is known."""
    withdrawal: WithdrawalStatus | None = None
    """What became of copies at the avatar's provider, after the job was cancelled or has failed; absent where none was asked."""
    outputs: Annotated[tuple[OutputStatus, ...], Field(json_schema_extra={"list_map_key": "name"})] = ()
    """Published files; empty until all are verified."""
    publish: Annotated[tuple[PublishStatus, ...], Field(json_schema_extra={"list_map_key": "platform"})] = ()
    """What became of the video on each platform of `spec.publish`."""
    retention: RetentionStatus | None = None
    """What is kept, and until when."""
    failure: FailureStatus | None = None
    """The latest failure; stays visible after a retry until the job succeeds."""
    history: tuple[HistoryEntry, ...] = ()
    """The last 20 transitions, the newest at the end, for those who come late."""
    notify: Annotated[tuple[NotifyStatus, ...], Field(json_schema_extra={"list_map_key": "name"})] = ()
    """Webhooks that were told something, or should be."""
    queued_time: datetime | None = None
    """When it was accepted, or last driven again."""
    start_time: datetime | None = None
    """When the first stage started, since the latest redrive."""
    completion_time: datetime | None = None
    """When it ended."""
    execution_time_ms: int | None = None
    """From start to end in milliseconds."""
    active_until: datetime | None = None
    """Until when `activeTimeMs` has counted: time in which several pods were at work counts once."""
    active_time_ms: int = 0
    """Time with a pod at work over all ended attempts since the latest redrive, in milliseconds; counts against
    `spec.timeoutSeconds`."""
    redrives: int = 0
    """How often the annotation `videojob.dev/retry` has driven it again."""
    observed_retry: str | None = None
    """The last value of the annotation `videojob.dev/retry` that was acted on, or noted while the job had not ended; of one
    beyond 128 characters, its digest."""
    observed_cancel: str | None = None
    """The last value of the annotation `videojob.dev/cancel` that was acted on, or overtaken by a redrive; of one beyond
    128 characters, its digest."""
