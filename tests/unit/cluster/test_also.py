"""A Job that holds slots of several classes, as labels, counts and the queue have it (A-005, A-006)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import NOW, SHA, a_result
from fakeapi import Call
from shop import SYSTEM, TEAM, Shop
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, Raw
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


# ---------------------------------------------------------------- an operator


AVATAR: dict[str, Any] = {
    "image": {"uri": f"store://inbox/{SHA}"}, "audio": {"uri": "store://stock/voice.wav"},
}  # fmt: skip


async def portrayed(shop: Shop) -> str:
    """An avatar whose portrait has been looked at; its UID."""
    uid: str = shop.submit(transcode=None, avatar=AVATAR)["metadata"]["uid"]
    await shop.settle()
    (job,) = shop.jobs()
    said = a_result("work", ["upload"], group="upload", uid=uid).model_dump_json(by_alias=True, exclude_none=True)
    ended = {"exitCode": 0, "message": said, "startedAt": "2026-11-21T12:00:00Z", "finishedAt": "2026-11-21T12:00:10Z"}
    shop.pod(job, phase="Succeeded", containerStatuses=[{"name": "work", "state": {"terminated": ended}}])
    return uid


def detection(shop: Shop) -> Raw:
    """The Job that detects."""
    return next(job for job in shop.jobs() if job["metadata"]["labels"]["videojob.dev/group"] == "detect")


async def test_one_avatar_holds_both_slots_and_everybody_can_see_it() -> None:
    """A-005: on the Job's labels, in VideoQueue.status, in the metrics' counts, and after a restart, with or without a record."""
    shop = Shop.furnished()
    await portrayed(shop)
    before = shop.api.objects["videojobs", TEAM, "trailer"]["status"]
    await shop.settle()
    labels = detection(shop)["metadata"]["labels"]
    assert (labels["videojob.dev/slot"], labels["videojob.dev/also-slots"]) == ("yolo", "birefnet")
    assert shop.slots.in_use() == {("default", "yolo"): 1, ("default", "birefnet"): 1}
    shop.clock.now += 11
    await shop.settle()
    told = {row["name"]: row for row in shop.api.objects["videoqueues", SYSTEM, "default"]["status"]["slots"]}
    assert {name: (row["used"], row.get("shared")) for name, row in told.items()} == {
        "cpu": (0, None), "yolo": (1, 1), "birefnet": (1, 1), "avatar": (0, None),
    }  # fmt: skip
    after = shop.status()
    assert [stage["group"] for stage in after["stages"]][1:3] == ["detect", "detect"]
    for status in (after, before):
        shop.api.put(VIDEOJOBS, TEAM, "trailer", status=status)
        fresh = shop.restarted()
        await fresh.settle()
        assert fresh.slots.in_use() == {("default", "yolo"): 1, ("default", "birefnet"): 1}
        assert [stage["group"] for stage in fresh.status()["stages"]][1:3] == ["detect", "detect"]
        assert len(fresh.jobs()) == 2, "nothing is created again"


async def test_the_job_that_is_there_says_what_was_decided() -> None:
    """Case 12: another operator has created the attempt's Job, for the detection alone; that is what goes on record."""
    shop = Shop.furnished()
    uid = await portrayed(shop)
    owner = {"kind": "VideoJob", "name": "trailer", "uid": uid, "controller": True}
    labels = {"group": "detect", "attempt": "1", "slot": "yolo", "queue": "default", "uid": uid}

    def overtaken(call: Call) -> None:
        if call.verb == "create" and "-detect-" in call.name and ("jobs", TEAM, call.name) not in shop.api.objects:
            found = {f"videojob.dev/{key}": value for key, value in labels.items()}
            shop.api.put(JOBS, TEAM, call.name, metadata={"labels": found, "ownerReferences": [owner]}, spec={})

    shop.api.fault = overtaken
    await shop.settle()
    assert [stage["group"] for stage in shop.status()["stages"]][1:3] == ["detect", "matte"]
    assert shop.slots.in_use() == {("default", "yolo"): 1}
    assert shop.slots.grants(uid) == ()
    assert len(shop.jobs()) == 2
