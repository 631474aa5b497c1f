"""The first list fills the cache, later ones repair it; a namespace that refuses is dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakeapi import FakeApi
from shop import SYSTEM, TEAM, Shop
from videojob_api.names import LABEL_MANAGED_BY
from videojob_operator.cluster.api import CORE_EVENTS, JOBS, PODS, VIDEOJOBS, ApiError, Raw, Resource
from videojob_operator.cluster.listing import Lister


def a_lister(shop: Shop, *namespaces: str) -> Lister:
    return Lister(shop.api, shop.knowledge, shop.metrics, namespaces, SYSTEM, sleep=shop.clock.sleep)


async def test_the_first_list_fills_the_cache_and_names_what_is_unsettled() -> None:
    shop = Shop.furnished()
    shop.submit("done")
    shop.submit("new")
    finished = {"phase": "Succeeded", "observedGeneration": 1}
    shop.api.put(VIDEOJOBS, TEAM, "done", status=finished)
    fresh = Shop(api=shop.api)
    assert await a_lister(fresh).repair(first=True) == 0
    new = fresh.api.objects["videojobs", TEAM, "new"]["metadata"]["uid"]
    assert fresh.knowledge.unsettled() == {new}
    assert len(fresh.queue) == 0


async def test_a_ghost_job_loses_its_slot_at_the_next_list() -> None:
    """Case 14: kopf tells no deletion that happened while its stream was cut"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    lister = a_lister(shop)
    shop.clock.now += 10
    assert shop.slots.in_use() == {("default", "cpu"): 1}
    shop.api.drop(JOBS, TEAM, shop.jobs()[0]["metadata"]["name"])
    assert await lister.repair(first=False) == 1
    assert shop.slots.in_use() == {}
    assert b'videojob_cache_drift_total{direction="ghosts",kind="Job"} 1.0' in shop.metrics.exposition()


async def test_a_job_that_lost_its_label_is_dropped_at_each_list_and_is_no_drift() -> None:
    """Case 14: a read of its own brings it back; counted, it would end the process every three lists"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    labels = {key: value for key, value in job["metadata"]["labels"].items() if key != LABEL_MANAGED_BY}
    for _ in range(3):
        found = shop.api.put(JOBS, TEAM, job["metadata"]["name"], metadata={"labels": labels})
        shop.knowledge.learnt(JOBS, found)
        shop.clock.now += 10
        assert await a_lister(shop).repair(first=False) == 0
        assert shop.knowledge.stores[JOBS].get(job["metadata"]["uid"]) is None


async def test_what_is_kept_about_an_object_goes_with_it() -> None:
    """Nothing grows for ever: what was asked and answered about a Job, parsed specs"""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    uid = shop.jobs()[0]["metadata"]["uid"]
    shop.api.put(CORE_EVENTS, TEAM, "e1", involvedObject={"uid": uid}, message="no quota")
    shop.clock.now += 12
    await shop.settle()
    assert shop.knowledge.blocked == {uid: "no quota"}
    assert set(shop.knowledge.asked_why) == {uid}
    specs = shop.knowledge.specs_known
    shop.api.objects = {key: raw for key, raw in shop.api.objects.items() if key[0] == "videojobs"}
    await a_lister(shop).repair(first=False)
    assert (shop.knowledge.blocked, shop.knowledge.asked_why) == ({}, {})
    assert (specs > 0, shop.knowledge.specs_known) == (True, 0)


async def test_a_pod_that_starts_no_container_is_asked_about_until_one_has_started() -> None:
    """A volume that cannot be mounted is told by the kubelet in events alone; a pod without a node says itself why."""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    unscheduled = [
        {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available: 1 Insufficient cpu."}
    ]
    pod = shop.pod(job, conditions=unscheduled)
    shop.api.put(CORE_EVENTS, TEAM, "e1", involvedObject={"uid": pod["metadata"]["uid"]}, message="MountVolume failed")
    shop.clock.now += 12
    await shop.settle()
    assert "Insufficient cpu" in shop.status()["queue"]["message"]
    assert shop.knowledge.blocked == {}
    name = pod["metadata"]["name"]
    shop.see(PODS, TEAM, name, spec=pod["spec"] | {"nodeName": "n1"}, status={"phase": "Pending"})
    await shop.settle()
    assert shop.status()["queue"]["message"].startswith("MountVolume failed; ")
    started = [{"name": "work", "state": {"running": {"startedAt": "2026-11-21T12:01:00Z"}}}]
    shop.see(PODS, TEAM, name, status={"phase": "Pending", "initContainerStatuses": started})
    await shop.settle()
    assert "queue" not in shop.status()
    assert (shop.knowledge.blocked, shop.knowledge.asked_why) == ({}, {})


async def test_an_answer_about_a_job_that_went_meanwhile_is_not_kept() -> None:
    class Slow(FakeApi):
        async def pages(
            self, resource: Resource, namespace: str | None = None, **selection: Any
        ) -> AsyncIterator[tuple[Raw, ...]]:
            if resource is CORE_EVENTS:
                shop.knowledge.lost(JOBS, shop.api.drop(JOBS, TEAM, shop.jobs()[0]["metadata"]["name"]))
            async for page in super().pages(resource, namespace, **selection):
                yield page

    shop = Shop.furnished(api=Slow())
    shop.submit()
    await shop.settle()
    shop.api.put(CORE_EVENTS, TEAM, "e1", involvedObject={"uid": shop.jobs()[0]["metadata"]["uid"]}, message="no quota")
    shop.clock.now += 12
    await shop.settle()
    assert shop.knowledge.blocked == {}


class Closed(FakeApi):
    """Refuses one namespace."""

    async def pages(
        self, resource: Resource, namespace: str | None = None, **selection: Any
    ) -> AsyncIterator[tuple[Raw, ...]]:
        if namespace == "closed":
            raise ApiError(403, "Forbidden", "no rights in closed")
        async for page in super().pages(resource, namespace, **selection):
            yield page


async def test_a_namespace_that_refuses_is_dropped_and_the_operators_own_is_always_there() -> None:
    assert await a_lister(Shop.furnished(api=Closed()), TEAM, "closed").reachable() == (SYSTEM, TEAM)
    assert await a_lister(Shop.furnished()).reachable() == ()


async def test_without_any_namespace_left_the_refusal_is_the_error() -> None:
    shop = Shop.furnished(api=Closed())
    lister = Lister(shop.api, shop.knowledge, shop.metrics, ("closed",), "closed", sleep=shop.clock.sleep)
    with pytest.raises(ApiError, match="no rights in closed"):
        await lister.reachable()


async def test_a_namespace_that_closes_later_does_not_stop_the_others() -> None:
    """It is tried again each time; when all are closed, the look has failed"""
    shop = Shop.furnished(api=Closed())
    lister = a_lister(shop, "closed", TEAM)
    shop.api.put(VIDEOJOBS, TEAM, "new")
    assert await lister.repair(first=False) == 1
    assert {raw["metadata"]["name"] for raw in shop.knowledge.stores[VIDEOJOBS]} == {"new"}
    alone = Lister(shop.api, shop.knowledge, shop.metrics, ("closed",), "closed", sleep=shop.clock.sleep)
    with pytest.raises(ApiError, match="no rights in closed"):
        await alone.repair(first=False)
