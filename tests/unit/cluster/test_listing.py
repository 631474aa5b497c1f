"""The first list fills the cache, later ones repair it; a namespace that refuses is dropped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from fakeapi import FakeApi
from shop import SYSTEM, TEAM, Shop
from videojob_operator.cluster.api import JOBS, VIDEOJOBS, ApiError, Raw, Resource
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
