"""All that operator and worker say to each other: the task, the result, progress (exit codes: `exits`, paths: `places`).

Documents carry a version. A reader ignores fields it does not know, so that operator N understands Jobs of N-1.
"""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_network
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from .fanout import Indexes, WorkList
from .places import SCRATCH, STORE_CACHE, STORE_INBOX, STORE_JOB, STORE_STOCK
from .sweeping import KeptRetention
from .v1alpha1.accelerator import Acceleration
from .v1alpha1.avatar_status import AvatarStatus
from .v1alpha1.base import StatusModel
from .v1alpha1.publish import PublishStatus
from .v1alpha1.sources import Source, StoredFile
from .v1alpha1.spec import InputLimits
from .v1alpha1.status import FailureStatus, FetchedStatus, InputStatus, OutputStatus
from .v1alpha1.story_status import StoryStatus
from .v1alpha1.videoprofile import VideoProfileSpec

DOCUMENT_VERSION = 1
MAX_DOCUMENT_BYTES = 32 * 1024
"""Largest task document; render refuses more."""
MAX_MESSAGE_BYTES = 3000
"""Up to this size a result stands whole in the termination message (the kubelet keeps 4,096)."""
MAX_RESULT_BYTES = 64 * 1024
"""Largest result by POST."""
MAX_PROGRESS_BYTES = 8 * 1024
"""Largest body of a progress post."""
PROGRESS_INTERVAL_SECONDS = 2
"""A worker posts progress at most this often (A-012)."""
HEARTBEAT_SECONDS = 10
"""And at least this often while it lives (A-010)."""

ONE_BY_ONE = "OneByOne"
"""Working size of a transcode that makes one output after the other, each from a decode of its own."""

SMALL_SQUARE = "512"
"""Working size of background removal: pixels of the square that its model looks at, instead of 1024 (A-030)."""

MAX_RETRY_AFTER_SECONDS = 24 * 3600
"""Longest wait that a fetched server may ask for; what it asks beyond is cut to this."""

AUTHORIZATION_KEY = "authorization"
"""Key of a source's Secret: the whole value of the Authorization header."""

PROGRESS_ROUTE = "/v1/progress"
"""POST a Progress with a bearer token. 204 taken, 4xx not to be repeated, 5xx or silence: forget it and go on."""
RESULT_ROUTE = "/v1/result"
"""POST a RunResult above MAX_MESSAGE_BYTES; its sha256 stands in the termination message."""


class Identity(StatusModel):
    """Whose work it is."""

    namespace: str
    """Namespace of the VideoJob."""
    name: str
    """Name of the VideoJob."""
    uid: str
    """Its UID; folders and tokens go by it."""
    external_id: str | None = None
    """`spec.externalId`."""


class StorePaths(StatusModel):
    """Where the container finds the store's parts: absolute paths, mounted by sub-path on a volume."""

    job: str = STORE_JOB
    """The job's own folder `<namespace>/jobs/<uid>`, read-write."""
    inbox: str = STORE_INBOX
    """Uploads by sha256, read-only."""
    stock: str = STORE_STOCK
    """Files the team keeps, read-only."""
    cache: str = STORE_CACHE
    """Verified stage outputs; read-only but for the commit container."""
    scratch: str = SCRATCH
    """Scratch space, gone with the pod."""


class Limits(StatusModel):
    """What a container may use."""

    timeout_seconds: int | None = None
    """Wall time left for this attempt as the user set it; None: the default rule, see `default_timeout_seconds`."""
    threads: int = 2
    """Threads an encoder may use; part of the document, so that every attempt and a run elsewhere use as many."""


class FetchPolicy(StatusModel):
    """Where a fetch may go besides the public internet, and where alone: the administrator's word, from the settings."""

    allow_networks: tuple[str, ...] = ()
    """Networks (CIDR) that may be fetched from although they are not public."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts that may be fetched from, `*.example.com` for all below a name; empty: every host."""

    @field_validator("allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{error}; give networks such as 10.20.0.0/16 or fd12:3456::/32") from None
        return value


class CacheOrder(StatusModel):
    """How an attempt uses the namespace's cache."""

    mode: Literal["ReadWrite", "ReadOnly"]
    """`spec.cache.mode`; Off is a document without an order."""
    source: str
    """URI of the source; with its digest it makes the names of entries. Empty for a story, whose parts have names of their
    own."""
    only: bool = False
    """Whether every stage that the cache may hold has to come from it: the attempt holds no slot for the work itself, and
    ends with ExitCode.UNCACHED where it would have to do it."""


class StageInput(StatusModel):
    """Outputs of an earlier stage that this one reads."""

    stage: str
    """Kind of the earlier stage."""
    key: str
    """Its key: the folder is `processed/<stage>/<key>`."""
    items_of: str | None = None
    """For a fan-out, the kind of the stage that listed its work items; each item has a folder of its own."""
    work_list: WorkList | None = None
    """That list, once it is known."""


class StageTask(StatusModel):
    """One stage to run."""

    kind: str
    """Row of videojob_api.stages.KINDS."""
    container: str
    """Container of the pod that runs it."""
    key: str
    """Content key: its outputs lie in `processed/<kind>/<key>`; the same key means the same outputs."""
    params: dict[str, Any]
    """The kind's parameters, resolved; read through the kind's params model."""
    inputs: tuple[StageInput, ...] = ()
    """Earlier stages it reads."""
    online: bool | None = None
    """Whether its container has a network and Secrets of providers, and decodes nothing that strangers made; the kind's own
    trust does not hold then."""
    last_try: bool | None = None
    """Whether no further attempt follows a failure, so that what others refuse for the moment is given up."""
    working_size: str | None = None
    """Smaller working size to use, one of the kind's; it changes what the stage needs, not what it makes."""
    items_of: str | None = None
    """For a fan-out, the kind of the stage that lists its work items: it runs once for each. `key` is the start of the items'
    own keys then, see `fanout.item_key`."""
    work_list: WorkList | None = None
    """That list, once it is known; in a document that makes it itself, the record of the stage that made it tells."""
    accelerator: Acceleration | None = None
    """What its models may compute on: `Require` and `Prefer` where its container has a GPU, `Never` where it has none to use;
    None for a stage without models that could."""
    anew: bool | None = None
    """Whether a redrive wants its work anew: sentences, pictures and pieces that were kept before then are not taken."""


class TaskDocument(StatusModel):
    """All a pod needs to know; created atomically with its Job as an annotation of the pod template."""

    version: int = DOCUMENT_VERSION
    """Version of this document's form."""
    job: Identity
    """Whose work it is."""
    group: str
    """Stage group."""
    attempt: Annotated[int, Field(ge=1)]
    """Attempt of the group, from 1."""
    stages: Annotated[tuple[StageTask, ...], Field(min_length=1)]
    """Stages in order; each container runs its own ones."""
    indexes: Indexes | None = None
    """Work items of an Indexed Job: its completion index n stands for the n-th of these. None: not an Indexed Job; a fan-out
    among the stages then runs over all its items, one after the other."""
    store: StorePaths = StorePaths()
    """Where the bytes are."""
    limits: Limits = Limits()
    """What the attempt may use."""
    fetch: FetchPolicy | None = None
    """For a group that fetches: where it may go."""
    cache: CacheOrder | None = None
    """Use of the namespace's cache; None: none."""
    operator_url: str | None = None
    """Where progress goes; None: nowhere (a run without a cluster prints it)."""
    retention: KeptRetention | None = None
    """What the job's folder is to keep about its own retention; None: nothing (a run without a cluster)."""

    def containers(self) -> tuple[str, ...]:
        """Container names in the order they run."""
        return tuple(dict.fromkeys(stage.container for stage in self.stages))


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


class Progress(StatusModel):
    """Advisory news from a running stage; a lost post harms nothing."""

    version: int = DOCUMENT_VERSION
    """Version of this form."""
    uid: str
    """UID of the VideoJob; must match the token's audience."""
    group: str
    """Stage group."""
    attempt: int
    """Attempt of the group."""
    stage: str
    """Kind of the running stage."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Percent of this stage."""
    message: Annotated[str, Field(max_length=500)] | None = None
    """One sentence."""
    speed: Annotated[str, Field(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?x$")] | None = None
    """Multiple of real time."""
    eta_seconds: Annotated[int, Field(ge=0, le=10**7)] | None = None
    """Estimated seconds until the stage ends."""
    input: InputStatus | None = None
    """What ingest has found, once it has."""
    free_bytes: Annotated[int, Field(ge=0)] | None = None
    """Free space of the store."""
    capacity_bytes: Annotated[int, Field(ge=0)] | None = None
    """Size of the store's volume."""
    gpu_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Load of the GPUs that the container was given, as NVML samples it; None where there is none."""


class FetchParams(StatusModel):
    """Bring the file behind a URL into the job's folder."""

    source: Source
    """The input, a URL."""
    limits: InputLimits
    """Bounds on it."""
    text: bool | None = None
    """Whether it is to be a text in UTF-8, and no video."""


class IngestParams(StatusModel):
    """Vet the source and probe it."""

    source: StoredFile
    """The input, which lies in the store."""
    limits: InputLimits
    """Bounds on it."""


class OutputPlan(StatusModel):
    """One output to make, with its profile as it was at acceptance."""

    name: str
    """Output name; the file is `<name>.<container>`."""
    profile: str
    """Profile as the spec named it."""
    spec: VideoProfileSpec
    """How to encode it."""


class TranscodeParams(StatusModel):
    """Make all outputs from one decode."""

    source: StoredFile
    """The input, which lies in the store."""
    outputs: tuple[OutputPlan, ...]
    """What to make."""


class VerifyParams(StatusModel):
    """Check every output against its profile and the source."""

    outputs: tuple[OutputPlan, ...]
    """What was to be made."""
    max_duration_drift_ms: int = 500
    """Largest difference between an output's and the source's duration."""


class CommitParams(StatusModel):
    """Publish all outputs at once: move them to `videos/`, then write `manifest.json`."""

    outputs: tuple[OutputPlan, ...]
    """What is to be published."""


class ReportParams(StatusModel):
    """Read the result of an attempt whose pod is gone."""

    group: str
    """The attempt's group."""
    attempt: int
    """Its number."""
    fan_out: StageInput | None = None
    """Of an attempt of a fan-out: the stage, of which the items whose outputs are there are to be told."""


def default_timeout_seconds(duration_ms: int | None) -> int:
    """Wall time of a transcode whose user set none (X-005): at least 600 s, at least ten times the input's duration."""
    return max(600, 10 * -(-(duration_ms or 0) // 1000))


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def content_key(kind: str, version: int, params: Any, inputs: tuple[str, ...]) -> str:
    """Key of a stage's outputs: kind, the stage's own version, parameters and the keys or digests it reads.

    32 hexadecimal digits of a sha256: 128 bits, short enough for a path.
    """
    body = canonical_json({"kind": kind, "version": version, "params": params, "inputs": list(inputs)})
    return hashlib.sha256(body).hexdigest()[:32]


def cache_key(key: str, source_sha256: str) -> str:
    """Name of a stage's entry in the cache: its content key, and the digest of the source's bytes.

    A key alone names the source by its URI, and a file of the stock can be replaced.
    """
    return hashlib.sha256(canonical_json({"key": key, "source": source_sha256})).hexdigest()[:32]


def debug_folder(group: str, attempt: int, index: int | None = None) -> str:
    """Where an attempt leaves what helps to understand it, below the job's folder; of a fan-out, each index by itself."""
    return f"debug/{group}-a{attempt}" + ("" if index is None else f"/{index}")


def result_path(group: str, attempt: int, container: str, index: int | None = None) -> str:
    """Where a container leaves its whole result, below the job's folder, for the day its pod object is gone."""
    return f"{debug_folder(group, attempt, index)}/{container}.result.json"
