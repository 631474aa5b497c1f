"""One pod for two stages of different slot classes: what is asked for, what stands on record, and what a failure leaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from builders import CONFIG, SHA, Scene, a_failure, ended, seen
from simavatar import an_avatar
from storyboard import Tale
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import PlannedGroup, StageStatus, WorkerClass
from videojob_operator.decide import recipes
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import Config, CreateJob, DeleteJob, Grant

RECORDED: dict[str, Any] = {"speech": None, "audio": {"uri": "store://stock/voice.wav"}}
WEIGHTS = {"uri": "store://stock/models/model.onnx", "sha256": SHA}
DETECTOR = {"detection": {"detector": "onnx", "weights": WEIGHTS}}
MODELS = DETECTOR | {"matting": {"matter": "birefnet", "weights": WEIGHTS}}
CARDS: Config = replace(
    CONFIG,
    classes=(
        ("default", WorkerClass.model_validate({"gpuClass": "cards"})),
        ("cards", WorkerClass.model_validate({"gpu": {"resource": "nvidia.com/gpu"}})),
    ),
)
STAGES = ("Detection", "BackgroundRemoval")


def face(config: Config = CONFIG, mode: str = "Compact", *, avatar: dict[str, Any] | None = None, **spec: Any) -> Tale:
    """An avatar whose portrait has been looked at; both slots are granted when both are asked for."""
    given = an_avatar(mode, avatar=RECORDED | (avatar or {}), **spec)
    tale = Tale(seen(given, config=config), together=True)
    tale.settle()
    tale.succeed("upload-a1")
    return tale


def shared(config: Config = CONFIG, **fields: Any) -> Tale:
    """One of which both stages are at work in one pod."""
    tale = face(config, **fields)
    tale.settle()
    assert tale.jobs["detect-a1"].slots == ("yolo", "birefnet")
    return tale


def stage(scene: Scene, name: str) -> StageStatus:
    return next(one for one in scene.status.stages if one.name == name)


def groups(scene: Scene) -> list[tuple[str, tuple[str, ...]]]:
    """Names and stages of the planned groups between the portrait and the talk."""
    assert scene.status.plan is not None
    return [(group.name, group.stages) for group in scene.status.plan.groups if not {*STAGES}.isdisjoint(group.stages)]


ONE = [("detect", STAGES)]
TWO = [("detect", STAGES[:1]), ("matte", STAGES[1:])]


def half(tale: Tale, code: int, *kinds: str, **fields: Any) -> Tale:
    """The shared pod ends with that exit code after these stages."""
    results = tuple(StageResult(kind=kind, cpu_seconds=1.0) for kind in kinds)
    said = tale.told_by(tale.launched("detect"), "work", results, exit_code=code, **fields)
    attempt = max(job.attempt for job in tale.seen.jobs if job.group == "detect")
    tale.pod(f"detect-a{attempt}", ended("work", code, said, at=tale.seen.now))
    tale.settle(granted=False)
    return tale


# ---------------------------------------------------------------- who asks for both


@dataclass(frozen=True)
class Asks:
    name: str
    also: tuple[str, ...]
    config: Config = CONFIG
    mode: str = "Compact"
    avatar: dict[str, Any] = field(default_factory=dict)
    spec: dict[str, Any] = field(default_factory=dict)
    slot: str = "yolo"


ASKS = (
    Asks("built-in models", ("birefnet",)),
    Asks("Auto is Compact", ("birefnet",), mode="Auto"),
    Asks("Spread gives each stage its own Job", (), mode="Spread"),
    Asks("models that all compute on a GPU", ("birefnet",), CARDS, avatar=MODELS),
    Asks("a GPU is required", ("birefnet",), CARDS, avatar=MODELS, spec={"accelerator": {"mode": "Require"}}),
    Asks("only one of the models computes on a GPU", (), CARDS, avatar=DETECTOR),
    Asks("without GPUs the CPU's slots are taken", (), CARDS, avatar=MODELS, spec={"accelerator": {"mode": "Never"}}, slot="cpu"),
    Asks("models that could use a GPU where there is none", ("birefnet",), avatar=MODELS),
)  # fmt: skip


@pytest.mark.parametrize("case", ASKS, ids=lambda case: case.name)
def test_who_would_take_both_slots(case: Asks) -> None:
    """A-005: explicit settings win; a GPU is held by no stage that has no use for it."""
    request = plan(face(case.config, case.mode, avatar=case.avatar, **case.spec).seen).request
    assert request is not None
    assert (request.group, request.slot, request.also) == ("detect", case.slot, case.also)


def test_a_cut_out_that_has_to_wait_for_no_detection_asks_for_its_own_slot() -> None:
    tale = face()
    tale.together = False
    tale.settle().succeed("detect-a1")
    request = plan(tale.seen).request
    assert request is not None
    assert (request.group, request.slot, request.also) == ("matte", "birefnet", ())


def test_who_hops_to_the_cpu_goes_alone() -> None:
    tale = face(CARDS, avatar=MODELS, accelerator={"hopAfterSeconds": 0})
    tale.set(waiting_message="slot yolo: 2 of 2 taken, 0 ahead").settle(granted=False)
    request = plan(tale.seen).request
    assert request is not None
    assert (request.slot, request.also) == ("cpu", ())


# ---------------------------------------------------------------- the attempt


def test_both_stages_run_in_one_document_and_one_pod() -> None:
    """One Job, one container, one document with both stages in order; the plan and both stages name it."""
    tale = shared()
    action = tale.launched("detect")
    assert [(task.kind, task.container) for task in action.document.stages] == [("detect", "work"), ("matte", "work")]
    assert (action.slot, action.also) == ("yolo", ("birefnet",))
    assert groups(tale) == ONE
    assert {stage(tale, name).job for name in STAGES} == {action.name}
    assert [stage(tale, name).slot for name in STAGES] == ["yolo", "birefnet"]
    text = next(event.message for event in tale.events if event.message.startswith("Detection, BackgroundRemoval"))
    assert text.endswith(f"attempt 1 started as Job {action.name}, which holds the slots yolo and birefnet")
    tale.ok("detect")
    assert [stage(tale, name).state for name in STAGES] == ["Succeeded", "Succeeded"]
    assert "animate-a1" in tale.jobs


def test_the_pod_asks_for_the_gpu_once_and_for_the_memory_of_the_hungrier_stage() -> None:
    action = shared(CARDS, avatar=MODELS).launched("detect")
    (given,) = action.shares
    assert given.gpus == (("nvidia.com/gpu", 1),)
    assert given.memory_limit_mib == max(recipes.kind_of(name).memory_limit_mib for name in STAGES)  # type: ignore[union-attr]
    assert [task.accelerator for task in action.document.stages] == ["Prefer", "Prefer"]


def test_without_both_slots_they_go_apart() -> None:
    tale = face()
    tale.together = False
    tale.settle()
    assert tale.jobs["detect-a1"].slots == ("yolo",)
    assert groups(tale) == TWO


def test_a_grant_of_what_is_not_wanted_any_more_is_not_used() -> None:
    """The mode of the accelerator was changed between the request and the grant."""
    tale = face(CARDS, avatar=MODELS, accelerator={"mode": "Never"})
    grants = (Grant("detect", 1, "cpu", also=("birefnet",)),)
    (action,) = [
        a for a in plan(replace(tale.settle(granted=False).seen, grants=grants)).actions if isinstance(a, CreateJob)
    ]
    assert (action.slot, action.also) == ("cpu", ())
    assert [task.kind for task in action.document.stages] == ["detect"]


@pytest.mark.parametrize("together", [True, False], ids=["both slots", "one"])
def test_a_job_without_a_record_says_what_was_decided(together: bool) -> None:
    """Cases 1, 2, 56: the operator died between the Job and the status. The Job's labels are the record."""
    tale = face()
    tale.together = together
    tale.settle(granted=False)
    before = tale.seen.job.status
    tale.settle()
    after = tale.seen.job.status
    tale.set(job=replace(tale.seen.job, status=before), grants=()).settle(granted=False)
    assert groups(tale) == (ONE if together else TWO)
    for name in STAGES:
        mine, theirs = (next(one for one in s.stages if one.name == name) for s in (tale.status, after))
        assert (mine.group, mine.attempt, mine.slot, mine.job) == (
            theirs.group,
            theirs.attempt,
            theirs.slot,
            theirs.job,
        )
    if together:
        tale.ok("detect")
        assert [stage(tale, name).state for name in STAGES] == ["Succeeded", "Succeeded"]


# ---------------------------------------------------------------- its end


def test_when_the_cut_out_fails_the_detection_stays() -> None:
    """The retry is the cut-out's alone: it has its own budget, its own slot and its own class's ladder of memory."""
    tale = half(shared(), 75, "detect", failure=a_failure("Broken", "Recoverable", "BackgroundRemoval"))
    assert groups(tale) == TWO
    found, cut = (stage(tale, name) for name in STAGES)
    assert (found.state, found.attempt, found.failures) == ("Succeeded", 1, 0)
    assert (cut.state, cut.attempt, cut.failures, cut.attempt_base) == ("Queued", 1, 1, 0)
    assert tale.status.failure is not None
    assert tale.status.failure.stage == "BackgroundRemoval"
    request = plan(tale.tick(60).seen).request
    assert request is not None
    assert (request.group, request.attempt, request.slot, request.also, request.priority) == (
        "matte",
        2,
        "birefnet",
        (),
        0,
    )
    tale.settle()
    assert [task.kind for task in tale.launched("matte").document.stages] == ["matte"]


def test_when_the_detection_fails_each_goes_on_alone() -> None:
    """The cut-out had no turn: the attempt counts against no budget of its own, and its number is not used again."""
    tale = half(shared(), 75, failure=a_failure("Broken", "Recoverable", "Detection"))
    assert groups(tale) == TWO
    found, cut = (stage(tale, name) for name in STAGES)
    assert (found.attempt, found.failures, found.attempt_base) == (1, 1, 0)
    assert (cut.attempt, cut.failures, cut.attempt_base) == (1, 0, 1)
    request = plan(tale.tick(60).seen).request
    assert request is not None
    assert (request.group, request.attempt, request.also, request.priority) == ("detect", 2, (), 0)
    tale.settle()
    tale.ok("detect")
    assert tale.jobs["matte-a2"].slots == ("birefnet",)
    tale.bad("matte")
    found, cut = (stage(tale, name) for name in STAGES)
    assert (found.state, found.failures) == ("Succeeded", 1)
    assert (cut.attempt, cut.failures, cut.attempt_base) == (2, 1, 1)


def test_after_an_attempt_of_its_own_the_detection_goes_alone() -> None:
    """One number would mean two attempts."""
    tale = face()
    tale.together = False
    tale.settle()
    tale.together = True
    tale.pod("detect-a1", ended("work", 143, at=tale.seen.now), disruption="EvictionByEvictionAPI")
    tale.settle(granted=False)
    request = plan(tale.tick(60).seen).request
    assert request is not None
    assert (request.group, request.attempt, request.also) == ("detect", 2, ())


def test_memory_grows_for_what_ran_out_of_it() -> None:
    """Case 30: a card or a container that was too small for the cut-out gives the cut-out more, and holds no detector's slot."""
    tale = half(shared(), 73, "detect", failure=a_failure("OutOfMemory", "Resource", "BackgroundRemoval"))
    assert [stage(tale, name).out_of_memory for name in STAGES] == [0, 1]
    first = tale.launched("detect").shares[0].memory_limit_mib
    tale.tick(60).settle()
    assert tale.launched("matte").shares[0].memory_limit_mib > first


def test_a_lost_pod_is_replaced_and_may_be_shared_again() -> None:
    tale = shared()
    tale.pod("detect-a1", ended("work", 143, at=tale.seen.now), disruption="EvictionByEvictionAPI")
    tale.settle()
    assert [(stage(tale, n).disruptions, stage(tale, n).attempt_base) for n in STAGES] == [(1, 0), (0, 1)]
    assert tale.jobs["detect-a2"].slots == ("yolo", "birefnet")
    assert groups(tale) == ONE


def test_a_result_that_does_not_stand_counts_against_the_first_of_them() -> None:
    """Cases 43, 44: what no result proves has not succeeded, whatever progress was posted."""
    tale = shared()
    tale.pod("detect-a1", ended("work", 0, "no json", at=tale.seen.now)).settle()
    assert "report-detect-a1" in tale.jobs
    tale.finish("report-detect-a1", pods=False).settle(granted=False)
    assert [stage(tale, name).failures for name in STAGES] == [1, 0]
    assert groups(tale) == TWO


def test_a_pod_that_finds_no_gpu_is_given_up_and_only_the_detection_hops() -> None:
    tale = shared(CARDS, avatar=MODELS, accelerator={"hopAfterSeconds": 30})
    tale.pod("detect-a1", phase="Pending", unschedulable="0/3 nodes are available: insufficient nvidia.com/gpu")
    tale.tick(31).settle(granted=False)
    assert [(stage(tale, n).hopped, stage(tale, n).attempt_base) for n in STAGES] == [(True, 1), (False, 1)]
    assert [stage(tale, n).slot for n in STAGES] == ["cpu", "birefnet"]
    assert groups(tale) == TWO
    tale.settle()
    assert (tale.jobs["detect-a2"].slots, tale.launched("detect").shares[0].gpus) == (("cpu",), ())


@pytest.mark.parametrize(
    ("start", "again"),
    [("", "BackgroundRemoval"), (";from=BackgroundRemoval", "BackgroundRemoval"), (";from=Detection", "Detection")],
)
def test_a_redrive_of_what_had_shared_a_pod(start: str, again: str) -> None:
    """T-005: the two are groups of their own again, with fresh budgets; what is there is not done again."""
    tale = half(shared(retry={"maxAttempts": 1}), 75, "detect", failure=a_failure("Broken", "Recoverable", STAGES[1]))
    assert tale.status.phase == "Failed"
    tale.ask(retry=f"one{start}").settle(granted=False)
    assert groups(tale) == TWO
    assert tale.status.stage == again
    request = plan(tale.seen).request
    assert request is not None
    assert request.attempt == 2
    assert [stage(tale, n).failures for n in STAGES] == [0, 0]


def test_a_redrive_of_a_later_stage_leaves_what_shared_a_pod_as_it_is() -> None:
    tale = shared(retry={"maxAttempts": 1}).ok("detect").bad("animate")
    assert tale.status.phase == "Failed"
    tale.ask(retry="one").settle()
    assert [stage(tale, n).state for n in STAGES] == ["Succeeded", "Succeeded"]
    assert "animate-a2" in tale.jobs


def test_a_cancelled_pod_of_both_is_deleted_and_a_redrive_begins_with_the_detection() -> None:
    """What only progress has told of is not taken for done."""
    tale = shared()
    tale.ask(cancel="one").settle()
    assert tale.status.phase == "Cancelled"
    assert any(isinstance(action, DeleteJob) for each in tale.plans for action in each.actions)
    tale.ask(retry="one").settle(granted=False)
    request = plan(tale.seen).request
    assert request is not None
    assert (request.group, request.attempt, request.also) == ("detect", 2, ("birefnet",))


# ---------------------------------------------------------------- groups


def test_what_is_joined_comes_apart_as_it_was() -> None:
    steps = recipes.steps(an_avatar().spec, face().status.plan)  # type: ignore[arg-type]
    planned = recipes.groups(steps, "Compact")
    detect, matte = planned[1:3]
    assert recipes.joins(detect, matte)
    assert recipes.apart(recipes.joined(detect, matte)) == (detect, matte)
    assert all(recipes.apart(group) == (group,) for group in planned)
    pairs = [(a.name, b.name) for a in planned for b in planned if recipes.joins(a, b)]
    assert pairs == [("detect", "matte")]


def test_a_group_of_no_or_of_unknown_stages_is_left_alone() -> None:
    """Case 55: a status that somebody edited, or another version wrote."""
    for odd in (PlannedGroup(name="x", stages=()), PlannedGroup(name="x", stages=("Dancing", "Singing"), slot="cpu")):
        assert recipes.apart(odd) == (odd,)
        assert not recipes.joins(odd, odd)
