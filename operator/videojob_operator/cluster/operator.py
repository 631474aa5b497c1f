"""The parts put together: start in order, run, stop. Knows everything in this room and nothing of kopf."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ..decide.job import plan
from ..decide.queue import grant
from ..decide.recipes.noop import by_external_id
from ..decide.world import Config
from ..render import RenderConfig, job_manifest
from ..runtime.budget import Budget
from ..runtime.ending import die
from ..runtime.lease import Lease
from ..runtime.queue import WorkQueue, work
from ..runtime.resync import Health
from ..settings import Settings
from . import classes
from .api import JOBS, VIDEOJOBS, Api, ApiError, Raw, Resource, metadata
from .apply import Applier
from .client import connect
from .defaults import ensure, load
from .discovery import KindsMissingError, wait_for_kinds
from .endpoint import Endpoint
from .events import Recorder
from .exports import export
from .inbox import Inbox
from .knowledge import Knowledge
from .lease import LeaseObject
from .listing import Lister
from .metrics import Metrics
from .reconciler import Minds, Reconciler
from .serving import Ports, StartError
from .slots import Slots
from .upkeep import Upkeep
from .wants import Key, Wants

log = logging.getLogger(__name__)

LEASE_SECONDS = 15
STOPPING = "stopping"


def utc_now() -> datetime:
    """Wall time."""
    return datetime.now(UTC)


class Operator:
    """One operator.

    Args:
        settings: what an admin set.
        api: the API server; None connects with the pod's service account or the kubeconfig.
    """

    def __init__(self, settings: Settings, api: Api | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.outlives_watches = False
        """Whether somebody else than kopf's clean-up stops it: then the watches can end and start again."""
        self._api = api
        self._problem: str | None = "starting"
        """What keeps it from being ready."""
        self._health = Health(settings.resync_seconds)
        self._tasks: list[asyncio.Task[Any]] = []
        self._ports = Ports(settings)
        self._started = False
        self.stopped = asyncio.Event()
        self._lease: Lease | None = None
        self._queue: WorkQueue[Key] = WorkQueue()
        self._wants = Wants(self._queue, self.metrics)
        self._slots = Slots()
        self._inbox = Inbox()
        self._knowledge: Knowledge | None = None
        self._reconciler: Reconciler | None = None
        self._lister: Lister | None = None
        self._upkeep: Upkeep | None = None
        self._recorder: Recorder | None = None

    # ------------------------------------------------------------ life

    async def start(self) -> None:
        """Come up: health server, API, CRDs, Lease, defaults, cache, workers. Does nothing when it is up already.

        Raises:
            StartError: when it cannot.
        """
        if self._started:
            return
        self._started = True
        await self._ports.probes(self._not_alive, lambda: self._problem, self.metrics.exposition)
        try:
            await self._come_up()
        except (ApiError, KindsMissingError, ValueError) as error:
            raise StartError(str(error)) from error

    async def _come_up(self) -> None:
        settings = self.settings
        api = self._api = self._api or await connect(self.metrics)
        self._problem = "waiting for the CRDs"
        await wait_for_kinds(api, settings.crd_wait_seconds)
        if settings.pod_uid:
            self._problem = "waiting for the Lease: another operator holds it"
            keeper = LeaseObject(api, settings.namespace, settings.lease_name, seconds=LEASE_SECONDS, now=utc_now)
            self._lease = Lease(keeper, settings.pod_uid, duration=float(LEASE_SECONDS))
            await self._lease.acquire()
            log.info("the Lease is held", extra={"holder": settings.pod_uid})
            self._spawn(self._guard(self._lease), "lease")
        self._problem = "listing"
        self._build(api)
        if settings.defaults_file:
            await ensure(api, settings.namespace, load(settings.defaults_file), settings.deployment)
        lister = self._lister = Lister(api, self._known, self.metrics, settings.watch_namespaces, settings.namespace)
        await lister.reachable()
        await lister.repair(first=True)
        self._health.succeeded(0)
        endpoint = Endpoint(
            api,
            self._inbox,
            sender=self._known.sender,
            taken=self._reconciling.want_progress,
            sweeps=self._reconciling.sweeper,
            metrics=self.metrics,
        )
        await self._ports.workers(endpoint)
        self._known.remember()
        self._reconciling.first_pass(self._known.unsettled())
        for number in range(settings.workers):
            self._spawn(work(self._queue, self._reconciling.handle), f"worker {number}")
        self._upkeep = Upkeep(lister, self._health, period=float(settings.resync_seconds), die=die)
        self._spawn(self._upkeep.run(), "upkeep")
        self._problem = None
        log.info(
            "ready",
            extra={
                "namespaces": list(self.namespaces) or "all",
                "videojobs": len(self._known.stores[VIDEOJOBS]),
                "jobs": len(self._known.stores[JOBS]),
            },
        )

    async def stop(self) -> None:
        """Go down within seconds: what is in flight may end, the Lease is given up. Does nothing the second time."""
        if self._problem == STOPPING:
            return
        self._problem = STOPPING
        self._queue.close()
        workers = [task for task in self._tasks if task.get_name().startswith("worker")]
        if workers:
            await asyncio.wait(workers, timeout=3.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._recorder is not None:
            try:
                async with asyncio.timeout(1.0):
                    await self._recorder.drain()
            except TimeoutError:
                log.warning("events were left untold")
        if self._lease is not None:
            await self._lease.release()
        await self._ports.close()
        if self._api is not None:
            await self._api.close()
        self.stopped.set()

    # ------------------------------------------------------------ news

    def saw(self, resource: Resource, kind: str | None, raw: Raw) -> None:
        """A watch event: `kind` is ADDED, MODIFIED, DELETED, or None in the first list."""
        if self._knowledge is None or (
            self._lister is not None and metadata(raw).get("namespace") in self._lister.closed
        ):
            return
        self.metrics.events_seen.labels(resource.kind).inc()
        if kind == "DELETED":
            self._knowledge.lost(resource, raw)
        else:
            self._knowledge.saw(resource, raw)

    # ------------------------------------------------------------ namespaces

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces to watch now; empty means all. Known after `start`."""
        return self._lister.namespaces if self._lister is not None else ()

    def regroup(self) -> asyncio.Event:
        """Set from now on when the watches have to start again, because the namespaces are others."""
        event = asyncio.Event()
        if self._upkeep is not None:
            self._upkeep.regroup = event
        return event

    async def refused(self, error: Exception) -> bool:
        """A watch was refused. Whether the watches can start again, without the namespaces that refuse."""
        return self._upkeep is not None and await self._upkeep.refused(error)

    @property
    def _known(self) -> Knowledge:
        if self._knowledge is None:
            raise StartError("the operator has not been started")
        return self._knowledge

    @property
    def _reconciling(self) -> Reconciler:
        if self._reconciler is None:
            raise StartError("the operator has not been started")
        return self._reconciler

    def _build(self, api: Api) -> None:
        settings = self.settings
        config = Config(
            worker_image=settings.worker_image,
            operator_namespace=settings.namespace,
            progress_url=settings.progress_url,
            threads=settings.threads,
            fetch=settings.fetch,
            disruption_budget=settings.disruption_budget,
            keep_finished_seconds=settings.keep_finished_seconds,
            classes=tuple(classes.load(settings.worker_classes_file).items()),
            recipes=(("Transcode", by_external_id),) if settings.noop else (),
        )
        self._knowledge = Knowledge(
            config,
            self._slots,
            self._inbox,
            enqueue=self._wants.job,
            enqueue_queue=self._wants.granting,
            enqueue_load=self._wants.load,
            enqueue_store=self._wants.store,
            now=utc_now,
        )
        budget = Budget(settings.status_writes_per_second)
        self._recorder = Recorder(api, instance=socket.gethostname(), metrics=self.metrics, now=utc_now)
        render = RenderConfig.of(settings)
        applier = Applier(
            api,
            self._knowledge,
            render=partial(_render, render),
            recorder=self._recorder,
            budget=budget,
            metrics=self.metrics,
            created=self._wants.created,
        )
        self._reconciler = Reconciler(
            api,
            Minds(plan, grant),
            wants=self._wants,
            knowledge=self._knowledge,
            slots=self._slots,
            applier=applier,
            recorder=self._recorder,
            budget=budget,
            metrics=self.metrics,
            now=utc_now,
            render=render,
        )
        self._spawn(self._recorder.run(), "events")
        export(
            self.metrics,
            self._knowledge,
            self._slots,
            self._queue,
            self._health,
            closed=lambda: len(self._lister.closed) if self._lister is not None else 0,
        )

    def _not_alive(self) -> str | None:
        if self._problem is not None or self._health.alive():
            return None
        return f"no whole list for {self._health.age():.0f} s"

    # ------------------------------------------------------------ background

    def _spawn(self, coroutine: Coroutine[Any, Any, Any], name: str) -> None:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """A background task that dies takes the process with it: a half-dead operator is worse than a restart."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("a background task died", extra={"task": task.get_name()}, exc_info=error)
            die(f"{task.get_name()} died: {error}")

    async def _guard(self, lease: Lease) -> None:
        reason = await lease.keep()
        die(f"the Lease is lost: {reason}")


def _render(config: RenderConfig, action: Any, owner: Any) -> Raw:
    return job_manifest(action, owner, config)
