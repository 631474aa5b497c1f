"""What a written status adds to the metrics: by kind of work in the seeds' names, by stage and namespace in ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from builders import NOW, a_failure, an_input
from shop import Shop
from videojob_api.v1alpha1 import ConditionStatus, NotifyStatus, PlannedOutput, PlanStatus, StageStatus, VideoJobStatus
from videojob_operator.cluster.api import MEDIASTORES, VIDEOJOBS
from videojob_operator.cluster.census import export_census
from videojob_operator.cluster.counting import count
from videojob_operator.cluster.metrics import Metrics
from videojob_worker.base.usage import gpus

END = {"start_time": NOW, "completion_time": NOW + timedelta(seconds=42)}
PLAN = PlanStatus(execution="Compact", image="i", outputs=(PlannedOutput(profile="720p", name="720p", spec={}),))


def status(**fields: Any) -> VideoJobStatus:
    return VideoJobStatus(**fields)


def stage(**fields: Any) -> tuple[StageStatus, ...]:
    return (StageStatus(**{"name": "Transcode", "group": "main", "attempt": 1} | fields),)


@dataclass(frozen=True)
class Case:
    name: str
    before: VideoJobStatus
    after: VideoJobStatus
    expect: dict[str, float]


CASES = (
    Case(
        "a transcode that succeeded (T-017)",
        status(phase="Running", type="Transcode"),
        status(phase="Succeeded", type="Transcode", plan=PLAN, **END),
        {
            'video_jobs_processed_total{profile="720p",status="success"}': 1,
            "video_processing_duration_seconds_sum": 42,
            "video_generation_duration_seconds_count": 0,
        },
    ),
    Case(
        "a story that succeeded (X-015)",
        status(phase="Running", type="Story"),
        status(phase="Succeeded", type="Story", **END),
        {"videos_generated_total": 1, "video_generation_duration_seconds_sum": 42},
    ),
    Case(
        "a story that failed (X-015, S-071)",
        status(phase="Running", type="Story"),
        status(phase="Failed", type="Story", failure=a_failure("TTSError"), **END),
        {"videos_generated_total": 0, 'video_generation_errors_total{error_type="TTSError"}': 1},
    ),
    Case(
        "a worker's word that is none does not become a label",
        status(phase="Running", type="Story"),
        status(phase="Failed", type="Story", failure=a_failure("x" * 64)),
        {'video_generation_errors_total{error_type="Unknown"}': 1},
    ),
    Case(
        "an avatar that succeeded (A-027)",
        status(phase="Running", type="Avatar"),
        status(phase="Succeeded", type="Avatar", **END),
        {
            "pipeline_execution_time_seconds_sum": 42,
            "videos_generated_total": 0,
            'videojob_finished_total{status="success",type="Avatar"}': 1,
        },
    ),
    Case(
        "a source that was let in (T-017)",
        status(phase="Running"),
        status(phase="Running", input=an_input()),
        {'video_uploads_total{status="success"}': 1, "video_upload_size_bytes_sum": 1_000_000},
    ),
    Case(
        "a source that was refused (T-017)",
        status(phase="Running"),
        status(phase="Failed", failure=a_failure()),
        {'video_uploads_total{status="failed"}': 1},
    ),
    Case(
        "a stage's time, CPUs and GPUs, by namespace",
        status(phase="Running", type="Transcode", stages=stage(state="Running")),
        status(
            phase="Running", type="Transcode",
            stages=stage(state="Succeeded", cpu_seconds=3.5, gpu_seconds=1.25, **END),
        ),
        {
            'videojob_cpu_seconds_total{namespace="team-a",stage="Transcode"}': 3.5,
            'videojob_gpu_seconds_total{namespace="team-a",stage="Transcode"}': 1.25,
            'videojob_stage_seconds_sum{accelerator="none",stage="Transcode",type="Transcode"}': 42,
        },
    ),
    Case(
        "what a stage's models really computed on (A-032)",
        status(phase="Running", type="Avatar", stages=stage(name="Detection", state="Running")),
        status(
            phase="Running", type="Avatar",
            stages=stage(name="Detection", state="Succeeded", accelerator_requested="Gpu", accelerator="cuda", **END),
        ),
        {'videojob_stage_seconds_sum{accelerator="cuda",stage="Detection",type="Avatar"}': 42},
    ),
    Case(
        "a worker's word that is no accelerator does not become a label",
        status(phase="Running", type="Avatar", stages=stage(name="Detection", state="Running")),
        status(
            phase="Running", type="Avatar",
            stages=stage(name="Detection", state="Succeeded", accelerator="quantum", **END),
        ),
        {'videojob_stage_seconds_sum{accelerator="other",stage="Detection",type="Avatar"}': 42},
    ),
    Case(
        "a stage that was counted is not counted again",
        status(phase="Running", stages=stage(state="Succeeded", cpu_seconds=3.5)),
        status(phase="Succeeded", stages=stage(state="Succeeded", cpu_seconds=3.5)),
        {'videojob_cpu_seconds_total{namespace="team-a",stage="Transcode"}': 0},
    ),
    Case(
        "a retry, by its class",
        status(phase="Running", stages=stage()),
        status(phase="Queued", stages=stage(failures=1), failure=a_failure("Stalled", "Stalled")),
        {'videojob_retries_total{class="Stalled"}': 1, "videojob_stalls_total": 1},
    ),
    Case(
        "a webhook that failed",
        status(phase="Succeeded", notify=(NotifyStatus(name="n", host="h", state="Sending", attempt=1),)),
        status(
            phase="Succeeded", notify=(NotifyStatus(name="n", host="h", state="Retrying", attempt=1, failures=1),),
            conditions=(
                ConditionStatus(type="Degraded", status="True", reason="NotifyFailed", last_transition_time=NOW),
            ),
        ),
        {'videojob_notifications_total{outcome="Retrying"}': 1, 'videojob_degraded_total{reason="NotifyFailed"}': 1},
    ),
)  # fmt: skip


def value(metrics: Metrics, series: str) -> float:
    lines = dict(line.rsplit(" ", 1) for line in metrics.exposition().decode().splitlines() if line[0] != "#")
    return float(lines[series])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_written_status_counts_what_is_new(case: Case) -> None:
    metrics = Metrics()
    count(metrics, "team-a", case.before, case.after)
    assert {series: value(metrics, series) for series in case.expect} == case.expect


def test_the_end_of_retries_is_no_retry() -> None:
    metrics = Metrics()
    before = status(phase="Running", stages=stage(failures=2))
    count(
        metrics, "team-a", before, status(phase="Failed", stages=stage(failures=3), failure=a_failure("X", "External"))
    )
    assert "videojob_retries_total{" not in metrics.exposition().decode()


def test_the_success_rate_is_that_of_the_last_hundred() -> None:
    """A-027, C15."""
    metrics = Metrics()
    assert metrics.pipelines.rate() == {}
    for success in [False] * 50 + [True] * 95 + [False] * 5:
        metrics.pipelines.add(success)
    assert metrics.pipelines.rate() == {(): 0.95}


def test_gauges_count_what_the_cache_holds() -> None:
    """A-027, T-017, A-018: by namespace and kind, never by name."""
    shop = Shop()
    export_census(shop.metrics, shop.knowledge, shop.slots)
    for number, phase in enumerate(("Running", "Running", "Failed")):
        shop.knowledge.saw(
            VIDEOJOBS,
            {
                "metadata": {
                    "name": f"job-{number}", "namespace": "team-a", "uid": f"u{number}", "resourceVersion": str(number + 1),
                    "labels": {"videojob.dev/dead-letter": "true"} if phase == "Failed" else {},
                },
                "spec": {"transcode": {}},
                "status": {"phase": phase},
            },
        )  # fmt: skip
    for number, free in enumerate((7, 5)):
        shop.knowledge.saw(
            MEDIASTORES,
            {
                "metadata": {"name": f"s{number}", "namespace": "team-a", "uid": f"s{number}", "resourceVersion": "1"},
                "spec": {"pvc": {"claimName": "c"}},
                "status": {"totalSizeBytes": 100, "disk": {"freeBytes": free}},
            },
        )
    assert value(shop.metrics, "video_active_jobs") == 2
    assert value(shop.metrics, "active_video_jobs") == 0
    assert value(shop.metrics, 'videojob_phase{namespace="team-a",phase="Running",type="Transcode"}') == 2
    assert value(shop.metrics, 'videojob_dead_letters{namespace="team-a"}') == 1
    assert value(shop.metrics, 'storage_used_bytes{namespace="team-a"}') == 200
    assert value(shop.metrics, 'mediastore_free_bytes{namespace="team-a"}') == 5


def test_gpus_are_those_the_container_was_given(tmp_path: Path) -> None:
    """Devices as a device plugin shows them; control devices are none."""
    for name in ("nvidia0", "nvidia3", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).touch()
    assert gpus(tmp_path) == 2
    assert gpus(tmp_path / "nothing") == 0
