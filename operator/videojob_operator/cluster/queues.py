"""A look at one VideoQueue: give slots out, let in who waits at its gate. `decide.queue.grant` thinks; nothing is awaited."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from videojob_api.names import TERMINAL_PHASES

from ..decide.job import at_the_gate
from ..decide.world import Grants, Observed, Plan, QueueView
from ..runtime.queue import WorkQueue
from .api import Api
from .knowledge import Knowledge
from .metrics import Metrics
from .queuestatus import QueueReports
from .slots import Slots
from .wants import Key, of_job

PLACE_SECONDS = 10.0
"""A changed place in the queue is written at most this often: every start moves all who wait."""
PLACE = "place"


class Queues:
    """Slots and gates of all queues.

    Args:
        api: where statuses of queues are written.
        queue: hears who is to be looked at.
        knowledge: the queues, and the load of each.
        slots: requests, grants, holders.
        grant: decides who may start.
        metrics: hears how long they waited.
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
        grant: Callable[[QueueView], Grants],
        metrics: Metrics,
        now: Callable[[], datetime],
        clock: Callable[[], float],
    ) -> None:
        self.reports = QueueReports(api, queue, knowledge, slots, now=now, clock=clock)
        self._queue = queue
        self._knowledge = knowledge
        self._slots = slots
        self._grant = grant
        self._metrics = metrics
        self._now = now

    def grant(self, key: Key) -> None:
        """Give slots out. Nothing is awaited between counting and reserving."""
        spec = self._knowledge.queue(key.id)
        if spec is None:
            for uid in self._slots.leaderless(key.id):
                self._queue.add(of_job(uid))
            return
        grants = self._grant(self._slots.view(key.id, spec, self._now()))
        news = self._slots.reserve(grants)
        for uid in news.now:
            self._queue.add(of_job(uid))
        for uid in news.later:
            if not self._queue.pending(of_job(uid), PLACE):
                self._queue.add_after(of_job(uid), PLACE_SECONDS, PLACE)
        for wait in news.waits:
            self._metrics.queue_wait.observe(wait)
        self.reports.told(key.id, grants)
        self._queue.succeeded(key)

    def let_in(self, key: Key) -> None:
        """The queue's numbers changed: whoever may enter now is looked at."""
        spec = self._knowledge.queue(key.id)
        if spec is None:
            return
        for uid in self._knowledge.load.entering(key.id, spec, self._now()):
            self._queue.add(of_job(uid))
        self.reports.want(key.id)
        self._queue.succeeded(key)

    def enter(self, observed: Observed, plan: Plan) -> None:
        """Keep the place of a VideoJob that is about to be let in. Nothing was awaited since its queue was looked at."""
        status, load, job = plan.status, self._knowledge.load, observed.job
        if status is None or not at_the_gate(job):
            return
        if status.plan is None or status.queued_time is None or status.phase in TERMINAL_PHASES:
            load.release(job.uid)
            return
        self._knowledge.tell_load(load.reserve(job.uid, status.queued_time, submit=job.status.plan is None))
