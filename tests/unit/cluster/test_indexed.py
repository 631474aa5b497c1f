"""Indexed Jobs as the cache keeps them, and the slots that they hold (X-004, A-006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from builders import NOW
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.cluster.api import JOBS, PODS
from videojob_operator.cluster.holding import holder_of, holding
from videojob_operator.cluster.observe import INDEX, job_view, pod_view, trim
from videojob_operator.cluster.slots import Slots
from videojob_operator.decide.job import live
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import Grant, SlotRequest

LABELS = {"videojob.dev/group": "noopitem", "videojob.dev/attempt": "1", "videojob.dev/slot": "cpu"}


def a_job(status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    """An Indexed Job of five indexes, two at once."""
    base = {"completionMode": "Indexed", "completions": 5, "parallelism": 2, "template": {"spec": {}}}
    meta = {"namespace": "ns", "name": "j", "uid": "j", "labels": LABELS}
    return trim(JOBS, {"metadata": meta, "spec": base | spec, "status": status or {}})


def a_pod(index: int, phase: str = "Running", *, label: bool = False) -> dict[str, Any]:
    """A pod of it."""
    meta: dict[str, Any] = {"namespace": "ns", "name": f"p{index}", "uid": f"p{index}", "labels": dict(LABELS)}
    meta["annotations"] = {"videojob.dev/task": "x" * 1000} | ({} if label else {INDEX: str(index)})
    if label:
        meta["labels"][INDEX] = str(index)
    return trim(PODS, {"metadata": meta, "spec": {}, "status": {"phase": phase}})


@pytest.mark.parametrize("label", [True, False], ids=["by its label", "by its annotation"])
def test_a_pod_says_which_index_it_is(label: bool) -> None:
    pod = a_pod(3, label=label)
    assert pod_view(pod).index == 3
    assert "videojob.dev/task" not in pod["metadata"].get("annotations", {}), "documents are not kept in memory"


def test_a_job_says_which_indexes_have_ended() -> None:
    view = job_view(a_job({"completedIndexes": "0,2-3", "failedIndexes": "1"}))
    assert (view.completions, view.parallelism, view.completed, view.failed) == (5, 2, "0,2-3", "1")
    plain = trim(JOBS, {"metadata": {"name": "j"}, "spec": {"completions": 1, "parallelism": 1}})
    assert job_view(plain).completions is None


@dataclass(frozen=True)
class Case:
    """A moment of a fan-out."""

    name: str
    status: dict[str, Any]
    pods: tuple[dict[str, Any], ...]
    live: bool


CASES = (
    Case("before its first pod", {}, (), True),
    Case("one works", {"completedIndexes": "0-3"}, (a_pod(4),), True),
    Case("between two pods", {"completedIndexes": "0"}, (a_pod(0, "Succeeded"),), True),
    Case("the last one has failed, and its condition is not there yet", {"completedIndexes": "0-3"},
         (a_pod(4, "Failed"),), False),
    Case("all are counted, no pod is left", {"completedIndexes": "0-2", "failedIndexes": "3-4"}, (), False),
    Case("it is finished, whatever is counted", {"conditions": [{"type": "Failed", "status": "True"}]}, (), False),
    Case("counts that cannot be read count nothing", {"completedIndexes": "x-"}, (), True),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_live_while_any_index_works_or_waits_for_its_turn(case: Case) -> None:
    job = a_job(case.status)
    assert live(job_view(job, case.pods)) == case.live
    assert (holding(job, case.pods) is not None) == case.live


@pytest.mark.parametrize(
    ("spec", "count"),
    [({}, 2), ({"parallelism": 4}, 4), ({"parallelism": 1000}, 5), ({"completionMode": "NonIndexed"}, 1)],
    ids=["its parallelism", "as somebody has changed it", "no more than it has indexes", "an ordinary Job has one pod"],
)
def test_it_holds_as_many_slots_as_it_may_run_pods(spec: dict[str, Any], count: int) -> None:
    job = a_job(**spec)
    holder = holder_of(job, "uid", job=job, pods=())
    assert holder is not None
    assert holder.count == count


def test_a_job_that_was_deleted_holds_what_its_pods_still_use() -> None:
    pods = [a_pod(0), a_pod(1), a_pod(2, "Succeeded")]
    told = holding(None, pods)
    assert told is not None
    holder = holder_of(told, None, job=None, pods=pods)
    assert holder is not None
    assert holder.count == 2


def request(uid: str, group: str, count: int = 1) -> SlotRequest:
    """A group that asks."""
    return SlotRequest(uid, "default", "cpu", group, 1, 1, NOW, count=count, least=1 if count > 1 else None)


def test_groups_of_one_videojob_are_granted_by_themselves() -> None:
    """A-007: one branch may start while the other waits; a grant ends with the plan that asks no more for its group."""
    slots, spec = Slots(), VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 1}]})
    slots.ask("a", [request("a", "left"), request("a", "right")])
    slots.reserve(grant(slots.view("default", spec, NOW)))
    assert slots.grants("a") == (Grant("left", 1, "cpu", 1),)
    assert slots.waiting_message("a") == "slot cpu: 1 of 1 taken, 0 ahead"
    assert slots.ask("a", [request("a", "right")]) == "default"
    assert slots.grants("a") == ()
    slots.reserve(grant(slots.view("default", spec, NOW)))
    assert slots.grants("a") == (Grant("right", 1, "cpu", 1),)


def test_a_fan_out_gets_more_than_one_slot_only_of_what_nobody_else_waits_for() -> None:
    slots, spec = Slots(), VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 5}]})
    slots.ask("a", [request("a", "items", 8)])
    slots.ask("b", [request("b", "main")])
    slots.ask("c", [request("c", "items", 2)])
    slots.reserve(grant(slots.view("default", spec, NOW)))
    found = {uid: [one.count for one in slots.grants(uid)] for uid in "abc"}
    assert found == {"a": [3], "b": [1], "c": [1]}
    assert slots.view("default", spec, NOW).requests == ()
