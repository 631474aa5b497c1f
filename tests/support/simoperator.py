"""The operator in the simulated cluster: real plan, grant, render and apply; a cache and a queue as simple as can be.

What it sees may be late, doubled or lost (`Faults`); what it wrote itself it has seen. A resync repairs the rest.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from builders import BUILTINS, CONFIG, STORE
from simapi import SimApi, raw_of, run_now
from simcluster import TALLY, Cluster, CrashError
from siminvariants import check, check_history
from simobjects import Kind, Stored
from simqueue import check_grants, check_request, queue_of
from videojob_api import names
from videojob_api.contract import RunResult
from videojob_api.v1alpha1 import Slot, VideoQueueSpec
from videojob_operator.cluster.api import JOBS, PODS, Raw, Resource
from videojob_operator.cluster.apply import Applier
from videojob_operator.cluster.cached import Cached
from videojob_operator.cluster.load import Load
from videojob_operator.cluster.metrics import Metrics
from videojob_operator.cluster.settled import is_settled
from videojob_operator.decide.job import at_the_gate, live, plan, retry_wanted, withdrawing
from videojob_operator.decide.notify import busy
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import (
    Config,
    CreateJob,
    Event,
    Grant,
    JobView,
    LiveSlot,
    Observed,
    Plan,
    QueueLoad,
    QueueView,
    SlotRequest,
    VideoJobView,
)
from videojob_operator.render import RenderConfig, job_manifest

RESYNC_SECONDS = 300
Asker = tuple[str, str]
"""UID of a VideoJob, and a group of it."""


@dataclass(frozen=True)
class Faults:
    """How unreliable the watch streams are, as shares of all events."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0
    late_seconds: float = 30.0
    skipped_progress: float = 0.0


def _runs(job: Stored, pod: Stored) -> bool:
    """Whether it is a pod of that very Job."""
    own = f"{job.key}-{job.value.uid}"
    return pod.key == (own if pod.value.index is None else f"{own}-{pod.value.index}")


class Operator:
    """One process of the operator, from its first list to its crash."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        config: Config = CONFIG,
        capacity: tuple[tuple[str, int], ...] = (("cpu", 4),),
        queues: dict[str, VideoQueueSpec] | None = None,
        faults: Faults | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.cluster = cluster
        self.config = config
        slots = tuple(Slot(name=name, capacity=most) for name, most in capacity)
        self.queues = {"default": VideoQueueSpec(slots=slots)} if queues is None else queues
        self.load = Load()
        self.metrics = Metrics()
        self.cached = Cached()
        self.moved: set[str] = set()
        self.faults = faults or Faults()
        self.rng = rng or random.Random(0)
        self.cache: dict[tuple[Kind, str], Stored] = {}
        self.foreign: set[str] = set()
        self.results: list[RunResult] = []
        self.requests: dict[Asker, SlotRequest] = {}
        self.reserved: dict[Asker, SlotRequest] = {}
        self.sentences: dict[Asker, str] = {}
        self.dirty: set[str] = set()
        self.wakes: dict[str, datetime] = {}
        self.dead = False
        cluster.watchers.append(self)
        cluster.post = self.results.append
        self.resync()
        self.dirty = {  # a start looks only at these
            stored.owner
            for stored in self.cache.values()
            if stored.kind == "job" or (stored.kind == "videojob" and not is_settled(raw_of(stored)))
        }

    def stop(self) -> None:
        """SIGKILL."""
        self.dead = True
        self.cluster.watchers.remove(self)
        self.cluster.post = lambda _result: None

    # ------------------------------------------------------------ seeing

    def _note(self, uid: str, now: Stored | None) -> None:
        if now is not None:
            self.cached.note(raw_of(now))
        self.moved |= self.load.note(uid, raw_of(now) if now is not None else None, self.cluster.now)

    def event(self, kind: Kind, key: str, now: Stored | None) -> None:
        """What the watch stream delivers, if it does."""
        dice = self.rng.random()
        if dice < self.faults.lost:
            return
        if dice < self.faults.lost + self.faults.late:
            self.cluster.after(self.rng.random() * self.faults.late_seconds, lambda: self._arrive(kind, key, now))
            return
        self._arrive(kind, key, now)
        if dice > 1 - self.faults.doubled:
            self._arrive(kind, key, now)

    def _arrive(self, kind: Kind, key: str, now: Stored | None) -> None:
        if self.dead:
            return
        old = self.cache.get((kind, key))
        if now is None:
            if old is not None:
                del self.cache[kind, key]
                self.dirty.add(old.owner)
                if kind == "videojob":
                    self._note(key, None)
        elif old is None or old.version < now.version:
            self._learn(now)

    def resync(self) -> None:
        """List everything: prune what is gone, learn what was missed, look at everybody."""
        if self.dead:
            return
        gone = {uid for kind, uid in self.cache if kind == "videojob"} - {uid for _, uid in self.cluster.objects}
        self.cache = dict(self.cluster.objects)
        for uid in gone:
            self._note(uid, None)
        for stored in self.cluster.all("videojob"):
            self._note(stored.key, stored)
        self.dirty |= {stored.owner for stored in self.cache.values()}
        self.cluster.after(RESYNC_SECONDS, self.resync)

    def _of(self, kind: Kind, uid: str) -> list[Stored]:
        return [stored for (of, _), stored in sorted(self.cache.items()) if of == kind and stored.owner == uid]

    def job_views(self, uid: str) -> tuple[JobView, ...]:
        """Jobs of a VideoJob with their pods, oldest first."""
        pods = self._of("pod", uid)
        views = [
            replace(
                stored.value, pods=tuple(pod.value for pod in pods if _runs(stored, pod)), version=str(stored.version)
            )
            for stored in self._of("job", uid)
        ]
        return tuple(sorted(views, key=lambda view: (view.created, view.name)))

    def observe(self, uid: str) -> Observed:
        """One Observed from the cache."""
        return Observed(
            now=self.cluster.now,
            job=self.cache["videojob", uid].value,
            config=self.config,
            jobs=self.job_views(uid),
            foreign=frozenset(self.foreign),
            store=STORE,
            queue_found=self._queue_of(uid) in self.queues,
            load=self._load_of(uid),
            profiles=BUILTINS,
            grants=tuple(
                Grant(one.group, one.attempt, one.slot, one.count, one.also)
                for (of, _), one in self.reserved.items()
                if of == uid
            ),
            cached=self.cached.known(self._namespace(uid), "default"),
            waiting_message=next((text for (of, _), text in self.sentences.items() if of == uid), None),
            results=tuple(self.results),
        )

    def _queue_of(self, uid: str) -> str:
        spec = self.cache["videojob", uid].value.spec
        return spec.queue if spec is not None else ""

    def _load_of(self, uid: str) -> QueueLoad | None:
        name, job = self._queue_of(uid), self.cache["videojob", uid].value
        if name not in self.queues or not at_the_gate(job):
            return None
        again = job.status.plan is not None
        return self.load.facts(uid, name, self.queues[name], self.cluster.now, again=again)

    # ------------------------------------------------------------ working

    def run(self) -> None:
        """Work until nobody is left to look at. Raises CrashError when the cluster says so."""
        for _ in range(2000):
            self._grant()
            if not self.dirty:
                return
            uid = min(self.dirty)
            self.dirty.discard(uid)
            if ("videojob", uid) in self.cache:
                self.reconcile(uid)
        raise AssertionError(f"the operator does not come to rest: {sorted(self.dirty)}")

    def reconcile(self, uid: str) -> None:
        """Observe, decide, apply."""
        observed = self.observe(uid)
        wanted = plan(observed)
        assert wanted == plan(observed), "plan is not deterministic"
        self._slots(uid, wanted)
        self._enter(observed, wanted)
        if wanted.wake_at is not None and self.wakes.get(uid) != wanted.wake_at:
            self.wakes[uid] = wanted.wake_at
            self.cluster.at(wanted.wake_at, lambda: self._wake(uid))
        if wanted.progress_only and self.rng.random() < self.faults.skipped_progress:
            return
        done = self._apply(self.cache["videojob", uid], wanted)
        asked = {request.group for request in (*wanted.requests, *wanted.wider)}
        for asker in [one for one in self.reserved if one[0] == uid and one[1] not in asked and done]:
            del self.reserved[asker]
        if not done:
            self.dirty.add(uid)

    def _enter(self, observed: Observed, wanted: Plan) -> None:
        status, job = wanted.status, observed.job
        if status is None or not at_the_gate(job):
            return
        if status.plan is None or status.queued_time is None or status.phase in names.TERMINAL_PHASES:
            self.load.release(job.uid)
        else:
            self.moved |= self.load.reserve(job.uid, status.queued_time, submit=job.status.plan is None)

    def _wake(self, uid: str) -> None:
        if not self.dead:
            self.wakes.pop(uid, None)
            self.dirty.add(uid)

    def _apply(self, stored: Stored, wanted: Plan) -> bool:
        """The real apply, against the cluster in memory. False: the world was not as the plan assumed."""
        applier = Applier(
            SimApi(self.cluster), cast("Any", self), render=self._render, recorder=cast("Any", self),
            budget=cast("Any", self), metrics=self.metrics, created=lambda _uid: None,
        )  # fmt: skip
        outcome: str = run_now(applier.apply(stored.value, raw_of(stored), wanted))
        return outcome == "done"

    def _render(self, action: CreateJob, job: VideoJobView) -> dict[str, Any]:
        return job_manifest(action, job, RenderConfig())

    def learnt(self, resource: Resource, raw: Raw) -> bool:
        """Apply hands in every answer: what we wrote ourselves we have seen."""
        kind: Kind = "job" if resource is JOBS else "pod" if resource is PODS else "videojob"
        found = self.cluster.get(kind, raw["metadata"]["uid" if kind == "videojob" else "name"])
        known = self.cache.get((kind, found.key)) if found is not None else None
        if found is not None:
            self._learn(found)
        return found is not None and (known is None or known.version < found.version)

    def note_foreign(self, _uid: str, name: str) -> None:
        """Apply found a name taken by somebody else."""
        self.foreign.add(name)

    def tell(self, job: VideoJobView, event: Event) -> None:
        """An event about a VideoJob."""
        self.cluster.told.append((job.uid, event.reason))

    async def take(self) -> float:
        """The budget of status writes, without an end."""
        return 0.0

    def _learn(self, stored: Stored) -> int:
        old = self.cache.get((stored.kind, stored.key))
        if old is None or old.version < stored.version:
            self.cache[stored.kind, stored.key] = stored
            self.dirty.add(stored.owner)
            if stored.kind == "videojob":
                self._note(stored.key, stored)
        return stored.version

    # ------------------------------------------------------------ slots

    def _slots(self, uid: str, wanted: Plan) -> None:
        requests = (*wanted.requests, *wanted.wider)
        asked = {(uid, request.group) for request in requests}
        for asker in [one for one in self.requests if one[0] == uid and one not in asked]:
            del self.requests[asker]
            self.sentences.pop(asker, None)
        for request in requests:
            asker = (uid, request.group)
            given = self.reserved.get(asker)
            if given is not None and (given.slot, given.attempt, given.queue, given.held) != (
                request.slot,
                request.attempt,
                request.queue,
                request.held,
            ):
                del self.reserved[asker]
            if asker not in self.reserved:
                self.requests[asker] = request
                view: VideoJobView = self.cache["videojob", uid].value
                self.cluster.broken += check_request(request, view, wanted.status or view.status)

    def _namespace(self, uid: str) -> str:
        stored = self.cache.get(("videojob", uid))
        return stored.value.namespace if stored is not None else ""

    def _grant(self) -> None:
        for name in self.moved & self.queues.keys():
            self.dirty |= set(self.load.entering(name, self.queues[name], self.cluster.now))
        self.moved.clear()
        for name, spec in self.queues.items():
            self._grant_one(name, spec)

    def _grant_one(self, name: str, spec: VideoQueueSpec) -> None:
        mine = [request for request in self.reserved.values() if request.queue == name]
        promised = {(one.uid, one.group, one.attempt): one.count for one in mine if one.held}
        held = [
            LiveSlot(
                uid,
                view.slot,
                max(view.parallelism, promised.get((uid, view.group, view.attempt), 0)),
                self._namespace(uid),
                view.also,
            )
            for uid in sorted({stored.owner for stored in self.cache.values()})
            for view in self.job_views(uid)
            if view.slot is not None and live(view) and queue_of(self.cache["job", view.name]) == name
        ]
        held += [LiveSlot(r.uid, r.slot, r.count, r.namespace, r.also) for r in mine if not r.held]
        requests = tuple(r for one, r in self.requests.items() if one not in self.reserved and r.queue == name)
        view = QueueView(
            name,
            self.cluster.now,
            tuple((slot.name, slot.capacity) for slot in spec.slots),
            tuple(held),
            requests,
            spec.paused,
            spec.aging_seconds,
            tuple((row.namespace, row.running) for row in spec.limits),
        )
        answer = grant(view)
        self.cluster.broken += check_grants(view, answer)
        for request in answer.granted:
            asker = (request.uid, request.group)
            self.reserved[asker] = request
            self.requests.pop(asker, None)
            self.sentences.pop(asker, None)
            self.dirty.add(request.uid)
        for request, sentence in answer.told:
            asker = (request.uid, request.group)
            if self.sentences.get(asker) != sentence:
                self.sentences[asker] = sentence
                self.dirty.add(request.uid)


# ---------------------------------------------------------------- a whole run


def drive(cluster: Cluster, operator: Operator, *, hours: float = 48, restarts: int = 200) -> Operator:
    """Let the cluster and the operator work until nothing is left to do. A crash is followed by another process.

    Checks the invariants after every step. Raises AssertionError when they are broken or there is no end.
    """
    TALLY["runs"] += 1
    end = cluster.now + timedelta(hours=hours)
    while True:
        try:
            operator.run()
        except CrashError:
            operator.stop()
            restarts -= 1
            assert restarts > 0, "the operator crashes for ever"
            operator = Operator(
                cluster, config=operator.config, queues=operator.queues, faults=operator.faults, rng=operator.rng
            )
            continue
        broken = check(cluster, operator.queues)
        assert not broken, broken
        if settled(cluster):
            return operator
        assert cluster.now < end, f"no end after {hours} simulated hours: {summary(cluster)}"
        cluster.step()


def drive_both(cluster: Cluster, first: Operator, second: Operator, *, hours: float = 24) -> None:
    """Two operators by mistake, each with its own late view, until every VideoJob has ended and no Job is left.

    Raises AssertionError when an invariant is broken at any moment, a Job that works was created twice, or there is no end.
    """
    end = cluster.now + timedelta(hours=hours)
    while cluster.now < end:
        for operator in (first, second):
            operator.run()
        broken = check(cluster, {})
        assert not broken, broken
        jobs = cluster.all("videojob")
        if jobs and all(job.value.status.phase in names.TERMINAL_PHASES for job in jobs) and not cluster.all("job"):
            break
        cluster.step()
    else:
        raise AssertionError(f"no end after {hours} simulated hours: {summary(cluster)}")
    for stored in cluster.all("videojob"):
        assert not check_history(cluster.history[stored.key])
    # What tells or reads may run again, for a webhook's event has an id that stays; what works never does.
    work = [name for name in cluster.created if "-report-" not in name and "-notify-" not in name]
    assert sorted(work) == sorted(set(work)), "a Job that works was created twice"


def settled(cluster: Cluster) -> bool:
    """Every VideoJob has ended, its latest edit and its verbs were looked at (I6), and its Jobs are gone."""
    jobs: list[VideoJobView] = [stored.value for stored in cluster.all("videojob")]
    over = all(
        job.status.phase in names.TERMINAL_PHASES
        and job.status.observed_generation == job.generation
        and not retry_wanted(job)
        for job in jobs
    )
    return (
        over and not cluster.all("job") and not any(busy(job.status.notify) or withdrawing(job.status) for job in jobs)
    )


def summary(cluster: Cluster) -> dict[str, object]:
    """Where everything stands, for the message of a failing run."""
    return {
        "videojobs": {s.key: (s.value.status.phase, s.value.status.queue) for s in cluster.all("videojob")},
        "jobs": {
            s.key: (s.value.finished, [c.state for p in cluster.pods(s.key) for c in p.containers])
            for s in cluster.all("job")
        },
        "writes": cluster.writes[-12:],
    }
