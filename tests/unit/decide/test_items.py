"""Fan-out: one Indexed Job, slots by parallelism, each item judged by itself, a smaller Job for what is left."""

from __future__ import annotations

import pytest

from builders import Scene, a_result, ended
from graphs import ITEM, JOIN, LIST, Graph
from videojob_api.contract import StageResult
from videojob_api.fanout import WorkList, list_uri
from videojob_api.v1alpha1 import FanOutStatus
from videojob_operator.decide.world import CreateJob


def counts(scene: Graph) -> tuple[int, int, int, int, str]:
    """Total, succeeded, failed, active, left."""
    found = scene.stage(ITEM).fan_out
    assert isinstance(found, FanOutStatus)
    return found.total, found.succeeded, found.failed, found.active, found.left


def test_the_work_list_is_on_record_before_the_job_that_works_on_it() -> None:
    scene = Graph.fanned(5)
    listed = scene.status.plan.work_lists[0]
    assert (listed.stage, listed.items) == ("NoopList", 5)
    made = scene.launched(ITEM)
    assert (made.completions, made.document.indexes) == (5, "0-4")
    assert made.document.stages[0].work_list.sha256 == listed.sha256
    writes = [found for found in scene.plans if found.status is not None and found.status.plan.work_lists]
    launches = [p for p in scene.plans if any(isinstance(a, CreateJob) and a.document.group == ITEM for a in p.actions)]
    assert scene.plans.index(writes[0]) < scene.plans.index(launches[0])


@pytest.mark.parametrize(
    ("items", "parallelism", "slots", "wanted", "given"),
    [(5, 8, None, 5, 5), (20, 8, None, 8, 8), (20, 8, 3, 8, 3), (20, 8, 1, 8, 1), (1, 8, None, 1, 1)],
    ids=["as many as items", "as many as the recipe wants", "as many as were granted", "one at least", "a single item"],
)
def test_slots_are_asked_for_by_parallelism_and_one_is_enough(
    items: int, parallelism: int, slots: int | None, wanted: int, given: int
) -> None:
    """X-004: a fan-out Job counts its parallelism."""
    scene = Graph.fanned(items, parallelism=parallelism, slots=slots)
    asked = [r for found in scene.plans for r in found.requests if r.group == ITEM]
    assert {(request.count, request.least) for request in asked} <= {(wanted, 1 if wanted > 1 else None)}
    assert scene.launched(ITEM).parallelism == given
    assert scene.jobs[f"{ITEM}-a1"].parallelism == given


def test_items_that_failed_are_left_for_a_smaller_job() -> None:
    """X-006: one attempt more, whatever number of items failed in it."""
    scene = Graph.fanned(9)
    for index in range(9):
        scene.item(index, 75 if index in (1, 4, 5) else 0)
    assert counts(scene) == (9, 6, 3, 0, "1,4-5")
    stage = scene.stage(ITEM)
    assert (stage.failures, stage.disruptions, stage.attempt) == (1, 0, 1)
    assert scene.status.failure.message.startswith("item 1: ")
    assert "2 other items of 9 failed too" in scene.status.failure.message
    scene.tick(10).settle()
    made = scene.launched(ITEM)
    assert (made.document.attempt, made.document.indexes, made.completions) == (2, "1,4-5", 3)
    assert counts(scene) == (9, 6, 0, 0, "1,4-5")
    scene.item(0).item(1, 75).item(2)
    assert counts(scene) == (9, 8, 1, 0, "4")
    scene.tick(20).settle().item(0)
    assert scene.stage(ITEM).done
    assert counts(scene) == (9, 9, 0, 0, "")
    scene.ok(JOIN)
    assert scene.status.phase == "Succeeded"
    assert scene.status.stages[3].attempt == 3


def test_disruptions_alone_count_against_no_retry() -> None:
    """Cases 28 to 30: replaced at once, on the disruption budget."""
    scene = Graph.fanned(3, retry={"maxAttempts": 1})
    scene.item(0).item(2)
    scene.item(1, 137, disruption="EvictionByEvictionAPI", said=False)
    stage = scene.stage(ITEM)
    assert (stage.failures, stage.disruptions) == (0, 1)
    assert scene.launched(ITEM).document.indexes == "1"
    assert scene.status.next_retry_time is None


def test_an_attempt_with_a_failure_counts_even_beside_a_disruption() -> None:
    scene = Graph.fanned(3)
    scene.item(0).item(1, 137, disruption="Preempted", said=False).item(2, 75)
    assert (scene.stage(ITEM).failures, scene.stage(ITEM).disruptions) == (1, 0)
    assert scene.status.failure.message.startswith("item 2: ")


def test_a_disruption_is_known_when_its_pod_is_gone_and_others_still_work() -> None:
    """The pod object of an evicted item goes long before the last item ends: what it showed is on record."""
    scene = Graph.fanned(3, slots=2).works(0, 1)
    before = len(scene.plans)
    scene.item(1, 137, disruption="EvictionByEvictionAPI", said=False)
    assert scene.stage(ITEM).fan_out.disrupted == "1"
    (written,) = [found for found in scene.plans[before:] if found.status is not None]
    assert not written.progress_only, "nothing that may wait for its turn"
    before = len(scene.plans)
    scene.item(0)
    assert all(found.progress_only for found in scene.plans[before:] if found.status is not None), "a count may"
    scene.gone(1, completed=False).item(2)
    assert (scene.stage(ITEM).failures, scene.stage(ITEM).disruptions) == (0, 1)
    assert scene.launched(ITEM).document.indexes == "1"


def test_a_permanent_failure_of_one_item_ends_the_job_at_once() -> None:
    """T-010: nothing else of the fan-out is waited for."""
    scene = Graph.fanned(4, slots=2).works(0, 1)
    scene.item(1, 65)
    assert scene.status.phase == "Failed"
    assert scene.status.failure.message.startswith("item 1: ")
    assert f"{ITEM}-a1" not in scene.jobs, "the other items are stopped"


def test_pods_that_are_gone_have_failed_where_the_job_controller_says_so() -> None:
    """Case 4: the Job's own indexes say what became of each."""
    scene = Graph.fanned(3).gone(0, 1, 2, completed=False)
    assert counts(scene) == (3, 0, 3, 0, "0-2")
    assert scene.stage(ITEM).failures == 1


def report(scene: Graph, present: str | None, code: int = 0) -> Graph:
    """The report Job about the fan-out's first attempt ends."""
    said = a_result("commit", group=f"report-{ITEM}", attempt=1).model_copy(update={"present": present})
    key = f"report-{ITEM}-a1"
    scene.pod(key, ended("commit", code, said if code == 0 else None, at=scene.seen.now)).settle()
    return scene


@pytest.mark.parametrize(
    ("present", "code", "left", "state"),
    [
        ("0-2", 0, "", "Succeeded"),
        ("0,2", 0, "1", "Running"),
        ("", 0, "0-2", "Running"),
        (None, 75, "0-2", "Running"),
        ("0-7", 0, "", "Succeeded"),
        ("2,1", 0, "0-2", "Running"),
    ],
    ids=[
        "all there",
        "some there",
        "none there",
        "the report fails",
        "more than there are",
        "nothing that can be read",
    ],
)
def test_a_job_deleted_behind_our_back_is_looked_for_in_the_store(
    present: str | None, code: int, left: str, state: str
) -> None:
    """Case 29: at most one report, and only what is not there runs again."""
    scene = Graph.fanned(3)
    scene.lose(f"{ITEM}-a1").tick(60).settle()
    made = scene.launched(f"report-{ITEM}")
    task = made.document.stages[0]
    assert task.params["fanOut"]["stage"] == ITEM
    assert task.params["fanOut"]["workList"]["items"] == 3
    report(scene, present, code)
    assert scene.stage(ITEM).state == state
    assert counts(scene)[4] == left
    if left:
        assert (scene.stage(ITEM).failures, scene.stage(ITEM).disruptions) == (0, 1)
        assert scene.launched(ITEM).document.indexes == left


@pytest.mark.parametrize(
    ("present", "code", "left"),
    [("0-2", 0, ""), ("0", 0, "1"), (None, 75, "")],
    ids=["all are there", "one is not", "nobody can tell, and the Job counts them"],
)
def test_pods_that_are_gone_with_success_are_looked_for_in_the_store(present: str | None, code: int, left: str) -> None:
    """Case 4: an operator that was away finds the counts of the Job, and what is in the store."""
    scene = Graph.fanned(3).item(2).gone(0, 1)
    assert counts(scene) == (3, 3, 0, 0, "0-2")
    report(scene, present, code)
    assert counts(scene)[4] == left
    assert scene.stage(ITEM).done == (not left)


def test_an_item_without_a_readable_result_is_looked_for_in_the_store() -> None:
    scene = Graph.fanned(3).item(0).item(2).item(1, 0, said=False)
    assert counts(scene) == (3, 2, 0, 0, "0-2")
    assert scene.status.progress.message == "NoopItem: 2 of 3 items"
    report(scene, "")
    assert (scene.stage(ITEM).failures, counts(scene)[4]) == (1, "1")
    assert scene.status.failure.code == "ResultInvalid"


def test_a_result_of_another_item_is_not_taken() -> None:
    """Case 43: each item answers for itself."""
    scene = Graph.fanned(2).item(0)
    pod = scene.jobs[f"{ITEM}-a1"].pods[0]
    stage = StageResult(kind=ITEM)
    said = a_result("work", group=ITEM).model_copy(update={"index": 0, "stages": (stage,)})
    other = ended("work", 0, said, at=scene.seen.now)
    scene.change(f"{ITEM}-a1", pods=(pod, type(pod)("p1", "u1", "Running", (other,), index=1))).settle()
    assert f"report-{ITEM}-a1" in scene.jobs


def test_a_redrive_works_on_what_is_left() -> None:
    """X-008, case 53."""
    scene = Graph.fanned(3, retry={"maxAttempts": 1}).item(0).item(1, 75).item(2)
    assert scene.status.phase == "Failed"
    scene.ask(retry="one").settle()
    assert scene.launched(ITEM).document.indexes == "1"
    assert scene.launched(ITEM).document.attempt == 2
    anew = Graph.fanned(3, retry={"maxAttempts": 1}).item(0).item(1, 75).item(2)
    anew.ask(retry="one;from=NoopItem").settle()
    assert anew.launched(ITEM).document.indexes == "0-2"


def test_a_cancel_and_a_redrive_in_the_middle_count_right() -> None:
    scene = Graph.fanned(3).item(0).works(1)
    scene.ask(cancel="now").settle().ask(retry="now").settle()
    assert scene.launched(ITEM).document.indexes == "0-2", "what is whole is taken up by the worker"
    assert counts(scene) == (3, 0, 0, 0, "0-2")


def test_a_fan_out_ends_when_the_time_for_all_is_spent() -> None:
    """X-005: every pod of it has a deadline of its own, and there is always a next one."""
    scene = Graph.fanned(100, slots=1, timeoutSeconds=300).works(0)
    assert scene.plans[-1].wake_at is not None
    scene.tick(300).settle()
    assert scene.status.phase == "Running", "its pods' own deadlines come first"
    scene.tick(90).settle()
    assert (scene.status.phase, scene.status.failure.code) == ("Failed", "Timeout")


@pytest.mark.parametrize(
    ("uri", "listed"),
    [("store://processed/nooplist/other/items.json", True), (None, False)],
    ids=["a list elsewhere", "no list"],
)
def test_a_stage_that_lists_nothing_right_has_not_succeeded(uri: str | None, listed: bool) -> None:
    """Cases 43 and 44: a worker decides only about its own folder."""
    scene = Graph.begin()
    work = WorkList(uri=uri or list_uri(LIST, "x"), sha256="a" * 64, size_bytes=5, items=3) if listed else None
    stage = StageResult(kind=LIST, work_list=work)
    said = a_result("work", group=LIST).model_copy(update={"stages": (stage,)})
    scene.pod("nooplist-a1", ended("work", 0, said, at=scene.seen.now)).settle()
    assert f"report-{LIST}-a1" in scene.jobs
    assert scene.status.plan.work_lists == ()


def test_status_stays_small_whatever_is_left() -> None:
    """Every second of a thousand items failed: still far below 32 KiB."""
    scene = Graph.fanned(1000, slots=8)
    failed = ",".join(str(index) for index in range(0, 1000, 2))
    done = ",".join(str(index) for index in range(1, 1000, 2))
    scene.change(f"{ITEM}-a1", failed=failed, completed=done).settle()
    report(scene, done)
    assert counts(scene)[:3] == (1000, 500, 500)
    assert len(str(scene.status.dump())) < 12_000
    scene.tick(60).settle()
    assert scene.launched(ITEM).completions == 500


def test_a_plan_without_its_list_says_so() -> None:
    """Case 55: a status that somebody edited."""
    scene = Graph.begin().ok(LIST)
    scene.ok("noopleft")
    plan = scene.status.plan.model_copy(update={"work_lists": ()})
    job = scene.seen.job
    scene.set(job=type(job)(**{**vars(job), "status": scene.status.model_copy(update={"plan": plan})}))
    scene.ok("noopright")
    assert scene.status.phase == "Failed"
    assert "not on record" in scene.status.failure.message


def test_a_plain_transcode_says_nothing_of_fan_outs() -> None:
    """Documents of what has no fan-out are what the version before reads."""
    scene = Scene.of("Spread").settle()
    made = next(a for found in scene.plans for a in found.actions if isinstance(a, CreateJob))
    text = str(made.document.dump())
    assert not any(word in text for word in ("indexes", "itemsOf", "workList"))
    assert (made.completions, made.parallelism) == (None, 1)
