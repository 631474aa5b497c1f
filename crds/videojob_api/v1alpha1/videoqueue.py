"""VideoQueue: how much may run and wait, over all watched namespaces (X-004, A-005, S-004), and how much does (T-004)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .base import ApiModel, Rule, StatusModel

EVERY_NAMESPACE = "*"
"""Name of the row of limits that holds where a namespace has none of its own."""
SlotName = Annotated[str, Field(max_length=32, pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")]
Priority = Literal["High", "Normal", "Low"]


class Slot(ApiModel):
    """A class of work and how many of its Jobs may be live at once."""

    name: SlotName
    """Class name as stages use it: `cpu`, `yolo`, `birefnet`, `avatar`."""
    capacity: Annotated[int, Field(ge=0, le=10000)]
    """Live Jobs permitted at once; 0 lets none start."""


DEFAULT_SLOTS = (
    Slot(name="cpu", capacity=4),
    Slot(name="yolo", capacity=2),
    Slot(name="birefnet", capacity=1),
    Slot(name="avatar", capacity=5),
)
"""X-004 (`cpu`), A-005 (`yolo`, `birefnet`)."""


class NamespaceLimits(ApiModel):
    """What one namespace may ask of the queue (S-004). A limit that is not set is none."""

    cel = (
        Rule(
            "has(self.running) || has(self.queued) || has(self.submitsPerMinute) || has(self.allowedPriorities)",
            "a row of limits sets at least one of running, queued, submitsPerMinute, allowedPriorities",
        ),
    )

    namespace: Annotated[str, Field(max_length=63, pattern=r"^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?)$")]
    """The namespace, or `*` for every namespace without a row of its own. Its own row takes the place of `*` as a whole."""
    running: Annotated[int, Field(ge=0, le=10000)] | None = None
    """Live Jobs of its VideoJobs at once, over all slot classes; 0 lets none start."""
    queued: Annotated[int, Field(ge=0, le=1000000)] | None = None
    """Accepted VideoJobs that may wait at once; further ones stay Pending with reason QueueFull and enter in order."""
    submits_per_minute: Annotated[int, Field(ge=1, le=100000)] | None = None
    """VideoJobs accepted in any 60 seconds; further ones stay Pending with reason RateLimited and enter in order."""
    allowed_priorities: (
        Annotated[tuple[Priority, ...], Field(min_length=1, max_length=3, json_schema_extra={"list_type": "set"})]
        | None
    ) = None
    """Values of spec.priority it may use; a VideoJob with another one stays Pending until it is changed. Retries run as
    High all the same."""


class VideoQueueSpec(ApiModel):
    """Limits that hold over all watched namespaces together."""

    cel = (
        Rule(
            "self.limits.all(row, !has(row.queued) || row.queued <= self.maxDepth)",
            "limits[].queued must be at most maxDepth: more could never wait",
            field_path=".limits",
        ),
    )

    slots: Annotated[tuple[Slot, ...], Field(max_length=32, json_schema_extra={"list_map_key": "name"})] = DEFAULT_SLOTS
    """Slot classes. A stage whose class is not listed here waits, and says so."""
    paused: bool = False
    """Nothing starts while this is set; what runs goes on, and VideoJobs are accepted."""
    max_depth: Annotated[int, Field(ge=1, le=1000000)] = 10000
    """Accepted VideoJobs that may wait at once; further ones stay Pending with reason QueueFull and enter in the order of
    their creation as others start, those that are driven again first."""
    aging_seconds: Annotated[int, Field(ge=0, le=604800)] = 300
    """A VideoJob that waits rises by one priority for every so many seconds since it was accepted, so that Low starts even
    under an endless stream of High; 0 switches that off."""
    kueue_queue: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] | None = None
    """Name of a Kueue LocalQueue, in each VideoJob's namespace, that admits the Jobs once they have their slots: they carry the
    label `kueue.x-k8s.io/queue-name`. A worker class may name another one."""
    require_consent: bool = False
    """Whether an avatar has to say in `spec.avatar.consent` who is shown and where the agreement is kept; one that does not fails
    with reason ConsentRequired. What was accepted before goes on."""
    limits: Annotated[
        tuple[NamespaceLimits, ...], Field(max_length=256, json_schema_extra={"list_map_key": "namespace"})
    ] = ()
    """Limits by namespace, with `*` for all others."""

    def limits_of(self, namespace: str) -> NamespaceLimits | None:
        """The row that holds for a namespace: its own, else that of `*`."""
        rows = {row.namespace: row for row in self.limits}
        return rows.get(namespace) or rows.get(EVERY_NAMESPACE)


class SlotUse(StatusModel):
    """A slot class as it is now."""

    name: str
    """The class."""
    used: int
    """Slots held by live Jobs, or promised to a Job about to be created."""
    capacity: int
    """As spec.slots says."""
    waiting: int
    """Stages that wait for one."""
    shared: int | None = None
    """Those of `used` whose Job holds a slot of another class too, for two stages in one pod; absent when there are none."""


class VideoQueueStatus(StatusModel):
    """The queue in numbers (T-004); at most ten seconds old. `videojob stats` prints them."""

    observed_generation: int = -1
    """Generation of the spec that these numbers go by."""
    queue_depth: int = 0
    """VideoJobs that are accepted and wait: for a slot, or for their next attempt."""
    dlq_depth: int = 0
    """VideoJobs that failed for good: `kubectl get vj -A -l videojob.dev/dead-letter=true`."""
    total_jobs: int = 0
    """VideoJobs that name this queue."""
    jobs_by_status: Annotated[dict[str, int], Field(default_factory=dict)]
    """The same by their status: `pending` (not accepted), `queued`, `processing`, `suspended`, `completed`, `failed`,
    `cancelled`; what has none is left out."""
    processing_rate_per_minute: float = 0.0
    """VideoJobs that ended, with or without success, a minute; a mean over the last five."""
    slots: Annotated[tuple[SlotUse, ...], Field(json_schema_extra={"list_map_key": "name"})] = ()
    """Use of each slot class."""
    positions: tuple[str, ...] = ()
    """UIDs of the first twenty VideoJobs that wait for a slot, the next one first."""
