"""admit(): whether a VideoJob may enter its queue now (S-004, X-012).

Who may not stays Pending and enters by itself: nobody has to submit again. The order at the gate is that of creation, within
a namespace and over all of them; a namespace at its own limit holds up nobody else. What is driven again comes to the gate, too,
so that a thousand dead letters flood no queue: it goes before the others, as every retry does (X-003), and is no submit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from videojob_api.names import Reason

from .world import QueueLoad

MINUTE = timedelta(seconds=60)


@dataclass(frozen=True)
class Refusal:
    """Why not now. The sentence holds until the VideoJob enters: a moving number in it would be a write each time."""

    reason: Reason
    message: str
    again_at: datetime | None = None
    """When the answer may differ though nothing else happens."""


def admit(load: QueueLoad, namespace: str, priority: str, now: datetime, *, again: bool = False) -> Refusal | None:
    """None when the VideoJob may enter.

    Args:
        load: the queue as it is, without this VideoJob.
        namespace: the VideoJob's.
        priority: its spec.priority.
        now: the moment to decide for.
        again: it was let in before, and is driven again: neither its priority nor the rate of submits is asked about.
    """
    queue = f"queue {load.queue}"
    if not again and load.allowed_priorities and priority not in load.allowed_priorities:
        allowed = ", ".join(load.allowed_priorities)
        text = f"{queue} permits namespace {namespace} no spec.priority {priority}; set one of: {allowed}"
        return Refusal(Reason.PRIORITY_NOT_ALLOWED, text)
    rate = load.submits_per_minute
    if not again and rate is not None and len(load.submits) + _submits_ahead(load) >= rate:
        text = f"namespace {namespace} may submit {rate} VideoJobs a minute to {queue}; this one enters when its turn comes"
        return Refusal(Reason.RATE_LIMITED, text, _turn(load, rate, now))
    if load.most_queued is not None and load.queued + load.ahead_in_namespace >= load.most_queued:
        text = (
            f"namespace {namespace} may have {load.most_queued} VideoJobs waiting in {queue};"
            " this one enters when others have started"
        )
        return Refusal(Reason.QUEUE_FULL, text)
    if load.depth + load.ahead >= load.max_depth:
        text = f"{queue} is full, its maxDepth is {load.max_depth}; this VideoJob enters when others have started"
        return Refusal(Reason.QUEUE_FULL, text)
    return None


def _submits_ahead(load: QueueLoad) -> int:
    return load.ahead_in_namespace - load.again_in_namespace


def _turn(load: QueueLoad, rate: int, now: datetime) -> datetime:
    """When the minute has room again for this one and those before it."""
    behind = len(load.submits) + _submits_ahead(load) - rate
    if behind < len(load.submits):
        return load.submits[behind] + MINUTE
    return now + MINUTE * (1 + (behind - len(load.submits)) // rate)
