"""Gauges read when they are scraped: what is, beside the counters of what happened."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from videojob_api.v1alpha1 import MediaStoreStatus

from ..runtime.queue import WorkQueue
from ..runtime.resync import Health
from .api import MEDIASTORES, metadata
from .census import export_census
from .knowledge import Knowledge
from .metrics import Metrics
from .slots import Slots
from .sweeper import read_store_status
from .wants import Key


def export(
    metrics: Metrics,
    known: Knowledge,
    slots: Slots,
    queue: WorkQueue[Key],
    health: Health,
    *,
    closed: Callable[[], int],
) -> None:
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
    metrics.family(
        "videojob_store_free_bytes",
        "Free space of a store's volume, as workers report it (A-017).",
        ("namespace", "store"),
        lambda: _stores(known, lambda status: {(): status.disk.free_bytes} if status.disk is not None else {}),
    )
    metrics.family(
        "videojob_store_bytes",
        "Bytes in a store by tier (A-018).",
        ("namespace", "store", "tier"),
        lambda: _stores(known, lambda status: {(tier.name,): tier.size_bytes for tier in status.tiers}),
    )
    metrics.gauge("videojob_workqueue_depth", "Keys that wait to be looked at.", lambda: len(queue))
    metrics.gauge("videojob_namespaces_closed", "Namespaces of the list that refuse the operator.", closed)
    metrics.gauge("videojob_resync_age_seconds", "Seconds since the last whole list.", health.age)


def _stores(
    known: Knowledge, read: Callable[[MediaStoreStatus], Mapping[tuple[str, ...], float]]
) -> dict[tuple[str, ...], float]:
    """Numbers of every store, by its namespace and name."""
    return {
        (str(metadata(raw).get("namespace")), str(metadata(raw).get("name")), *labels): float(number)
        for raw in known.stores[MEDIASTORES]
        for labels, number in read(read_store_status(raw)).items()
    }
