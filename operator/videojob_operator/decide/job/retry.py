"""Retry: what follows a failed attempt (X-006, T-010). The slot is free while the job waits (C9)."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import ValidationError

from videojob_api.exits import FailureClass
from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import FailureStatus, Retry

from .. import classes
from ..naming import share
from ..world import Event, Observed
from . import accelerate
from .draft import Draft, Group
from .judge import DISK_FULL

JITTER = 0.1
"""A wait grows by up to this share, by UID and attempt, so that jobs that failed together do not return together."""


def retry(seen: Observed, draft: Draft) -> None:
    """Permanent ends the job; a disruption is replaced at once on its own budget; anything else waits and tries again."""
    for group, failure in list(draft.failed):
        if not draft.done and seen.job.spec is not None:
            _follow(seen, draft, group, failure, seen.job.spec.retry)


def _follow(seen: Observed, draft: Draft, group: Group, failure: FailureStatus, policy: Retry) -> None:
    if failure.failure_class == FailureClass.PERMANENT:
        draft.fail(Reason.PERMANENT, failure, seen.now)
        return
    if failure.failure_class == FailureClass.DISRUPTION:
        budget = _budget(seen, draft)
        if group.disruptions > budget:
            text = f"{group.disruptions} attempts were lost to disruptions, {budget} are permitted; the last: {failure.message}"
            draft.fail(Reason.DISRUPTED, failure.model_copy(update={"message": text[:1000]}), seen.now)
            return
        draft.update(phase=Phase.QUEUED)
        draft.events.append(Event(Reason.RETRYING, f"{failure.code}: {failure.message}; replaced at once", "Warning"))
        return
    if group.failures >= policy.max_attempts:
        draft.fail(Reason.ATTEMPTS_EXHAUSTED, failure, seen.now)
        return
    due = next_time(seen.now, policy, group.failures, seen.job.uid, group.name)
    if failure.retry_after_seconds is not None:
        due = max(due, seen.now + timedelta(seconds=failure.retry_after_seconds))
    draft.stages(group.name, next_retry_time=due)
    draft.update(phase=Phase.QUEUED)
    wait = (due - seen.now).total_seconds()
    text = f"{failure.code}: {failure.message}; attempt {group.settled + 1} in {wait:.1f} s{_gain(seen, draft, group, failure)}"
    draft.events.append(Event(Reason.RETRYING, text, "Warning"))


def _gain(seen: Observed, draft: Draft, group: Group, failure: FailureStatus) -> str:
    """What the next attempt gets after one that ran out of something."""
    if failure.failure_class != FailureClass.RESOURCE:
        return ""
    plan = draft.status.plan
    place = accelerate.readable(plan, seen.job.spec, group) if plan is not None else None
    if place is None:
        return ""
    if failure.code == DISK_FULL:
        return f", with {classes.scratch_mib(place.worker, group.out_of_disk)}Mi of scratch space"
    given = place.shares(group)
    most = max((each.memory_limit_mib for each in given), default=0)
    sizes = [f", working size {each.working_size}" for each in given if each.working_size is not None]
    return f", with {most}Mi of memory" + "".join(sizes)


def _budget(seen: Observed, draft: Draft) -> int:
    """Disruptions that a group survives: the worker class's word, else the settings'."""
    try:
        own = classes.planned(draft.status.plan).disruption_budget
    except ValidationError:
        own = None
    return seen.config.disruption_budget if own is None else own


def next_time(now: datetime, policy: Retry, failures: int, uid: str, group: str) -> datetime:
    """When the next attempt may start: backoff times multiplier to the power of the failures so far, bounded, plus jitter."""
    wait = float(min(policy.max_backoff_seconds, policy.backoff_seconds * policy.multiplier ** (failures - 1)))
    wait += wait * JITTER * share(uid, group, str(failures))
    return now + timedelta(milliseconds=round(wait * 1000))
