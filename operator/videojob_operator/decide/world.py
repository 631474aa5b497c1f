"""The values decisions are made of: what was observed, and what is to be done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from videojob_api.contract import FetchPolicy, Progress, RunResult, TaskDocument
from videojob_api.names import DEFAULT_WORKER_CLASS
from videojob_api.v1alpha1 import MediaStoreSpec, VideoJobSpec, VideoJobStatus, VideoProfileSpec, WorkerClass

from .rates import Rates
from .recipes.base import Recipe

# ---------------------------------------------------------------- seen


@dataclass(frozen=True)
class ContainerView:
    """One container of a worker pod, init containers included."""

    name: str
    state: Literal["Waiting", "Running", "Terminated"]
    exit_code: int | None = None
    reason: str | None = None
    """The kubelet's word: OOMKilled, ImagePullBackOff, CreateContainerConfigError, ..."""
    message: str | None = None
    """When terminated, the termination message; when waiting, the kubelet's sentence."""
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class PodView:
    """One pod of a Job."""

    name: str
    uid: str
    phase: str
    containers: tuple[ContainerView, ...] = ()
    """In the order they run: init containers first."""
    reason: str | None = None
    """`status.reason`, for example Evicted."""
    disruption: str | None = None
    """Reason of a true DisruptionTarget condition."""
    unschedulable: str | None = None
    """The scheduler's sentence while the pod finds no node."""
    deleting: bool = False
    node: str | None = None
    index: int | None = None
    """Completion index, in an Indexed Job."""


@dataclass(frozen=True)
class JobView:
    """One Kubernetes Job that this VideoJob controls."""

    name: str
    uid: str
    group: str
    attempt: int
    created: datetime
    slot: str | None = None
    also: tuple[str, ...] = ()
    """Slot classes that it holds besides."""
    parallelism: int = 1
    """Most pods at once; each holds a slot."""
    completions: int | None = None
    """Number of indexes of an Indexed Job; None: an ordinary Job of one pod."""
    completed: str = ""
    """Indexes that the Job controller counts as completed, for example `0-3,7`."""
    failed: str = ""
    """Those it counts as failed."""
    finished: Literal["Complete", "Failed"] | None = None
    condition_reason: str | None = None
    condition_message: str | None = None
    finished_at: datetime | None = None
    deleting: bool = False
    pods: tuple[PodView, ...] = ()
    suspended: bool = False
    """Whether somebody, Kueue say, holds it back."""
    blocked: str | None = None
    """Why the Job controller cannot make the pod (quota, Pod Security), or the kubelet start it (a volume), in their words."""
    version: str = ""
    """Its resourceVersion."""

    @property
    def slots(self) -> tuple[str, ...]:
        """Every slot class that it holds while it is live."""
        return (self.slot, *self.also) if self.slot is not None else ()


@dataclass(frozen=True)
class VideoJobView:
    """The VideoJob itself."""

    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    spec: VideoJobSpec | None
    """None when it does not fit the model; `spec_error` says why."""
    status: VideoJobStatus
    spec_error: str | None = None
    deleting: bool = False
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class ProfileView:
    """A VideoProfile within reach of the job; the job's own namespace comes first."""

    namespace: str
    name: str
    spec: VideoProfileSpec


@dataclass(frozen=True)
class Config:
    """What the operator's settings contribute to decisions."""

    worker_image: str
    operator_namespace: str = "videojob-system"
    progress_url: str | None = None
    threads: int = 2
    """Encoder threads of each Job; part of the task document."""
    fetch: FetchPolicy = field(default_factory=FetchPolicy)
    """Where URLs may lead; each attempt follows the settings of its own time."""
    disruption_budget: int = 5
    """Attempts per stage group that may be lost to disruptions before it fails."""
    classes: tuple[tuple[str, WorkerClass], ...] = ((DEFAULT_WORKER_CLASS, WorkerClass()),)
    """Worker classes by name; the default one is always among them."""
    any_class: bool = False
    """Whether every name of a class means the default one: a run without a cluster has no pods to choose."""
    cache: bool = True
    """Whether the store has a cache that outlives the work."""
    keep_finished_seconds: int = 300
    """Finished Jobs are deleted this long after their result is in status."""
    sweeps: bool = True
    """Whether stores are swept; a run without a cluster promises no times."""
    spread_story_ms: int | None = 120_000
    """Under `execution.mode: Auto`, a story that is expected to last so long has its pieces drawn in pods of their own; None:
    none has, as in a run without a cluster."""
    recipes: tuple[tuple[str, Recipe], ...] = ()
    """Recipes that take the place of the table's, by kind of work: a test's way in, see decide.recipes.noop."""


@dataclass(frozen=True)
class QueueLoad:
    """How full a queue is, for one VideoJob at its gate; the VideoJob itself is not counted."""

    queue: str
    max_depth: int
    depth: int = 0
    """Accepted VideoJobs that wait in the queue."""
    ahead: int = 0
    """VideoJobs before it at the gate that their own namespace's limits would let in."""
    most_queued: int | None = None
    """The namespace's limit of waiting VideoJobs."""
    queued: int = 0
    """The namespace's VideoJobs among `depth`."""
    submits_per_minute: int | None = None
    """The namespace's limit of accepted VideoJobs in any minute."""
    submits: tuple[datetime, ...] = ()
    """When the namespace's VideoJobs of the last minute were accepted, the oldest first."""
    ahead_in_namespace: int = 0
    """VideoJobs of the namespace before it at the gate."""
    again_in_namespace: int = 0
    """Those of them that are driven again: they are no submits."""
    allowed_priorities: tuple[str, ...] = ()
    """Priorities the namespace may use; empty means all."""


@dataclass(frozen=True)
class Grant:
    """Slots that one attempt of a group may hold."""

    group: str
    attempt: int
    slot: str
    count: int = 1
    also: tuple[str, ...] = ()
    """Slot classes that it may hold besides."""


@dataclass(frozen=True)
class Observed:
    """Everything a decision about one VideoJob may look at."""

    now: datetime
    job: VideoJobView
    config: Config
    jobs: tuple[JobView, ...] = ()
    """Jobs controlled by this UID, oldest first."""
    foreign: frozenset[str] = frozenset()
    """Names of Jobs in the namespace that a create found taken by somebody else."""
    store: MediaStoreSpec | None = None
    """The store the spec names; None when the namespace has none of that name."""
    swept: datetime | None = None
    """What had expired in that store at this moment is deleted."""
    queue_found: bool = True
    """Whether the queue the spec names exists."""
    kueue_queue: str | None = None
    """LocalQueue that the queue hands admission to."""
    consent_required: bool = False
    """Whether the queue lets in no avatar without a word about consent."""
    load: QueueLoad | None = None
    """How full that queue is, for a VideoJob that comes to its gate; None for others, and where nothing is limited."""
    profiles: tuple[ProfileView, ...] = ()
    """The job's namespace first, then the operator's."""
    duplicate_of: str | None = None
    """Name of the VideoJob of this namespace that had the same idempotency key first; None when it is this one."""
    grants: tuple[Grant, ...] = ()
    """What grant() has given to the groups of this job that asked for it. A grant ends with the first plan applied after it
    that asks nothing for its group: the Job holds the slots from then on."""
    cached: frozenset[str] = frozenset()
    """Content keys of stages that the namespace's cache is believed to hold."""
    refused: str | None = None
    """Why the API server does not take the Job that had its slot (quota, admission), in its own words."""
    waiting_message: str | None = None
    """What the queue says while it has not, for example `slot cpu: 4 of 4 taken`."""
    progress: tuple[Progress, ...] = ()
    """Latest news of each group, advisory."""
    rates: Rates = field(default_factory=Rates)
    """What finished stages took."""
    place: tuple[int, int] | None = None
    """Of a VideoJob that waits for a slot: how many start before it, and how many slots of the class there are."""
    results: tuple[RunResult, ...] = ()
    """Whole results that came by POST, each with the digest of the bytes that came in `sha256`; a stub takes the one with
    its own digest."""


# ---------------------------------------------------------------- wanted


@dataclass(frozen=True)
class Share:
    """What one container of an attempt may use."""

    container: str
    cpu_millis: int
    memory_mib: int
    memory_limit_mib: int
    cpu_limit_millis: int | None = None
    gpus: tuple[tuple[str, int], ...] = ()
    """Extended resources and how many of each."""
    working_size: str | None = None
    """Smaller working size of its stages."""


@dataclass(frozen=True)
class CreateJob:
    """Launch one attempt of a group. The name makes it happen once (I1)."""

    name: str
    document: TaskDocument
    claim_name: str
    image: str
    slot: str | None
    queue: str
    deadline_seconds: int
    """`activeDeadlineSeconds` of the pod: later than the runner's own deadline."""
    shares: tuple[Share, ...]
    """What each container may use: more after an attempt that ran out of it (case 30)."""
    worker: WorkerClass = field(default_factory=WorkerClass)
    """Where and how its pod runs."""
    scratch_mib: int = 1024
    """Size of /tmp; beyond it the kubelet evicts the pod (case 32)."""
    kueue_queue: str | None = None
    """LocalQueue that Kueue admits the Job through."""
    completions: int | None = None
    """Number of work items of a fan-out, which is one Indexed Job; None: one pod."""
    parallelism: int = 1
    """Work items at once, as many as slots were granted."""
    also: tuple[str, ...] = ()
    """Slot classes that it holds besides `slot`."""


@dataclass(frozen=True)
class WidenJob:
    """Let a fan-out that is at work run more work items at once, if its Job is still as it was read."""

    name: str
    version: str
    """The Job's resourceVersion."""
    parallelism: int


@dataclass(frozen=True)
class DeleteJob:
    """Delete a Job of ours, its pods with it; the UID guards against a namesake."""

    name: str
    uid: str


@dataclass(frozen=True)
class ConfirmGone:
    """Ask the API server whether a Job that our cache has lost is really gone, before it is replaced.

    Found: it goes into the cache and the rest of the plan is dropped, status and events included. Gone: go on.
    """

    name: str


@dataclass(frozen=True)
class ConfirmPods:
    """Ask the API server for the pods of a Job before what became of it is read elsewhere: the watch of pods may be behind the
    watch of Jobs.

    Some that the decision did not know: they go into the cache and the rest of the plan is dropped. None: go on. A watch may
    bring them between the decision and the answer: what the cache knows by then says nothing.

    Attributes:
        name: of the Job.
        uid: of the Job.
        pods: UIDs of its pods that the decision knew.
    """

    name: str
    uid: str
    pods: frozenset[str]


@dataclass(frozen=True)
class DeleteVideoJob:
    """Delete the VideoJob itself, by its own `ttlSecondsAfterFinished`, if it is still as it was read."""

    uid: str


Action = CreateJob | WidenJob | DeleteJob | ConfirmGone | ConfirmPods | DeleteVideoJob


@dataclass(frozen=True)
class Event:
    """One Kubernetes Event about the VideoJob."""

    reason: str
    message: str
    type: Literal["Normal", "Warning"] = "Normal"


@dataclass(frozen=True)
class SlotRequest:
    """This VideoJob wants a slot for its next group."""

    uid: str
    queue: str
    slot: str
    group: str
    attempt: int
    priority: int
    """0 High, 1 Normal, 2 Low (X-003); a retry is 0."""
    since: datetime
    """When it began to wait; order within a priority (C10)."""
    count: int = 1
    """Slots wanted at once."""
    namespace: str = ""
    """The VideoJob's; namespaces share a queue fairly."""
    least: int | None = None
    """With how many it starts all the same; None: with no fewer than it wants."""
    held: int = 0
    """Slots that the attempt has already: a fan-out at work that wants as many as `count` in all."""
    also: tuple[str, ...] = ()
    """Classes that it would take a slot of besides, for what follows in the same pod, but never waits for: it gets all of them
    or none. In a grant, those that it was given."""


@dataclass(frozen=True)
class Plan:
    """What should happen next to one VideoJob. Applying it and asking again converges to an empty plan."""

    actions: tuple[Action, ...] = ()
    status: VideoJobStatus | None = None
    """The whole new status; None when it need not change."""
    labels: tuple[tuple[str, str | None], ...] = ()
    """Labels to set on the VideoJob (None removes); empty when they are as they should be. Set before the status is written,
    removed after it."""
    events: tuple[Event, ...] = ()
    """Told after the status is written."""
    wake_at: datetime | None = None
    """When to look again even if nothing happens."""
    requests: tuple[SlotRequest, ...] = ()
    """Slots wanted, at most one request a group; each stands until a later plan has none for its group."""
    wider: tuple[SlotRequest, ...] = ()
    """The same of fan-outs that are at work and could use more slots than they have: nobody waits for these."""
    status_first: bool = False
    """Write status before the actions: the plan must be on record before the first Job."""
    progress_only: bool = False
    """Nothing but progress differs: the write may wait for its turn in the budget."""

    @property
    def request(self) -> SlotRequest | None:
        """The first of the slots wanted; None when none is."""
        return self.requests[0] if self.requests else None


# ---------------------------------------------------------------- the whole queue


@dataclass(frozen=True)
class LiveSlot:
    """What one Job holds that is live, or about to be created: slots of one class, and as many of each class in `also`."""

    uid: str
    slot: str
    count: int = 1
    namespace: str = ""
    also: tuple[str, ...] = ()

    @property
    def slots(self) -> tuple[str, ...]:
        """Every class that it holds."""
        return (self.slot, *self.also)


@dataclass(frozen=True)
class QueueView:
    """One VideoQueue, all that waits for it and all that runs."""

    name: str
    now: datetime
    capacity: tuple[tuple[str, int], ...]
    live: tuple[LiveSlot, ...] = ()
    requests: tuple[SlotRequest, ...] = ()
    paused: bool = False
    aging_seconds: int = 0
    """A request rises one priority for every so many seconds waited; 0: never."""
    running: tuple[tuple[str, int | None], ...] = ()
    """Most live Jobs of a namespace; `*` stands for those that are not listed, None for no limit."""


@dataclass(frozen=True)
class Grants:
    """Who may start, and what the others are told."""

    granted: tuple[SlotRequest, ...] = ()
    """Each with the number of slots it was given; one that is at work, with those that it has in it."""
    told: tuple[tuple[SlotRequest, str], ...] = ()
    """Each request that has to wait with a sentence, in the order in which they would start."""

    @property
    def waiting(self) -> tuple[tuple[str, str], ...]:
        """(UID, sentence) of each request that has to wait."""
        return tuple((request.uid, sentence) for request, sentence in self.told)
