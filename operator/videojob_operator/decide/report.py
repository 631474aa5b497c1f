"""Status, conditions and percent, in one place: what people and their tools read."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from videojob_api import bands, names
from videojob_api.names import Condition, Phase, Reason
from videojob_api.v1alpha1 import ConditionStatus, FanOutStatus, NotifyStatus, ProgressStatus, VideoJobStatus

from .bounds import bounded
from .fallbacks import fallbacks
from .history import history, progress_event
from .notify import begin, complaint
from .recipes import kind_of
from .world import Observed, VideoJobView

if TYPE_CHECKING:
    from .job.draft import Draft

PASSING = frozenset({Reason.QUEUE_FULL, Reason.RATE_LIMITED})
"""Troubles that end by themselves: no person is needed."""

Tristate = Literal["True", "False", "Unknown"]


def finalize(seen: Observed, draft: Draft) -> VideoJobStatus:
    """The whole new status from what the policies concluded. A terminal status is left as it is (I3), but for the
    generation and the retry it has looked at, until a redrive, for what expires or is withdrawn, and for the webhooks that hear
    of the end after it.
    """
    before = seen.job.status
    generation = seen.job.generation
    if before.phase in names.TERMINAL_PHASES and not draft.redriven:
        rows = begin(seen, draft.status)
        kept = tuple(c for c in draft.status.conditions if c.type != Condition.DEGRADED)
        if before.observed_generation != generation:
            kept = tuple(c.model_copy(update={"observed_generation": generation}) for c in kept)
        worse = _degraded(seen, draft.status, rows)
        changes = {"observed_generation": generation, "notify": rows, "conditions": (*kept, *worse)}
        after = {name: getattr(draft.status, name) for name in ("retention", "outputs", "withdrawal")}
        return bounded(before.model_copy(update={**changes, **after, "observed_retry": draft.status.observed_retry}))
    draft.update(
        observed_generation=generation,
        attempts=max((stage.attempt for stage in draft.status.stages), default=0),
        progress=progress(before, draft),
    )
    status = draft.status
    if status.phase == Phase.FAILED:
        last = status.failure
        draft.update(
            stages=tuple(
                s.model_copy(update={"state": "Failed", "completion_time": s.completion_time or seen.now})
                if last is not None and s.name == last.stage
                else s
                for s in status.stages
            )
        )
    if draft.done and status.start_time is not None and status.completion_time is not None:
        spent = (status.completion_time - status.start_time).total_seconds()
        draft.update(execution_time_ms=max(0, round(spent * 1000)))
    draft.update(conditions=conditions(seen, draft))
    happened = progress_event(before, draft.status)
    if happened is not None:
        draft.events.append(happened)
    draft.update(history=history(before, draft.status, _said(draft), seen.now))
    draft.update(notify=begin(seen, draft.status))
    draft.update(conditions=(*draft.status.conditions, *_degraded(seen, draft.status, draft.status.notify)))
    return bounded(draft.status)


def _said(draft: Draft) -> str | None:
    """What an entry of the history says: the condition Ready has it in every phase."""
    return next((entry.message for entry in draft.status.conditions if entry.type == Condition.READY), None)


# ---------------------------------------------------------------- percent


def progress(before: VideoJobStatus, draft: Draft) -> ProgressStatus:
    """Percent by the bands of the stages; it falls only when another attempt begins, or a redrive (I10)."""
    status = draft.status
    found = percent(status)
    attempts = {stage.name: stage.attempt for stage in before.stages}
    if not draft.redriven and all(stage.attempt == attempts.get(stage.name, 0) for stage in status.stages):
        found = max(found, before.progress.percent)
    if status.phase == Phase.SUCCEEDED:
        return ProgressStatus(percent=100, summary="100%")
    message = status.failure.message if status.phase == Phase.FAILED and status.failure is not None else draft.message
    if draft.problem is not None and status.phase == Phase.PENDING:
        message = draft.problem[1]
    if message is None and (status.phase, status.stage) == (before.phase, before.stage):
        message = status.progress.message  # no news, for example after a restart of the operator, is no reason to write
    running = status.phase == Phase.RUNNING
    return ProgressStatus(
        percent=found,
        summary=f"{found}%",
        message=message[:500] if message is not None else None,
        speed=status.progress.speed if running else None,
        eta_seconds=status.progress.eta_seconds if running else None,
    )


def percent(status: VideoJobStatus) -> int:
    """Whole percent of the job: each stage fills its band, stages in parallel fill theirs together (S-007 to S-012, A-003)."""
    filled: dict[tuple[int, int], list[int]] = {}
    begun: set[tuple[int, int]] = set()
    for stage in status.stages:
        place = _band(status.type, stage.name)
        if place is None:
            continue
        own = 100 if stage.done else stage.progress if stage.state == "Running" else 0
        filled.setdefault(place, []).append(own)
        if stage.done or stage.state == "Running":
            begun.add(place)
    return min(
        100,
        max(
            (low + (high - low) * sum(filled[low, high]) // (100 * len(filled[low, high])) for low, high in begun),
            default=0,
        ),
    )


def _band(kind_of_work: str | None, stage: str) -> tuple[int, int] | None:
    known = bands.band(kind_of_work, stage)
    if known is not None:
        return known.low, known.high
    row = kind_of(stage)
    return row.band if row is not None else None


# ---------------------------------------------------------------- conditions


def conditions(seen: Observed, draft: Draft) -> tuple[ConditionStatus, ...]:
    """Conditions for kstatus (Accepted, Ready, Reconciling, Stalled), and for `kubectl wait` as batch/v1 names them."""
    status = draft.status
    over = status.phase in names.TERMINAL_PHASES
    success = status.phase == Phase.SUCCEEDED
    trouble = draft.problem
    stuck = trouble is not None and trouble[0] not in PASSING
    cancelled = status.phase == Phase.CANCELLED
    reason, text = trouble or draft.note or (Reason.STAGE_RUNNING, "about to start")
    refused = not draft.accepted and (trouble is not None or cancelled)
    wanted: list[tuple[Condition, bool, Reason, str]] = [
        (
            Condition.ACCEPTED,
            not refused,
            reason if refused else Reason.RESOLVED,
            text if refused else "profiles, store and queue were found",
        ),
        (Condition.READY, success, reason, text),
        (Condition.RECONCILING, not over and not stuck and status.phase != Phase.SUSPENDED, reason, text),
        # a cancelled one comes to no more by itself: whoever waits by kstatus' rules is to hear that, not to wait for ever
        (Condition.STALLED, stuck or cancelled, reason, text if stuck or cancelled else ""),
        (Condition.FINISHED, over, reason, text if over else ""),
    ]
    if success:
        wanted.append((Condition.COMPLETE, True, reason, text))
    if cancelled:  # it ended neither way, which those who wait for one of the two can see
        wanted += [(Condition.COMPLETE, False, reason, text), (Condition.FAILED, False, reason, text)]
    if status.phase == Phase.FAILED:
        wanted.append((Condition.FAILED, True, reason, text))
        wanted.append((Condition.DEAD_LETTERED, True, reason, text))
    return tuple(_condition(seen, kind, "True" if holds else "False", why, said) for kind, holds, why, said in wanted)


def _degraded(seen: Observed, status: VideoJobStatus, rows: tuple[NotifyStatus, ...]) -> tuple[ConditionStatus, ...]:
    """The condition Degraded while something did not go as asked, in a stage or beside the outputs; nothing when all is well."""
    taken, text = fallbacks(status.stages), complaint(rows)
    if taken is None:
        return () if text is None else (_condition(seen, Condition.DEGRADED, "True", Reason.NOTIFY_FAILED, text),)
    told = taken[1] if text is None else f"{taken[1]}; {text}"
    return (_condition(seen, Condition.DEGRADED, "True", taken[0], told),)


def undecided(job: VideoJobView, now: datetime) -> VideoJobStatus | None:
    """The status when no decision could be made (case 9): Stalled, and no longer Reconciling, so that every reader of the two
    says the same. None when that stands there, or the job has ended.
    """
    before = job.status
    known = next((entry for entry in before.conditions if entry.type == Condition.STALLED), None)
    if before.phase in names.TERMINAL_PHASES or (known is not None and known.reason == Reason.INTERNAL_ERROR):
        return None
    text = "the operator could not decide about this VideoJob; its log has the trace; it tries again later"
    told: dict[Condition, Tristate] = {Condition.RECONCILING: "False", Condition.STALLED: "True"}
    said = tuple(
        _entry(job, now, kind, holds, reason=Reason.INTERNAL_ERROR, message=text) for kind, holds in told.items()
    )
    others = tuple(entry for entry in before.conditions if entry.type not in told)
    return bounded(before.model_copy(update={"observed_generation": job.generation, "conditions": (*others, *said)}))


def _condition(seen: Observed, kind: Condition, status: Tristate, reason: Reason, message: str) -> ConditionStatus:
    return _entry(seen.job, seen.now, kind, status, reason=reason, message=message)


def _entry(
    job: VideoJobView, now: datetime, kind: Condition, status: Tristate, *, reason: Reason, message: str
) -> ConditionStatus:
    old = next((condition for condition in job.status.conditions if condition.type == kind), None)
    same = old is not None and old.status == status
    return ConditionStatus(
        type=kind,
        status=status,
        reason=reason,
        message=message[:1000],
        observed_generation=job.generation,
        last_transition_time=old.last_transition_time if old is not None and same else now.replace(microsecond=0),
    )


# ---------------------------------------------------------------- the rest of a plan


def wanted_labels(seen: Observed, status: VideoJobStatus) -> tuple[tuple[str, str | None], ...]:
    """The dead-letter label (T-005): set on Failed, removed otherwise; empty when it is as it should be."""
    want = "true" if status.phase == Phase.FAILED else None
    have = dict(seen.job.labels).get(names.LABEL_DEAD_LETTER)
    return () if want == have else ((names.LABEL_DEAD_LETTER, want),)


def progress_only(before: VideoJobStatus, after: VideoJobStatus) -> bool:
    """Whether nothing but news of a running attempt, or of a place in the queue, differs: such a write may wait."""
    return before.phase == after.phase and _still(before) == _still(after)


def _still(status: VideoJobStatus) -> VideoJobStatus:
    """A status without what moves all the time."""
    moving = {
        "state": "Running", "progress": 0, "message": None, "start_time": None, "completion_time": None,
        "seconds": None, "cpu_seconds": None, "gpu_seconds": None,
    }  # fmt: skip
    settled = tuple(condition for condition in status.conditions if condition.status == "True")
    return status.model_copy(
        update={
            "progress": ProgressStatus(),
            "stage": None,
            "input": None,
            "estimate": None,
            "queue": status.queue.model_copy(update={"message": None}) if status.queue is not None else None,
            "history": (),
            "notify": (),
            "stages": tuple(
                stage.model_copy(update=moving | {"fan_out": _lasting(stage.fan_out)}) for stage in status.stages
            ),
            "conditions": tuple(c.model_copy(update={"message": "", "reason": ""}) for c in settled),
        }
    )


def _lasting(items: FanOutStatus | None) -> FanOutStatus | None:
    """Of a fan-out what cannot be seen again later: the pod that shows a disruption is gone a moment after."""
    return items.model_copy(update={"succeeded": 0, "failed": 0, "active": 0}) if items is not None else None
