"""What is being concluded, kept apart from what was seen: policies write here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from videojob_api.contract import StageResult
from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import FailureStatus, PlannedGroup, QueueStatus, StageStatus, VideoJobStatus, WorkerClass

from .. import classes, recipes
from ..world import Action, Event, JobView, PodView, Share, SlotRequest
from .phases import terminal

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
    active_ms: int = 0
    """Time its pod was at work."""
    needs_report: bool = False
    """Reading, and the report Job does not exist yet."""
    confirm: str | None = None
    """Name of a Job that is missing from the cache: ask the API server before it is replaced."""
    wake_at: datetime | None = None


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
    def succeeded(self) -> bool:
        """Whether all its stages have succeeded."""
        return all(stage.done for stage in self.stages)


def shares_of(worker: WorkerClass, group: Group, *, copies: bool = False) -> tuple[Share, ...]:
    """What each container of the group's next attempt may use, after those that ran out of memory."""
    parts = classes.by_container(recipes.containers(group.plan.stages))
    return classes.shares(worker, parts, steps=group.out_of_memory, copies=copies)


@dataclass
class Draft:
    """The conclusion so far."""

    status: VideoJobStatus
    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wakes: list[datetime] = field(default_factory=list)
    request: SlotRequest | None = None
    problem: tuple[Reason, str] | None = None
    """Why the job is not accepted, or cannot go on without a person."""
    accepted: bool = False
    flight: tuple[Group, int, Verdict] | None = None
    """The attempt that runs, or whose result is being read."""
    failed: tuple[Group, FailureStatus] | None = None
    """The attempt that was just found to have failed."""
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

    def groups(self) -> tuple[Group, ...]:
        """Planned groups in order, with their stages as drafted."""
        if self.status.plan is None:
            return ()
        return tuple(
            Group(plan, tuple(stage for stage in self.status.stages if stage.group == plan.name))
            for plan in self.status.plan.groups
        )

    def group(self, name: str) -> Group:
        """A planned group by name."""
        return next(group for group in self.groups() if group.name == name)

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
        """End the job: Failed, dead-lettered (T-010)."""
        self.update(
            phase=Phase.FAILED,
            failure=failure,
            queue=None,
            next_retry_time=None,
            completion_time=now,
            stage=failure.stage or self.status.stage,
        )
        self.problem = (reason, failure.message)
        self.failed = None
        self.flight = None
        hint = f"; {failure.hint[:HINT_LENGTH]}" if failure.hint is not None else ""
        text = f"{failure.code}: {failure.message}".encode()[: EVENT_BYTES - len(hint.encode())]
        self.events.append(Event(Reason.PROCESSING_FAILED, text.decode(errors="ignore") + hint, "Warning"))
