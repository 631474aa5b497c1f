"""Operator N with Jobs, documents and statuses of N-1, and the way back: nothing runs twice, nothing is lost (cases 55 and 56).

`tests/golden/previous` was written by the previous version itself (`tests/support/skew.py` says how).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import skew
from builders import NOW, Scene, ended, seen
from videojob_api.contract import TaskDocument
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.cluster.observe import videojob_view
from videojob_operator.decide.world import CreateJob, JobView
from videojob_operator.render import RenderConfig, job_manifest
from videojob_worker.base.document import parse, work

PREVIOUS = Path(__file__).parent / "previous"
NAMES = ("queued", "running", "waiting-for-retry", "spread", "failed", "succeeded")
SHAPES: dict[str, Any] = json.loads((PREVIOUS / "shapes.json").read_text(encoding="utf-8"))
OPEN = {"tools"}
"""Maps in which every name means something."""

by_name = pytest.mark.parametrize("name", NAMES)
by_writer = pytest.mark.parametrize("later", [False, True], ids=["written by the version before", "by a later one"])


def written(name: str, *, later: bool = False) -> dict[str, Any]:
    """What the version before has left; or a later one, which has fields nobody here has heard of."""
    found: dict[str, Any] = json.loads((PREVIOUS / f"{name}.json").read_text(encoding="utf-8"))
    return {key: sprinkled(part) for key, part in found.items()} if later else found


def sprinkled(value: Any, under: str = "") -> Any:
    """The value with a field of a later version in each of its objects."""
    if isinstance(value, list):
        return [sprinkled(part) for part in value]
    if not isinstance(value, dict):
        return value
    more = {} if under in OPEN else {"ofALaterVersion": {"deep": [1, {"deeper": "yes"}]}}
    return {key: sprinkled(part, key) for key, part in value.items()} | more


def scene_of(sample: dict[str, Any]) -> Scene:
    """The world as an operator finds it at its start."""
    view = videojob_view(sample["videojob"])
    assert view.spec_error is None
    jobs = tuple(
        JobView(j["name"], j["uid"], j["group"], j["attempt"], datetime.fromisoformat(j["created"]), j["slot"])
        for j in sample["jobs"]
    )
    return Scene(seen(view, jobs=jobs))


def created(scene: Scene) -> list[CreateJob]:
    return [action for plan in scene.plans for action in plan.actions if isinstance(action, CreateJob)]


def end(scene: Scene, sample: dict[str, Any]) -> None:
    """What runs ends well, and its worker says so in its own version's words."""
    group = sample["results"][0]["group"]
    done = [ended(said["container"], 0, json.dumps(said), at=NOW) for said in sample["results"]]
    scene.tick(20).pod(f"{group}-a1", *done)


# ---------------------------------------------------------------- what is found


@by_writer
@by_name
def test_a_status_is_read_wholly(name: str, *, later: bool) -> None:
    """Phase, plan, stages with their keys and attempts: what decisions rest on."""
    sample = written(name, later=later)
    raw, status = sample["videojob"]["status"], scene_of(sample).status
    assert status.phase == raw["phase"]
    assert status.plan is not None
    assert [(s.name, s.state, s.attempt, s.key, s.job) for s in status.stages] == [
        (s["name"], s["state"], s["attempt"], s["key"], s.get("job")) for s in raw["stages"] if "name" in s
    ]
    assert len(status.outputs) == len(raw["outputs"])


@by_writer
def test_a_job_that_runs_is_waited_for_and_its_result_believed(*, later: bool) -> None:
    sample = written("running", later=later)
    scene = scene_of(sample).settle()
    assert created(scene) == []
    assert scene.status.phase == "Running"
    end(scene, sample)
    scene.settle()
    assert scene.status.phase == "Succeeded"
    assert len(scene.status.outputs) == 3
    assert created(scene) == []


@by_writer
def test_the_next_group_follows_with_the_keys_on_record(*, later: bool) -> None:
    """What the stages before have left lies under the keys of their version."""
    sample = written("spread", later=later)
    keys = {s["name"]: s["key"] for s in sample["videojob"]["status"]["stages"]}
    scene = scene_of(sample).settle()
    end(scene, sample)
    scene.settle()
    (action,) = created(scene)
    (task,) = action.document.stages
    assert (action.document.group, action.document.attempt, task.key) == ("verify", 1, keys["Verify"])
    assert {entry.stage: entry.key for entry in task.inputs} == {
        "ingest": keys["Ingest"],
        "transcode": keys["Transcode"],
    }


@by_writer
@pytest.mark.parametrize(("name", "attempt"), [("queued", 1), ("waiting-for-retry", 2)])
def test_what_waited_is_launched_once_with_the_image_on_record(name: str, attempt: int, *, later: bool) -> None:
    sample = written(name, later=later)
    scene = scene_of(sample).tick(600).settle()
    (action,) = created(scene)
    assert action.document.attempt == attempt
    manifest = job_manifest(action, scene.seen.job, RenderConfig())
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    assert container["image"] == sample["videojob"]["status"]["plan"]["image"]


@by_writer
@pytest.mark.parametrize("name", ["failed", "succeeded"])
def test_what_has_ended_stays_as_it_is(name: str, *, later: bool) -> None:
    """I3: an upgrade starts nothing again and takes nothing back."""
    scene = scene_of(written(name, later=later))
    before = scene.status
    scene.settle()
    assert created(scene) == []
    assert (scene.status.phase, scene.status.outputs, scene.status.failure, scene.status.stages) == (
        before.phase, tuple(replace_expiry(scene, before)), before.failure, before.stages,
    )  # fmt: skip


def replace_expiry(scene: Scene, before: VideoJobStatus) -> list[Any]:
    """The outputs as they were; only how long they are kept may have been added."""
    return [
        old.model_copy(update={"expires_at": new.expires_at})
        for old, new in zip(before.outputs, scene.status.outputs, strict=True)
    ]


def test_a_videojob_that_was_failed_can_be_driven_again() -> None:
    scene = scene_of(written("failed")).ask(retry="after-the-upgrade").settle()
    assert scene.status.phase == "Running"
    assert [action.document.attempt for action in created(scene)] == [2]


# ---------------------------------------------------------------- documents


@by_writer
@by_name
def test_a_worker_reads_the_documents_of_other_versions(name: str, *, later: bool) -> None:
    """An image is pinned when a VideoJob is accepted, so that operator and worker of a Job may differ by a version."""
    for value in written(name, later=later)["documents"]:
        document = parse(value)
        assert [found.task.kind for place in document.containers() for found in work(document, place)] == [
            stage["kind"] for stage in value["stages"]
        ]


@pytest.mark.parametrize("name", ["running", "spread"])
def test_the_worker_before_reads_our_documents(name: str) -> None:
    """By the shapes that it wrote down itself; what it does not know it passes over, except where it says that it does not."""
    scene = next(scene for known, scene, _ in skew.scenes() if known == name)
    documents = skew.documents(scene)
    assert documents
    for document in documents:
        body = document.dump()
        assert skew.misfits(body, SHAPES["document"]) == []
        for task in body["stages"]:
            assert skew.misfits(task["params"], SHAPES[task["kind"]]) == []


@by_name
def test_the_operator_before_reads_our_statuses(name: str) -> None:
    """After a rollback it goes on where we were."""
    scene = next(scene for known, scene, _ in skew.scenes() if known == name)
    assert skew.misfits(scene.status.dump(), SHAPES["status"]) == []


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"version": 1}, ".job: missing"),
        ({"state": "Cached"}, "is none of"),
        ({"source": {"uri": "store://stock/a", "later": 1}}, ".source.later: unknown"),
    ],
)
def test_the_reader_by_shapes_finds_what_is_wrong(value: dict[str, Any], says: str) -> None:
    """Else the two tests above could not fail."""
    schema = {
        ".job: missing": SHAPES["document"],
        "is none of": SHAPES["status"]["$defs"]["StageStatus"] | {"required": []},
        ".source.later: unknown": {
            "type": "object",
            "properties": {"source": {"type": "object", "properties": {"uri": {}}, "additionalProperties": False}},
        },
    }[says]
    assert any(says in found for found in skew.misfits(value, schema))


def test_every_kind_of_stage_that_was_known_still_is() -> None:
    """A Job that runs, or a plan on record, may name any of them."""
    kinds = set(SHAPES) - {"status", "document"}
    assert kinds <= set(KINDS)
    assert {"ingest", "transcode", "verify", "commit", "report"} <= kinds


def test_a_document_survives_a_round_trip_through_ours() -> None:
    for value in written("running")["documents"]:
        again = TaskDocument.model_validate(value).dump()
        assert {key: again[key] for key in value} == value
