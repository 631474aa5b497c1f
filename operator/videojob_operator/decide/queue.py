"""grant(): who may start, decided over a whole queue at once (X-003, C10, A-006)."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from videojob_api.names import CACHE_SLOT

from .world import Grants, QueueView, SlotRequest

AHEAD_SHOWN = 20
"""Places beyond this are not told one by one: each would be a write for everybody behind."""
EVERY_NAMESPACE = "*"
CACHE_CAPACITY = 8
"""Slots of the class `cache` where the queue does not list it: copies take a second each, but a thousand VideoJobs that are
submitted again must not become a thousand pods at once."""


def aged(request: SlotRequest, now: datetime, aging_seconds: int) -> int:
    """The priority a request has by now: one higher (0 is the highest) for every `aging_seconds` waited."""
    if aging_seconds <= 0:
        return request.priority
    waited = max(0.0, (now - request.since).total_seconds())
    return max(0, request.priority - int(waited // aging_seconds))


def grant(view: QueueView) -> Grants:
    """Grant free slots in the order (aged priority, fair share, waiting since, UID).

    Fair share: of the namespaces that wait for a slot class with the same aged priority, the one with the fewest live
    Jobs of that class is next, so that ten thousand VideoJobs of one namespace hold nobody up (case 77). Inside a
    namespace and a priority it is first come, first served (C10). Nobody overtakes within a slot class: who does not fit
    blocks those behind; only a namespace at its own limit is passed by. Classes do not block each other (A-007). What is
    live is counted, never remembered, so a slot cannot leak (A-006, case 76). A fan-out starts with the least it asks for,
    and has more, then or once it is at work, only of what nobody else waits for. The same holds for slots of further classes.
    """
    listed = {CACHE_SLOT: CACHE_CAPACITY} | dict(view.capacity)
    rooms = {name: _Room(name, capacity) for name, capacity in listed.items()}
    running: dict[str, int] = {}
    shares: dict[tuple[str, str], int] = {}
    for live in view.live:
        running[live.namespace] = running.get(live.namespace, 0) + 1
        for slot in live.slots:
            rooms.setdefault(slot, _Room(slot, 0)).taken += live.count
            shares[slot, live.namespace] = shares.get((slot, live.namespace), 0) + 1
    limits = dict(view.running)
    wanted: dict[tuple[str, str], int] = {}
    granted: list[SlotRequest] = []
    waiting: list[tuple[SlotRequest, str]] = []
    for request in _in_turn(view, shares):
        room = rooms.get(request.slot)
        least = request.count if request.least is None else min(request.least, request.count)
        if room is None or request.slot not in listed:
            text = f"queue {view.name} lists no slot class {request.slot}: add it to spec.slots of the VideoQueue"
        elif view.paused:
            text = f"queue {view.name} is paused"
        elif 0 < room.capacity < least:
            text = f"slot {room.name}: {least} wanted at once, {room.capacity} is all there are"
        else:
            limit = limits.get(request.namespace, limits.get(EVERY_NAMESPACE))
            if limit is not None and running.get(request.namespace, 0) >= limit:
                text = f"namespace {request.namespace} has {limit} running, its limit in queue {view.name}"
            elif not room.ahead and room.taken + least <= room.capacity:
                room.taken += least
                running[request.namespace] = running.get(request.namespace, 0) + 1
                granted.append(replace(request, count=least) if least < request.count else request)
                wanted[request.uid, request.group] = request.count
                continue
            else:
                place = str(room.ahead) if room.ahead <= AHEAD_SHOWN else f">{AHEAD_SHOWN}"
                text = f"slot {room.name}: {room.taken} of {room.capacity} taken, {place} ahead"
                room.ahead += 1
        waiting.append((request, text))
    _besides(granted, waiting, rooms)
    return Grants(granted=_more(view, granted, rooms, wanted), told=tuple(waiting))


def _besides(granted: list[SlotRequest], waiting: Sequence[tuple[SlotRequest, str]], rooms: dict[str, _Room]) -> None:
    """Give those that start the further classes that they would hold, all or none, in the order of their turn: only while no
    other VideoJob waits for a slot of any class that they would then hold, whatever it waits for it for.
    """
    wanting: dict[str, set[str]] = {}
    for request, _ in waiting:
        wanting.setdefault(request.slot, set()).add(request.uid)
    for place, request in enumerate(granted):
        if not request.also:
            continue
        free = all(slot in rooms and rooms[slot].free >= request.count for slot in request.also)
        alone = not any(wanting.get(slot, set()) - {request.uid} for slot in (request.slot, *request.also))
        given = request.also if free and alone else ()
        for slot in given:
            rooms[slot].taken += request.count
        granted[place] = replace(request, also=given)


def _more(
    view: QueueView, granted: list[SlotRequest], rooms: dict[str, _Room], wanted: dict[tuple[str, str], int]
) -> tuple[SlotRequest, ...]:
    """What is left when everybody has the least they start with goes to fan-outs, by aged priority: there those at work
    first, in the order in which they came, then those that start, in the order of their turn.
    """
    working = () if view.paused else (request for request in view.requests if request.held)
    found = sorted((replace(one, count=one.held) for one in working), key=lambda one: (one.since, one.uid))
    wanted |= {(request.uid, request.group): request.count for request in view.requests if request.held}
    given: list[SlotRequest] = []
    for request in sorted((*found, *granted), key=lambda one: aged(one, view.now, view.aging_seconds)):
        room = rooms.get(request.slot)
        most = wanted[request.uid, request.group] - request.count
        extra = 0 if room is None or room.ahead else max(0, min(most, room.capacity - room.taken))
        if room is not None:
            room.taken += extra
        if extra or not request.held:
            given.append(replace(request, count=request.count + extra))
    return tuple(given)


@dataclass
class _Room:
    """A slot class while slots are given out."""

    name: str
    capacity: int
    taken: int = 0
    ahead: int = 0
    """Requests that found no place: nobody behind them starts."""

    @property
    def free(self) -> int:
        """Slots that nobody has; of a class that the queue does not list, none."""
        return max(0, self.capacity - self.taken)


def _in_turn(view: QueueView, shares: dict[tuple[str, str], int]) -> Iterator[SlotRequest]:
    """Requests in the order of their turn: by aged priority, then by slot class, there one namespace after the other.

    A namespace's turns count as if each had started, so that places are told as they will come. O(n log n): a heap holds
    one entry for each namespace that waits.
    """
    lines: dict[tuple[int, str], dict[str, deque[SlotRequest]]] = {}
    starting = (request for request in view.requests if not request.held)
    for request in sorted(starting, key=lambda r: (r.since, r.uid)):
        priority = aged(request, view.now, view.aging_seconds)
        lines.setdefault((priority, request.slot), {}).setdefault(request.namespace, deque()).append(request)
    turns = dict(shares)
    for (_, slot), waiting in sorted(lines.items(), key=lambda entry: entry[0]):
        heap = [
            (turns.get((slot, namespace), 0), line[0].since, line[0].uid, namespace)
            for namespace, line in waiting.items()
        ]
        heapq.heapify(heap)
        while heap:
            taken, _, _, namespace = heapq.heappop(heap)
            line = waiting[namespace]
            yield line.popleft()
            turns[slot, namespace] = taken + 1
            if line:
                heapq.heappush(heap, (taken + 1, line[0].since, line[0].uid, namespace))
