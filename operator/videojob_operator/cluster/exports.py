"""Gauges read when they are scraped: what is, beside the counters of what happened."""

from __future__ import annotations

from videojob_api.names import Phase

from ..runtime.queue import WorkQueue
from ..runtime.resync import Health
from .knowledge import Knowledge
from .metrics import Metrics
from .slots import Slots
from .wants import Key


def export(metrics: Metrics, known: Knowledge, slots: Slots, queue: WorkQueue[Key], health: Health) -> None:
    """Register the gauges (T-017: `video_active_jobs`, `processing_queue_size`)."""
    metrics.gauge("video_active_jobs", "VideoJobs at work.", lambda: known.phases().get(Phase.RUNNING, 0))
    metrics.gauge("processing_queue_size", "Stages that wait for a slot.", lambda: sum(slots.depth().values()))
    metrics.family(
        "videojob_phase", "VideoJobs by phase.", ("phase",), lambda: {(k,): v for k, v in known.phases().items()}
    )
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
    metrics.gauge("videojob_workqueue_depth", "Keys that wait to be looked at.", lambda: len(queue))
    metrics.gauge("videojob_resync_age_seconds", "Seconds since the last whole list.", health.age)
