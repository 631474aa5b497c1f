"""VideoQueue.status: the queue in numbers (T-004), written at most every ten seconds and only when something differs."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from videojob_api.names import Phase
from videojob_api.v1alpha1 import SlotUse, VideoQueueSpec, VideoQueueStatus

from ..decide.world import Grants
from ..runtime.queue import WorkQueue
from .api import VIDEOQUEUES, Api, Raw, metadata
from .apply import status_patch
from .knowledge import Knowledge
from .slots import Slots
from .wants import WAKE, Key, of_report

POSITIONS = 20
"""So many places are told; beyond, each start would change too much."""
EVERY_SECONDS = 10.0
"""Writes of one queue's status are at least this far apart."""
SETTLE_SECONDS = 1.0
"""A change is told this much later: what follows it at once goes into the same write."""
RATE_SECONDS = 30.0
"""While VideoJobs have ended lately, the rate is looked at again this often: it falls though nothing happens."""
RATE = "rate"
WORDS = {
    Phase.PENDING: "pending",
    Phase.QUEUED: "queued",
    Phase.RUNNING: "processing",
    Phase.SUSPENDED: "suspended",
    Phase.SUCCEEDED: "completed",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}
"""The seeds' words for phases."""


class QueueReports:
    """Writes the statuses of all queues.

    Args:
        api: where they are written.
        queue: wakes a report when it is due.
        knowledge: the queues, and the load of each.
        slots: who holds and who waits.
        now: wall time in UTC.
        clock: seconds on a clock that never goes back.
    """

    def __init__(
        self,
        api: Api,
        queue: WorkQueue[Key],
        knowledge: Knowledge,
        slots: Slots,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._queue = queue
        self._knowledge = knowledge
        self._slots = slots
        self._now = now
        self._clock = clock
        self._written: dict[str, float] = {}
        self._positions: dict[str, tuple[str, ...]] = {}

    def told(self, name: str, grants: Grants) -> None:
        """Slots were given out; the report has the order of those that wait from here."""
        self._positions[name] = tuple(dict.fromkeys(uid for uid, _ in grants.waiting))[:POSITIONS]
        self.want(name)

    def want(self, name: str) -> None:
        """The numbers of this queue may have changed."""
        key = of_report(name)
        if not self._queue.pending(key, WAKE):
            due = self._written.get(name, self._clock() - EVERY_SECONDS) + EVERY_SECONDS
            self._queue.add_after(key, max(SETTLE_SECONDS, due - self._clock()), WAKE)

    async def write(self, key: Key) -> None:
        """Patch the status if it differs. Raises ApiError."""
        name, namespace = key.id, self._knowledge.config.operator_namespace
        raw = self._knowledge.stores[VIDEOQUEUES].by_name(namespace, name)
        spec = self._knowledge.queue(name)
        if raw is None or spec is None:
            self._written.pop(name, None)
            self._positions.pop(name, None)
            self._queue.forget(key)
            return
        if name not in self._positions:
            return  # slots have not been given out since the start: that look will want a report
        status = self.status(name, spec, raw)
        patch = status_patch(raw.get("status"), status.dump())
        if patch:
            self._written[name] = self._clock()
            version = str(metadata(raw).get("resourceVersion", ""))
            answer = await self._api.patch_status(VIDEOQUEUES, namespace, name, patch, version=version)
            self._knowledge.learnt(VIDEOQUEUES, answer)
        self._queue.succeeded(key)
        if status.processing_rate_per_minute > 0:
            self._queue.add_after(key, RATE_SECONDS, RATE)

    def status(self, name: str, spec: VideoQueueSpec, raw: Raw) -> VideoQueueStatus:
        """The queue as it is now."""
        load, view = self._knowledge.load, self._slots.view(name, spec, self._now())
        phases = load.phases(name)
        return VideoQueueStatus(
            observed_generation=int(metadata(raw).get("generation") or 0),
            queue_depth=load.depth(name),
            dlq_depth=phases.get(Phase.FAILED, 0),
            total_jobs=sum(phases.values()),
            jobs_by_status={word: phases[phase] for phase, word in WORDS.items() if phases.get(phase)},
            processing_rate_per_minute=load.rate(name, self._now()),
            slots=tuple(
                SlotUse(
                    name=slot,
                    used=sum(one.count for one in view.live if slot in one.slots),
                    capacity=capacity,
                    waiting=sum(request.slot == slot and not request.held for request in view.requests),
                    shared=sum(one.count for one in view.live if slot in one.slots and one.also) or None,
                )
                for slot, capacity in view.capacity
            ),
            positions=self._positions.get(name, ()),
        )
