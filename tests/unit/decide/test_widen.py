"""A fan-out at work that could use more slots asks for them, and uses what it is granted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from graphs import ITEM, Graph
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import Grant, Plan, WidenJob

KEY = f"{ITEM}-a1"


def widened(found: Plan) -> list[int]:
    """What Jobs are widened to."""
    return [action.parallelism for action in found.actions if isinstance(action, WidenJob)]


def test_it_asks_for_what_it_could_use_without_waiting_for_it() -> None:
    scene = Graph.fanned(9, slots=2, priority="Low").works(0, 1)
    found = plan(scene.seen)
    (asked,) = found.wider
    assert (asked.group, asked.attempt, asked.slot, asked.held, asked.count, asked.priority) == (
        ITEM,
        1,
        "cpu",
        2,
        8,
        2,
    )
    assert asked.since == scene.status.queued_time
    assert (found.requests, found.request, found.status) == ((), None, None)
    assert scene.status.queue is None


def test_it_takes_what_it_is_granted_step_by_step() -> None:
    """The patch names the state that it is made for; slots for which no item is left are not taken."""
    scene = Graph.fanned(9, slots=2).works(0, 1)
    scene.change(KEY, version="7")
    scene.more = 3
    found = scene.look(granted=True)
    assert found.actions == (WidenJob(scene.jobs[KEY].name, "7", 5),)
    assert found.wider == (), "it has asked, and is answered"
    scene.more = 99
    assert widened(scene.look(granted=True)) == [8], "no more than the recipe says"
    assert plan(scene.seen).wider == ()
    assert plan(scene.seen).actions == ()


def test_it_wants_no_more_than_there_are_items_left() -> None:
    scene = Graph.fanned(6, slots=2)
    for index in range(3):
        scene.item(index)
    assert [(one.held, one.count) for one in plan(scene.seen).wider] == [(2, 3)]
    assert plan(scene.item(3).seen).wider == ()


def test_a_retry_grows_as_a_retry() -> None:
    """X-003: as High, like the attempt itself."""
    scene = Graph.fanned(5, priority="Low", retry={"backoffSeconds": 0})
    scene.slots = 1
    for index in range(5):
        scene.item(index, 75)
    scene.tick(10).settle()
    (asked,) = plan(scene.seen).wider
    assert (asked.attempt, asked.held, asked.count, asked.priority) == (2, 1, 5, 0)


def _suspended(scene: Graph) -> None:
    scene.spec(suspend=True)


def _of_kueue(scene: Graph) -> None:
    status = scene.status.plan.model_copy(update={"kueue_queue": "team"})
    job = replace(scene.seen.job, status=scene.status.model_copy(update={"plan": status}))
    scene.set(job=job)


def _going(scene: Graph) -> None:
    scene.change(KEY, deleting=True)


def _held_back(scene: Graph) -> None:
    scene.change(KEY, suspended=True)


def _cancelled(scene: Graph) -> None:
    scene.ask(cancel="now").settle()


def _deadly(scene: Graph) -> None:
    scene.item(0, 65)


@pytest.mark.parametrize(
    "spoil",
    [_suspended, _of_kueue, _going, _held_back, _cancelled, _deadly],
    ids=["suspended", "admitted by Kueue", "being deleted", "held back by somebody", "cancelled", "failed for good"],
)
def test_it_stays_as_it_is(spoil: Any) -> None:
    scene = Graph.fanned(9, slots=2).works(0, 1)
    spoil(scene)
    found = plan(replace(scene.seen, grants=(Grant(ITEM, 1, "cpu", 8),)))
    assert (found.wider, widened(found)) == ((), [])


@pytest.mark.parametrize(
    "given",
    [Grant(ITEM, 1, "cpu", 2), Grant(ITEM, 2, "cpu", 8), Grant("noopleft", 1, "cpu", 8), Grant(ITEM, 1, "cache", 8)],
    ids=["what it began with", "of another attempt", "of another group", "of another class"],
)
def test_a_grant_that_is_none_for_it_changes_nothing(given: Grant) -> None:
    scene = Graph.fanned(9, slots=2).works(0, 1)
    found = plan(replace(scene.seen, grants=(given,)))
    assert (len(found.wider), widened(found)) == (1, [])
