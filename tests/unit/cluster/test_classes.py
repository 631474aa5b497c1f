"""The file of worker classes: what is wrong with it is said by name, at start."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shop import SYSTEM, TEAM, Shop
from videojob_api.v1alpha1 import VideoQueueSpec, WorkerClass
from videojob_operator.cluster.api import JOBS, VIDEOQUEUES
from videojob_operator.cluster.classes import load


@dataclass(frozen=True)
class Wrong:
    name: str
    classes: Any
    says: str


WRONG = (
    Wrong("a misspelt field", {"a": {"maxMemry": "1Gi"}}, "workerClasses.a.maxMemry: Extra inputs are not permitted"),
    Wrong("no quantity", {"a": {"maxMemory": "much"}}, "workerClasses.a.maxMemory: String should match pattern"),
    Wrong("too little", {"a": {"maxMemory": "8Mi"}}, "workerClasses.a: Value error, maxMemory is 8Mi, at least 32Mi"),
    Wrong(
        "a limit above the cap",
        {"a": {"resources": {"limits": {"memory": "2Gi"}}, "maxMemory": "1Gi"}},
        "maxMemory (1Gi) must be at least resources.limits.memory (2Gi)",
    ),
    Wrong(
        "a CPU request above its limit",
        {"a": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "500m"}}}},
        "resources.limits.cpu (500m) must be at least resources.requests.cpu (2)",
    ),
    Wrong("a variable of ours", {"a": {"env": [{"name": "VIDEOJOB_CONTAINER"}]}}, "workerClasses.a.env.0.name: "),
    Wrong(
        "a class for GPUs that is not there",
        {"default": {"gpuClass": "cards"}},
        "workerClasses.default.gpuClass: class cards is not declared; name one that has gpu",
    ),
    Wrong(
        "a class for GPUs that has none",
        {"default": {"gpuClass": "cards"}, "cards": {}},
        "workerClasses.default.gpuClass: class cards has no gpu; name one that has gpu",
    ),
    Wrong("a name in capitals", {"GPU": {}}, "workerClasses.GPU: String should match pattern"),
    Wrong("a list", [{"name": "a"}], "workerClasses.: Input should be a valid dictionary"),
    Wrong(
        "a class that would fill every status",
        {"a": {"env": [{"name": f"E{n}", "value": "x" * 200} for n in range(12)]}},
        "bytes as JSON, 2048 is the most",
    ),
)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_the_operator_names_class_and_field_that_are_wrong(case: Wrong, tmp_path: Path) -> None:
    file = tmp_path / "classes.json"
    file.write_text(json.dumps(case.classes))
    with pytest.raises(ValueError, match=r"^the worker classes file .*classes\.json: ") as caught:
        load(file)
    assert case.says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_the_default_class_is_there_in_any_case_and_can_be_changed(tmp_path: Path) -> None:
    assert load(None) == {"default": WorkerClass()}
    file = tmp_path / "classes.yaml"
    file.write_text("default: {maxMemory: 8Gi}\ngpu: {gpu: {count: 1}}\n")
    found = load(file)
    assert found["default"].max_memory == "8Gi"
    assert sorted(found) == ["default", "gpu"]


async def test_a_queue_that_hands_admission_to_kueue_labels_its_jobs_and_the_wait_is_said() -> None:
    """Kueue's webhook suspends the Job; until it admits it, no pod is asked about."""
    shop = Shop.furnished()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=VideoQueueSpec(kueue_queue="videos").dump())
    shop.submit()
    await shop.settle()
    (job,) = shop.jobs()
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "videos"
    name = job["metadata"]["name"]
    shop.see(JOBS, TEAM, name, spec=job["spec"] | {"suspend": True})
    await shop.settle()
    assert shop.status()["queue"]["message"] == "Kueue has not admitted the Job yet"
    assert shop.slots.in_use() == {("default", "cpu"): 1}, "its place in the queue is its own"
    shop.pod(shop.see(JOBS, TEAM, name, spec=job["spec"] | {"suspend": False}))
    await shop.settle()
    assert "queue" not in shop.status()


async def test_a_queue_that_demands_consent_is_heard() -> None:
    """What the VideoQueue says reaches the decision."""
    shop = Shop()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=VideoQueueSpec(require_consent=True).dump())
    face = {"image": {"uri": "store://stock/face.png"}, "speech": {"text": "Hello."}}
    shop.submit("greeter", transcode=None, avatar=face)
    await shop.settle()
    assert shop.status("greeter")["failure"]["code"] == "ConsentRequired"
