"""One look after another on an API server in memory: the real plan and grant, every failure by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from fakeapi import FakeApi, refuse
from shop import SYSTEM, TEAM, Shop
from videojob_api.contract import Progress
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, VIDEOQUEUES, ApiError, Raw
from videojob_operator.cluster.apply import status_patch
from videojob_operator.cluster.reconciler import Minds
from videojob_operator.decide.job import plan
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import Observed, Plan


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


async def test_those_who_wait_hear_that_their_queue_is_gone_and_that_it_is_back() -> None:
    """X-004: nobody waits in silence"""
    shop = Shop.furnished()
    full = {"slots": [{"name": "cpu", "capacity": 0}]}
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=full)
    shop.submit()
    await shop.settle()
    before = shop.status()["queue"]
    shop.knowledge.lost(VIDEOQUEUES, shop.api.drop(VIDEOQUEUES, SYSTEM, "default"))
    await shop.settle()
    assert shop.status()["queue"]["reason"] == "QueueNotFound"
    assert "no VideoQueue default" in shop.status()["queue"]["message"]
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=full)
    await shop.settle()
    assert (shop.status()["queue"]["reason"], shop.status()["queue"]["message"]) == (
        before["reason"],
        before["message"],
    )


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
    written = [call for call in shop.api.calls[before:] if call.resource == "videojobs/status"]
    assert 3 <= len(written) <= 6
    assert shop.status()["progress"]["percent"] > 50


@pytest.mark.parametrize("rate", [1, 2, 5, 50])
async def test_progress_is_written_whatever_the_budget(rate: float) -> None:
    """A-012: a tenth of the budget is kept for transitions, and never all of it"""
    shop = Shop.furnished(writes_per_second=rate)
    shop.submit()
    await shop.settle()
    shop.pod(shop.jobs()[0], phase="Running", initContainerStatuses=[{"name": "work", "state": {"running": {}}}])
    await shop.settle()
    uid = shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["uid"]
    shop.inbox.put_progress(Progress(uid=uid, group="main", attempt=1, stage="transcode", percent=40))
    shop.reconciler.want_progress(uid, urgent=False)
    for _ in range(10):
        shop.clock.now += 1
        await shop.settle()
    assert shop.status()["progress"]["percent"] > 30


async def test_a_low_budget_makes_progress_rare() -> None:
    """A-012: ten jobs that run share one write a second"""
    shop = Shop.furnished(writes_per_second=1)
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": 10}]})
    for number in range(10):
        shop.submit(f"job-{number}")
    for _ in range(40):
        await shop.settle()
        shop.clock.now += 1
    for job in shop.jobs():
        name = job["metadata"]["labels"]["videojob.dev/name"]
        raw = shop.api.objects["videojobs", TEAM, name]
        shop.see(VIDEOJOBS, TEAM, name, status=raw["status"] | {"phase": "Running"})
    uid = shop.api.objects["videojobs", TEAM, "job-0"]["metadata"]["uid"]
    before = len(shop.api.calls)
    for percent in range(60):
        shop.inbox.put_progress(Progress(uid=uid, group="main", attempt=1, stage="transcode", percent=percent))
        shop.reconciler.want_progress(uid, urgent=False)
        await shop.settle()
        shop.clock.now += 0.5
    assert 2 <= len(shop.api.calls) - before <= 4


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


@pytest.mark.parametrize(
    "caught_up", [False, True], ids=["the watch is silent", "the watch tells while the API is asked"]
)
async def test_a_pod_that_a_decision_did_not_know_is_looked_at_before_a_report_is_made(caught_up: bool) -> None:
    """Cases 14 and 37: the watch of Jobs may be ahead of the watch of pods; what the pod says counts, no report is needed.
    A watch that catches up between the decision and the answer does not make the decision any newer.
    """
    shop = Shop.furnished()
    shop.submit(retry={"maxAttempts": 1})
    await shop.settle()
    job = shop.jobs()[0]
    owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
    labels = {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    ended = [{"name": "work", "state": {"terminated": {"exitCode": 65}}}]
    pod = shop.api.put(
        PODS, TEAM, "late", metadata={"ownerReferences": [owner], "labels": labels}, spec={},
        status={"phase": "Failed", "initContainerStatuses": ended},
    )  # fmt: skip
    listed = shop.api.pages

    async def pages(*args: Any, **kwargs: Any) -> AsyncIterator[tuple[Raw, ...]]:
        async for page in listed(*args, **kwargs):
            if caught_up:
                shop.knowledge.saw(PODS, pod)
            yield page

    with patch.object(shop.api, "pages", pages):
        shop.see(JOBS, TEAM, job["metadata"]["name"], status={"conditions": [{"type": "Failed", "status": "True"}]})
        await shop.settle()
        shop.clock.now += 2
        await shop.settle()
    assert shop.status()["phase"] == "Failed"
    assert shop.status()["failure"]["exitCode"] == 65
    made = [write for write in shop.api.wrote("create") if " jobs " in write]
    assert made == [f"create jobs {job['metadata']['name']}"]


async def test_a_report_is_made_of_a_job_whose_pods_are_gone() -> None:
    """Case 37: another Job's pods do not count as its own."""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    labels = {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    shop.api.put(PODS, TEAM, "stranger", metadata={"labels": labels}, spec={}, status={"phase": "Failed"})
    shop.see(JOBS, TEAM, job["metadata"]["name"], status={"conditions": [{"type": "Complete", "status": "True"}]})
    await shop.settle()
    assert [raw["metadata"]["labels"]["videojob.dev/group"] for raw in shop.jobs()] == ["main", "report-main"]


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
    assert {call.resource for call in shop.api.calls[before:]} == {"videoqueues/status", "mediastores/status"}
    assert shop.queue.delayed == 1, "only the store's hourly sweep"


def test_a_status_patch_removes_what_is_over_and_leaves_what_it_does_not_know() -> None:
    old = {"phase": "Queued", "queue": {"name": "q"}, "later": 1, "progress": {"percent": 3, "speed": "2x"}}
    new = {"phase": "Running", "progress": {"percent": 4}}
    assert status_patch(old, new) == {"phase": "Running", "queue": None, "progress": {"percent": 4, "speed": None}}
    assert status_patch(new, new) == {}
