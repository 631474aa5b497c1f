"""How full the queues are, counted as VideoJobs come and go: what `decide.admission` and VideoQueue.status look at.

Everything follows from the VideoJobs in the cache, so a restart counts the same. Between a decision to accept and its
appearance in the cache the decision itself is the reservation, made before anything is awaited: no place is given out twice.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from videojob_api.names import DEFAULT_QUEUE, TERMINAL_PHASES, Condition, Phase, Reason
from videojob_api.v1alpha1 import VideoQueueSpec

from ..decide.world import QueueLoad
from ..runtime.cache import uid_of
from .api import Raw, metadata
from .observe import moment

MINUTE = timedelta(seconds=60)
RATE_MINUTES = 5
"""The processing rate is a mean over so many minutes."""
RESERVED = timedelta(seconds=30)
"""An acceptance that the cache does not show after this long has failed."""
_BUCKET_SECONDS = 10
_WAITING = frozenset({Reason.QUEUE_FULL, Reason.RATE_LIMITED})
_OUTSIDE = frozenset({Phase.PENDING, Phase.FAILED, Phase.CANCELLED})
"""Phases from which a VideoJob enters its queue, the last two by a redrive."""
_EPOCH = datetime.fromtimestamp(0, UTC)

Place = tuple[bool, datetime, str]
"""False when it is driven again, creation time, UID: the order at the gate."""


@dataclass(frozen=True)
class Row:
    """What counts of one VideoJob."""

    queue: str
    namespace: str
    phase: str
    place: Place
    at_gate: bool = False
    """Held back by a limit of the queue."""
    accepted: datetime | None = None
    """When it was submitted, as limits count it: a redrive is no submit, though it is queued anew."""
    ended: datetime | None = None


class Load:
    """Counts by queue and namespace."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._phases: dict[str, dict[str, int]] = {}
        self._queued: dict[tuple[str, str], int] = {}
        self._gates: dict[str, dict[str, list[Place]]] = {}
        self._submits: dict[tuple[str, str], list[datetime]] = {}
        self._ended: dict[str, dict[int, int]] = {}
        self._reserved: dict[str, tuple[datetime, str]] = {}

    # ------------------------------------------------------------ taking in

    def note(self, uid: str, raw: Raw | None, now: datetime) -> frozenset[str]:
        """Take in a VideoJob as the cache has it; None when it is gone. Returns the queues whose numbers changed."""
        before = self._rows.get(uid)
        after = row_of(raw) if raw is not None else None
        reserved = self._reserved.get(uid)
        if reserved is not None and after is not None and after.phase == reserved[1] and now - reserved[0] < RESERVED:
            return frozenset()  # an older state than our own decision
        self._reserved.pop(uid, None)
        return self._replace(uid, before, after, now)

    def reserve(self, uid: str, at: datetime, *, submit: bool = True) -> frozenset[str]:
        """The VideoJob is about to be let in, for the first time or driven again. Nothing may be awaited between `facts` and
        this.
        """
        before = self._rows.get(uid)
        if before is None or before.phase not in _OUTSIDE:
            return frozenset()
        self._reserved[uid] = (at, before.phase)
        after = replace(before, phase=Phase.QUEUED, at_gate=False, ended=None)
        return self._replace(uid, before, replace(after, accepted=at) if submit else after, at)

    def release(self, uid: str) -> None:
        """It was not accepted after all: what the cache shows next counts."""
        self._reserved.pop(uid, None)

    def _replace(self, uid: str, before: Row | None, after: Row | None, now: datetime) -> frozenset[str]:
        if before == after:
            return frozenset()
        if before is not None:
            self._count(before, -1)
        if after is None:
            self._rows.pop(uid, None)
        else:
            self._rows[uid] = after
            self._count(after, 1)
            if after.accepted is not None and (before is None or before.accepted is None):
                self._submitted(after, now)
            if after.ended is not None and (before is None or before.ended is None):
                self._finished(after, now)
        return frozenset(row.queue for row in (before, after) if row is not None)

    def _count(self, row: Row, by: int) -> None:
        phases = self._phases.setdefault(row.queue, {})
        _add(phases, row.phase, by)
        if row.phase == Phase.QUEUED:
            _add(self._queued, (row.queue, row.namespace), by)
        if not row.at_gate:
            return
        gate = self._gates.setdefault(row.queue, {})
        line = gate.setdefault(row.namespace, [])
        index = bisect.bisect_left(line, row.place)
        if by > 0:
            line.insert(index, row.place)
        else:
            del line[index]
            if not line:
                del gate[row.namespace]

    def _submitted(self, row: Row, now: datetime) -> None:
        key = (row.queue, row.namespace)
        if row.accepted is not None and now - row.accepted < MINUTE:
            bisect.insort(self._submits.setdefault(key, []), row.accepted)
        self._recent(key, now)

    def _recent(self, key: tuple[str, str], now: datetime) -> list[datetime]:
        """Acceptances of the last minute; older ones are forgotten."""
        times = self._submits.get(key, [])
        del times[: bisect.bisect_right(times, now - MINUTE)]
        if not times:
            self._submits.pop(key, None)
        return times

    def _finished(self, row: Row, now: datetime) -> None:
        if row.ended is None or now - row.ended >= MINUTE * RATE_MINUTES:
            return
        buckets = self._ended.setdefault(row.queue, {})
        _add(buckets, _bucket(row.ended), 1)
        oldest = _bucket(now - MINUTE * RATE_MINUTES)
        for bucket in [bucket for bucket in buckets if bucket <= oldest]:
            del buckets[bucket]

    # ------------------------------------------------------------ telling

    def facts(
        self, uid: str, queue: str, spec: VideoQueueSpec, now: datetime, *, again: bool = False
    ) -> QueueLoad | None:
        """The queue as the VideoJob at its gate finds it, which is to be driven `again`; None when it is not known."""
        row = self._rows.get(uid)
        if row is None:
            return None
        place = _again(row.place) if again else row.place
        limits = spec.limits_of(row.namespace)
        own = 1 if row.phase == Phase.QUEUED else 0
        times = list(self._recent((queue, row.namespace), now))
        if own and row.accepted in times:
            times.remove(row.accepted)
        ahead = in_namespace = redriven = 0
        if not own:  # who has entered already, and only waits for its write, has nobody ahead
            gate = self._gates.get(queue, {})
            in_namespace = bisect.bisect_left(gate.get(row.namespace, []), place)
            redriven = min(in_namespace, _driven_again(gate.get(row.namespace, [])))
            for namespace, line in gate.items():
                ahead += self._let_in(queue, namespace, spec, now, line[: bisect.bisect_left(line, place)])
        return QueueLoad(
            queue=queue,
            max_depth=spec.max_depth,
            depth=self.depth(queue) - own,
            ahead=ahead,
            most_queued=limits.queued if limits else None,
            queued=self._queued.get((queue, row.namespace), 0) - own,
            submits_per_minute=limits.submits_per_minute if limits else None,
            submits=tuple(times),
            ahead_in_namespace=in_namespace,
            again_in_namespace=redriven,
            allowed_priorities=(limits.allowed_priorities or ()) if limits else (),
        )

    def entering(self, queue: str, spec: VideoQueueSpec, now: datetime) -> list[str]:
        """UIDs at the gate that would be let in now, in their order."""
        free = spec.max_depth - self.depth(queue)
        if free <= 0:
            return []
        first: list[Place] = []
        for namespace, line in self._gates.get(queue, {}).items():
            first += line[: self._let_in(queue, namespace, spec, now, line)]
        return [uid for *_, uid in sorted(first)[:free]]

    def _let_in(self, queue: str, namespace: str, spec: VideoQueueSpec, now: datetime, line: list[Place]) -> int:
        """How many of those at the gate the namespace's own limits would let in: the first so many."""
        limits = spec.limits_of(namespace)
        room = len(line)
        if limits is not None and limits.submits_per_minute is not None:
            submits = max(0, limits.submits_per_minute - len(self._recent((queue, namespace), now)))
            room = min(room, _driven_again(line) + submits)
        if limits is not None and limits.queued is not None:
            room = min(room, limits.queued - self._queued.get((queue, namespace), 0))
        return max(0, room)

    def depth(self, queue: str) -> int:
        """VideoJobs that are accepted and wait."""
        return self._phases.get(queue, {}).get(Phase.QUEUED, 0)

    def at_gate(self, queue: str) -> int:
        """VideoJobs that limits hold back."""
        return sum(len(line) for line in self._gates.get(queue, {}).values())

    def phases(self, queue: str) -> dict[str, int]:
        """VideoJobs of the queue by phase."""
        return dict(self._phases.get(queue, {}))

    def rate(self, queue: str, now: datetime) -> float:
        """VideoJobs that ended, a minute."""
        oldest = _bucket(now - MINUTE * RATE_MINUTES)
        ended = sum(count for bucket, count in self._ended.get(queue, {}).items() if bucket > oldest)
        return round(ended / RATE_MINUTES, 1)


def row_of(raw: Raw) -> Row:
    """What counts of a VideoJob, however broken it is."""
    spec, status = _dict(raw.get("spec")), _dict(raw.get("status"))
    phase = str(status.get("phase") or Phase.PENDING)
    return Row(
        queue=str(spec.get("queue") or DEFAULT_QUEUE),
        namespace=str(metadata(raw).get("namespace", "")),
        phase=phase,
        place=(
            not (status.get("redrives") and status.get("plan")),
            moment(metadata(raw).get("creationTimestamp")) or _EPOCH,
            uid_of(raw),
        ),
        at_gate=phase == Phase.PENDING
        and any(
            isinstance(entry, dict) and entry.get("type") == Condition.ACCEPTED and entry.get("reason") in _WAITING
            for entry in status.get("conditions") or ()
        ),
        accepted=None if status.get("redrives") else moment(status.get("queuedTime")),
        ended=moment(status.get("completionTime")) if phase in TERMINAL_PHASES else None,
    )


def _again(place: Place) -> Place:
    return False, *place[1:]


def _driven_again(line: list[Place]) -> int:
    """How many of a line at the gate are driven again: they stand in front."""
    return bisect.bisect_left(line, (True, _EPOCH, ""))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _add(counts: dict[Any, int], key: Any, by: int) -> None:
    left = counts.get(key, 0) + by
    if left:
        counts[key] = left
    else:
        counts.pop(key, None)


def _bucket(time: datetime) -> int:
    return int(time.timestamp()) // _BUCKET_SECONDS
