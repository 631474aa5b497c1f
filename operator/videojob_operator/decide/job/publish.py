"""Publish: what goes out waits for a person's word, and for its time (S-052).

By then all outputs are there. Both waits are Suspended, not Queued: they may last for weeks, take no slot, and no place in the
queue's waiting room.
"""

from __future__ import annotations

from videojob_api.names import Phase, Reason
from videojob_api.stages import PUBLISH
from videojob_api.v1alpha1 import Publish

from ..world import Event, Observed
from .draft import Draft

APPROVE = "set spec.publish.auto to true to publish, or cancel the VideoJob to leave it at that"


def publish(seen: Observed, draft: Draft) -> None:
    """Hold the stage Publish as long as `auto` is not set, or `scheduleAt` has not come."""
    spec = seen.job.spec
    if draft.done or draft.held or not draft.accepted or draft.flights or spec is None:
        return
    if not any(PUBLISH.stage in group.plan.stages and draft.ready(group) for group in draft.groups()):
        return
    if all(group.succeeded for group in draft.groups()):
        return
    found = _waits(seen, spec.publish or Publish(auto=True))
    if found is None:
        return
    reason, text = found
    draft.held = True
    draft.update(phase=Phase.SUSPENDED)
    draft.wait(spec.queue, reason, text, seen.now)
    draft.note = (reason, text)
    draft.message = text
    before = seen.job.status.queue
    if before is None or before.reason != reason:
        draft.events.append(Event(reason, text))
    if spec.publish is not None and spec.publish.schedule_at is not None and spec.publish.schedule_at > seen.now:
        draft.wakes.append(spec.publish.schedule_at)


def _waits(seen: Observed, asked: Publish) -> tuple[Reason, str] | None:
    """Why nothing goes out yet; None when it may. Platforms that were all taken back wait for nothing."""
    if not asked.platforms:
        return None
    if not asked.auto:
        return Reason.WAITING_FOR_APPROVAL, f"the outputs are there and wait for approval: {APPROVE}"
    if asked.schedule_at is not None and seen.now < asked.schedule_at:
        return Reason.SCHEDULED, f"the outputs are there and go out at {asked.schedule_at.isoformat()}"
    return None
