"""A Job that holds slots of several classes, as labels, counts and the queue have it (A-005, A-006)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import NOW
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.cluster.api import JOBS, PODS
from videojob_operator.cluster.holding import holder_of
from videojob_operator.cluster.observe import job_view, trim
from videojob_operator.cluster.slots import Holder, Slots
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import Grant, Grants, SlotRequest

SPEC = VideoQueueSpec.model_validate({"slots": [{"name": "yolo", "capacity": 2}, {"name": "birefnet", "capacity": 1}]})


def a_job(**labels: str) -> dict[str, Any]:
    """A live Job of a VideoJob `a`."""
    names = {"group": "detect", "attempt": "1", "slot": "yolo", "uid": "a"} | labels
    meta = {"namespace": "ns", "name": "j", "uid": "j", "labels": {f"videojob.dev/{k}": v for k, v in names.items()}}
    return trim(JOBS, {"metadata": meta, "spec": {"completions": 1, "parallelism": 1}})


@pytest.mark.parametrize(
    ("labels", "slots"),
    [
        ({}, ("yolo",)),
        ({"also-slots": "birefnet"}, ("yolo", "birefnet")),
        ({"also-slots": "birefnet.avatar"}, ("yolo", "birefnet", "avatar")),
        ({"also-slots": ".birefnet..birefnet"}, ("yolo", "birefnet")),
        ({"slot": "", "also-slots": "birefnet"}, ()),
    ],
    ids=["of an earlier version", "two classes", "three", "mended by hand", "without its own class"],
)
def test_a_job_says_by_its_labels_what_it_holds(labels: dict[str, str], slots: tuple[str, ...]) -> None:
    raw = a_job(**labels)
    view, holder = job_view(raw), holder_of(raw, "a", job=raw, pods=())
    assert view.slots == slots
    assert ((holder.slot, *holder.also) if holder is not None else ()) == slots


def test_the_pods_of_a_deleted_job_say_the_same() -> None:
    meta = a_job(**{"also-slots": "birefnet"})["metadata"]
    pod = trim(PODS, {"metadata": meta, "spec": {}, "status": {"phase": "Running"}})
    holder = holder_of(pod, None, job=None, pods=(pod,))
    assert holder is not None
    assert (holder.uid, holder.slot, holder.also) == ("a", "yolo", ("birefnet",))


def asked(uid: str, slot: str, group: str) -> SlotRequest:
    """What somebody asks for."""
    return SlotRequest(uid, "default", slot, group, 1, 1, NOW, namespace="ns")


def test_a_job_that_holds_two_classes_is_counted_in_both_and_once_as_a_job() -> None:
    """A-006: whoever waits for either class waits for it, and a namespace's limit sees one Job."""
    slots = Slots()
    slots.hold("job-a", Holder("default", "a", "detect", 1, "yolo", 1, "ns", ("birefnet",)))
    assert slots.in_use() == {("default", "yolo"): 1, ("default", "birefnet"): 1}
    slots.ask("b", [asked("b", "birefnet", "matte")])
    slots.ask("c", [asked("c", "yolo", "detect")])
    limited = SPEC.model_copy(
        update={"limits": VideoQueueSpec.model_validate({"limits": [{"namespace": "ns", "running": 2}]}).limits}
    )
    answer = grant(slots.view("default", limited, NOW))
    assert [request.uid for request in answer.granted] == ["c"]
    assert answer.waiting == (("b", "slot birefnet: 1 of 1 taken, 0 ahead"),)
    slots.hold("job-a", None)
    assert [request.uid for request in grant(slots.view("default", SPEC, NOW)).granted] == ["b", "c"]


def test_a_grant_of_two_classes_reserves_both_until_its_job_is_there() -> None:
    """A-006: between the grant and the Job nobody else gets either slot."""
    slots = Slots()
    request = replace(asked("a", "yolo", "detect"), also=("birefnet",))
    slots.ask("a", [request])
    assert slots.reserve(Grants(granted=(request,))).now == {"a"}
    assert slots.grants("a") == (Grant("detect", 1, "yolo", 1, ("birefnet",)),)
    slots.ask("b", [asked("b", "birefnet", "matte")])
    assert grant(slots.view("default", SPEC, NOW)).granted == ()
    slots.hold("job-a", Holder("default", "a", "detect", 1, "yolo", 1, "ns", ("birefnet",)))
    slots.ask("a")
    assert grant(slots.view("default", SPEC, NOW)).granted == ()
    slots.hold("job-a", None)
    assert [one.uid for one in grant(slots.view("default", SPEC, NOW)).granted] == ["b"]


def test_a_grant_of_less_than_was_wished_for_is_taken_in() -> None:
    """What it would have taken besides was not free: the request is answered all the same."""
    slots = Slots()
    request = replace(asked("a", "yolo", "detect"), also=("birefnet",))
    slots.ask("a", [request])
    slots.reserve(Grants(granted=(replace(request, also=()),)))
    assert slots.grants("a") == (Grant("detect", 1, "yolo", 1),)
