"""operator/METRICS.md is what /metrics prints: names, types, labels and meanings (X-015, T-017, A-027)."""

from __future__ import annotations

import re
from pathlib import Path

from shop import Shop
from videojob_operator.cluster.exports import export
from videojob_operator.cluster.metrics import Metrics
from videojob_operator.runtime.resync import Health

SEEDS = {
    "X-015": {
        "videos_generated_total", "video_generation_duration_seconds", "active_video_jobs",
        "video_generation_errors_total",
    },
    "T-017": {
        "video_uploads_total", "video_upload_size_bytes", "video_jobs_processed_total",
        "video_processing_duration_seconds", "video_active_jobs", "processing_queue_size",
    },
    "A-027": {
        "pipeline_execution_time_seconds", "pipeline_success_rate", "gpu_utilization_percent", "storage_used_bytes",
        "active_pipelines_count",
    },
}  # fmt: skip
BOUNDED = {
    "store", "tier",
    "namespace", "queue", "phase", "stage", "class", "profile", "status", "type", "slot", "kind", "verb", "resource",
    "code", "route", "outcome", "reason", "direction", "error_type", "accelerator",
}  # fmt: skip
"""Labels whose values are few: the code of an HTTP answer, a word of ours, an object an administrator makes."""


def exported() -> Metrics:
    """Everything the operator exports."""
    shop = Shop()
    export(shop.metrics, shop.knowledge, shop.slots, shop.queue, Health(300), closed=lambda: 0)
    return shop.metrics


METRICS = exported()


def rows(root: Path) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """The table, as a person reads it."""
    text = (root / "operator/METRICS.md").read_text(encoding="utf-8")
    found = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", text, re.MULTILINE)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in found}


def test_the_table_says_what_the_registry_has(root: Path) -> None:
    has = {name: (entry.type, entry.labels, entry.text) for name, entry in METRICS.catalogue.items()}
    assert rows(root) == has


def test_the_text_that_prometheus_reads_has_them_all_and_no_other() -> None:
    printed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", METRICS.exposition().decode(), re.MULTILINE))
    printed = {name: kind for name, kind in printed.items() if not name.endswith("_created")}
    assert printed == {name: entry.type for name, entry in METRICS.catalogue.items()}


def test_the_seeds_names_are_kept_exactly() -> None:
    """X-015, T-017, A-027."""
    for requirement, names in SEEDS.items():
        assert names <= set(METRICS.catalogue), requirement
    assert METRICS.catalogue["video_uploads_total"].labels == ("status",)
    assert METRICS.catalogue["video_jobs_processed_total"].labels == ("status", "profile")
    assert METRICS.catalogue["video_generation_errors_total"].labels == ("error_type",)


def test_no_label_grows_with_the_number_of_videojobs() -> None:
    assert {label for entry in METRICS.catalogue.values() for label in entry.labels} <= BOUNDED
