"""grant(): who may start, decided over a whole queue at once (X-003, C10, A-006)."""

from __future__ import annotations

from .world import Grants, QueueView, SlotRequest

AHEAD_SHOWN = 20
"""Places beyond this are not told one by one: each would be a write for everybody behind."""


def grant(view: QueueView) -> Grants:
    """Grant free slots in the order (priority, waiting since, UID).

    Within a class nobody overtakes: who does not fit blocks those behind. Classes do not block each other (A-007). What is
    live is counted, never remembered, so a slot cannot leak (A-006).
    """
    capacity = dict(view.capacity)
    taken: dict[str, int] = dict.fromkeys(capacity, 0)
    for live in view.live:
        taken[live.slot] = taken.get(live.slot, 0) + live.count
    granted: list[SlotRequest] = []
    waiting: list[tuple[str, str]] = []
    ahead: dict[str, int] = {}
    for request in sorted(view.requests, key=lambda r: (r.priority, r.since, r.uid)):
        slot = request.slot
        if slot not in capacity:
            text = f"queue {view.name} lists no slot class {slot}: add it to spec.slots of the VideoQueue"
            waiting.append((request.uid, text))
            continue
        before = ahead.get(slot, 0)
        if not before and taken[slot] + request.count <= capacity[slot]:
            taken[slot] += request.count
            granted.append(request)
            continue
        ahead[slot] = before + 1
        place = str(before) if before <= AHEAD_SHOWN else f">{AHEAD_SHOWN}"
        waiting.append((request.uid, f"slot {slot}: {taken[slot]} of {capacity[slot]} taken, {place} ahead"))
    return Grants(granted=tuple(granted), waiting=tuple(waiting))
