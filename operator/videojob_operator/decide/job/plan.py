"""plan(): say what should happen next to one VideoJob."""

from __future__ import annotations

from collections.abc import Callable

from videojob_api.names import Reason

from ..estimate import estimate
from ..report import finalize, progress_only, wanted_labels
from ..templates import Told, effective, look_up
from ..world import Observed, Plan
from .accelerate import hop
from .accept import accept
from .advance import advance
from .cancel import cancel
from .cleanup import cleanup
from .deadline import deadline
from .draft import Draft
from .finish import finish
from .harvest import harvest
from .launch import launch
from .notify import notify
from .publish import publish
from .redrive import redrive
from .retain import retain
from .retry import retry
from .suspend import suspend
from .widen import widen
from .withdraw import withdraw

Policy = Callable[[Observed, Draft], None]

POLICIES: tuple[Policy, ...] = (
    redrive,  # what had ended and is asked for again is looked at as if it had not
    accept,  # nothing is decided about a spec that is not resolved
    harvest,  # what has ended is accounted for before anything new begins
    cancel,  # what is asked to end ends, whatever was just found, unless everything had succeeded
    retry,  # a failure that was just found ends the job, or sets the time of the next attempt
    deadline,  # no attempt begins when the time for all of them is spent
    hop,  # who waits for a GPU in vain gives up its place before others are given out
    suspend,  # what is in flight goes on; nothing new starts
    publish,  # what goes out waits for a person's word, and for its time
    launch,  # at most one Job a group
    widen,  # what is at work may use what nobody else waits for
    advance,  # show where the attempts in flight stand
    finish,  # everything has succeeded
    notify,  # webhooks hear what is on record
    withdraw,  # what nobody goes on with is removed at the provider
    retain,  # what has ended expires
    cleanup,  # Jobs on record go
)


def plan(seen: Observed) -> Plan:
    """Pure, total, deterministic. Applying the plan and asking again converges to an empty plan."""
    if seen.job.deleting:
        return Plan()  # owner references take everything along
    before = seen.job.status
    told = look_up(seen) if before.plan is None else Told()
    draft = Draft(status=before, told=told)
    seen = effective(seen, before.plan, told)
    for policy in POLICIES:
        policy(seen, draft)
    after = finalize(seen, draft)
    changed = after != before
    if changed:  # an estimate goes along with other news; it is none itself
        after = after.model_copy(update={"estimate": estimate(seen, after)})
    return Plan(
        actions=tuple(draft.actions),
        status=after if changed else None,
        labels=wanted_labels(seen, after),
        events=tuple(draft.events) if changed else (),
        wake_at=min(draft.wakes, default=None),
        requests=tuple(draft.requests),
        wider=tuple(draft.wider),
        status_first=before.plan is None and after.plan is not None,
        progress_only=changed
        and not draft.actions
        and all(event.reason == Reason.PROGRESS_UPDATE for event in draft.events)
        and progress_only(before, after),
    )
