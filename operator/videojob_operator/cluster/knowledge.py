"""All the operator knows: one store per kind, who is to look again when something changes, and `Observed` built from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from heapq import nlargest
from typing import Any, TypeVar

from videojob_api import names
from videojob_api.contract import Progress
from videojob_api.v1alpha1 import MediaStoreSpec, VideoProfileSpec, VideoQueueSpec
from videojob_api.v1alpha1.base import ApiModel

from ..decide.estimate import REMEMBERED, learn_all
from ..decide.job import at_the_gate, live
from ..decide.rates import Rates
from ..decide.world import Config, JobView, Observed, ProfileView, QueueLoad, VideoJobView
from ..runtime.cache import Store, owner_of, uid_of, version
from .api import JOBS, MEDIASTORES, PODS, VIDEOJOBS, VIDEOPROFILES, VIDEOQUEUES, Raw, Resource, metadata
from .cached import Cached
from .duplicates import Duplicates
from .holding import holder_of, holding
from .inbox import Inbox, Sender
from .ledger import Ledger
from .load import Load
from .observe import job_view, moment, read_spec, trim, videojob_view
from .settled import is_settled
from .slots import Slots

WATCHED = (VIDEOJOBS, JOBS, PODS, MEDIASTORES, VIDEOQUEUES, VIDEOPROFILES)
MANAGED = (JOBS, PODS)
"""Kinds of which only our own objects are looked at: watches and lists select on the label."""
SELECTOR = f"{names.LABEL_MANAGED_BY}={names.MANAGER}"
FOREIGN_SECONDS = 60.0
"""For so long a name that somebody else took is not tried again."""

S = TypeVar("S", bound=ApiModel)


class Knowledge:
    """What is known of the cluster.

    Args:
        config: what the settings contribute to decisions.
        slots: requests and holders of slots.
        inbox: news from workers.
        enqueue: wants a VideoJob, by UID, looked at.
        enqueue_queue: wants the slots of a VideoQueue, by name, given out.
        enqueue_load: wants the numbers and the gate of a VideoQueue, by name, looked at.
        enqueue_store: wants a MediaStore, by UID, looked at.
        now: wall time in UTC.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        config: Config,
        slots: Slots,
        inbox: Inbox,
        *,
        enqueue: Callable[[str], None],
        enqueue_queue: Callable[[str], None],
        enqueue_load: Callable[[str], None],
        enqueue_store: Callable[[str], None],
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.stores = {resource: Store(clock=clock) for resource in WATCHED}
        self._duplicates = Duplicates(self.stores[VIDEOJOBS])
        self._cached = Cached()
        self._slots = slots
        self._inbox = inbox
        self._enqueue = enqueue
        self._enqueue_queue = enqueue_queue
        self._enqueue_load = enqueue_load
        self._enqueue_store = enqueue_store
        self._now = now
        self.load = Load()
        self.ledger = Ledger()
        self._store_specs: dict[str, Any] = {}
        self.rates = Rates()
        """What finished stages took; kept in memory alone."""
        self._clock = clock
        self._foreign: dict[str, dict[str, float]] = {}
        self._refusals: dict[str, tuple[float, str]] = {}
        self._specs: dict[str, tuple[int | None, Any]] = {}
        self.blocked: dict[str, str] = {}
        """Why the Job controller cannot make a Job's pod, by the Job's UID."""
        self.asked_why: dict[str, float] = {}
        """When that was last asked, by the Job's UID."""

    # ------------------------------------------------------------ taking in

    def saw(self, resource: Resource, raw: Raw) -> bool:
        """Take in an object as a watch, a list or an answer showed it; whoever it concerns looks again if it is news."""
        slim = trim(resource, raw)
        news = self.stores[resource].apply(slim)
        if news:
            self.changed(resource, slim)
        return news

    def lost(self, resource: Resource, raw: Raw) -> None:
        """Take in a deletion."""
        known = self.stores[resource].remove(uid_of(raw))
        self.changed(resource, known or trim(resource, raw))

    def learnt(self, resource: Resource, raw: Raw) -> bool:
        """Take in the answer to our own write or read: authoritative, so it also revives what was taken for deleted. Whether
        it was news.
        """
        self.stores[resource].revive(uid_of(raw))
        slim = trim(resource, raw)
        news = self.stores[resource].apply(slim)
        if news:
            self.account(resource, slim)
        return news

    def changed(self, resource: Resource, raw: Raw) -> None:
        """Something about this object is new, or it is gone: tell those whom it concerns."""
        self.account(resource, raw)
        if self.stores[resource].get(uid_of(raw)) is None:
            self._specs.pop(uid_of(raw), None)
        if resource is VIDEOJOBS:
            self._enqueue(uid_of(raw))
        elif resource in MANAGED:
            owner = self.videojob_of(resource, raw)
            if owner:
                self._enqueue(owner)
            elif store := self._store_behind(resource, raw):
                self._enqueue_store(store)
        elif resource is MEDIASTORES:
            self._store_changed(raw)
            self._enqueue_pending(lambda job: job["metadata"].get("namespace") == raw["metadata"].get("namespace"))
        elif resource is VIDEOPROFILES:
            namespace = raw["metadata"].get("namespace")
            shared = namespace == self.config.operator_namespace
            self._enqueue_pending(lambda job: shared or job["metadata"].get("namespace") == namespace)
        elif raw["metadata"].get("namespace") == self.config.operator_namespace:
            name = str(raw["metadata"].get("name"))
            self._enqueue_queue(name)
            self._enqueue_load(name)
            self._enqueue_pending(lambda job: (job.get("spec") or {}).get("queue", names.DEFAULT_QUEUE) == name)

    def videojob_of(self, resource: Resource, raw: Raw) -> str | None:
        """UID of the VideoJob behind a Job or pod: by ownership; by label only while the Job itself is not known."""
        owner = owner_of(raw)
        if resource is PODS and owner:
            job = self._in_namespace_of(raw, self.stores[JOBS].get(owner))
            owner = owner_of(job) if job else None
        owner = owner or str(metadata(raw).get("labels", {}).get(names.LABEL_UID) or "")
        return owner if self._in_namespace_of(raw, self.stores[VIDEOJOBS].get(owner)) else None

    def _store_behind(self, resource: Resource, raw: Raw) -> str | None:
        """UID of the MediaStore whose sweep a Job or pod is."""
        job = self.stores[JOBS].get(owner_of(raw) or "") if resource is PODS else raw
        owner = owner_of(job) if job is not None else None
        return owner if self._in_namespace_of(raw, self.stores[MEDIASTORES].get(owner or "")) else None

    def _store_changed(self, raw: Raw) -> None:
        """A store's tiers may have changed: all that has ended in it expires at other times then."""
        uid, meta = uid_of(raw), metadata(raw)
        there = self.stores[MEDIASTORES].get(uid) is not None
        before = self._store_specs.get(uid)
        if there:
            self._store_specs[uid] = raw.get("spec")
        else:
            self._store_specs.pop(uid, None)
        if there and before is not None and before != raw.get("spec"):
            for job in self.ledger.of((str(meta.get("namespace", "")), str(meta.get("name", "")))):
                self._enqueue(job)
        self._enqueue_store(uid)

    def _in_namespace_of(self, raw: Raw, other: Raw | None) -> Raw | None:
        """The other object if it is of the same namespace: an owner's UID can be written down by anybody anywhere."""
        same = other is not None and metadata(other).get("namespace") == metadata(raw).get("namespace")
        return other if same else None

    def _jobs_of(self, videojob: Raw) -> list[Raw]:
        """The Jobs that a VideoJob controls."""
        return [job for job in self.stores[JOBS].children(uid_of(videojob)) if self._in_namespace_of(videojob, job)]

    def pods_of(self, job: Raw) -> list[Raw]:
        """The pods that a Job controls."""
        return [pod for pod in self.stores[PODS].children(uid_of(job)) if self._in_namespace_of(job, pod)]

    def sender(self, uid: str, pod_uid: str) -> Sender | None:
        """Which attempt of that VideoJob the pod runs; None when it is no known pod of it."""
        pod = self.stores[PODS].get(pod_uid)
        job = self._in_namespace_of(pod, self.stores[JOBS].get(owner_of(pod) or "")) if pod else None
        if job is None or owner_of(job) != uid or not self._in_namespace_of(job, self.stores[VIDEOJOBS].get(uid)):
            return None
        view = job_view(job)
        return Sender(view.group, view.attempt)

    def remember(self) -> None:
        """After a start: what the latest VideoJobs that have ended took is read from their statuses."""
        ended = (raw for raw in self.stores[VIDEOJOBS] if (raw.get("status") or {}).get("completionTime"))
        latest = nlargest(REMEMBERED, ended, key=lambda raw: str(raw["status"]["completionTime"]))
        self.rates = learn_all(videojob_view(raw).status for raw in latest)

    def unsettled(self) -> set[str]:
        """VideoJobs to look at after a start: all but those that are finished, reported, labelled, without Jobs, and not asked
        to be driven again.
        """
        return {
            uid_of(raw)
            for raw in self.stores[VIDEOJOBS]
            if not is_settled(raw) or self.stores[JOBS].children(uid_of(raw))
        }

    def account(self, resource: Resource, raw: Raw) -> None:
        """Keep idempotency keys and the counts of VideoJobs and of slots in step. Only Jobs of a VideoJob that is known, in its
        own namespace, hold a slot; once counted, a Job counts until its containers have ended, also while it outlives its
        VideoJob.
        """
        if resource is VIDEOJOBS:
            uid = uid_of(raw)
            self._duplicates.note(raw)
            self._cached.note(raw)
            self.tell_load(self.load.note(uid, self.stores[VIDEOJOBS].get(uid), self._now()))
            for place in self.ledger.note(uid, self.stores[VIDEOJOBS].get(uid)):
                if store := self.stores[MEDIASTORES].by_name(*place):
                    self._enqueue_store(uid_of(store))
            for job in self._jobs_of(raw):
                self._account_job(uid_of(job))
        elif resource is JOBS:
            self._account_job(uid_of(raw))
        elif resource is PODS and (owner := owner_of(raw)):
            self._account_job(owner)

    def _account_job(self, uid: str) -> None:
        job = self.stores[JOBS].get(uid)
        if job is None:
            self.blocked.pop(uid, None)
            self.asked_why.pop(uid, None)
        pods = self.pods_of(job) if job else list(self.stores[PODS].children(uid))
        told = holding(job, pods)
        holder = holder_of(told, owner_of(job) if job else None, job=job, pods=pods) if told else None
        if told and holder and not self._in_namespace_of(told, self.stores[VIDEOJOBS].get(holder.uid)):
            holder = holder if self._slots.holds(uid) else None
        queue = self._slots.hold(uid, holder)
        if queue:
            self._enqueue_queue(queue)

    def tell_load(self, queues: Iterable[str]) -> None:
        """The numbers of these queues have changed."""
        for queue in queues:
            self._enqueue_load(queue)

    def _enqueue_pending(self, concerns: Callable[[Raw], bool]) -> None:
        for job in self.stores[VIDEOJOBS]:
            if (job.get("status") or {}).get("phase") in {None, names.Phase.PENDING} and concerns(job):
                self._enqueue(uid_of(job))

    # ------------------------------------------------------------ foreign Jobs

    def note_foreign(self, uid: str, job: str) -> None:
        """A create found that name taken by somebody else."""
        self._foreign.setdefault(uid, {})[job] = self._clock() + FOREIGN_SECONDS

    def foreign(self, uid: str) -> frozenset[str]:
        """Names known to be taken; each is tried again after a minute."""
        known = self._foreign.get(uid, {})
        for name in [name for name, until in known.items() if until <= self._clock()]:
            del known[name]
        return frozenset(known)

    # ------------------------------------------------------------ refused writes

    def note_refusal(self, uid: str, message: str, seconds: float) -> None:
        """The API server does not let the VideoJob use its slot; it is asked for again after that many seconds."""
        self._refusals[uid] = (self._clock() + seconds, message)

    def refusal(self, uid: str) -> str | None:
        """Why the VideoJob asks for no slot now; None when it may."""
        until, message = self._refusals.get(uid, (0.0, None))
        if message is not None and until <= self._clock():
            del self._refusals[uid]
            return None
        return message

    def forget(self, uid: str) -> None:
        """The VideoJob is gone."""
        self._foreign.pop(uid, None)
        self._refusals.pop(uid, None)
        self._inbox.forget(uid)

    # ------------------------------------------------------------ looking

    def videojob(self, uid: str) -> VideoJobView | None:
        """The VideoJob of that UID."""
        raw = self.stores[VIDEOJOBS].get(uid)
        return videojob_view(raw) if raw else None

    def jobs(self, view: VideoJobView) -> tuple[JobView, ...]:
        """Its Jobs with their pods, oldest first."""
        found = [
            job_view(raw, self.pods_of(raw), view.status, self.blocked.get(uid_of(raw)))
            for raw in self.stores[JOBS].children(view.uid)
            if metadata(raw).get("namespace") == view.namespace
        ]
        return tuple(sorted(found, key=lambda job: (job.created, job.attempt, job.name)))

    def observed(self, view: VideoJobView, now: datetime) -> Observed:
        """Everything a decision about one VideoJob may look at."""
        store = swept = None
        queue: VideoQueueSpec | None = None
        if view.spec is not None:
            raw = self.stores[MEDIASTORES].by_name(view.namespace, view.spec.store)
            store = self.store_spec(raw)
            swept = moment((raw.get("status") or {}).get("lastSweepTime")) if raw is not None else None
            queue = self.queue(view.spec.queue)
        return Observed(
            now=now,
            job=view,
            config=self.config,
            jobs=self.jobs(view),
            foreign=self.foreign(view.uid),
            store=store,
            swept=swept,
            queue_found=queue is not None,
            kueue_queue=queue.kueue_queue if queue is not None else None,
            consent_required=queue is not None and queue.require_consent,
            profiles=tuple(self._profiles(view.namespace)),
            duplicate_of=self._duplicates.first(view.uid),
            grants=self._slots.grants(view.uid),
            cached=self._cached.known(view.namespace, view.spec.store) if view.spec is not None else frozenset(),
            refused=self.refusal(view.uid),
            waiting_message=self._slots.waiting_message(view.uid),
            progress=self._inbox.news(view.uid),
            rates=self.rates,
            place=self._slots.place(view.uid),
            results=self._inbox.results(view.uid),
        )

    def queue_load(self, view: VideoJobView, now: datetime) -> QueueLoad | None:
        """How full its queue is for a VideoJob that comes to its gate; None for all others."""
        if view.spec is None or not at_the_gate(view):
            return None
        spec, again = self.queue(view.spec.queue), view.status.plan is not None
        return self.load.facts(view.uid, view.spec.queue, spec, now, again=again) if spec is not None else None

    def store_spec(self, raw: Raw | None) -> MediaStoreSpec | None:
        """The spec of a store; None when it is missing or does not fit."""
        return self._spec(MediaStoreSpec, raw)

    def progress(self, uid: str) -> Progress | None:
        """The latest news of a VideoJob's worker."""
        return self._inbox.progress(uid)

    def alive(self, namespace: str) -> set[str]:
        """UIDs of VideoJobs, gone ones included, of which a pod is at work or may still come."""
        found = {
            str((metadata(pod).get("labels") or {}).get(names.LABEL_UID))
            for pod in self.stores[PODS]
            if metadata(pod).get("namespace") == namespace
            and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
        }
        return found | {
            owner_of(job) or ""
            for job in self.stores[JOBS]
            if metadata(job).get("namespace") == namespace and live(job_view(job, self.pods_of(job)))
        }

    def queues(self) -> list[str]:
        """Names of the queues that count."""
        return sorted(
            str(metadata(raw).get("name"))
            for raw in self.stores[VIDEOQUEUES]
            if metadata(raw).get("namespace") == self.config.operator_namespace
        )

    def specs(self) -> dict[str, VideoQueueSpec]:
        """Those of them that can be read."""
        return {name: spec for name in self.queues() if (spec := self.queue(name)) is not None}

    def queue(self, name: str) -> VideoQueueSpec | None:
        """The queue of that name."""
        return self._spec(VideoQueueSpec, self.stores[VIDEOQUEUES].by_name(self.config.operator_namespace, name))

    def _profiles(self, namespace: str) -> Iterator[ProfileView]:
        places = dict.fromkeys((namespace, self.config.operator_namespace))
        for place in places:
            for raw in self.stores[VIDEOPROFILES]:
                if raw["metadata"].get("namespace") == place:
                    spec = self._spec(VideoProfileSpec, raw)
                    if spec is not None:
                        yield ProfileView(place, str(raw["metadata"].get("name")), spec)

    def _spec(self, model: type[S], raw: Raw | None) -> S | None:
        """A parsed spec, remembered by UID and version; None when the object is missing or does not fit."""
        if raw is None:
            return None
        uid, now = uid_of(raw), version(raw)
        known = self._specs.get(uid)
        if known is None or known[0] != now:
            known = self._specs[uid] = (now, read_spec(model, raw.get("spec"))[0])
        spec = known[1]
        return spec if isinstance(spec, model) else None

    @property
    def specs_known(self) -> int:
        """Parsed specs that are remembered."""
        return len(self._specs)

    def phases(self) -> dict[str, int]:
        """VideoJobs by phase, for the metrics."""
        counts: dict[str, int] = {}
        for raw in self.stores[VIDEOJOBS]:
            phase = str((raw.get("status") or {}).get("phase") or names.Phase.PENDING)
            counts[phase] = counts.get(phase, 0) + 1
        return counts
