"""VideoJobs without a cluster: the operator's own plan() and grant(), with an apply that starts worker processes (X-023).

There is no second planner and no second stage code: what differs from the cluster is in this file and in `localjob`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from videojob_api.contract import Progress, RunResult
from videojob_api.names import DEFAULT_QUEUE, TERMINAL_PHASES, Condition
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1 import MediaStoreSpec, PvcStore
from videojob_operator.decide.estimate import learn
from videojob_operator.decide.job import live, plan
from videojob_operator.decide.queue import grant
from videojob_operator.decide.rates import Rates
from videojob_operator.decide.world import (
    Config,
    ConfirmGone,
    CreateJob,
    DeleteJob,
    Grant,
    JobView,
    LiveSlot,
    Observed,
    Plan,
    ProfileView,
    QueueView,
    SlotRequest,
    VideoJobView,
    WidenJob,
)

MAX_ROUNDS = 100
"""Decisions in a row without anything happening outside; a plan converges long before."""
LOOK_SECONDS = 30.0
"""Look again this often even if nothing is heard."""
STORE = MediaStoreSpec(pvc=PvcStore(claim_name="local"))


class Job(Protocol):
    """A started Job; `localjob.LocalJob` is the real one."""

    uid: str

    def view(self) -> JobView:
        """As an operator would see it."""

    def stop(self) -> None:
        """End it."""

    @property
    def progress(self) -> Progress | None:
        """Latest news."""

    @property
    def results(self) -> tuple[RunResult, ...]:
        """Results too large for a termination message."""


@runtime_checkable
class Wide(Protocol):
    """A Job of many work items."""

    def widen(self, parallelism: int) -> None:
        """Let so many of them run at once."""


Launch = Callable[[CreateJob, Callable[[], None]], Job]
"""Starts a Job; the second argument is to be called whenever something about it has changed."""


def config(threads: int = 2) -> Config:
    """Settings of a run without a cluster; finished Jobs stay visible to the end."""
    return Config(
        worker_image="local",
        operator_namespace="built in",
        threads=threads,
        keep_finished_seconds=10**6,
        sweeps=False,
        any_class=True,
        spread_story_ms=None,
    )


def builtin_profiles() -> tuple[ProfileView, ...]:
    """The profiles every operator creates."""
    return tuple(ProfileView("built in", name, spec) for name, spec in BUILTIN_PROFILES.items())


@dataclass
class _Entry:
    view: VideoJobView
    jobs: dict[str, Job] = field(default_factory=dict)
    requests: tuple[SlotRequest, ...] = ()
    grants: dict[str, Grant] = field(default_factory=dict)
    """By group."""
    waiting: dict[str, str] = field(default_factory=dict)
    place: tuple[int, int] | None = None
    wake_at: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.view.status.phase in TERMINAL_PHASES


class Embedded:
    """Drives VideoJobs to their ends on this machine."""

    def __init__(
        self,
        launch: Launch,
        *,
        capacity: Mapping[str, int],
        profiles: Sequence[ProfileView] = (),
        settings: Config | None = None,
        changed: Callable[[VideoJobView], None] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rates: Rates | None = None,
    ) -> None:
        self._launch = launch
        self._capacity = tuple(capacity.items())
        self._profiles = (*profiles, *builtin_profiles())
        self._config = settings or config()
        self._tell = changed or (lambda _: None)
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._news = threading.Event()
        self.rates = rates or Rates()
        """What the stages of this run took, and those of earlier ones if that was given."""

    def add(self, view: VideoJobView) -> None:
        """Submit a VideoJob."""
        self._entries[view.uid] = _Entry(view)

    def run(self) -> list[VideoJobView]:
        """Run until each VideoJob has ended or cannot go on by itself; nothing is left running, whatever happens."""
        try:
            while True:
                self._news.clear()
                self._settle()
                if not any(self._goes_on(entry) for entry in self._entries.values()):
                    return [entry.view for entry in self._entries.values()]
                wakes = [
                    entry.wake_at for entry in self._entries.values() if entry.wake_at is not None and not entry.ended
                ]
                left = min(((wake - self._clock()).total_seconds() for wake in wakes), default=LOOK_SECONDS)
                self._news.wait(max(0.01, min(left, LOOK_SECONDS)))
        finally:
            self.stop()

    def stop(self) -> None:
        """End every process that was started."""
        for entry in self._entries.values():
            for job in entry.jobs.values():
                job.stop()

    @staticmethod
    def _goes_on(entry: _Entry) -> bool:
        """Whether anything is running, due or waiting for a slot; a job that waits for a person's hand is not."""
        if entry.ended:
            return False
        if any(live(job.view()) for job in entry.jobs.values()):
            return True
        if any(c.type == Condition.ACCEPTED and c.status == "False" for c in entry.view.status.conditions):
            return False
        if entry.view.spec is not None and entry.view.spec.suspend:
            return False
        return bool(entry.requests) or entry.wake_at is not None

    def _settle(self) -> None:
        """Decide and apply until nothing more is wanted."""
        for _ in range(MAX_ROUNDS):
            moved = [self._decide(entry) for entry in self._entries.values()]
            if not any([*moved, self._grant()]):
                return
        raise RuntimeError(f"the plan did not converge within {MAX_ROUNDS} rounds")

    def _decide(self, entry: _Entry) -> bool:
        """One look at one VideoJob; whether something came of it."""
        wanted = plan(self._observe(entry))
        for action in wanted.actions:
            if isinstance(action, ConfirmGone) and action.name in entry.jobs:
                return False  # it is there after all: look again with it in view
        changed = self._apply(entry, wanted)
        entry.requests, entry.wake_at = (*wanted.requests, *wanted.wider), wanted.wake_at
        asked = {request.group: request.held for request in entry.requests}
        entry.grants = {
            group: grant for group, grant in entry.grants.items() if group in asked and grant.count > asked[group]
        }
        entry.waiting = {group: text for group, text in entry.waiting.items() if group in asked}
        if not entry.waiting:
            entry.place = None
        return changed

    def _observe(self, entry: _Entry) -> Observed:
        jobs = sorted((job.view() for job in entry.jobs.values()), key=lambda job: job.created)
        running = [job for job in entry.jobs.values() if live(job.view())]
        spec = entry.view.spec
        return Observed(
            now=self._clock(),
            job=entry.view,
            config=self._config,
            jobs=tuple(jobs),
            store=STORE,
            queue_found=spec is None or spec.queue == DEFAULT_QUEUE,
            profiles=self._profiles,
            grants=tuple(entry.grants.values()),
            waiting_message=next(iter(entry.waiting.values()), None),
            progress=tuple(news for job in running if (news := job.progress) is not None),
            rates=self.rates,
            place=entry.place,
            results=tuple(result for job in entry.jobs.values() for result in job.results),
        )

    def _apply(self, entry: _Entry, wanted: Plan) -> bool:
        if wanted.status is not None:
            if not entry.ended:
                self.rates = learn(self.rates, wanted.status)
            entry.view = replace(entry.view, status=wanted.status)
        for action in wanted.actions:
            if isinstance(action, CreateJob):
                entry.jobs[action.name] = self._launch(action, self._news.set)
            elif isinstance(action, WidenJob) and isinstance(found := entry.jobs.get(action.name), Wide):
                found.widen(action.parallelism)
            elif isinstance(action, DeleteJob):
                found = entry.jobs.get(action.name)
                if found is not None and found.uid == action.uid:
                    found.stop()
                    del entry.jobs[action.name]
        if wanted.status is not None:
            self._tell(entry.view)
        return wanted.status is not None or bool(wanted.actions)

    def _grant(self) -> bool:
        """Give out free slots; whether anybody got one or was told something new."""
        asking = [
            request
            for entry in self._entries.values()
            for request in entry.requests
            if request.group not in entry.grants
        ]
        answer = grant(
            QueueView(
                name=DEFAULT_QUEUE,
                now=self._clock(),
                capacity=self._capacity,
                live=tuple(slot for uid, entry in self._entries.items() for slot in _slots(uid, entry)),
                requests=tuple(asking),
            )
        )
        changed = False
        for request in answer.granted:
            given = Grant(request.group, request.attempt, request.slot, request.count, request.also)
            self._entries[request.uid].grants[request.group] = given
            changed = True
        slots = dict(self._capacity)
        for ahead, (request, text) in enumerate(answer.told):
            entry = self._entries[request.uid]
            entry.place = (ahead, slots.get(request.slot, 1))
            changed = changed or entry.waiting.get(request.group) != text
            entry.waiting[request.group] = text
        return changed


def _slots(uid: str, entry: _Entry) -> Iterator[LiveSlot]:
    """What the Jobs of a VideoJob hold, and what it was granted and does not use yet."""
    promised = {group: grant.count for group, grant in entry.grants.items()}
    for view in (job.view() for job in entry.jobs.values()):
        if view.slot is not None and live(view):
            count = max(view.parallelism, promised.pop(view.group, 0))
            yield LiveSlot(uid, view.slot, count, entry.view.namespace, view.also)
    for group, count in promised.items():
        given = entry.grants[group]
        yield LiveSlot(uid, given.slot, count, entry.view.namespace, given.also)
