"""Acceptance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from builders import BUILTINS, STORE, Scene
from videojob_api import names
from videojob_api.v1alpha1 import VideoProfileSpec
from videojob_operator.decide.world import ProfileView

WIDE = BUILTINS[0].spec


def without_queue(scene: Scene) -> Scene:
    return scene.set(queue_found=False)


@dataclass(frozen=True)
class Case:
    name: str
    given: Callable[[], Scene]
    reason: str
    says: str
    cure: Callable[[Scene], Scene]


CASES = (
    Case(
        "an unknown profile waits, with the list of known names (case 58)",
        lambda: Scene.of(transcode={"source": {"uri": "store://stock/a.mp4"}, "profiles": ["8k"]}),
        "UnknownProfile",
        "no VideoProfile 8k in namespace team-a or videojob-system; known: 360p, 480p, 720p, thumbnail, webm-720p",
        lambda scene: scene.set(profiles=(*BUILTINS, ProfileView("team-a", "8k", WIDE))),
    ),
    Case(
        "a namespace without a store waits, with the command that makes one",
        lambda: Scene.of().set(store=None),
        "StoreNotFound",
        "no MediaStore default in namespace team-a; `videojob init -n team-a` makes one",
        lambda scene: scene.set(store=STORE),
    ),
    Case(
        "another store than the default is named too",
        lambda: Scene.of(store="archive").set(store=None),
        "StoreNotFound",
        "no MediaStore archive in namespace team-a; `videojob init -n team-a` makes one named default: use it, or create archive",
        lambda scene: scene.set(store=STORE),
    ),
    Case(
        "a queue that does not exist waits",
        lambda: Scene.of(queue="night").set(queue_found=False),
        "QueueNotFound",
        "no VideoQueue night in namespace videojob-system; set spec.queue to one that exists",
        lambda scene: scene.set(queue_found=True),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_missing_is_waited_for(case: Case) -> None:
    scene = case.given().settle()
    assert scene.status.phase == "Pending"
    assert scene.condition("Accepted") == ("False", case.reason)
    assert scene.condition("Stalled") == ("True", case.reason)
    assert scene.condition("Reconciling") == ("False", case.reason)
    assert scene.status.progress.message == case.says
    assert scene.told() == [case.reason]
    assert scene.jobs == {}
    writes = scene.writes
    assert scene.tick(60).look().status is None, "nothing has changed, nothing is written"
    case.cure(scene).settle()
    assert scene.writes > writes
    assert scene.status.phase == "Running"
    assert scene.condition("Accepted") == ("True", "Resolved")
    assert scene.condition("Stalled") == ("False", "StageRunning")


def test_another_problem_is_told_anew() -> None:
    scene = Scene.of(queue="night").set(queue_found=False, store=None).settle()
    scene.set(store=STORE).settle()
    assert scene.told() == ["StoreNotFound", "QueueNotFound"]


def test_a_spec_that_does_not_fit_the_model_fails_at_once() -> None:
    """S-003: written before, or around, the schema in force."""
    scene = Scene.of()
    scene.set(job=replace(scene.seen.job, spec=None, spec_error="spec.retry.maxAttempts: must be at least 1")).settle()
    assert scene.status.phase == "Failed"
    assert scene.condition("Accepted") == ("False", "InvalidSpec")
    assert scene.condition("DeadLettered") == ("True", "InvalidSpec")
    assert scene.status.failure is not None
    assert (scene.status.failure.code, scene.status.failure.message) == (
        "InvalidSpec", "spec.retry.maxAttempts: must be at least 1",
    )  # fmt: skip
    assert dict(scene.seen.job.labels)[names.LABEL_DEAD_LETTER] == "true"


def test_the_seeds_name_of_a_profile_finds_the_object_and_keeps_its_output_name() -> None:
    """T-006: `webm_720p` is the object `webm-720p`."""
    scene = Scene.of(transcode={"source": {"uri": "store://stock/a.mp4"}, "profiles": ["webm_720p"]}).settle()
    assert scene.status.plan is not None
    assert [(o.profile, o.name) for o in scene.status.plan.outputs] == [("webm_720p", "webm_720p")]


def test_the_jobs_namespace_is_looked_up_first() -> None:
    own = VideoProfileSpec.model_validate({"thumbnail": {"width": 640, "height": 360}})
    scene = Scene.of().set(profiles=(ProfileView("team-a", "thumbnail", own), *BUILTINS)).settle()
    assert scene.status.plan is not None
    assert scene.status.plan.outputs[2].spec["thumbnail"]["width"] == 640


def test_later_edits_of_a_profile_do_not_reach_the_job() -> None:
    scene = Scene.of("Spread").settle()
    plan = scene.status.plan
    scene.set(profiles=(), store=None, queue_found=True).succeed("ingest-a1").settle()
    assert scene.status.plan == plan
    assert scene.status.phase == "Running"


def test_two_profiles_of_one_output_name_are_refused() -> None:
    spec = {"source": {"uri": "store://stock/a.mp4"}, "profiles": ["webm_720p", "webm-720p"]}
    scene = Scene.of(transcode=spec).settle()
    assert scene.status.phase == "Failed"
    assert scene.status.failure is not None
    assert scene.status.failure.message == "spec.transcode.profiles asks for output webm_720p more than once"


def test_a_task_above_32_kib_is_refused_with_the_remedy() -> None:
    """Case 57: the annotation that carries it is bounded."""
    scene = Scene.of()
    spec = scene.seen.job.spec
    assert spec is not None
    long = spec.model_copy(update={"external_id": "x" * 33_000})  # written around the schema
    scene.set(job=replace(scene.seen.job, spec=long)).settle()
    assert scene.status.phase == "Failed"
    assert scene.status.plan is None
    assert scene.condition("Accepted") == ("False", "PlanTooLarge")
    assert scene.status.failure is not None
    assert scene.status.failure.hint == "name fewer profiles in spec.transcode.profiles"
