"""Retain: until when an ended job's files are kept, which outputs are gone, and whether the VideoJob goes too (A-015, A-016).

The operator deletes no file: it says here what is to be gone, and a sweep of the store makes it so.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from videojob_api.names import Condition, Reason
from videojob_api.v1alpha1 import OutputStatus, Retention, RetentionStatus

from ..tiers import owner_mark, swept, until, wanted_status
from ..world import CreateJob, DeleteVideoJob, Event, Observed
from .draft import Draft
from .judge import live
from .phases import terminal
from .withdraw import withdrawing


def retain(seen: Observed, draft: Draft) -> None:
    """Keep `status.retention` and the outputs' `expiresAt` as spec and store want them."""
    spec = seen.job.spec
    if spec is None or seen.store is None or not seen.config.sweeps:
        return
    before = draft.status.retention
    if not draft.done:
        _at_work(draft, spec.retention)
        return
    ended = draft.status.completion_time
    if ended is None or draft.status.plan is None:
        return  # it never had a folder
    after = wanted_status(spec.retention, seen.store.retention, draft.status, ended)
    after = after.model_copy(update={"changed_time": _changed(seen, before, after)})
    outputs = tuple(_output(seen, output, after) for output in draft.status.outputs)
    gone = [one.name for one, old in zip(outputs, draft.status.outputs, strict=True) if one.state != old.state]
    draft.update(outputs=outputs)
    if gone and terminal(seen.job.status.phase):
        text = f"expired and deleted: {', '.join(gone)}"
        draft.events.append(Event(Reason.EXPIRED, text))
        draft.update(
            conditions=tuple(
                one.model_copy(update={"reason": Reason.EXPIRED, "message": text})
                if one.type == Condition.READY
                else one
                for one in draft.status.conditions
            )
        )
    draft.update(retention=after.model_copy(update={"message": _ttl(seen, draft, spec.retention, after, ended)}))


def _at_work(draft: Draft, wanted: Retention) -> None:
    """Note what a launch tells the folder to keep; times begin with the end."""
    known = draft.status.retention
    if any(isinstance(action, CreateJob) for action in draft.actions):
        draft.update(retention=RetentionStatus(hold=wanted.hold, deletion_policy=wanted.deletion_policy))
    elif known is not None:
        draft.update(retention=RetentionStatus(hold=known.hold, deletion_policy=known.deletion_policy))


def _changed(seen: Observed, before: RetentionStatus | None, after: RetentionStatus) -> datetime | None:
    """When what is kept last changed without the folder, or an earlier sweep, knowing."""
    if terminal(seen.job.status.phase):
        same = before is not None and _bare(before) == _bare(after)
    else:  # the end itself changes nothing but the times, and no sweep can have passed them
        same = before is None or (before.hold, before.deletion_policy) == (after.hold, after.deletion_policy)
    if not same:
        return seen.now
    return before.changed_time if before is not None else None


def _bare(known: RetentionStatus) -> RetentionStatus:
    return known.model_copy(update={"changed_time": None, "message": None})


def _output(seen: Observed, output: OutputStatus, known: RetentionStatus) -> OutputStatus:
    """An output with its time. What is gone stays gone, whatever is wanted later."""
    at = until("videos", known)
    was = terminal(seen.job.status.phase) and output.state == "Expired"
    if was or swept(at, known, seen.swept):
        return output.model_copy(update={"expires_at": output.expires_at if was else at, "state": "Expired"})
    return output.model_copy(update={"expires_at": at, "state": "Available"})


def _ttl(seen: Observed, draft: Draft, wanted: Retention, known: RetentionStatus, ended: datetime) -> str | None:
    """Delete the VideoJob by its own opt-in; why not, if it is not."""
    if wanted.ttl_seconds_after_finished is None or wanted.hold:
        return None
    due = ended + timedelta(seconds=wanted.ttl_seconds_after_finished)
    if seen.now < due:
        draft.wakes.append(due)
        return None
    mark = owner_mark(seen.job.labels, seen.job.annotations)
    if mark is not None:
        text = f"ttlSecondsAfterFinished has passed, but {mark} manages this VideoJob and would make it again"
        before = draft.status.retention
        if before is None or before.message != text:
            draft.events.append(Event(Reason.RETENTION_SKIPPED, text))
        return text
    folder_knows = known.changed_time is None or (seen.swept is not None and known.changed_time <= seen.swept)
    over = terminal(seen.job.status.phase) and not withdrawing(draft.status)
    if over and folder_knows and not any(live(job) for job in seen.jobs):
        draft.actions.append(DeleteVideoJob(seen.job.uid))
    return None
