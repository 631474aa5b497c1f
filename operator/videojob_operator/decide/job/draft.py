"""What is being concluded, kept apart from what was seen: policies write here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from videojob_api.contract import StageResult
from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import (
    FailureStatus,
    FanOutStatus,
    PlannedGroup,
    QueueStatus,
    StageStatus,
    VideoJobStatus,
    WorkerClass,
)

from .. import classes, recipes
from ..templates import Told
from ..world import Action, Event, JobView, PodView, Share, SlotRequest
from .phases import terminal

OUTPUTS = frozenset({"Commit", "Finalization", "Delivery"})
"""Stages whose files are the outputs."""
EVENT_BYTES = 1000
"""An API server takes an Event's message of 1 KiB: of a long failure the hint stays whole, the message is cut."""
HINT_LENGTH = 200
"""Characters of the hint in an Event; the status has all of it."""


@dataclass(frozen=True)
class Verdict:
    """What became of one attempt."""

    state: Literal["Live", "Reading", "Succeeded", "Failed"]
    """Reading: it has ended and a report Job fetches its result from the store."""
    job: JobView | None = None
    pod: PodView | None = None
    stages: tuple[StageResult, ...] = ()
    failure: FailureStatus | None = None
    span: tuple[datetime, datetime] | None = None
    """From when to when pods of it were at work, of one in flight until now; None if none was."""
    fan_out: FanOutStatus | None = None
    """How far the work items of a fan-out are, and which are left."""
    needs_report: bool = False
    """Reading, and the report Job does not exist yet."""
    confirm: str | None = None
    """Name of a Job that is missing from the cache: ask the API server before it is replaced."""
    wake_at: datetime | None = None
    unfinished: int = 0
    """Work items of a fan-out that have not ended yet."""

    @property
    def active_ms(self) -> int:
        """Time it was at work, in milliseconds; never negative, whatever the clocks say (case 46)."""
        start, end = self.span or (None, None)
        return max(0, round((end - start).total_seconds() * 1000)) if start is not None and end is not None else 0


@dataclass(frozen=True)
class Group:
    """A planned group beside the state of its stages. Counters are the same in all its stages."""

    plan: PlannedGroup
    stages: tuple[StageStatus, ...]

    @property
    def name(self) -> str:
        """Name of the group."""
        return self.plan.name

    @property
    def attempt(self) -> int:
        """Attempts begun, as far as status knows, those before a redrive included."""
        return max((stage.attempt for stage in self.stages), default=0)

    @property
    def failures(self) -> int:
        """Attempts that count against spec.retry."""
        return max((stage.failures for stage in self.stages), default=0)

    @property
    def disruptions(self) -> int:
        """Attempts that count against the disruption budget."""
        return max((stage.disruptions for stage in self.stages), default=0)

    @property
    def out_of_memory(self) -> int:
        """Attempts that ran out of memory."""
        return max((stage.out_of_memory for stage in self.stages), default=0)

    @property
    def out_of_disk(self) -> int:
        """Attempts that ran out of disk."""
        return max((stage.out_of_disk for stage in self.stages), default=0)

    @property
    def settled(self) -> int:
        """Attempts that ended without success and are accounted for; a later one is in flight or a success."""
        return max((stage.settled for stage in self.stages), default=0)

    @property
    def requested(self) -> Literal["Gpu", "Cpu"] | None:
        """What its latest attempt computes on, or waits for."""
        return next((stage.accelerator_requested for stage in self.stages), None)

    @property
    def gpu_since(self) -> datetime | None:
        """Since when it waits for a GPU."""
        return next((stage.gpu_since for stage in self.stages), None)

    @property
    def hopped(self) -> bool:
        """Whether it has waited for a GPU in vain."""
        return any(stage.hopped for stage in self.stages)

    @property
    def succeeded(self) -> bool:
        """Whether all its stages have succeeded."""
        return all(stage.done for stage in self.stages)

    @property
    def publishes(self) -> bool:
        """Whether the outputs come from it."""
        return not OUTPUTS.isdisjoint(self.plan.stages)

    @property
    def fan_out(self) -> FanOutStatus | None:
        """Its work items, once they are on record; None for a group that is no fan-out."""
        return next((stage.fan_out for stage in self.stages if stage.fan_out is not None), None)

    @property
    def retry_time(self) -> datetime | None:
        """When its next attempt may start."""
        return next((stage.next_retry_time for stage in self.stages if stage.next_retry_time is not None), None)


Flight = tuple[Group, int, Verdict]
"""An attempt that runs, or whose result is being read."""


def shares_of(worker: WorkerClass, group: Group, *, copies: bool = False, gpus: bool = True) -> tuple[Share, ...]:
    """What each container of the group's next attempt may use, after those that ran out of memory."""
    parts = classes.by_container(recipes.containers(group.plan.stages))
    return classes.shares(worker, parts, steps=group.out_of_memory, copies=copies, gpus=gpus)


@dataclass
class Draft:
    """The conclusion so far."""

    status: VideoJobStatus
    told: Told = field(default_factory=Told)
    """What the template of a story that is not accepted yet brings."""
    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wakes: list[datetime] = field(default_factory=list)
    requests: list[SlotRequest] = field(default_factory=list)
    wider: list[SlotRequest] = field(default_factory=list)
    problem: tuple[Reason, str] | None = None
    """Why the job is not accepted, or cannot go on without a person."""
    accepted: bool = False
    flights: list[Flight] = field(default_factory=list)
    """Attempts that run, or whose results are being read: at most one a group, in the order of the groups."""
    failed: list[tuple[Group, FailureStatus]] = field(default_factory=list)
    """Attempts that were just found to have failed, at most one a group."""
    held: bool = False
    """Whether nothing may start now."""
    note: tuple[Reason, str] | None = None
    """What the condition Reconciling says."""
    message: str | None = None
    """What progress.message says."""
    redriven: bool = False
    """Whether this look drives again what had ended: the one way out of a terminal phase."""

    @property
    def done(self) -> bool:
        """Whether the job has ended."""
        return terminal(self.status.phase)

    def update(self, **changes: Any) -> None:
        """Change fields of status."""
        self.status = self.status.model_copy(update=changes)

    @property
    def published(self) -> bool:
        """Whether the outputs are there for good, although something may follow them."""
        return any(group.publishes and group.succeeded for group in self.groups())

    def groups(self) -> tuple[Group, ...]:
        """Planned groups in order, with their stages as drafted."""
        if self.status.plan is None:
            return ()
        return tuple(
            Group(plan, tuple(stage for stage in self.status.stages if stage.group == plan.name))
            for plan in self.status.plan.groups
        )

    def ready(self, group: Group) -> bool:
        """Whether all groups that it waits for have succeeded."""
        groups = self.groups()
        names = [other.name for other in groups]
        place = names.index(group.name)
        after = group.plan.after if group.plan.after is not None else names[max(0, place - 1) : place]
        return all(other.succeeded for other in groups if other.name in after)

    def retry_time(self) -> datetime | None:
        """When the next attempt of any group that waits for its time may start."""
        flying = {group.name for group, _, _ in self.flights}
        return min(
            (
                group.retry_time
                for group in self.groups()
                if group.retry_time is not None and group.name not in flying and not group.succeeded
            ),
            default=None,
        )

    def group(self, name: str) -> Group:
        """A planned group by name."""
        return next(group for group in self.groups() if group.name == name)

    def find(self, name: str) -> Group | None:
        """A planned group by name; None when it is in the pod of another one by now."""
        return next((group for group in self.groups() if group.name == name), None)

    def stages(self, group: str, **changes: Any) -> None:
        """Change fields of all stages of a group."""
        self.update(
            stages=tuple(
                stage.model_copy(update=changes) if stage.group == group else stage for stage in self.status.stages
            )
        )

    def stage(self, name: str, **changes: Any) -> None:
        """Change fields of one stage."""
        self.update(
            stages=tuple(
                stage.model_copy(update=changes) if stage.name == name else stage for stage in self.status.stages
            )
        )

    def wait(self, queue: str, reason: Reason, message: str | None, now: datetime) -> None:
        """Say in status.queue why the job waits; `since` stands as long as the reason does."""
        old = self.status.queue
        since = old.since if old is not None and old.reason == reason else now
        self.update(queue=QueueStatus(name=queue, reason=reason, since=since, message=message))

    def fail(self, reason: Reason, failure: FailureStatus, now: datetime) -> None:
        """End the job: Failed, dead-lettered (T-010).

        What runs beside the branch that failed is stopped, as by a cancel: nothing of the job will be published, and slots
        are for those who may still succeed. What it has finished stays, and a redrive takes it up.
        """
        self.update(
            stages=tuple(
                stage.model_copy(update={"state": "Cancelled", "completion_time": now, "next_retry_time": None})
                if stage.state == "Running"
                else stage.model_copy(update={"next_retry_time": None})
                for stage in self.status.stages
            ),
            phase=Phase.FAILED,
            failure=failure,
            queue=None,
            next_retry_time=None,
            completion_time=now,
            stage=failure.stage or self.status.stage,
        )
        self.problem = (reason, failure.message)
        self.failed, self.flights, self.requests, self.wider = [], [], [], []
        hint = f"; {failure.hint[:HINT_LENGTH]}" if failure.hint is not None else ""
        text = f"{failure.code}: {failure.message}".encode()[: EVENT_BYTES - len(hint.encode())]
        self.events.append(Event(Reason.PROCESSING_FAILED, text.decode(errors="ignore") + hint, "Warning"))
