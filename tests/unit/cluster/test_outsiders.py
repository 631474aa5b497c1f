"""What others do to the operator: an API server that refuses, forged owners, a death between two writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import a_result
from fakeapi import Call, owned, refuse
from shop import SYSTEM, TEAM, Shop
from videojob_operator.cluster.api import JOBS, MEDIASTORES, PODS, VIDEOJOBS, VIDEOQUEUES, ApiError


@pytest.mark.parametrize("status", [403, 422])
async def test_a_refusal_is_told_and_not_hammered(status: int) -> None:
    """Cases 21, 24, 35"""
    shop = Shop.furnished()
    shop.api.fault = refuse("create", "jobs", ApiError(status, "Forbidden", "exceeded quota: jobs"), times=100)
    shop.submit()
    for _ in range(20):
        await shop.settle()
        shop.clock.now += 1
    assert len([call for call in shop.api.wrote("create") if " jobs " in call]) == 1
    await shop.recorder.drain()
    events = [raw for raw in shop.api.all(replace(JOBS, plural="events")) if raw["reason"] == "ApiRefused"]
    assert "exceeded quota" in events[0]["note"]


async def test_a_namespace_whose_jobs_are_refused_gives_its_slots_to_others() -> None:
    """Case 35, X-004: a quota, a webhook or a missing Role in one team's namespace holds up nobody else"""
    shop = Shop.furnished()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": 1}]})
    shop.see(MEDIASTORES, "team-b", "default", spec={"pvc": {"claimName": "videojob-store"}})
    allowed: list[str] = []

    def quota(call: Call) -> None:
        if (call.verb, call.resource, call.namespace) == ("create", "jobs", TEAM) and not allowed:
            raise ApiError(403, "Forbidden", "exceeded quota: jobs")

    shop.api.fault = quota
    shop.submit()
    await shop.settle()
    shop.submit("other", namespace="team-b")
    await shop.settle()
    assert [job["metadata"]["namespace"] for job in shop.jobs()] == ["team-b"]
    assert shop.status()["phase"] == "Queued"
    assert "exceeded quota: jobs" in shop.status()["queue"]["message"]
    allowed.append("the quota was raised")
    other = shop.jobs()[0]
    shop.knowledge.lost(JOBS, shop.api.drop(JOBS, "team-b", other["metadata"]["name"]))
    shop.knowledge.lost(VIDEOJOBS, shop.api.drop(VIDEOJOBS, "team-b", "other"))
    shop.clock.now += 31
    await shop.settle()
    assert [job["metadata"]["namespace"] for job in shop.jobs()] == [TEAM]
    assert shop.status()["phase"] == "Running"


async def test_a_failing_webhook_ends_up_holding_no_slot() -> None:
    """A server error that lasts counts as a refusal; one that passes does not"""
    shop = Shop.furnished()
    shop.api.fault = refuse("create", "jobs", ApiError(500, "InternalError", "failed calling webhook"), times=1000)
    shop.submit()
    for _ in range(5):
        await shop.settle()
        shop.clock.now += 0.1
    uid = shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["uid"]
    assert shop.slots.granted(uid)
    for _ in range(40):
        shop.clock.now += 0.5
        await shop.settle()
    assert not shop.slots.granted(uid)
    assert "failed calling webhook" in shop.status()["queue"]["message"]


async def test_a_job_in_another_namespace_is_not_taken_for_ours() -> None:
    """Anybody can write a VideoJob's UID into the ownerReferences of a Job of their own: it moves and takes nothing."""
    shop = Shop.furnished()
    raw = shop.submit(suspend=True)
    await shop.settle()
    uid = raw["metadata"]["uid"]
    labels = {
        "videojob.dev/uid": uid, "videojob.dev/group": "main", "videojob.dev/attempt": "1", "videojob.dev/slot": "cpu",
    }  # fmt: skip
    forged = shop.see(
        JOBS, "team-b", "forged", metadata=owned(uid) | {"labels": labels}, spec={"parallelism": 1000}
    )  # fmt: skip
    owner = {"kind": "Job", "name": "forged", "uid": forged["metadata"]["uid"], "controller": True}
    pod = shop.see(PODS, "team-b", "p", metadata={"ownerReferences": [owner]}, status={"phase": "Running"})
    view = shop.knowledge.videojob(uid)
    assert view is not None
    assert shop.knowledge.jobs(view) == ()
    assert shop.knowledge.sender(uid, pod["metadata"]["uid"]) is None
    assert shop.knowledge.videojob_of(PODS, pod) is None
    assert shop.slots.in_use() == {}


async def test_a_pod_in_another_namespace_is_not_taken_for_ours() -> None:
    """The same, one step further down: a pod that names a Job of ours as its controller"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    uid = shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["uid"]
    job = shop.jobs()[0]
    owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
    ended = {
        "name": "commit",
        "state": {"terminated": {"exitCode": 0, "message": a_result("commit", uid=uid).model_dump_json(by_alias=True)}},
    }
    pod = shop.see(
        PODS,
        "team-b",
        "p",
        metadata={"ownerReferences": [owner]},
        spec={"containers": [{"name": "commit"}]},
        status={"phase": "Succeeded", "containerStatuses": [ended]},
    )
    await shop.settle()
    view = shop.knowledge.videojob(uid)
    assert view is not None
    assert [found.pods for found in shop.knowledge.jobs(view)] == [()]
    assert shop.knowledge.sender(uid, pod["metadata"]["uid"]) is None
    assert shop.slots.in_use() == {("default", "cpu"): 1}


async def test_a_job_takes_one_slot_whatever_its_parallelism_and_also_after_its_videojob() -> None:
    """A-006: it is counted from the moment its VideoJob is known until its containers have ended"""
    shop = Shop.furnished()
    raw = shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    shop.see(JOBS, TEAM, job["metadata"]["name"], spec=job["spec"] | {"parallelism": 1000})
    assert shop.slots.in_use() == {("default", "cpu"): 1}
    shop.knowledge.lost(VIDEOJOBS, raw)
    shop.see(JOBS, TEAM, job["metadata"]["name"], metadata={"deletionTimestamp": "2026-11-21T12:00:00Z"})
    assert shop.slots.in_use() == {("default", "cpu"): 1}
    late = Shop.furnished(api=shop.api)
    late.knowledge.saw(JOBS, shop.jobs()[0])
    assert late.slots.in_use() == {}
    late.knowledge.saw(VIDEOJOBS, shop.api.objects["videojobs", TEAM, "trailer"])
    assert late.slots.in_use() == {("default", "cpu"): 1}


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ApiError(409, "Conflict", "modified"), id="somebody else wrote in between"),
        pytest.param(ApiError(0, "Timeout", "no answer"), id="no answer"),
    ],
)
async def test_the_event_of_a_failure_is_told_though_the_label_is_late(error: ApiError) -> None:
    """Case 21, T-005: the status write decides; what comes after it may fail and be made up for"""
    shop = Shop.furnished()
    shop.api.fault = refuse("patch", "videojobs", error)
    shop.submit(timeoutSeconds=-1)
    await shop.settle()
    shop.clock.now += 1
    await shop.settle()
    await shop.recorder.drain()
    assert shop.status()["phase"] == "Failed"
    assert shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["labels"]["videojob.dev/dead-letter"] == "true"
    assert [e["reason"] for e in shop.api.all(replace(JOBS, plural="events"))].count("processing_failed") == 1


async def test_a_crash_between_label_and_status_is_made_up_for() -> None:
    """Case 1, T-005: the label comes first, so that who waits for the status finds it; here of one that failed without any Job"""

    class Killed(BaseException):
        pass

    def die(call: Call) -> None:
        if (call.verb, call.resource) == ("patch", "videojobs/status"):
            raise Killed

    shop = Shop.furnished()
    shop.submit(timeoutSeconds=-1)
    shop.api.fault = die
    with pytest.raises(Killed):
        await shop.settle()
    assert shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["labels"]["videojob.dev/dead-letter"] == "true"
    assert shop.status().get("phase") != "Failed"
    shop.api.fault = lambda _: None
    shop = shop.restarted()
    await shop.settle()
    assert shop.status()["phase"] == "Failed"
    assert shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["labels"]["videojob.dev/dead-letter"] == "true"


async def test_a_namespace_that_ends_is_left_in_peace() -> None:
    """Case 49"""
    shop = Shop.furnished()
    error = ApiError(403, "Forbidden", "is being terminated", causes=("NamespaceTerminating",))
    shop.api.fault = refuse("create", "jobs", error, times=100)
    shop.submit()
    await shop.settle()
    await shop.recorder.drain()
    assert [raw for raw in shop.api.all(replace(JOBS, plural="events")) if raw["reason"] == "ApiRefused"] == []
