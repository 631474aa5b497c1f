"""Who waits for a slot, who was granted one, and who holds one: the input of `decide.queue.grant`.

Slots in use are counted from live Jobs, never from a counter. Between a grant and the Job's appearance in the cache the
grant itself is the reservation; it is made before anything is awaited, so that no slot is given out twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from videojob_api.v1alpha1 import VideoQueueSpec

from ..decide.world import Grant, Grants, LiveSlot, QueueView, SlotRequest

Asker = tuple[str, str]
"""UID of a VideoJob, and a group of it that asks for slots."""


@dataclass(frozen=True)
class Holder:
    """A live Job that holds slots of a class, and as many of each class in `also`."""

    queue: str
    uid: str
    """UID of the owning VideoJob."""
    group: str
    attempt: int
    slot: str
    count: int
    namespace: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class News:
    """VideoJobs that have news from their queue."""

    now: frozenset[str]
    """They may start, or hear for the first time that they have to wait."""
    later: frozenset[str]
    """Only their place or the numbers differ: each would be a write, so they are told now and then."""
    waits: tuple[float, ...] = ()
    """Seconds that those who may start have waited."""


class Slots:
    """Requests, grants and holders of all queues.

    Args:
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked: dict[Asker, float] = {}
        self._holders: dict[str, Holder] = {}
        self._requests: dict[Asker, SlotRequest] = {}
        self._granted: dict[Asker, SlotRequest] = {}
        self._waiting: dict[Asker, str] = {}
        self._places: dict[Asker, tuple[int, int]] = {}
        self._groups: dict[str, tuple[str, ...]] = {}
        self._capacity: dict[tuple[str, str], int] = {}

    def hold(self, job_uid: str, holder: Holder | None) -> str | None:
        """Note that a Job holds a slot, or no longer does. Returns the queue whose slots changed."""
        before = self._holders.get(job_uid)
        if before == holder:
            return None
        if holder is None:
            self._holders.pop(job_uid, None)
        else:
            self._holders[job_uid] = holder
        changed = holder or before
        return changed.queue if changed else None

    def holds(self, job_uid: str) -> bool:
        """Whether the Job is counted."""
        return job_uid in self._holders

    def ask(self, uid: str, requests: Iterable[SlotRequest] = ()) -> str | None:
        """Note what a VideoJob's latest plan asks for. Returns the queue that should look again.

        A plan without a request for a group ends that group's grant: the Job holds the slots from then on.
        """
        wanted = {request.group: request for request in requests}
        known = dict.fromkeys((*self._groups.get(uid, ()), *wanted))
        changed = [self._ask((uid, group), wanted.get(group)) for group in known]
        if wanted:
            self._groups[uid] = tuple(wanted)
        else:
            self._groups.pop(uid, None)
        return next((queue for queue in changed if queue is not None), None)

    def _ask(self, asker: Asker, request: SlotRequest | None) -> str | None:
        before = self._requests.get(asker)
        granted = self._granted.get(asker)
        if granted is not None and (request is None or _key(granted) != _key(request)):
            del self._granted[asker]
            self._waiting.pop(asker, None)
            self._places.pop(asker, None)
        if before == request:
            return granted.queue if granted is not None and request is None else None
        if request is None:
            self._requests.pop(asker, None)
            self._waiting.pop(asker, None)
            self._places.pop(asker, None)
            self._asked.pop(asker, None)
        else:
            self._requests[asker] = request
            if before is None or _key(before) != _key(request):
                self._asked[asker] = self._clock()
        changed = request or before
        return changed.queue if changed else None

    def granted(self, uid: str) -> bool:
        """Whether the VideoJob may start something that it asked for."""
        return bool(self.grants(uid))

    def grants(self, uid: str) -> tuple[Grant, ...]:
        """The slots that the VideoJob's groups may use."""
        found = (self._granted.get((uid, group)) for group in self._groups.get(uid, ()))
        return tuple(Grant(one.group, one.attempt, one.slot, one.count, one.also) for one in found if one is not None)

    def waiting_message(self, uid: str) -> str | None:
        """What the queue says to the first group of a VideoJob that waits."""
        askers = [(uid, group) for group in self._groups.get(uid, ()) if (uid, group) not in self._granted]
        return next((self._waiting[asker] for asker in askers if asker in self._waiting), None)

    def place(self, uid: str) -> tuple[int, int] | None:
        """Of a VideoJob that waits: how many start before it, and how many slots of that class there are."""
        askers = ((uid, group) for group in self._groups.get(uid, ()))
        return next((self._places[asker] for asker in askers if asker in self._places), None)

    def view(self, name: str, spec: VideoQueueSpec, now: datetime) -> QueueView:
        """The queue as `grant` sees it."""
        self._capacity |= {(name, slot.name): slot.capacity for slot in spec.slots}
        holders = [holder for holder in self._holders.values() if holder.queue == name]
        started = {(holder.uid, holder.group, holder.attempt) for holder in holders}
        promised = {(one.uid, one.group, one.attempt): one.count for one in self._granted.values() if one.held}
        reserved = [
            LiveSlot(grant.uid, grant.slot, grant.count, grant.namespace, grant.also)
            for grant in self._granted.values()
            if grant.queue == name and (grant.uid, grant.group, grant.attempt) not in started
        ]
        return QueueView(
            name=name,
            now=now,
            capacity=tuple((slot.name, slot.capacity) for slot in spec.slots),
            live=(
                *(
                    LiveSlot(
                        one.uid,
                        one.slot,
                        max(one.count, promised.get((one.uid, one.group, one.attempt), 0)),
                        one.namespace,
                        one.also,
                    )
                    for one in holders
                ),
                *reserved,
            ),
            requests=tuple(
                request
                for asker, request in self._requests.items()
                if request.queue == name and asker not in self._granted
            ),
            paused=spec.paused,
            aging_seconds=spec.aging_seconds,
            running=tuple((row.namespace, row.running) for row in spec.limits),
        )

    def reserve(self, grants: Grants) -> News:
        """Take in the grants. Nothing may be awaited between `view` and this."""
        now: set[str] = set()
        later: set[str] = set()
        waits: list[float] = []
        for request in grants.granted:
            asker = (request.uid, request.group)
            asked = self._requests.get(asker)
            if asked is not None and replace(asked, count=request.count, also=request.also) == request:
                self._granted[asker] = request
                self._waiting.pop(asker, None)
                self._places.pop(asker, None)
                now.add(request.uid)
                wait = self._clock() - self._asked.pop(asker, self._clock())
                waits.extend(() if request.held else (wait,))
        ahead: dict[tuple[str, str], int] = {}
        for request, message in grants.told:
            asker = (request.uid, request.group)
            if asker not in self._requests:
                continue
            kind = (request.queue, request.slot)
            self._places[asker] = (ahead.get(kind, 0), self._capacity.get(kind, 1))
            ahead[kind] = ahead.get(kind, 0) + 1
            if (before := self._waiting.get(asker)) != message:
                self._waiting[asker] = message
                (now if before is None else later).add(request.uid)
        return News(frozenset(now), frozenset(later), tuple(waits))

    def leaderless(self, name: str) -> frozenset[str]:
        """The queue is gone: who asks in it, and no longer has its word on when."""
        asking = [asker for asker, request in self._requests.items() if request.queue == name]
        for asker in asking:
            self._waiting.pop(asker, None)
            self._places.pop(asker, None)
        return frozenset(uid for uid, _ in asking)

    def depth(self) -> dict[str, int]:
        """Requests by queue that wait to start."""
        counts: dict[str, int] = {}
        for asker, request in self._requests.items():
            waits = asker not in self._granted and not request.held
            counts[request.queue] = counts.get(request.queue, 0) + waits
        return counts

    def in_use(self) -> dict[tuple[str, str], int]:
        """Slots held by live Jobs, by queue and class."""
        counts: dict[tuple[str, str], int] = {}
        for holder in self._holders.values():
            for slot in (holder.slot, *holder.also):
                counts[holder.queue, slot] = counts.get((holder.queue, slot), 0) + holder.count
        return counts


def _key(request: SlotRequest) -> tuple[str, str, str, int, int]:
    return (request.queue, request.slot, request.group, request.attempt, request.held)
