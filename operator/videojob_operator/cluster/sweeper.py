"""One look at one MediaStore: observe, decide.store.sweep, apply; and the answers to a sweep's questions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime

from pydantic import ValidationError

from videojob_api.names import DEFAULT_STORE
from videojob_api.sweeping import SweepAnswer, SweepQuestion
from videojob_api.v1alpha1 import DiskStatus, MediaStoreSpec, MediaStoreStatus

from ..decide import verdicts
from ..decide.store import CreateSweep, StoreView, disk_status, sweep
from ..decide.world import JobView, Observed
from ..render import RenderConfig, sweep_manifest
from ..runtime.cache import owner_of, uid_of
from ..runtime.queue import WorkQueue
from .api import JOBS, MEDIASTORES, PODS, Api, ApiError, Raw, metadata
from .apply import status_patch
from .knowledge import FOREIGN_SECONDS, Knowledge
from .observe import EPOCH, job_view, moment, read_result
from .wants import WAKE, Key, of_job, of_store

log = logging.getLogger(__name__)

EVERY_SECONDS = 30.0
"""Numbers of one store are written at most this often; with a worker's news every ten seconds they are never a minute old."""
SETTLE_SECONDS = 1.0
"""The first numbers after a start are written this much later: what comes with the first lists goes into one write."""
NUMBERS = "numbers"


class Sweeper:
    """Looks after all stores.

    Args:
        api: where Jobs and statuses are written.
        queue: wakes a store.
        knowledge: the cache.
        render: what sweeps' manifests need.
        now: wall time in UTC.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        api: Api,
        queue: WorkQueue[Key],
        knowledge: Knowledge,
        *,
        render: RenderConfig,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._queue = queue
        self._knowledge = knowledge
        self._render = render
        self._now = now
        self._clock = clock
        self._written: dict[str, float] = {}
        self._due: dict[str, float] = {}
        """When numbers that wait for their turn may be written."""
        self._disk: dict[str, DiskStatus] = {}
        self._foreign: dict[str, float] = {}
        self._aware: set[str] = set()
        """Stores whose VideoJobs have heard of the latest sweep since the start of this process."""

    # ------------------------------------------------------------ looking

    async def look(self, key: Key) -> None:
        """One look. Raises ApiError."""
        uid = key.id
        raw = self._knowledge.stores[MEDIASTORES].get(uid)
        spec = self._knowledge.store_spec(raw)
        if raw is None or spec is None:
            for memory in (self._written, self._due, self._disk, self._foreign):
                memory.pop(uid, None)
            self._aware.discard(uid)
            self._queue.forget(key)
            return
        view = self._view(raw, spec)
        if uid not in self._aware and view.status.last_sweep_time is not None:
            self._aware.add(uid)
            self._wake(self._knowledge.ledger.unaware((view.namespace, view.name), view.status.last_sweep_time))
        plan = sweep(view)
        if plan.status is not None and (plan.urgent or self._turn(key)):
            await self._write(view, raw, plan.status)
        for job in plan.delete:
            try:
                await self._api.delete(JOBS, view.namespace, job.name, uid=job.uid)
            except ApiError as error:
                if not (error.not_found or error.conflict):
                    raise
        if plan.create is not None:
            await self._create(view, plan.create)
        self._queue.succeeded(key)
        if plan.wake_at is not None:
            self._queue.add_after(key, max(0.05, (plan.wake_at - view.now).total_seconds()), WAKE)

    def _turn(self, key: Key) -> bool:
        """Whether it is time to write numbers; else a look is set for then."""
        now, last = self._clock(), self._written.get(key.id)
        first = now + SETTLE_SECONDS if last is None else last + EVERY_SECONDS
        due = self._due.setdefault(key.id, first)
        if now >= due:
            return True
        if not self._queue.pending(key, NUMBERS):
            self._queue.add_after(key, due - now, NUMBERS)
        return False

    def _view(self, raw: Raw, spec: MediaStoreSpec) -> StoreView:
        meta, uid = metadata(raw), uid_of(raw)
        place = (str(meta.get("namespace", "")), str(meta.get("name", "")))
        return StoreView(
            now=self._now(),
            namespace=place[0],
            name=place[1],
            uid=uid,
            generation=int(meta.get("generation") or 0),
            created=moment(meta.get("creationTimestamp")) or EPOCH,
            spec=spec,
            status=read_store_status(raw),
            config=self._knowledge.config,
            ended=self._knowledge.ledger.ended(place),
            disk=self._disk.get(uid),
            jobs=self._jobs(raw),
            foreign=self._foreign.get(uid, self._clock()) > self._clock(),
        )

    def _jobs(self, store: Raw) -> tuple[JobView, ...]:
        return tuple(
            job_view(job, self._knowledge.pods_of(job), None, self._knowledge.blocked.get(uid_of(job)))
            for job in self._knowledge.stores[JOBS].children(uid_of(store))
            if metadata(job).get("namespace") == metadata(store).get("namespace")
        )

    # ------------------------------------------------------------ applying

    async def _write(self, view: StoreView, raw: Raw, status: MediaStoreStatus) -> None:
        patch = status_patch(raw.get("status"), status.dump())
        if not patch:
            return
        self._written[view.uid] = self._clock()
        self._due.pop(view.uid, None)
        version = str(metadata(raw).get("resourceVersion", ""))
        answer = await self._api.patch_status(MEDIASTORES, view.namespace, view.name, patch, version=version)
        self._knowledge.learnt(MEDIASTORES, answer)
        before, after = view.status, status
        if after.sweep is not None and after.sweep != before.sweep:
            log.log(
                logging.INFO if after.sweep.succeeded else logging.WARNING,
                "store swept" if after.sweep.succeeded else "sweep failed",
                extra={"namespace": view.namespace, "store": view.name} | after.sweep.dump(),
            )
        if after.last_sweep_time is not None and after.last_sweep_time != before.last_sweep_time:
            place = (view.namespace, view.name)
            self._wake(self._knowledge.ledger.due(place, before.last_sweep_time, after.last_sweep_time))

    def _wake(self, uids: list[str]) -> None:
        for uid in uids:
            self._queue.add(of_job(uid))

    async def _create(self, view: StoreView, action: CreateSweep) -> None:
        """Create the Job; a taken name counts only if the Job is this store's."""
        try:
            created = await self._api.create(JOBS, view.namespace, sweep_manifest(action, self._render))
        except ApiError as error:
            if not error.already_exists:
                raise
            created = await self._api.get(JOBS, view.namespace, action.name)
            if owner_of(created) != view.uid:
                self._foreign[view.uid] = self._clock() + FOREIGN_SECONDS
                log.warning(
                    "a Job of the wanted name belongs to somebody else; it is left alone",
                    extra={"namespace": view.namespace, "store": view.name, "kubernetes_job": action.name},
                )
                self._queue.add_after(of_store(view.uid), FOREIGN_SECONDS + 1.0, WAKE)
                return
        else:
            log.info(
                "sweep started",
                extra={"namespace": view.namespace, "store": view.name, "kubernetes_job": action.name},
            )
        self._knowledge.learnt(JOBS, created)

    # ------------------------------------------------------------ free space

    def heard(self, uid: str) -> None:
        """A worker of this VideoJob has sent news: it says how much is free."""
        sample = self._knowledge.progress(uid)
        if sample is not None and sample.free_bytes is not None and sample.capacity_bytes:
            self._space(uid, sample.free_bytes, sample.capacity_bytes, self._now())

    def ended(self, seen: Observed) -> None:
        """Results of ended containers say it too."""
        store = self._store_of(seen.job.uid)
        known = self._disk.get(store) if store is not None else None
        for container in (c for job in seen.jobs for pod in job.pods for c in pod.containers):
            at = container.finished_at
            if at is None or (known is not None and at <= known.time):
                continue
            result = read_result(container.message)
            if result is not None and result.free_bytes is not None and result.capacity_bytes:
                self._space(seen.job.uid, result.free_bytes, result.capacity_bytes, min(at, seen.now))

    def _space(self, uid: str, free_bytes: int, capacity_bytes: int, at: datetime) -> None:
        store = self._store_of(uid)
        if store is None:
            return
        known = self._disk.get(store)
        if known is None or known.time <= at:
            self._disk[store] = disk_status(free_bytes, capacity_bytes, at)
            key = of_store(store)
            if not self._queue.pending(key, WAKE) or not self._queue.pending(key, NUMBERS):
                self._queue.add(key)

    def _store_of(self, uid: str) -> str | None:
        place = self._knowledge.ledger.place(uid)
        raw = self._knowledge.stores[MEDIASTORES].by_name(*place) if place is not None else None
        return uid_of(raw) if raw is not None else None

    # ------------------------------------------------------------ answering

    def is_sweep(self, uid: str, pod_uid: str) -> bool:
        """Whether the pod is one of a sweep of that store."""
        pod = self._knowledge.stores[PODS].get(pod_uid)
        job = self._knowledge.stores[JOBS].get(owner_of(pod) or "") if pod is not None else None
        store = self._knowledge.stores[MEDIASTORES].get(uid)
        namespaces = {str(metadata(raw).get("namespace")) for raw in (pod, job, store) if raw is not None}
        return (
            pod is not None and job is not None and store is not None and len(namespaces) == 1 and owner_of(job) == uid
        )

    def answer(self, question: SweepQuestion) -> SweepAnswer:
        """What may be deleted, from what is known at this moment."""
        store = self._knowledge.stores[MEDIASTORES].get(question.uid)
        if store is None:
            return SweepAnswer()
        namespace = str(metadata(store).get("namespace", ""))
        cutoff = min(question.cutoff, self._now())
        alive = self._knowledge.alive(namespace) if question.folders else set()
        folders = tuple(
            verdicts.folder(uid, self._owner(uid, namespace), cutoff, alive=uid in alive) for uid in question.folders
        )
        uploads = []
        for sha256 in question.uploads:
            found = [self._owner(uid, namespace) for uid in self._knowledge.ledger.naming(namespace, sha256)]
            uploads.append(verdicts.upload(sha256, [owner for owner in found if owner is not None], cutoff))
        return SweepAnswer(folders=folders, uploads=tuple(uploads))

    def _owner(self, uid: str, namespace: str) -> verdicts.Owner | None:
        view = self._knowledge.videojob(uid)
        if view is None or view.namespace != namespace:
            return None
        name = view.spec.store if view.spec is not None else DEFAULT_STORE
        spec = self._knowledge.store_spec(self._knowledge.stores[MEDIASTORES].by_name(namespace, name))
        return verdicts.Owner(view, spec.retention if spec is not None else None, self._knowledge.jobs(view))


def read_store_status(raw: Raw) -> MediaStoreStatus:
    """The status of a store; one that does not fit is begun anew."""
    try:
        return MediaStoreStatus.model_validate(raw.get("status") or {})
    except ValidationError:
        return MediaStoreStatus()
