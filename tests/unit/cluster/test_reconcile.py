"""One look after another on an API server in memory: the real plan and grant, every failure by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders import a_result
from fakeapi import Call, FakeApi, owned
from shop import SYSTEM, TEAM, Shop
from videojob_api.contract import Progress
from videojob_operator.cluster.api import JOBS, MEDIASTORES, PODS, VIDEOJOBS, VIDEOQUEUES, ApiError
from videojob_operator.cluster.apply import status_patch
from videojob_operator.cluster.reconciler import Minds
from videojob_operator.decide.job import plan
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import Observed, Plan


def refuse(verb: str, resource: str, error: ApiError, times: int = 1) -> Callable[[Call], None]:
    left = [times]

    def fault(call: Call) -> None:
        if (call.verb, call.resource) == (verb, resource) and left[0]:
            left[0] -= 1
            raise error

    return fault


async def test_a_new_videojob_gets_one_job_and_comes_to_rest() -> None:
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    assert len(shop.jobs()) == 1
    assert shop.status()["phase"] == "Running"
    before = list(shop.api.calls)
    shop.watch()
    await shop.settle()
    assert shop.api.calls == before


async def test_another_life_over_the_same_world_writes_nothing() -> None:
    """I4"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    before = list(shop.api.calls)
    await shop.restarted().settle()
    assert shop.api.calls == before


@pytest.mark.parametrize("at", range(8))
async def test_a_crash_after_any_write_leads_to_the_same_world(at: int) -> None:
    """Case 1: the operator dies right after its n-th write; another life goes on, one Job in the end"""

    class Killed(BaseException):
        pass

    class Mortal(FakeApi):
        async def patch_status(self, *args: Any, **kwargs: Any) -> Any:
            return self.mortal(await super().patch_status(*args, **kwargs))

        async def create(self, *args: Any, **kwargs: Any) -> Any:
            return self.mortal(await super().create(*args, **kwargs))

        def mortal(self, answer: Any) -> Any:
            if len(self.calls) == at + 1:
                raise Killed
            return answer

    shop = Shop.furnished(api=Mortal())
    shop.submit()
    died = False
    try:
        await shop.settle()
    except Killed:
        died = True
        shop = shop.restarted()
        await shop.settle()
    assert died == (at < len(shop.api.calls) and at < 3)
    assert len(shop.jobs()) == 1
    assert shop.status()["phase"] == "Running"
    assert shop.status()["attempts"] == 1


async def test_an_answer_lost_after_the_create_is_no_second_job() -> None:
    """Cases 2 and 25"""
    shop = Shop.furnished()

    class Deaf(FakeApi):
        deaf = True

        async def create(self, resource: Any, namespace: Any, body: Any) -> Any:
            answer = await super().create(resource, namespace, body)
            if resource is JOBS and self.deaf:
                self.deaf = False
                raise ApiError(0, "Timeout", "no answer")
            return answer

    shop = Shop.furnished(api=Deaf())
    shop.submit()
    await shop.settle()
    shop.clock.now += 1
    await shop.settle()
    assert len(shop.jobs()) == 1
    assert [call for call in shop.api.wrote("create") if " jobs " in call] == [
        f"create jobs {shop.jobs()[0]['metadata']['name']}"
    ] * 2


async def test_a_foreign_job_is_left_alone_and_tried_again_later() -> None:
    """Case 20"""
    shop = Shop.furnished()
    shop.submit(suspend=True)
    await shop.settle()
    other = Shop.furnished()
    uid = shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["uid"]
    other.api.put(VIDEOJOBS, TEAM, "trailer", metadata={"uid": uid})
    other.submit()
    await other.settle()
    name = other.jobs()[0]["metadata"]["name"]
    theirs = shop.api.put(JOBS, TEAM, name, spec={"theirs": True})
    raw = shop.api.objects["videojobs", TEAM, "trailer"]
    shop.see(VIDEOJOBS, TEAM, "trailer", spec=raw["spec"] | {"suspend": False})
    await shop.settle()
    shop.clock.now += 1
    await shop.settle()
    assert shop.api.objects["jobs", TEAM, name]["spec"] == theirs["spec"]
    assert any(entry["reason"] == "NameConflict" for entry in shop.status()["conditions"])
    shop.api.drop(JOBS, TEAM, name)
    shop.clock.now += 120
    await shop.settle()
    assert shop.status()["phase"] == "Running"


async def test_a_conflict_is_read_anew_and_the_users_edit_stays() -> None:
    """Case 19"""
    shop = Shop.furnished()
    raw = shop.submit()
    shop.api.put(VIDEOJOBS, TEAM, "trailer", spec=raw["spec"] | {"timeoutSeconds": 77})
    await shop.settle()
    shop.clock.now += 1
    await shop.settle()
    assert shop.api.objects["videojobs", TEAM, "trailer"]["spec"]["timeoutSeconds"] == 77
    assert shop.status()["phase"] == "Running"


async def test_a_busy_server_is_obeyed() -> None:
    """Case 23: Retry-After"""
    error = ApiError(429, "TooManyRequests", "slow down", retry_after=7.0)
    shop = Shop.furnished()
    shop.api.fault = refuse("create", "jobs", error)
    shop.submit()
    await shop.settle()
    assert shop.jobs() == []
    shop.clock.now += 6.9
    await shop.settle()
    assert shop.jobs() == []
    shop.clock.now += 0.2
    await shop.settle()
    assert len(shop.jobs()) == 1


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


async def test_a_crash_between_status_and_label_is_made_up_for() -> None:
    """Case 1, T-005: a VideoJob that failed without any Job"""

    class Killed(BaseException):
        pass

    def die(call: Call) -> None:
        if (call.verb, call.resource) == ("patch", "videojobs"):
            raise Killed

    shop = Shop.furnished()
    shop.api.fault = die
    shop.submit(timeoutSeconds=-1)
    with pytest.raises(Killed):
        await shop.settle()
    assert shop.status()["phase"] == "Failed"
    shop.api.fault = lambda _: None
    shop = shop.restarted()
    await shop.settle()
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


async def test_one_poisoned_object_does_not_delay_the_others() -> None:
    """Case 9, I11: its status says so once, and heals when the operator can decide again"""
    poisoned = [True]

    def fragile(observed: Observed) -> Plan:
        if observed.job.name == "bad" and poisoned[0]:
            raise KeyError("boom")
        return plan(observed)

    shop = Shop.furnished(minds=Minds(fragile, grant))
    shop.submit("bad")
    shop.submit("good")
    await shop.settle()
    for _ in range(5):
        shop.clock.now += 5
        await shop.settle()
    assert shop.status("good")["phase"] == "Running"
    assert [e["reason"] for e in shop.status("bad")["conditions"] if e["type"] == "Stalled"] == ["InternalError"]
    assert shop.api.wrote("patch").count("patch videojobs/status bad") == 1
    poisoned[0] = False
    shop.clock.now += 61
    await shop.settle()
    assert shop.status("bad")["phase"] == "Running"


async def test_slots_are_shared_out_and_freed_by_the_pods_end() -> None:
    """I7, A-006, X-004: first come, first served; a slot is free when the containers have ended"""
    shop = Shop.furnished()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": 2}]})
    for name in ("one", "two", "three"):
        shop.submit(name)
        await shop.settle()
        shop.clock.now += 1
    assert {job["metadata"]["labels"]["videojob.dev/name"] for job in shop.jobs()} == {"one", "two"}
    assert "2 of 2" in shop.status("three")["queue"]["message"]
    first = next(job for job in shop.jobs() if job["metadata"]["labels"]["videojob.dev/name"] == "one")
    shop.pod(first, phase="Failed", initContainerStatuses=[{"name": "work", "state": {"terminated": {"exitCode": 65}}}])
    await shop.settle()
    assert {job["metadata"]["labels"]["videojob.dev/name"] for job in shop.jobs()} >= {"two", "three"}


async def test_no_slot_is_granted_before_everybody_has_been_looked_at_once() -> None:
    """After a restart the oldest must not lose its turn to whoever is looked at first."""
    shop = Shop.furnished()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": 0}]})
    for name in ("zz-oldest", "aa-youngest"):
        shop.submit(name)
        await shop.settle()
        shop.clock.now += 2
    shop.api.put(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": 1}]})
    fresh = shop.restarted()
    uids = {raw["metadata"]["name"]: raw["metadata"]["uid"] for raw in fresh.api.all(VIDEOJOBS)}
    fresh.reconciler.first_pass(set(uids.values()))
    await fresh.settle()
    fresh.clock.now += 1
    await fresh.settle()
    assert [job["metadata"]["labels"]["videojob.dev/name"] for job in fresh.jobs()] == ["zz-oldest"]


async def test_progress_is_written_now_and_then() -> None:
    """A-012, O8: a hundred posts in ten seconds are at most six writes"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    shop.pod(job, phase="Running", initContainerStatuses=[{"name": "work", "state": {"running": {}}}])
    await shop.settle()
    uid = shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["uid"]
    before = len(shop.api.calls)
    for percent in range(100):
        shop.inbox.put_progress(Progress(uid=uid, group="main", attempt=1, stage="transcode", percent=percent))
        shop.reconciler.want_progress(uid, urgent=False)
        await shop.settle()
        shop.clock.now += 0.1
    assert 3 <= len(shop.api.calls) - before <= 6
    assert shop.status()["progress"]["percent"] > 50


async def test_a_pod_that_cannot_be_made_is_asked_about() -> None:
    """Case 36: the Job controller's event says why; asked once a minute"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    shop.api.put(
        replace(JOBS, plural="events"),
        TEAM,
        "e1",
        involvedObject={"uid": job["metadata"]["uid"]},
        message="exceeded quota: pods",
        lastTimestamp="2026-11-21T12:00:00Z",
    )
    shop.clock.now += 12
    await shop.settle()
    assert "exceeded quota: pods" in str(shop.status())


async def test_a_deleted_job_is_not_deleted_over_and_over_while_the_watch_is_silent() -> None:
    """Case 14: the news of our own delete may come minutes later"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    shop.pod(job, phase="Failed", initContainerStatuses=[{"name": "work", "state": {"terminated": {"exitCode": 65}}}])
    shop.see(JOBS, TEAM, job["metadata"]["name"], status={"conditions": [{"type": "Failed", "status": "True"}]})
    await shop.settle()
    shop.clock.now += 400
    await shop.settle()
    assert shop.jobs() == []
    assert len(shop.api.wrote("delete")) == 1


async def test_what_was_deleted_is_forgotten() -> None:
    """Case 48: nothing is written about a VideoJob that is gone, its slot is free"""
    shop = Shop.furnished()
    raw = shop.submit()
    await shop.settle()
    shop.api.drop(VIDEOJOBS, TEAM, "trailer")
    before = len(shop.api.calls)
    shop.knowledge.lost(VIDEOJOBS, raw)
    for gone in (raw for raw in shop.knowledge.stores[JOBS]):
        shop.knowledge.lost(JOBS, gone)
    await shop.settle()
    assert len(shop.api.calls) == before
    assert shop.slots.in_use() == {}
    shop.clock.now += 10
    await shop.settle()
    assert [call.resource for call in shop.api.calls[before:]] == ["videoqueues/status"]
    assert shop.queue.delayed == 0


def test_a_status_patch_removes_what_is_over_and_leaves_what_it_does_not_know() -> None:
    old = {"phase": "Queued", "queue": {"name": "q"}, "later": 1, "progress": {"percent": 3, "speed": "2x"}}
    new = {"phase": "Running", "progress": {"percent": 4}}
    assert status_patch(old, new) == {"phase": "Running", "queue": None, "progress": {"percent": 4, "speed": None}}
    assert status_patch(new, new) == {}
