"""Gauges by kind of work, namespace and store, counted from the cache when they are scraped (X-015, T-017, A-027)."""

from __future__ import annotations

from collections import Counter

from videojob_api.names import LABEL_DEAD_LETTER, Phase

from .api import MEDIASTORES, VIDEOJOBS, Raw, metadata
from .knowledge import Knowledge
from .metrics import Metrics
from .slots import Slots

GPU_SLOTS = frozenset({"yolo", "birefnet"})
"""Slot classes that stand for a GPU (A-005)."""


def export_census(metrics: Metrics, known: Knowledge, slots: Slots) -> None:
    """Register them."""
    for name, kind in (
        ("video_active_jobs", "Transcode"),
        ("active_video_jobs", "Story"),
        ("active_pipelines_count", "Avatar"),
    ):
        metrics.gauge(name, f"{kind} VideoJobs at work.", lambda kind=kind: running(known, kind))  # type: ignore[misc]
    metrics.family(
        "videojob_phase", "VideoJobs by namespace, kind of work and phase.", ("namespace", "type", "phase"),
        lambda: {key: float(number) for key, number in census(known).items()},
    )  # fmt: skip
    metrics.family(
        "videojob_dead_letters", "VideoJobs that failed and wait for a look.", ("namespace",),
        lambda: dead_letters(known),
    )  # fmt: skip
    metrics.family(
        "pipeline_success_rate",
        "Share of the last 100 Avatar VideoJobs that succeeded, since the operator's start, from 0 to 1; absent before the "
        "first.",
        (), metrics.pipelines.rate,
    )  # fmt: skip
    metrics.family(
        "gpu_utilization_percent",
        "Share of the GPU slots (yolo, birefnet) that live Jobs hold, in percent, by queue; the devices' own load is "
        "videojob_gpu_load_percent.",
        ("queue",), lambda: gpu_percent(known, slots),
    )  # fmt: skip
    metrics.family(
        "storage_used_bytes", "Bytes of a namespace's files in its MediaStores.", ("namespace",),
        lambda: used_bytes(known),
    )  # fmt: skip
    metrics.family(
        "mediastore_free_bytes", "Free space of a namespace's fullest MediaStore.", ("namespace",),
        lambda: free_bytes(known),
    )  # fmt: skip


def census(known: Knowledge) -> Counter[tuple[str, str, str]]:
    """VideoJobs by (namespace, type, phase)."""
    found: Counter[tuple[str, str, str]] = Counter()
    for raw in known.stores[VIDEOJOBS]:
        status = _dict(raw.get("status"))
        namespace = str(metadata(raw).get("namespace", ""))
        found[namespace, _kind(raw), str(status.get("phase") or Phase.PENDING)] += 1
    return found


def _kind(raw: Raw) -> str:
    """Kind of work by the spec: a status may not be there yet."""
    spec = _dict(raw.get("spec"))
    return next((name.title() for name in ("story", "avatar") if spec.get(name) is not None), "Transcode")


def running(known: Knowledge, kind: str) -> float:
    """VideoJobs of that kind in phase Running."""
    return float(sum(n for (_, each, phase), n in census(known).items() if each == kind and phase == Phase.RUNNING))


def dead_letters(known: Knowledge) -> dict[tuple[str, ...], float]:
    """By namespace, by their label (T-005)."""
    found: Counter[tuple[str, ...]] = Counter()
    for raw in known.stores[VIDEOJOBS]:
        meta = metadata(raw)
        if _dict(meta.get("labels")).get(LABEL_DEAD_LETTER) == "true":
            found[(str(meta.get("namespace", "")),)] += 1
    return {key: float(number) for key, number in found.items()}


def gpu_percent(known: Knowledge, slots: Slots) -> dict[tuple[str, ...], float]:
    """By queue, of those that have GPU slots."""
    used: Counter[str] = Counter()
    for (queue, slot), count in slots.in_use().items():
        if slot in GPU_SLOTS:
            used[queue] += count
    found: dict[tuple[str, ...], float] = {}
    for name in known.queues():
        spec = known.queue(name)
        capacity = sum(slot.capacity for slot in spec.slots if slot.name in GPU_SLOTS) if spec is not None else 0
        if capacity:
            found[(name,)] = round(100.0 * used[name] / capacity, 1)
    return found


def used_bytes(known: Knowledge) -> dict[tuple[str, ...], float]:
    """By namespace, over its MediaStores; those that have not been counted yet are left out."""
    found: Counter[tuple[str, ...]] = Counter()
    for raw in known.stores[MEDIASTORES]:
        used = _dict(raw.get("status")).get("totalSizeBytes")
        if isinstance(used, int):
            found[(str(metadata(raw).get("namespace", "")),)] += used
    return {key: float(number) for key, number in found.items()}


def free_bytes(known: Knowledge) -> dict[tuple[str, ...], float]:
    """By namespace, of the MediaStore with the least; those of which no worker has told are left out."""
    found: dict[tuple[str, ...], float] = {}
    for raw in known.stores[MEDIASTORES]:
        free = _dict(_dict(raw.get("status")).get("disk")).get("freeBytes")
        if isinstance(free, int):
            key = (str(metadata(raw).get("namespace", "")),)
            found[key] = min(found.get(key, float(free)), float(free))
    return found


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
