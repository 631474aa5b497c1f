"""Accelerators: which stages get a GPU, in which worker class, how long they wait for one, and what becomes of them then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from pydantic import ValidationError

from builders import CONFIG, SHA, Scene, a_spec, waiting
from videojob_api.v1alpha1 import StageStatus, WorkerClass
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import Config, CreateJob, Grant, SlotRequest

WEIGHTS = {"uri": "store://stock/models/model.onnx", "sha256": SHA}
MODELS: dict[str, Any] = {
    "image": {"uri": f"store://inbox/{SHA}"}, "audio": {"uri": "store://stock/voice.wav"},
    "detection": {"detector": "onnx", "weights": WEIGHTS}, "matting": {"matter": "birefnet", "weights": WEIGHTS},
}  # fmt: skip
BUILT_IN = {key: MODELS[key] for key in ("image", "audio")}
CARDS: dict[str, Any] = {"image": "worker:cuda", "gpu": {"resource": "nvidia.com/gpu.shared"}, "scratch": "4Gi"}
SHARED = (("nvidia.com/gpu.shared", 1),)
FULL = "slot yolo: 2 of 2 taken, 0 ahead"


def config(**classes: dict[str, Any]) -> Config:
    """An operator whose default worker class leaves models to a class with GPUs."""
    named = classes or {"default": {"gpuClass": "cards"}, "cards": CARDS}
    found = {"default": {}, **named}
    return replace(CONFIG, classes=tuple((name, WorkerClass.model_validate(row)) for name, row in found.items()))


def scene(avatar: dict[str, Any] | None = None, *, classes: dict[str, Any] | None = None, **spec: Any) -> Scene:
    """An avatar whose models can compute on a GPU, until its portrait has been looked at."""
    given = Scene.of(config=config(**(classes or {})), transcode=None, avatar=avatar or MODELS, **spec)
    given.settle()
    return given.succeed("upload-a1") if "upload-a1" in given.jobs else given


def created(given: Scene, group: str) -> CreateJob:
    """The latest Job of a group."""
    actions = [action for each in given.plans for action in each.actions if isinstance(action, CreateJob)]
    return [action for action in actions if action.document.group == group][-1]


def stage(given: Scene, name: str = "Detection") -> StageStatus:
    return next(stage for stage in given.status.stages if stage.name == name)


def asked(given: Scene) -> SlotRequest | None:
    return plan(given.seen).request


def refused(given: Scene) -> Scene:
    """The queue says that all slots are taken, and the scene settles."""
    return given.set(waiting_message=FULL).settle(granted=False)


# ---------------------------------------------------------------- which class, and who holds a GPU


def test_models_work_in_the_class_with_gpus_and_all_else_in_the_videojobs_own() -> None:
    """A-032, A-042: one manifest for a laptop and a cluster with GPUs."""
    given = scene().settle().succeed("detect-a1").settle().succeed("matte-a1").settle()
    for group in ("detect", "matte"):
        job = created(given, group)
        assert (job.image, job.shares[0].gpus, job.scratch_mib) == ("worker:cuda", SHARED, 4096)
        assert [task.accelerator for task in job.document.stages] == ["Prefer"]
    for group in ("upload", "animate"):
        job = created(given, group)
        assert (job.image, job.shares[0].gpus, job.scratch_mib) == ("videojob-worker:test", (), 1024)
        assert [task.accelerator for task in job.document.stages] == [None]
    assert [stage(given, name).accelerator_requested for name in ("Upload", "Detection", "BackgroundRemoval")] == [
        None, "Gpu", "Gpu",
    ]  # fmt: skip
    assert given.status.plan is not None
    assert given.status.plan.accelerator is not None
    assert given.status.plan.accelerator.worker_class == "cards"


@dataclass(frozen=True)
class Held:
    name: str
    spec: dict[str, Any]
    gpus: tuple[tuple[str, int], ...]
    slot: str
    told: str | None
    requested: str | None
    classes: dict[str, Any] = field(default_factory=dict)
    avatar: dict[str, Any] = field(default_factory=lambda: MODELS)


HELD = (
    Held("Prefer, by itself", {}, SHARED, "yolo", "Prefer", "Gpu"),
    Held("Require", {"accelerator": {"mode": "Require"}}, SHARED, "yolo", "Require", "Gpu"),
    Held("Never leaves the slots with GPUs to others", {"accelerator": {"mode": "Never"}}, (), "cpu", "Never", "Cpu"),
    Held("no fallback is permitted, so that the worker may not do without", {"fallback": {"policy": "Deny"}}, SHARED, "yolo",
         "Require", "Gpu"),
    Held("no class has a GPU", {}, (), "yolo", "Never", "Cpu", {"default": {}}),
    Held("the class's gpuClass is not for this namespace", {}, (), "yolo", "Never", "Cpu",
         {"default": {"gpuClass": "cards"}, "cards": {**CARDS, "namespaces": ["team-b"]}}),
    Held("the class's gpuClass has no GPU", {}, (), "yolo", "Never", "Cpu", {"default": {"gpuClass": "plain"}, "plain": {}}),
    Held("the class's gpuClass is not declared", {}, (), "yolo", "Never", "Cpu", {"default": {"gpuClass": "cards"}}),
    Held("a class with GPUs of its own", {"workerClass": "mine"}, (("nvidia.com/gpu", 1),), "yolo", "Prefer", "Gpu",
         {"mine": {"gpu": {}}}),
    Held("built-in models are as fast on the CPU, and hold none", {"workerClass": "mine"}, (), "yolo", None, None,
         {"mine": {"gpu": {}}}, BUILT_IN),
)  # fmt: skip


@pytest.mark.parametrize("case", HELD, ids=lambda case: case.name)
def test_who_holds_a_gpu(case: Held) -> None:
    """A-032, A-042, A-046."""
    given = scene(case.avatar, classes=case.classes, **case.spec).settle()
    job = created(given, "detect")
    assert job.shares[0].gpus == case.gpus
    assert job.slot == stage(given).slot == case.slot
    assert job.document.stages[0].accelerator == case.told
    assert stage(given).accelerator_requested == case.requested
    assert not stage(given).hopped
    assert given.condition("Degraded") is None


def test_a_046_what_speaks_holds_no_gpu_but_a_program_of_ones_own_in_a_class_that_has_one() -> None:
    classes = {"mine": {"gpu": {}}}
    for provider, gpus in (({}, ()), ({"name": "command", "model": "musetalk"}, (("nvidia.com/gpu", 1),))):
        given = scene({**BUILT_IN, "provider": provider}, classes=classes, workerClass="mine").settle()
        given.succeed("detect-a1").settle().succeed("matte-a1").settle()
        assert created(given, "animate").shares[0].gpus == gpus
        assert created(given, "upload").shares[0].gpus == ()


# ---------------------------------------------------------------- what cannot be


def test_a_gpu_that_is_required_and_that_no_class_has_is_waited_for() -> None:
    given = Scene.of(config=config(default={}, big={"gpu": {}}, theirs={"gpu": {}, "namespaces": ["team-b"]}),
                     transcode=None, avatar=MODELS, accelerator={"mode": "Require"}).settle()  # fmt: skip
    assert given.status.phase == "Pending"
    assert given.condition("Accepted") == ("False", "NoGpuClass")
    (said,) = [condition.message for condition in given.status.conditions if condition.type == "Accepted"]
    assert said == (
        "spec.accelerator.mode is Require, and worker class default has no GPU for namespace team-a; classes that have: big; "
        "set spec.workerClass to one of them, or spec.accelerator.mode to Prefer"
    )
    given.spec(workerClass="big").settle()
    assert given.condition("Accepted") == ("True", "Resolved")
    assert created(given, "upload")


def test_a_gpu_that_is_required_for_models_that_use_none_is_refused() -> None:
    given = Scene.of(config=config(), transcode=None, avatar=BUILT_IN, accelerator={"mode": "Require"}).settle()
    assert given.condition("Failed") == ("True", "InvalidSpec")
    failure = given.status.failure
    assert failure is not None
    assert failure.message == "spec.accelerator.mode is Require, and no model that spec.avatar names computes on a GPU"
    assert (
        failure.hint == "name models that do in avatar.detection and avatar.matting, or set accelerator.mode to Prefer"
    )


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"accelerator": {"mode": "Never", "hopAfterSeconds": 5}, "avatar": MODELS, "transcode": None},
         "accelerator.hopAfterSeconds goes with mode Prefer: remove it, or change accelerator.mode from Never"),
        ({"accelerator": {"mode": "Require"}}, "spec.accelerator.mode Require goes with spec.avatar"),
        ({"accelerator": {"mode": "Sometimes"}}, "accelerator.mode"),
        ({"accelerator": {"hopAfterSeconds": -1}}, "accelerator.hopAfterSeconds"),
    ],
    ids=["a hop without a wait", "a GPU for a transcode", "no such mode", "a negative time"],
)  # fmt: skip
def test_a_spec_that_contradicts_itself_says_what_to_change(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as found:
        a_spec(**fields)
    assert says in str(found.value)


# ---------------------------------------------------------------- waiting for a slot


def test_who_waits_for_a_slot_with_a_gpu_for_long_enough_goes_on_with_the_cpu() -> None:
    """A-032: after hopAfterSeconds, in a `cpu` slot, in the VideoJob's own class, shown as Degraded."""
    given = refused(scene(accelerator={"hopAfterSeconds": 60}))
    since = stage(given).gpu_since
    assert since == given.seen.now
    assert stage(given).accelerator_requested == "Gpu"
    assert asked(given) is not None
    assert asked(given).slot == "yolo"  # type: ignore[union-attr]
    assert plan(given.seen).wake_at is not None
    given.tick(59).settle(granted=False)
    assert not stage(given).hopped
    given.tick(1).settle(granted=False)
    assert asked(given).slot == "cpu"  # type: ignore[union-attr]
    assert (stage(given).slot, stage(given).hopped) == ("cpu", True)
    assert given.condition("Degraded") == ("True", "AcceleratorFallback")
    assert given.told().count("AcceleratorFallback") == 1
    given.settle()
    job = created(given, "detect")
    assert (job.slot, job.image, job.shares[0].gpus) == ("cpu", "videojob-worker:test", ())
    assert job.document.stages[0].accelerator == "Never"
    assert stage(given).gpu_since == since
    given.succeed("detect-a1").settle()
    assert created(given, "matte").shares[0].gpus == SHARED, "the next stage waits anew"
    assert given.condition("Degraded") == ("True", "AcceleratorFallback")


@pytest.mark.parametrize(
    "spec",
    [{"accelerator": {"mode": "Require"}}, {"fallback": {"policy": "Deny"}}],
    ids=["a GPU is required", "fallbacks are denied"],
)
def test_who_may_not_do_without_waits_as_long_as_it_takes(spec: dict[str, Any]) -> None:
    given = refused(scene(**spec))
    given.tick(86_400 * 7).settle(granted=False)
    assert asked(given).slot == "yolo"  # type: ignore[union-attr]
    assert stage(given).accelerator_requested == "Gpu"
    given.settle()
    assert created(given, "detect").shares[0].gpus == SHARED


def test_five_minutes_are_waited_where_nobody_says_and_none_where_zero_is_said() -> None:
    given = refused(scene())
    assert not stage(given.tick(299).settle(granted=False)).hopped
    assert stage(given.tick(1).settle(granted=False)).hopped
    assert stage(refused(scene(accelerator={"hopAfterSeconds": 0}))).hopped


def test_a_slot_that_is_granted_at_the_last_moment_is_taken() -> None:
    """The queue has promised it: nobody else could use it."""
    given = refused(scene(accelerator={"hopAfterSeconds": 60})).tick(61)
    promised = plan(replace(given.seen, grants=(Grant("detect", 1, "yolo"),)))
    (action,) = [action for action in promised.actions if isinstance(action, CreateJob)]
    assert (action.slot, action.shares[0].gpus) == ("yolo", SHARED)


def test_an_operator_that_finds_a_job_in_a_cpu_slot_knows_that_it_hopped() -> None:
    """Case 2: the Job was made, its record was lost."""
    given = refused(scene(accelerator={"hopAfterSeconds": 60}))
    before = given.seen.job
    given.tick(60).settle()
    given.set(job=replace(given.seen.job, status=before.status)).settle(granted=False)
    assert stage(given).hopped
    assert stage(given).slot == "cpu"


def test_a_change_of_mind_counts_from_the_next_attempt() -> None:
    given = refused(scene(accelerator={"hopAfterSeconds": 0}))
    given.spec(accelerator={"mode": "Require"}).settle(granted=False)
    assert asked(given).slot == "yolo"  # type: ignore[union-attr]
    given.settle()
    assert (stage(given).slot, stage(given).accelerator_requested, stage(given).hopped) == ("yolo", "Gpu", False)
    assert created(given, "detect").shares[0].gpus == SHARED


def test_a_redrive_waits_for_a_gpu_anew() -> None:
    given = refused(scene(accelerator={"hopAfterSeconds": 0}))
    given.settle().fail("detect-a1", 65).settle()
    assert given.status.phase == "Failed"
    given.ask(retry="again").settle()
    given.succeed("upload-a2").settle()  # what failed for good is rolled back
    assert created(given, "detect").shares[0].gpus == SHARED
    assert not stage(given).hopped


# ---------------------------------------------------------------- waiting for a node


def unplaced(given: Scene, attempt: int = 1) -> Scene:
    """No node has a GPU left for the detector's pod."""
    said = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.shared."
    return given.pod(f"detect-a{attempt}", waiting("work"), phase="Pending", unschedulable=said)


def test_a_pod_that_finds_no_gpu_is_given_up_and_its_work_done_on_the_cpu() -> None:
    """A-032: the attempt counts against no budget, since nothing of it ran; its Job goes before the next one comes."""
    given = unplaced(scene(accelerator={"hopAfterSeconds": 60}, retry={"maxAttempts": 1}).settle())
    given.settle()
    assert plan(given.seen).wake_at is not None
    assert "Insufficient nvidia.com/gpu.shared" in (given.status.queue.message or "")  # type: ignore[union-attr]
    given.tick(59).settle()
    assert set(given.jobs) == {"upload-a1", "detect-a1"}
    given.tick(1).settle()
    assert set(given.jobs) == {"upload-a1", "detect-a2"}
    job = created(given, "detect")
    assert (job.slot, job.shares[0].gpus) == ("cpu", ())
    row = stage(given)
    assert (row.attempt, row.attempt_base, row.failures, row.disruptions, row.hopped) == (2, 1, 0, 0, True)
    assert given.condition("Degraded") == ("True", "AcceleratorFallback")
    given.succeed("detect-a2").settle()
    assert stage(given).state == "Succeeded"
    assert given.told().count("AcceleratorFallback") == 1


@pytest.mark.parametrize(
    "spec",
    [{"accelerator": {"mode": "Require"}}, {"fallback": {"policy": "Deny"}}],
    ids=["a GPU is required", "fallbacks are denied"],
)
def test_a_pod_of_one_that_may_not_do_without_stays(spec: dict[str, Any]) -> None:
    given = unplaced(scene(**spec).settle())
    given.tick(86_400).settle()
    assert set(given.jobs) == {"upload-a1", "detect-a1"}


def test_a_pod_that_has_a_node_is_left_alone_however_long_its_image_takes() -> None:
    given = scene(accelerator={"hopAfterSeconds": 1}).settle()
    given.pod("detect-a1", waiting("work", "ErrImagePull", "slow"), phase="Pending", node="n1").tick(600).settle()
    assert set(given.jobs) == {"upload-a1", "detect-a1"}
    assert not stage(given).hopped
