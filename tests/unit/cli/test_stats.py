"""`videojob stats`: the seeds' numbers from VideoQueue.status (T-004)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_api import HandApi
from videojob_cli import stats
from videojob_cli.errors import CliError

QUEUE = "/apis/videojob.dev/v1alpha1/namespaces/videojob-system/videoqueues/default"
STATUS = {
    "observedGeneration": 1,
    "queueDepth": 5,
    "dlqDepth": 2,
    "totalJobs": 105,
    "jobsByStatus": {"queued": 5, "processing": 3, "completed": 95, "failed": 2},
    "processingRatePerMinute": 2.5,
    "slots": [],
    "positions": [],
}


@pytest.fixture
def api(tmp_path: Path) -> HandApi:
    return HandApi(tmp_path)


def test_t_004_the_five_numbers_under_their_old_names(api: HandApi) -> None:
    api.put(QUEUE, spec={}, status=STATUS)
    assert stats.statistics(api) == {
        "queue_depth": 5,
        "dlq_depth": 2,
        "total_jobs": 105,
        "jobs_by_status": {"queued": 5, "processing": 3, "completed": 95, "failed": 2},
        "processing_rate_per_minute": 2.5,
    }


def test_t_004_for_people(api: HandApi) -> None:
    api.put(QUEUE, spec={}, status=STATUS)
    lines = [line.rsplit(maxsplit=1) for line in stats.table(stats.statistics(api)).splitlines()]
    assert [(name.strip(), count) for name, count in lines[1:]] == [
        ("waiting", "5"), ("failed for good", "2"), ("ended a minute", "2.5"), ("queued", "5"), ("processing", "3"),
        ("completed", "95"), ("failed", "2"), ("in all", "105"),
    ]  # fmt: skip


def test_a_job_that_holds_two_classes_is_seen_in_both(api: HandApi) -> None:
    """A-005: in use once each, and said to be shared."""
    slots = [
        {"name": "yolo", "used": 2, "capacity": 2, "waiting": 1, "shared": 1},
        {"name": "birefnet", "used": 1, "capacity": 1, "waiting": 0, "shared": 1},
        {"name": "avatar", "used": 0, "capacity": 5, "waiting": 0},
    ]
    api.put(QUEUE, spec={}, status=STATUS | {"slots": slots})
    assert [line.split() for line in stats.slots(stats.look(api)).splitlines()] == [
        ["SLOT", "USED", "OF", "SHARED", "WAITING"],
        ["yolo", "2", "2", "1", "1"],
        ["birefnet", "1", "1", "1", "0"],
        ["avatar", "0", "5", "0", "0"],
    ]


def test_a_queue_that_is_not_there(api: HandApi) -> None:
    with pytest.raises(CliError, match=r"No VideoQueue default in namespace videojob-system.*--operator-namespace"):
        stats.statistics(api)


def test_a_queue_that_no_operator_has_seen(api: HandApi) -> None:
    api.put(QUEUE, spec={}, status={"observedGeneration": -1})
    with pytest.raises(CliError, match="No operator has looked at VideoQueue videojob-system/default yet"):
        stats.statistics(api)
