"""Who waits for a slot, who was granted one, and who holds one: the input of `decide.queue.grant`.

Slots in use are counted from live Jobs, never from a counter. Between a grant and the Job's appearance in the cache the
grant itself is the reservation; it is made before anything is awaited, so that no slot is given out twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from videojob_api.v1alpha1 import VideoQueueSpec

from ..decide.world import Grants, LiveSlot, QueueView, SlotRequest


@dataclass(frozen=True)
class Holder:
    """A live Job that holds a slot."""

    queue: str
    uid: str
    """UID of the owning VideoJob."""
    group: str
    attempt: int
    slot: str
    count: int
    namespace: str = ""


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
        self._asked: dict[str, float] = {}
        self._holders: dict[str, Holder] = {}
        self._requests: dict[str, SlotRequest] = {}
        self._granted: dict[str, SlotRequest] = {}
        self._waiting: dict[str, str] = {}
        self._places: dict[str, tuple[int, int]] = {}
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

    def ask(self, uid: str, request: SlotRequest | None) -> str | None:
        """Note what a VideoJob's latest plan asks for. Returns the queue that should look again.

        A plan without a request ends its grant: the Job holds the slot from then on.
        """
        before = self._requests.get(uid)
        granted = self._granted.get(uid)
        if granted is not None and (request is None or _key(granted) != _key(request)):
            del self._granted[uid]
            self._waiting.pop(uid, None)
            self._places.pop(uid, None)
        if before == request:
            return granted.queue if granted is not None and request is None else None
        if request is None:
            self._requests.pop(uid, None)
            self._waiting.pop(uid, None)
            self._places.pop(uid, None)
            self._asked.pop(uid, None)
        else:
            self._requests[uid] = request
            if before is None or _key(before) != _key(request):
                self._asked[uid] = self._clock()
        changed = request or before
        return changed.queue if changed else None

    def granted(self, uid: str) -> bool:
        """Whether the VideoJob may start what it asked for."""
        return uid in self._granted

    def granted_slot(self, uid: str) -> str | None:
        """Class of the slot it may use; None when none was granted."""
        return grant.slot if (grant := self._granted.get(uid)) is not None else None

    def waiting_message(self, uid: str) -> str | None:
        """What the queue says to a VideoJob that waits."""
        return None if uid in self._granted else self._waiting.get(uid)

    def place(self, uid: str) -> tuple[int, int] | None:
        """Of a VideoJob that waits: how many start before it, and how many slots of its class there are."""
        return self._places.get(uid)

    def view(self, name: str, spec: VideoQueueSpec, now: datetime) -> QueueView:
        """The queue as `grant` sees it."""
        self._capacity |= {(name, slot.name): slot.capacity for slot in spec.slots}
        holders = [holder for holder in self._holders.values() if holder.queue == name]
        started = {(holder.uid, holder.group, holder.attempt) for holder in holders}
        reserved = [
            LiveSlot(grant.uid, grant.slot, grant.count, grant.namespace)
            for grant in self._granted.values()
            if grant.queue == name and (grant.uid, grant.group, grant.attempt) not in started
        ]
        return QueueView(
            name=name,
            now=now,
            capacity=tuple((slot.name, slot.capacity) for slot in spec.slots),
            live=(
                *(LiveSlot(holder.uid, holder.slot, holder.count, holder.namespace) for holder in holders),
                *reserved,
            ),
            requests=tuple(
                request for uid, request in self._requests.items() if request.queue == name and uid not in self._granted
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
            if self._requests.get(request.uid) == request:
                self._granted[request.uid] = request
                self._waiting.pop(request.uid, None)
                self._places.pop(request.uid, None)
                now.add(request.uid)
                waits.append(self._clock() - self._asked.pop(request.uid, self._clock()))
        ahead: dict[tuple[str, str], int] = {}
        for uid, _ in grants.waiting:
            if (asked := self._requests.get(uid)) is not None:
                kind = (asked.queue, asked.slot)
                self._places[uid] = (ahead.get(kind, 0), self._capacity.get(kind, 1))
                ahead[kind] = ahead.get(kind, 0) + 1
        for uid, message in grants.waiting:
            if uid in self._requests and (before := self._waiting.get(uid)) != message:
                self._waiting[uid] = message
                (now if before is None else later).add(uid)
        return News(frozenset(now), frozenset(later), tuple(waits))

    def leaderless(self, name: str) -> frozenset[str]:
        """The queue is gone: who asks in it, and no longer has its word on when."""
        asking = frozenset(uid for uid, request in self._requests.items() if request.queue == name)
        for uid in asking:
            self._waiting.pop(uid, None)
            self._places.pop(uid, None)
        return asking

    def depth(self) -> dict[str, int]:
        """Waiting requests by queue."""
        counts: dict[str, int] = {}
        for uid, request in self._requests.items():
            counts[request.queue] = counts.get(request.queue, 0) + (uid not in self._granted)
        return counts

    def in_use(self) -> dict[tuple[str, str], int]:
        """Slots held by live Jobs, by queue and class."""
        counts: dict[tuple[str, str], int] = {}
        for holder in self._holders.values():
            key = (holder.queue, holder.slot)
            counts[key] = counts.get(key, 0) + holder.count
        return counts


def _key(request: SlotRequest) -> tuple[str, str, str, int]:
    return (request.queue, request.slot, request.group, request.attempt)
