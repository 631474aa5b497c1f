"""Gauges read when they are scraped: what is, beside the counters of what happened."""

from __future__ import annotations

from ..runtime.queue import WorkQueue
from ..runtime.resync import Health
from .census import export_census
from .knowledge import Knowledge
from .metrics import Metrics
from .slots import Slots
from .wants import Key


def export(metrics: Metrics, known: Knowledge, slots: Slots, queue: WorkQueue[Key], health: Health) -> None:
    """Register the gauges (T-017: `processing_queue_size`; those by kind of work: see census)."""
    export_census(metrics, known, slots)
    metrics.gauge("processing_queue_size", "Stages that wait for a slot.", lambda: sum(slots.depth().values()))
    metrics.family(
        "videojob_queue_depth",
        "Stages that wait for a slot, by queue.",
        ("queue",),
        lambda: {(k,): v for k, v in slots.depth().items()},
    )
    metrics.family(
        "videojob_slots_in_use",
        "Slots held by live Jobs.",
        ("queue", "slot"),
        lambda: {k: float(v) for k, v in slots.in_use().items()},
    )
    metrics.family(
        "videojob_slots_capacity",
        "Slots that a queue has.",
        ("queue", "slot"),
        lambda: {
            (name, slot.name): float(slot.capacity) for name, spec in known.specs().items() for slot in spec.slots
        },
    )
    metrics.family(
        "videojob_queue_videojobs",
        "VideoJobs by queue and phase: those in Failed are its dead letters.",
        ("queue", "phase"),
        lambda: {(q, phase): float(n) for q in known.specs() for phase, n in known.load.phases(q).items()},
    )
    metrics.family(
        "videojob_queue_held_back",
        "VideoJobs that a queue's limits keep out for now.",
        ("queue",),
        lambda: {(queue,): float(known.load.at_gate(queue)) for queue in known.specs()},
    )
    metrics.gauge("videojob_workqueue_depth", "Keys that wait to be looked at.", lambda: len(queue))
    metrics.gauge("videojob_resync_age_seconds", "Seconds since the last whole list.", health.age)
