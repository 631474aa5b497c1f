"""How a stage and a container ended, and where that is left."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..fanout import WorkList
from ..v1alpha1.avatar_status import AvatarStatus
from ..v1alpha1.base import StatusModel
from ..v1alpha1.publish import PublishStatus
from ..v1alpha1.status import FailureStatus, FetchedStatus, InputStatus, OutputStatus
from ..v1alpha1.story_status import StoryStatus
from .document import DOCUMENT_VERSION

MAX_MESSAGE_BYTES = 3000
"""Up to this size a result stands whole in the termination message (the kubelet keeps 4,096)."""
MAX_RESULT_BYTES = 64 * 1024
"""Largest result by POST."""
MAX_RETRY_AFTER_SECONDS = 24 * 3600
"""Longest wait that a fetched server may ask for; what it asks beyond is cut to this."""
RESULT_ROUTE = "/v1/result"
"""POST a RunResult above MAX_MESSAGE_BYTES; its sha256 stands in the termination message."""


class Measured(StatusModel):
    """What was measured while a file was made, for the gates that the whole has to pass (S-064). Part of the file's record, so
    that it comes along wherever the file is taken from.
    """

    black_frames: Annotated[int, Field(ge=0)] | None = None
    """Of a piece of video: how many of its frames are black."""
    silence_ms: Annotated[int, Field(ge=0)] | None = None
    """Of a sound: how much of it is silent."""
    lufs: float | None = None
    """Of a sound: its loudness."""


class StageFile(StatusModel):
    """A file that a stage leaves for the next ones, and that nobody publishes."""

    path: str
    """Name in the stage's folder."""
    size_bytes: int
    """Size in bytes."""
    sha256: str
    """Digest of the bytes."""
    measured: Measured | None = None
    """What its maker measured, where somebody will ask."""
    brought: Literal[True] | None = None
    """Set where it came from the namespace's cache."""


class StageResult(StatusModel):
    """How one stage ended. Its full form is `processed/<kind>/<key>/stage.json`."""

    kind: str
    """The stage's kind."""
    state: Literal["Succeeded", "Failed"] = "Succeeded"
    """How it ended."""
    reused: bool = False
    """Whether an earlier attempt's verified outputs were taken."""
    cached: bool = False
    """Whether the outputs came from the namespace's cache."""
    seconds: float = 0.0
    """Wall time."""
    cpu_seconds: float = 0.0
    """CPU time of the runner and its children."""
    gpu_seconds: float | None = None
    """Wall time for each GPU of the container; None without one."""
    message: str | None = None
    """One sentence."""
    input: InputStatus | None = None
    """What ingest found."""
    fetched: FetchedStatus | None = None
    """What fetch brought."""
    story: StoryStatus | None = None
    """What the stage knows of a story; what it does not know is absent."""
    avatar: AvatarStatus | None = None
    """What the stage knows of an avatar; what it does not know is absent."""
    accelerator: str | None = None
    """What its models computed on, read from the tensor or the session: `cpu` or `cuda`."""
    publish: tuple[PublishStatus, ...] | None = None
    """What became of the video on each platform; told by a failed attempt, too."""
    work_list: WorkList | None = None
    """The work items it listed for a fan-out."""
    items: Annotated[int, Field(ge=1)] | None = None
    """Of a fan-out that ran in one pod: how many items it went through."""
    files: tuple[OutputStatus, ...] = ()
    """Files made, each with its facts; paths below the stage's folder, after commit below the job's. In a RunResult only
    commit lists them."""
    parts: tuple[StageFile, ...] = ()
    """Files made for later stages; never in a RunResult."""
    degraded: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    """Fallbacks that were taken, one sentence each."""
    notes: Annotated[tuple[str, ...], Field(max_length=8)] = ()
    """What was asked for and could not be met, one sentence each."""
    tools: dict[str, str] = Field(default_factory=dict)
    """Versions of the programs that made them, for example `{"ffmpeg": "5.1.9"}`."""


class RunResult(StatusModel):
    """How one container ended: its termination message, whole or as a stub."""

    version: int = DOCUMENT_VERSION
    """Version of this form."""
    uid: str
    """UID of the VideoJob."""
    group: str
    """Stage group."""
    attempt: int
    """Attempt of the group."""
    container: str
    """Which container."""
    exit_code: int
    """The code it exited with."""
    index: Annotated[int, Field(ge=0)] | None = None
    """In an Indexed Job, the work item."""
    stages: tuple[StageResult, ...] = ()
    """Stages it ran, in order; empty in a stub."""
    failure: FailureStatus | None = None
    """Why it failed."""
    free_bytes: int | None = None
    """Free space of the store."""
    capacity_bytes: int | None = None
    """Size of the store's volume."""
    sha256: str | None = None
    """In a stub: digest of the whole result's bytes, which come by POST and lie in the store."""
    size_bytes: int | None = None
    """In a stub: their number."""
    reported: tuple[RunResult, ...] = ()
    """From a `report` stage alone: the results of the attempt it looked for, in the order they were written; empty if
    the attempt left none."""
    present: str | None = None
    """From a `report` stage about a fan-out alone: the work items whose outputs are there, for example `0-3,7`."""


def debug_folder(group: str, attempt: int, index: int | None = None) -> str:
    """Where an attempt leaves what helps to understand it, below the job's folder; of a fan-out, each index by itself."""
    return f"debug/{group}-a{attempt}" + ("" if index is None else f"/{index}")


def result_path(group: str, attempt: int, container: str, index: int | None = None) -> str:
    """Where a container leaves its whole result, below the job's folder, for the day its pod object is gone."""
    return f"{debug_folder(group, attempt, index)}/{container}.result.json"
