"""One look at one key: observe, plan, apply; or, for a queue, grant. All that happens to a VideoJob happens here."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from videojob_api import names
from videojob_api.names import Phase

from ..decide.estimate import learn
from ..decide.job import withdrawing
from ..decide.notify import busy
from ..decide.report import undecided
from ..decide.world import DeleteJob, DeleteVideoJob, Event, Grants, Observed, Plan, QueueView, VideoJobView
from ..render import RenderConfig
from ..runtime.budget import Budget
from ..runtime.cache import uid_of
from .api import MEDIASTORES, VIDEOJOBS, Api, ApiError, Raw
from .apply import Applier, Seen
from .events import Recorder
from .knowledge import FOREIGN_SECONDS, Knowledge
from .late import LatePods
from .metrics import Metrics
from .queues import Queues
from .slots import Slots
from .sweeper import Sweeper
from .wants import WAKE, Key, Wants, of_job, of_queue

log = logging.getLogger(__name__)

FIRST_PASS_SECONDS = 30.0
"""After a start, no slot is granted until every known VideoJob has been looked at once, but at most for this long."""
PROGRESS_SECONDS = 2.0
"""A job's progress is written no more often than that, nor than all running jobs together may write their statuses."""
RESERVED_SECONDS = 0.1
"""So many seconds' worth of status writes stay for transitions; less where the budget cannot save up that much."""
REFUSED_SECONDS = 30.0
"""First wait after the API server refused a write as such (403, 422): only a person can mend it."""
LASTING_FAILURES = 10
"""After so many failures in a row, some ten seconds, what was granted is given back: a webhook may be down for days."""

PROGRESS, FOREIGN, REFUSED = "progress", "foreign", "refused"


@dataclass(frozen=True)
class Minds:
    """Who thinks: the pure functions of `decide`."""

    plan: Callable[[Observed], Plan]
    grant: Callable[[QueueView], Grants]


class Reconciler:
    """Handles keys.

    Args:
        api: asked why a pod is late; everything else goes through `applier`.
        minds: plan and grant.
        wants: where keys come from and go back to.
        knowledge: the cache.
        slots: requests, grants, holders.
        applier: performs plans.
        recorder: tells what the API server refused.
        budget: the status patches' budget, shared with `applier`.
        metrics: counts looks.
        now: wall time in UTC.
        clock: seconds on a clock that never goes back.
        render: what the manifests of sweeps need.
    """

    def __init__(
        self,
        api: Api,
        minds: Minds,
        *,
        wants: Wants,
        knowledge: Knowledge,
        slots: Slots,
        applier: Applier,
        recorder: Recorder,
        budget: Budget,
        metrics: Metrics,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        render: RenderConfig | None = None,
    ) -> None:
        self.sweeper = Sweeper(api, wants.queue, knowledge, render=render or RenderConfig(), now=now, clock=clock)
        self._late = LatePods(api, wants.queue, knowledge, clock=clock)
        self._queues = Queues(
            api, wants.queue, knowledge, slots, grant=minds.grant, metrics=metrics, now=now, clock=clock
        )
        self._minds = minds
        self._wants = wants
        self._queue = wants.queue
        self._knowledge = knowledge
        self._slots = slots
        self._applier = applier
        self._recorder = recorder
        self._budget = budget
        self._metrics = metrics
        self._now = now
        self._clock = clock
        self._first: set[str] = set()
        self._first_until = clock()
        self._progress_written: dict[str, float] = {}
        self._running = (clock() - 60.0, 0)

    # ------------------------------------------------------------ wanting a look

    def want_progress(self, uid: str, urgent: bool) -> None:
        """A worker has sent news: look when the next progress write is due, at once for a whole result."""
        self.sweeper.heard(uid)
        key = of_job(uid)
        wait = 0.0 if urgent else self._progress_wait(uid)
        if wait <= 0:
            self._queue.add(key)
        elif not self._queue.pending(key, PROGRESS):
            self._queue.add_after(key, wait, PROGRESS)

    def first_pass(self, uids: set[str]) -> None:
        """These VideoJobs were found at the start; slots are granted once all of them have said what they need."""
        self._first = set(uids)
        self._first_until = self._clock() + FIRST_PASS_SECONDS
        for uid in uids:
            self._queue.add(of_job(uid))
        for name in self._knowledge.queues():
            self._queue.add(of_queue(name))
        for store in self._knowledge.stores[MEDIASTORES]:
            self._wants.store(uid_of(store))

    # ------------------------------------------------------------ looking

    async def handle(self, key: Key) -> None:
        """Look at one key; every error ends here, as a later look."""
        try:
            if key.kind == "queue":
                if self._first and self._clock() < self._first_until:
                    self._queue.add_after(key, 0.05, WAKE)
                else:
                    self._queues.grant(key)
            elif key.kind == "load":
                self._queues.let_in(key)
            elif key.kind == "report":
                await self._queues.reports.write(key)
            elif key.kind == "store":
                await self.sweeper.look(key)
            else:
                await self._look_at_job(key)
        except ApiError as error:
            await self._refused(key, error)
        except Exception:
            self._metrics.reconciles.labels("error").inc()
            wait = self._queue.add_failed(key)
            log.exception("reconcile failed", extra={"kind": key.kind, "id": key.id, "again_in": wait})
        finally:
            self._first.discard(key.id)

    async def _look_at_job(self, key: Key) -> None:
        uid = key.id
        raw = self._knowledge.stores[VIDEOJOBS].get(uid)
        view = self._knowledge.videojob(uid)
        if raw is None or view is None:
            self._forget(uid)
            return
        observed = self._knowledge.observed(view, self._now())
        self.sweeper.ended(observed)
        await self._late.ask(key, observed)
        observed = replace(observed, load=self._knowledge.queue_load(view, self._now()))
        began = self._clock()
        try:
            plan = self._minds.plan(observed)
        except Exception:
            log.exception("no decision could be made", extra=_whose(view))
            self._metrics.reconciles.labels("undecided").inc()
            await self._tell_internal_error(view, raw)
            self._queue.add_failed(key, at_least=1.0)
            return
        self._metrics.plan_seconds.observe(self._clock() - began)
        self._queues.enter(observed, plan)
        if plan.progress_only and not plan.actions and not self._may_write_progress(key):
            self._settle(key, view, observed, plan)
            return
        if plan.progress_only:
            self._progress_written[uid] = self._clock()
        if await self._applier.apply(view, raw, plan) == "again":
            self._metrics.reconciles.labels("again").inc()
            self._queue.add_failed(key)
            return
        self._metrics.reconciles.labels("changed" if _changes(plan) else "unchanged").inc()
        self._queue.succeeded(key)
        if plan.status is not None and view.status.phase not in names.TERMINAL_PHASES:
            self._knowledge.rates = learn(self._knowledge.rates, plan.status)
        self._settle(key, view, observed, plan)
        if _leads_on(plan) and not plan.progress_only:
            self._queue.add(key)

    def _settle(self, key: Key, view: VideoJobView, observed: Observed, plan: Plan) -> None:
        """Note what the plan asks of others: slots, and the time of the next look."""
        uid = key.id
        refusal = self._knowledge.refusal(uid)
        queue = self._slots.ask(uid, () if refusal else (*plan.requests, *plan.wider))
        if queue:
            self._wants.granting(queue)
        if plan.wake_at is not None:
            self._queue.add_after(key, max(0.05, (plan.wake_at - self._now()).total_seconds()), WAKE)
        else:
            self._queue.cancel(key, WAKE)
        if observed.foreign:
            self._queue.add_after(key, FOREIGN_SECONDS + 1.0, FOREIGN)
        waiting = plan.request is not None and (refusal or self._slots.waiting_message(uid)) is not None
        if waiting or (plan.request is None and not _changes(plan)):
            self._wants.answered(uid)
        told = view.status.phase in names.TERMINAL_PHASES and not busy(view.status.notify)
        if told and not withdrawing(view.status):
            self._knowledge.forget(uid)
            self._progress_written.pop(uid, None)

    def _forget(self, uid: str) -> None:
        queue = self._slots.ask(uid)
        if queue:
            self._wants.granting(queue)
        self._queue.forget(of_job(uid))
        self._knowledge.forget(uid)
        self._progress_written.pop(uid, None)
        self._wants.answered(uid)

    # ------------------------------------------------------------ progress

    def _running_jobs(self) -> int:
        """VideoJobs in phase Running, counted at most once a second."""
        counted_at, count = self._running
        if self._clock() - counted_at >= 1.0:
            count = self._knowledge.phases().get(Phase.RUNNING, 0)
            self._running = (self._clock(), count)
        return count

    def _progress_wait(self, uid: str) -> float:
        """Seconds until this job's progress may be written again."""
        last = self._progress_written.get(uid)
        if last is None:
            return 0.0
        interval = max(PROGRESS_SECONDS, self._running_jobs() / self._budget.rate)
        return last + interval - self._clock()

    def _may_write_progress(self, key: Key) -> bool:
        """Whether it is this job's turn; else a look is set for then."""
        wait = self._progress_wait(key.id)
        reserve = min(self._budget.rate * RESERVED_SECONDS, self._budget.burst - 1.0)
        if wait <= 0 and self._budget.spare(reserve):
            return True
        self._queue.add_after(key, max(wait, 0.5), PROGRESS)
        return False

    # ------------------------------------------------------------ when things do not work

    async def _refused(self, key: Key, error: ApiError) -> None:
        """A write was refused or got no answer: later again, no faster than the server asks (cases 21, 23, 24, 35, 49)."""
        refused = error.status in {400, 403, 422}
        if key.kind == "job" and (refused or self._queue.failures(key) >= LASTING_FAILURES):
            self._give_back(key, error)
        if "NamespaceTerminating" in error.causes:
            self._queue.add_failed(key, at_least=5.0)
            self._metrics.reconciles.labels("terminating").inc()
            return
        wait = self._queue.add_failed(key, at_least=max(error.retry_after or 0.0, REFUSED_SECONDS if refused else 0.0))
        self._metrics.reconciles.labels("refused" if refused else "unanswered").inc()
        view = self._knowledge.videojob(key.id) if key.kind == "job" else None
        log.warning(
            "the API server refused" if refused else "the API server did not answer",
            extra={"error": str(error), "again_in": wait} | (_whose(view) if view else {"queue": key.id}),
        )
        if refused and view is not None:
            self._recorder.tell(view, Event("ApiRefused", error.message[:900], "Warning"))

    def _give_back(self, key: Key, error: ApiError) -> None:
        """Let others have the slot that cannot be used now. It is asked for again later; meanwhile the status says why."""
        if not self._slots.granted(key.id):
            return
        wait = max(error.retry_after or 0.0, REFUSED_SECONDS)
        self._knowledge.note_refusal(key.id, error.message[:1000], wait)
        queue = self._slots.ask(key.id)
        if queue:
            self._wants.granting(queue)
        self._queue.add_after(key, wait, REFUSED)
        self._queue.add(key)

    async def _tell_internal_error(self, view: VideoJobView, raw: Raw) -> None:
        """Say in the status that the operator could not decide (case 9); once, not at every look."""
        status = undecided(view, self._now())
        if status is not None:
            await self._applier.write_status(view, Seen(raw), status)


def _changes(plan: Plan) -> bool:
    return bool(plan.actions or plan.labels or plan.status is not None)


def _leads_on(plan: Plan) -> bool:
    """Whether the next step may follow from our own writes. That something is deleted is told by the watch, late as it may
    be.
    """
    if any(isinstance(action, DeleteVideoJob) for action in plan.actions):
        return False
    more = any(not isinstance(action, DeleteJob) for action in plan.actions)
    return bool(plan.labels or plan.status is not None or more)


def _whose(view: VideoJobView) -> dict[str, object]:
    return {
        "namespace": view.namespace,
        "job": view.name,
        "uid": view.uid,
        "stage": view.status.stage,
        "attempt": view.status.attempts,
    }
