"""Worker classes: picked by name, put on record, and how far an attempt may grow after others ran out of memory or disk."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from builders import CONFIG, Scene, a_failure, ended, running, waiting
from videojob_api.v1alpha1 import WorkerClass
from videojob_cli.embedded import config as embedded
from videojob_operator.decide.classes import ladder
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import Config, CreateJob
from videojob_operator.settings import read_classes


def config(**classes: dict[str, Any]) -> Config:
    """An operator with these worker classes and the default one."""
    return replace(CONFIG, classes=tuple(read_classes(classes).items()))


def scene(worker: dict[str, Any] | None = None, mode: str = "Compact", **spec: Any) -> Scene:
    """A VideoJob of class `mine`."""
    return Scene.of(mode, config=config(mine=worker or {}), workerClass="mine", **spec)


def creates(given: Scene) -> list[CreateJob]:
    return [action for each in given.plans for action in each.actions if isinstance(action, CreateJob)]


def memory(given: Scene) -> list[int]:
    """Memory limit in MiB of the working container of each attempt."""
    return [action.shares[0].memory_limit_mib for action in creates(given)]


def oom(given: Scene, attempts: int, reason: str = "OOMKilled") -> Scene:
    """So many attempts run out of memory, each a minute after the last."""
    given.settle()
    for attempt in range(1, attempts + 1):
        given.tick(1).pod(f"main-a{attempt}", ended("work", 137, reason=reason), waiting("commit")).settle()
        given.tick(60).settle()
    return given


# ---------------------------------------------------------------- which class


def test_a_videojob_that_names_no_class_gets_the_default_one() -> None:
    given = Scene.of().settle()
    assert given.status.plan is not None
    assert (given.status.plan.worker_class, given.status.plan.worker) == ("default", {})
    assert creates(given)[0].worker == WorkerClass()


@dataclass(frozen=True)
class Refused:
    name: str
    classes: dict[str, Any]
    says: str


REFUSED = (
    Refused("no such class", {"gpu": {}}, "known: default, gpu"),
    Refused("the default alone", {}, "known: default;"),
    Refused(
        "another namespace's", {"mine": {"namespaces": ["team-b"]}, "gpu": {"namespaces": ["team-a"]}}, "default, gpu;"
    ),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_an_unknown_class_waits_and_the_message_lists_the_known(case: Refused) -> None:
    given = Scene.of(config=config(**case.classes), workerClass="mine").settle()
    assert given.status.phase == "Pending"
    assert given.condition("Accepted") == ("False", "UnknownWorkerClass")
    (condition,) = [c for c in given.status.conditions if c.type == "Accepted"]
    assert condition.message.startswith("no worker class mine for namespace team-a")
    assert case.says in condition.message
    assert given.jobs == {}
    given.set(config=config(mine={"namespaces": ["team-a"]})).settle()
    assert given.status.phase == "Running", "looked at again when the classes change"


def test_the_class_is_as_it_was_at_acceptance() -> None:
    given = scene({"image": "cuda:1", "priorityClassName": "night", "kueueQueue": "videos"}, "Spread").settle()
    given.set(config=config(mine={"image": "cuda:2"})).succeed("ingest-a1").settle()
    first, second = creates(given)
    assert (first.image, second.image) == ("cuda:1", "cuda:1")
    assert second.worker.priority_class_name == "night"
    assert second.kueue_queue == "videos"
    assert given.status.plan is not None
    assert given.status.plan.worker == {"image": "cuda:1", "priorityClassName": "night", "kueueQueue": "videos"}


def test_the_queue_hands_admission_to_kueue_unless_the_class_names_another() -> None:
    given = Scene.of().set(kueue_queue="shared").settle()
    assert creates(given)[0].kueue_queue == "shared"
    given = scene({"kueueQueue": "own"}).set(kueue_queue="shared").settle()
    assert creates(given)[0].kueue_queue == "own"


def test_a_redrive_takes_the_class_the_spec_names_now() -> None:
    """What was too small is why people ask again."""
    given = oom(scene({"maxMemory": "512Mi"}, retry={"maxAttempts": 1}), 1)
    assert given.status.phase == "Failed"
    given.set(config=config(mine={"maxMemory": "512Mi"}, large={"resources": {"limits": {"memory": "8Gi"}}}))
    given.spec(workerClass="large").ask(retry="once").settle()
    assert memory(given) == [512, 8192]
    assert given.status.plan is not None
    assert given.status.plan.worker_class == "large"


def test_a_redrive_with_a_class_that_is_gone_keeps_the_one_on_record() -> None:
    given = oom(scene({"image": "cuda:1"}, retry={"maxAttempts": 1}), 1)
    given.set(config=CONFIG).ask(retry="once").settle()
    assert [action.image for action in creates(given)] == ["cuda:1", "cuda:1"]


def test_a_class_of_another_version_that_cannot_be_read_fails_with_a_reason() -> None:
    """Case 55: plan is total."""
    given = scene()
    given.look()
    status = given.status
    assert status.plan is not None
    strange = status.plan.model_copy(update={"worker": {"resources": "plenty"}})
    given.set(job=replace(given.seen.job, status=status.model_copy(update={"plan": strange}))).settle()
    assert given.status.phase == "Failed"
    assert given.status.failure is not None
    assert given.status.failure.message.startswith("status.plan does not fit this version")


# ---------------------------------------------------------------- memory


@pytest.mark.parametrize(
    ("first", "cap", "steps", "expect"),
    [
        (1024, 2048, 0, (1024, 0)),
        (1024, 2048, 1, (1536, 0)),
        (1024, 2048, 2, (2048, 0)),
        (1024, 2048, 3, (2048, 1)),
        (1024, 2048, 5, (2048, 3)),
        (1024, 1024, 1, (1024, 1)),
        (4096, 1024, 0, (1024, 0)),
    ],
)
def test_half_as_much_again_up_to_the_cap(first: int, cap: int, steps: int, expect: tuple[int, int]) -> None:
    assert ladder(first, cap, steps) == expect


@dataclass(frozen=True)
class Growth:
    name: str
    worker: dict[str, Any]
    expect: list[int]


GROWTH = (
    Growth("the table's, at most twice", {}, [3072, 4608, 6144, 6144]),
    Growth("up to the class's cap", {"maxMemory": "5Gi"}, [3072, 4608, 5120, 5120]),
    Growth("a small class", {"resources": {"limits": {"memory": "96Mi"}}, "maxMemory": "1Gi"}, [96, 144, 216, 324]),
    Growth("a cap below the table's", {"maxMemory": "1Gi"}, [1024, 1024, 1024, 1024]),
    Growth("a request above the table's limit", {"resources": {"requests": {"memory": "4Gi"}}}, [4096, 6144, 8192, 8192]),
)  # fmt: skip


@pytest.mark.parametrize("case", GROWTH, ids=lambda case: case.name)
def test_an_attempt_after_one_that_ran_out_of_memory_gets_more(case: Growth) -> None:
    """Case 30: decided from the status, which shows it; what was needed once is needed again after another failure."""
    given = oom(scene(case.worker, retry={"maxAttempts": 6}), 3)
    assert memory(given) == case.expect
    assert given.status.stages[0].memory == f"{case.expect[-1]}Mi"
    assert given.status.stages[0].out_of_memory == 3
    for action in creates(given):
        for share in action.shares:
            assert 0 < share.memory_mib <= share.memory_limit_mib
    given.fail("main-a4", 75).settle().tick(60).settle()
    assert memory(given)[-1] == case.expect[-1]
    given.succeed("main-a5").settle()
    assert given.status.phase == "Succeeded"


def test_other_failures_get_no_more() -> None:
    given = scene(retry={"maxAttempts": 6}).settle()
    for attempt, code in enumerate((75, 74, 143), 1):
        given.fail(f"main-a{attempt}", code).settle().tick(60).settle()
    assert memory(given) == [3072] * 4
    assert given.status.stages[0].memory == "3072Mi"


def test_a_restarted_operator_that_finds_an_attempt_without_a_record_knows_its_memory() -> None:
    """Case 2: nothing is in the operator's memory."""
    given = oom(scene(retry={"maxAttempts": 6}), 1)
    before = given.status.model_copy(
        update={
            "stages": tuple(
                s.model_copy(update={"attempt": 1, "memory": "3072Mi", "state": "Waiting"}) for s in given.status.stages
            )
        }
    )
    given.set(job=replace(given.seen.job, status=before)).pod("main-a2", running("work"), waiting("commit")).settle()
    assert given.status.stages[0].attempt == 2
    assert given.status.stages[0].memory == "4608Mi"


def test_the_event_of_a_retry_says_what_the_next_attempt_gets() -> None:
    given = oom(scene({"maxMemory": "4Gi"}, retry={"maxAttempts": 6}), 3)
    said = [event.message.partition(" s, ")[2] for event in given.events if event.reason == "Retrying"]
    assert said == [
        "with 4096Mi of memory",
        "with 4096Mi of memory, working size OneByOne",
        "with 4096Mi of memory, working size OneByOne",
    ]


def test_a_smaller_working_size_after_the_cap() -> None:
    """Design section 4: Resource gets more, or a smaller working size by the stage's declared ladder."""
    given = oom(scene({"maxMemory": "3Gi"}, retry={"maxAttempts": 6}), 2)
    sizes = [[task.working_size for task in action.document.stages] for action in creates(given)]
    assert sizes == [[None] * 4, [None, "OneByOne", None, None], [None, "OneByOne", None, None]]
    assert [stage.working_size for stage in given.status.stages] == [None, "OneByOne", None, None]
    keys = {tuple(task.key for task in action.document.stages) for action in creates(given)}
    assert len(keys) == 1, "it changes what the stage needs, not what it makes"


def test_a_redrive_starts_afresh() -> None:
    given = oom(scene(retry={"maxAttempts": 2}), 2)
    assert given.status.phase == "Failed"
    given.ask(retry="once").settle()
    assert memory(given) == [3072, 4608, 3072]
    assert given.status.stages[0].out_of_memory == 0


# ---------------------------------------------------------------- disk


def test_an_attempt_after_one_that_ran_out_of_disk_gets_more_scratch() -> None:
    """Case 32: evicted for what it wrote; memory stays as it is."""
    given = scene({"scratch": "2Gi", "maxScratch": "4Gi"}, retry={"maxAttempts": 6}).settle()
    for attempt in (1, 2):
        given.fail(f"main-a{attempt}", 137, reason="Evicted").settle().tick(60).settle()
    given.fail("main-a3", 73, a_failure("DiskFull", "Resource", "Transcode")).settle().tick(60).settle()
    assert [action.scratch_mib for action in creates(given)] == [2048, 3072, 4096, 4096]
    assert memory(given) == [3072] * 4
    assert given.status.stages[0].scratch == "4096Mi"
    assert (given.status.stages[0].out_of_disk, given.status.stages[0].out_of_memory) == (3, 0)
    said = [event.message.partition(" s, ")[2] for event in given.events if event.reason == "Retrying"]
    assert said[0] == "with 3072Mi of scratch space"


# ---------------------------------------------------------------- the rest of a class


def test_the_class_has_its_own_budget_of_disruptions() -> None:
    """Case 28: pods on nodes that a cloud takes back are lost more often."""
    given = scene({"disruptionBudget": 1}).settle()
    for attempt in (1, 2):
        given.fail(f"main-a{attempt}", 143, disruption="DeletionByTaintManager").settle()
    assert given.condition("Failed") == ("True", "Disrupted")
    assert given.status.failure is not None
    assert given.status.failure.message.startswith("2 attempts were lost to disruptions, 1 are permitted")


def test_only_what_decodes_holds_gpus_and_the_classs_amounts() -> None:
    worker = {"gpu": {"resource": "nvidia.com/gpu.shared", "count": 2}, "resources": {"requests": {"cpu": "3"}}}
    work, commit = creates(scene(worker).settle())[0].shares
    assert work.gpus == (("nvidia.com/gpu.shared", 2),)
    assert commit.gpus == ()
    assert (work.cpu_millis, commit.cpu_millis) == (3000, 100)


def test_planning_with_a_class_is_deterministic() -> None:
    given = oom(scene({"maxMemory": "5Gi"}), 1)
    assert plan(given.seen) == plan(given.seen)


def test_a_run_without_a_cluster_takes_any_class() -> None:
    """A manifest for a GPU cluster runs on a laptop as it is."""
    given = Scene.of(config=embedded(), workerClass="gpu").settle()
    assert given.status.phase == "Running"
    assert given.status.plan is not None
    assert given.status.plan.worker == {}


def test_a_job_that_the_api_server_refuses_is_what_it_waits_for() -> None:
    """Case 35: a quota of Jobs; the slot is given back meanwhile."""
    given = Scene.of()
    given.look()
    given.set(refused='jobs.batch "trailer-main-a1" is forbidden: exceeded quota: jobs').settle(granted=False)
    assert given.status.queue is not None
    assert given.status.queue.reason == "JobRefused"
    assert given.status.queue.message == (
        'the API server refuses the Job: jobs.batch "trailer-main-a1" is forbidden: exceeded quota: jobs; free or raise the '
        "namespace's ResourceQuota, or use a worker class that asks for less"
    )
    assert given.condition("Reconciling") == ("True", "JobRefused")
    given.set(refused=None).settle()
    assert given.status.phase == "Running"
    assert given.status.queue is None
