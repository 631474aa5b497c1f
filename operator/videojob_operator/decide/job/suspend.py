"""Suspend: while spec.suspend is set nothing starts; what runs ends first, in parallel branches too."""

from __future__ import annotations

from videojob_api.names import Phase, Reason

from ..world import Event, Observed
from .draft import Draft


def suspend(seen: Observed, draft: Draft) -> None:
    """Hold an accepted job; it is Suspended when nothing of it is in flight any more."""
    spec = seen.job.spec
    if draft.done or not draft.accepted or spec is None or not spec.suspend:
        return
    if all(group.succeeded for group in draft.groups()):
        return
    draft.held = True
    if draft.flights:
        return
    draft.update(phase=Phase.SUSPENDED)
    draft.wait(spec.queue, Reason.SUSPENDED, "spec.suspend is set", seen.now)
    draft.note = (Reason.SUSPENDED, "spec.suspend is set; nothing starts until it is false")
    draft.message = "Suspended"
    if seen.job.status.phase != Phase.SUSPENDED:
        draft.events.append(Event(Reason.SUSPENDED, "nothing starts until spec.suspend is false"))
