"""GitOps tools and `helm --wait` see what a VideoJob does, in every phase: by kstatus' rules and by Argo CD's script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from builders import NOW, Scene, running, waiting
from kstatus import argo_health, kstatus
from videojob_operator.decide.job import TRANSITIONS
from videojob_operator.decide.report import undecided


def as_object(scene: Scene, **meta: Any) -> dict[str, Any]:
    """The VideoJob as the API server shows it."""
    body: dict[str, Any] = {"name": scene.seen.job.name, "generation": scene.seen.job.generation, **meta}
    return {"metadata": body, "status": scene.status.dump()}


def working(scene: Scene) -> Scene:
    return scene.settle().pod("main-a1", running("work"), waiting("commit")).news("transcode", 50).look() and scene


def failed(scene: Scene) -> Scene:
    return scene.settle().fail("main-a1", 65).settle()


@dataclass(frozen=True)
class Case:
    name: str
    scene: Callable[[], Scene]
    phase: str
    kstatus: str
    argo: str
    says: str


CASES = (
    Case(
        "of which a profile is missing",
        lambda: Scene.of().set(profiles=()).settle(granted=False),
        "Pending",
        "Failed",
        "Degraded",
        "no VideoProfile 720p",
    ),
    Case("in the queue", lambda: Scene.of().settle(granted=False), "Queued", "InProgress", "Progressing", "Queued 0%"),
    Case("that runs", lambda: working(Scene.of()), "Running", "InProgress", "Progressing", "Transcode "),
    Case(
        "that waits for its next attempt",
        lambda: Scene.of().settle().fail("main-a1").settle(granted=False),
        "Queued",
        "InProgress",
        "Progressing",
        "%",
    ),
    Case("suspended", lambda: Scene.of(suspend=True).settle(), "Suspended", "InProgress", "Suspended", "suspend"),
    Case(
        "that succeeded",
        lambda: Scene.of().settle().succeed("main-a1").settle(),
        "Succeeded",
        "Current",
        "Healthy",
        "outputs published",
    ),
    Case(
        "that was cancelled",
        lambda: Scene.of().settle().ask(cancel="now").settle(),
        "Cancelled",
        "Failed",
        "Degraded",
        "cancelled by the annotation videojob.dev/cancel",
    ),
    Case("that failed", lambda: failed(Scene.of()), "Failed", "Failed", "Degraded", "exited with code 65"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"a VideoJob {case.name}")
def test_a_tool_sees(case: Case, root: Path) -> None:
    scene = case.scene()
    assert scene.status.phase == case.phase
    assert kstatus(as_object(scene)) == case.kstatus
    status, message = argo_health(root, as_object(scene))
    assert status == case.argo
    assert case.says in message


def test_one_that_the_operator_cannot_decide_about_is_stalled_and_nothing_else(root: Path) -> None:
    """Case 9: kstatus believes the first of Reconciling and Stalled that is True, so one of them is not."""
    scene = working(Scene.of())
    found = undecided(scene.seen.job, NOW)
    assert found is not None
    stuck = {**as_object(scene), "status": found.dump()}
    assert kstatus(stuck) == "Failed"
    assert argo_health(root, stuck)[0] == "Degraded"
    assert undecided(replace(scene.seen.job, status=found), NOW) is None, "said once"
    assert undecided(failed(Scene.of()).seen.job, NOW) is None, "an end stays as it is (I3)"


def test_both_say_the_same_in_every_phase() -> None:
    """What Flux and `helm --wait` take for an end, Argo CD does too."""
    same = {"Current": {"Healthy"}, "Failed": {"Degraded"}, "InProgress": {"Progressing", "Suspended"}}
    for case in CASES:
        assert case.argo in same[case.kstatus]
        assert case.name == "suspended" or case.argo != "Suspended"


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"a VideoJob {case.name}")
def test_kubectl_wait_finds(case: Case) -> None:
    """`kubectl wait --for=condition=Finished|Complete|Failed` ends with the VideoJob, and only then."""
    holds = {entry.type: entry.status for entry in case.scene().status.conditions}
    over = case.phase in {"Succeeded", "Failed", "Cancelled"}
    assert (holds["Finished"] == "True") == over
    assert (holds.get("Complete") == "True") == (case.phase == "Succeeded")
    assert (holds.get("Failed") == "True") == (case.phase == "Failed")
    assert [holds["Reconciling"], holds["Stalled"]].count("True") <= 1


def test_every_phase_has_a_case() -> None:
    assert {case.phase for case in CASES} == set().union(*TRANSITIONS.values())


def test_a_new_version_is_in_progress_until_it_has_been_looked_at(root: Path) -> None:
    """No green light from the status of the version before."""
    scene = Scene.of().settle().succeed("main-a1").settle()
    scene.set(job=replace(scene.seen.job, generation=scene.seen.job.generation + 1))
    assert kstatus(as_object(scene)) == "InProgress"
    assert argo_health(root, as_object(scene)) == ("Progressing", "the operator has not looked at this version yet")


def test_a_videojob_that_no_operator_has_seen_is_in_progress(root: Path) -> None:
    """The schema's default of observedGeneration is -1."""
    fresh = {"metadata": {"name": "trailer", "generation": 1}, "status": {"observedGeneration": -1}}
    assert kstatus(fresh) == "InProgress"
    assert argo_health(root, fresh)[0] == "Progressing"
    assert argo_health(root, {"metadata": fresh["metadata"]})[0] == "Progressing"


def test_one_that_is_being_deleted_is_in_progress(root: Path) -> None:
    obj = as_object(failed(Scene.of()), deletionTimestamp="2026-11-21T12:00:00Z")
    assert kstatus(obj) == "Terminating"
    assert argo_health(root, obj) == ("Progressing", "is being deleted")
