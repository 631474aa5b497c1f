"""Stages in parallel: what waits for what, several Jobs at once, and what becomes of the others when one fails (A-007)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from builders import Scene, a_failure, a_result, ended, running
from graphs import ITEM, JOIN, LEFT, LIST, RIGHT, Graph, a_config
from videojob_api import contract
from videojob_api.v1alpha1 import PlannedGroup
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import ContainerView, CreateJob, DeleteJob, Grant


def test_what_waits_for_the_same_runs_in_parallel() -> None:
    scene = Graph.begin()
    assert set(scene.jobs) == {"nooplist-a1"}
    scene.ok(LIST)
    assert set(scene.jobs) == {"nooplist-a1", "noopleft-a1", "noopright-a1"}
    assert scene.status.stage == "NoopLeft,NoopRight"
    scene.ok(RIGHT)
    assert scene.status.stage == "NoopLeft"
    assert f"{ITEM}-a1" not in scene.jobs, "it waits for both"
    scene.ok(LEFT)
    assert scene.status.stage == "NoopItem"
    assert [group.after for group in scene.status.plan.groups] == [(), (LIST,), (LIST,), (LEFT, RIGHT), (ITEM,)]


def test_percent_of_stages_in_parallel_rises_through_the_band_that_they_share() -> None:
    """S-007 to S-012: half of the band when one of two is done."""
    scene = Graph.begin()
    seen = [scene.status.progress.percent]
    seen += [scene.ok(group).status.progress.percent for group in (LIST, RIGHT, LEFT)]
    seen += [scene.item(index).status.progress.percent for index in range(3)]
    seen.append(scene.ok(JOIN).status.progress.percent)
    assert seen == [0, 10, 20, 30, 46, 63, 80, 100]


def test_each_branch_asks_for_its_own_slot_and_starts_when_it_has_it() -> None:
    """A-007: a class that is full holds up one branch, not the other."""
    scene = Graph.begin()
    scene.ok(LIST, granted=False)
    asked = plan(scene.seen).requests
    assert [(request.group, request.attempt, request.count) for request in asked] == [(LEFT, 1, 1), (RIGHT, 1, 1)]
    assert scene.status.phase == "Running", "the queue has not answered"
    found = plan(replace(scene.seen, grants=(Grant(RIGHT, 1, "cpu"),)))
    assert [action.document.group for action in found.actions if isinstance(action, CreateJob)] == [RIGHT]
    assert [request.group for request in found.requests] == [LEFT]
    assert found.status is not None
    assert (found.status.phase, found.status.stage) == ("Running", "NoopRight")


def test_a_branch_that_is_retried_leaves_the_other_alone() -> None:
    """X-006: its own attempt, its own wait; nextRetryTime is the earliest of all that wait."""
    scene = Graph.begin().ok(LIST)
    scene.bad(LEFT, 75)
    assert scene.status.phase == "Running"
    assert scene.status.stage == "NoopRight"
    assert scene.stage(LEFT).next_retry_time == scene.status.next_retry_time
    assert scene.stage(RIGHT).next_retry_time is None
    assert (scene.stage(LEFT).failures, scene.stage(RIGHT).failures) == (1, 0)
    scene.tick(10).settle()
    assert "noopleft-a2" in scene.jobs
    assert "noopright-a2" not in scene.jobs
    assert scene.status.next_retry_time is None
    scene.ok(LEFT).ok(RIGHT)
    assert f"{ITEM}-a1" in scene.jobs


def test_while_one_branch_waits_for_its_retry_and_nothing_runs_the_job_is_queued() -> None:
    scene = Graph.begin(retry={"backoffSeconds": 60}).ok(LIST)
    scene.bad(LEFT, 75).ok(RIGHT)
    assert (scene.status.phase, scene.status.queue.reason) == ("Queued", "WaitingForRetry")


def test_a_branch_that_fails_for_good_stops_the_other() -> None:
    """T-010: nothing of the job will be published, so its slots go to those who may still succeed."""
    scene = Graph.begin().ok(LIST)
    scene.pod("noopright-a1", running("work", scene.seen.now)).settle()
    scene.bad(LEFT, 65, a_failure(stage="NoopLeft"))
    assert (scene.status.phase, scene.status.failure.stage) == ("Failed", "NoopLeft")
    assert scene.stage(RIGHT).state == "Cancelled"
    assert scene.stage(LEFT).state == "Failed"
    gone = [a.name for found in scene.plans for a in found.actions if isinstance(a, DeleteJob)]
    assert any("noopright" in name for name in gone)
    assert "noopright-a1" not in scene.jobs


def test_a_redrive_runs_what_failed_and_what_was_stopped_and_nothing_that_succeeded() -> None:
    """Case 53, X-008."""
    scene = Graph.begin(retry={"maxAttempts": 1}).ok(LIST)
    scene.pod("noopright-a1", running("work", scene.seen.now)).settle()
    scene.bad(LEFT, 75)
    assert scene.status.phase == "Failed"
    scene.ask(retry="one").settle()
    assert set(scene.jobs) >= {"noopleft-a2", "noopright-a2"}
    assert scene.stage(LIST).attempt == 1
    scene.ok(LEFT).ok(RIGHT)
    assert scene.status.stage == "NoopItem"


def test_a_cancel_ends_every_branch() -> None:
    """Case 52."""
    scene = Graph.begin().ok(LIST)
    for group in (LEFT, RIGHT):
        scene.pod(f"{group}-a1", running("work", scene.seen.now)).settle()
    scene.ask(cancel="now").settle()
    assert scene.status.phase == "Cancelled"
    assert {scene.stage(LEFT).state, scene.stage(RIGHT).state} == {"Cancelled"}
    assert not {"noopleft-a1", "noopright-a1"} & set(scene.jobs)


def test_suspend_lets_both_end_and_starts_nothing_after_them() -> None:
    scene = Graph.begin().ok(LIST)
    scene.spec(suspend=True).settle()
    assert scene.status.phase == "Running"
    scene.ok(LEFT)
    assert scene.status.phase == "Running"
    scene.ok(RIGHT)
    assert scene.status.phase == "Suspended"
    assert f"{ITEM}-a1" not in scene.jobs
    scene.spec(suspend=False).settle()
    assert f"{ITEM}-a1" in scene.jobs


def test_time_at_work_counts_once_whoever_worked_beside_whom() -> None:
    """X-005: ten seconds of two pods at once are ten seconds."""
    scene = Graph.begin().ok(LIST)
    assert scene.status.active_time_ms == 10_000
    for group in (LEFT, RIGHT):
        scene.pod(f"{group}-a1", running("work", scene.seen.now))
    start = scene.seen.now
    scene.tick(30).settle()
    scene.pod("noopleft-a1", _done(LEFT, start, 30)).settle()
    assert scene.status.active_time_ms == 40_000
    scene.tick(20).pod("noopright-a1", _done(RIGHT, start, 50)).settle()
    assert scene.status.active_time_ms == 60_000


def _done(group: str, start: datetime, seconds: float) -> ContainerView:
    stage = contract.StageResult(kind=group)
    said = a_result("work", group=group).model_copy(update={"stages": (stage,)})
    return ended("work", 0, said, at=start, seconds=seconds)


def test_what_starts_beside_others_has_the_time_that_they_leave() -> None:
    """X-005: timeoutSeconds bounds the wall time, not the sum."""
    scene = Graph.begin(timeoutSeconds=600).ok(LIST)
    scene.pod("noopright-a1", running("work", scene.seen.now)).settle()
    scene.tick(100)
    scene.bad(LEFT, 75)
    scene.tick(10).settle()
    left = scene.launched(LEFT).document.limits.timeout_seconds
    assert left == 600 - 10 - 120, "10 s of the list, and the 120 s that the right branch has been at work"


@dataclass(frozen=True)
class Told:
    """Posts of both branches."""

    name: str
    percents: dict[str, int]
    expect: int


@pytest.mark.parametrize(
    "case",
    [
        Told("one tells", {LEFT: 50}, 15),
        Told("both tell", {LEFT: 50, RIGHT: 50}, 20),
        Told("an attempt that is not in flight tells", {JOIN: 90}, 10),
    ],
    ids=lambda case: case.name,
)
def test_posts_of_branches_add_up(case: Told) -> None:
    """A-012, case 75."""
    scene = Graph.begin().ok(LIST)
    posts = tuple(
        contract.Progress(uid=scene.seen.job.uid, group=group, attempt=1, stage=group, percent=percent)
        for group, percent in case.percents.items()
    )
    assert scene.set(progress=posts).settle().status.progress.percent == case.expect


def test_a_plan_of_the_version_before_runs_one_group_after_the_other() -> None:
    """A status written before groups named what they wait for."""
    scene = Scene.of("Spread").settle()
    assert [group.after for group in scene.status.plan.groups] == [None, None, None, None]
    assert all("after" not in group.dump() for group in scene.status.plan.groups)
    assert set(scene.jobs) == {"ingest-a1"}
    assert PlannedGroup.model_validate({"name": "main", "stages": ["Ingest"]}).after is None


def test_a_retry_time_of_the_version_before_is_kept() -> None:
    """It stood in the status alone, not at the stage."""
    scene = Scene.of("Spread").settle()
    scene.fail("ingest-a1", 75).settle()
    due = scene.status.next_retry_time
    old = tuple(stage.model_copy(update={"next_retry_time": None}) for stage in scene.status.stages)
    scene.set(job=replace(scene.seen.job, status=scene.status.model_copy(update={"stages": old}))).settle()
    assert scene.status.next_retry_time == due
    assert "ingest-a2" not in scene.jobs


def test_one_pod_runs_the_whole_graph_in_compact() -> None:
    scene = Graph.begin(mode="Compact")
    assert set(scene.jobs) == {"main-a1"}
    document = scene.launched("main").document
    assert [task.kind for task in document.stages] == [LIST, LEFT, RIGHT, ITEM, JOIN]
    assert document.indexes is None
    assert next(task for task in document.stages if task.kind == ITEM).items_of == LIST
    assert document.containers() == ("work",)


def test_keys_are_the_same_in_one_pod_and_in_many() -> None:
    """X-008: what one way of running has made, the other takes up."""
    compact, spread = Graph.begin(mode="Compact"), Graph.begin(mode="Spread")
    assert [s.key for s in compact.status.stages] == [s.key for s in spread.status.stages]
    other = Scene.of("Spread", config=a_config(5)).settle()
    assert other.status.stages[-1].key != spread.status.stages[-1].key, "the join depends on the list"
