"""A list of namespaces: one that closes while the operator runs is let go, the others go on, and it may come back."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Any, cast

import pytest

from clock import Clock
from fakeapi import FakeApi
from shop import SYSTEM, TEAM, Shop
from videojob_operator.__main__ import run
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, ApiError, Raw, Resource
from videojob_operator.cluster.listing import Lister
from videojob_operator.cluster.operator import Operator
from videojob_operator.cluster.upkeep import REOPEN_SECONDS, Upkeep
from videojob_operator.runtime.resync import Health

OTHER = "team-b"


class Doors(FakeApi):
    """Namespaces, or one kind in them, can be closed."""

    def __init__(self) -> None:
        super().__init__()
        self.closed: dict[str, int] = {}
        self.kind: Resource | None = None
        """The one kind that is refused; None refuses all."""

    async def pages(
        self, resource: Resource, namespace: str | None = None, **selection: Any
    ) -> AsyncIterator[tuple[Raw, ...]]:
        if namespace in self.closed and self.kind in {None, resource}:
            raise ApiError(self.closed[namespace], "Forbidden", f"no {resource.plural} in {namespace}")
        async for page in super().pages(resource, namespace, **selection):
            yield page


def a_shop() -> tuple[Shop, Doors, Upkeep]:
    doors = Doors()
    shop = Shop.furnished(api=doors)
    lister = Lister(shop.api, shop.knowledge, shop.metrics, (TEAM, OTHER), SYSTEM, sleep=shop.clock.sleep)
    health = Health(300, clock=shop.clock)
    keep = Upkeep(lister, health, period=300, die=pytest.fail, clock=shop.clock, sleep=shop.clock.sleep)
    return shop, doors, keep


def namespaces(keep: Upkeep) -> tuple[str, ...]:
    return keep._lister.namespaces


async def after(shop: Shop, keep: Upkeep, seconds: float) -> None:
    shop.clock.now += seconds
    await keep.round()


@pytest.mark.parametrize("status", [403, 404], ids=["forbidden", "gone"])
async def test_a_namespace_that_closes_is_dropped_reported_and_stops_nothing(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Its Jobs hold no slot any more, for nobody can see them end; the other namespaces' do."""
    shop, doors, keep = a_shop()
    shop.submit()
    await shop.settle()
    assert shop.slots.in_use() == {("default", "cpu"): 1}
    doors.closed[TEAM] = status
    with caplog.at_level(logging.ERROR):
        await after(shop, keep, 301)
    assert namespaces(keep) == (SYSTEM, OTHER)
    assert keep.regroup.is_set()
    assert "namespace closed and dropped until it opens again" in caplog.text
    assert [record.__dict__["namespace"] for record in caplog.records] == [TEAM]
    assert shop.slots.in_use() == {}
    await shop.settle()
    assert len(shop.jobs()) == 1, "nothing of it is touched"
    shop.knowledge.saw(VIDEOJOBS, shop.api.put(VIDEOJOBS, OTHER, "new"))
    assert shop.knowledge.stores[VIDEOJOBS].by_name(OTHER, "new") is not None


async def test_one_kind_that_is_refused_closes_the_namespace() -> None:
    """Without its pods nothing there could be decided rightly."""
    shop, doors, keep = a_shop()
    doors.closed, doors.kind = {TEAM: 403}, PODS
    assert await keep.refused(RefusedError(403))
    assert namespaces(keep) == (SYSTEM, OTHER)
    assert shop.knowledge.stores[VIDEOJOBS].by_name(TEAM, "default") is None


async def test_a_namespace_that_opens_again_is_taken_back_with_what_happened_there() -> None:
    shop, doors, keep = a_shop()
    shop.submit()
    await shop.settle()
    doors.closed[TEAM] = 403
    await after(shop, keep, 301)
    job = shop.jobs()[0]
    doors.put(VIDEOJOBS, TEAM, "meanwhile", spec=shop.api.objects["videojobs", TEAM, "trailer"]["spec"])
    await after(shop, keep, REOPEN_SECONDS)
    assert namespaces(keep) == (SYSTEM, OTHER), "still closed"
    doors.closed.clear()
    keep.regroup.clear()
    await after(shop, keep, REOPEN_SECONDS)
    assert namespaces(keep) == (SYSTEM, TEAM, OTHER)
    assert keep.regroup.is_set()
    assert shop.knowledge.stores[JOBS].get(job["metadata"]["uid"]) is not None
    assert shop.slots.in_use() == {("default", "cpu"): 1}
    await shop.settle()
    assert shop.status("meanwhile")["phase"] in {"Queued", "Running"}
    assert len({raw["metadata"]["name"] for raw in shop.jobs()}) == 2, "what ran is not run again"


async def test_when_all_refuse_for_long_none_is_dropped_and_nothing_is_explained() -> None:
    shop, doors, keep = a_shop()
    doors.closed = {SYSTEM: 403, TEAM: 403, OTHER: 403}
    began = shop.clock.now
    assert not await keep.refused(RefusedError(403))
    assert shop.clock.now - began == 30
    await after(shop, keep, 301)
    assert namespaces(keep) == (SYSTEM, TEAM, OTHER)
    assert not keep.regroup.is_set()


@pytest.mark.parametrize("listed", [(TEAM, OTHER), ()], ids=["a list", "all namespaces"])
async def test_when_all_refuse_for_a_moment_the_watches_start_again(listed: tuple[str, ...]) -> None:
    """An API server that has just started refuses everybody until it has read its roles."""

    class Waking(Doors):
        asked = 0

        async def pages(
            self, resource: Resource, namespace: str | None = None, **selection: Any
        ) -> AsyncIterator[tuple[Raw, ...]]:
            self.asked += 1
            if self.asked <= 3:
                raise ApiError(403, "Forbidden", "no roles yet")
            async for page in super().pages(resource, namespace, **selection):
                yield page

    shop = Shop.furnished(api=Waking())
    lister = Lister(shop.api, shop.knowledge, shop.metrics, listed, SYSTEM, sleep=shop.clock.sleep)
    keep = Upkeep(lister, Health(300), period=300, die=pytest.fail, clock=shop.clock, sleep=shop.clock.sleep)
    before = namespaces(keep)
    assert await keep.refused(RefusedError(403))
    assert (namespaces(keep), keep.regroup.is_set()) == (before, True)


async def test_another_error_drops_nothing() -> None:
    shop, doors, keep = a_shop()
    doors.closed[TEAM] = 500
    assert not await keep.refused(RefusedError(403))
    await after(shop, keep, 301)
    assert namespaces(keep) == (SYSTEM, TEAM, OTHER)


async def test_after_a_change_the_next_list_is_soon_and_its_finds_are_no_drift() -> None:
    """While watches start again nobody tells of deletions."""
    shop, doors, keep = a_shop()
    doors.closed[OTHER] = 403
    await after(shop, keep, 301)
    shop.api.put(VIDEOJOBS, TEAM, "new")
    await after(shop, keep, 21)
    assert shop.knowledge.stores[VIDEOJOBS].by_name(TEAM, "new") is not None
    assert keep._health._drifted == 0


async def test_it_sleeps_no_longer_than_until_a_closed_namespace_is_asked_again() -> None:
    shop, doors, keep = a_shop()

    class EnoughError(Exception):
        pass

    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        shop.clock.now += seconds
        if len(slept) == 4:
            raise EnoughError

    keep._sleep = sleep
    doors.closed[OTHER] = 403
    with pytest.raises(EnoughError):
        await keep.run()
    assert slept == [20, 20, REOPEN_SECONDS, REOPEN_SECONDS]


# ---------------------------------------------------------------- the watches


class RefusedError(Exception):
    """As kopf's: an API error with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Stand:
    """An operator of which only the namespaces matter."""

    def __init__(self, *, explains: bool = True) -> None:
        self.outlives_watches = False
        self.namespaces: tuple[str, ...] = (SYSTEM, TEAM, OTHER)
        self.stops = 0
        self.stopped = asyncio.Event()
        self.event = asyncio.Event()
        self._explains = explains

    async def start(self) -> None:
        assert self.outlives_watches, "kopf's clean-up would stop it"

    async def stop(self) -> None:
        self.stops += 1
        self.stopped.set()

    def regroup(self) -> asyncio.Event:
        self.event = asyncio.Event()
        return self.event

    async def refused(self, _: Exception) -> bool:
        if self._explains:
            self.namespaces = (SYSTEM, OTHER)
        return self._explains


def watching(*rounds: Callable[[asyncio.Event], Awaitable[None]]) -> tuple[Any, list[tuple[str, ...]]]:
    """What kopf does, one round after the other; and the namespaces of each."""
    left, seen = list(rounds), []

    async def watch(
        *,
        namespaces: Collection[str],
        clusterwide: bool,
        standalone: bool,
        stop_flag: asyncio.Event,
        ready_flag: asyncio.Event,
    ) -> None:
        assert (clusterwide, standalone) == (not namespaces, True)
        seen.append(tuple(namespaces))
        ready_flag.set()
        await left.pop(0)(stop_flag)

    return watch, seen


async def ends(_: asyncio.Event) -> None:
    """As after a signal that kopf has caught."""


def refuses(status: int) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def act(_: asyncio.Event) -> None:
        raise RefusedError(status)

    return act


async def regroups(flag: asyncio.Event) -> None:
    flag.set()


async def is_told_to_stop(flag: asyncio.Event) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await flag.wait()


@pytest.mark.parametrize("status", [403, 404])
async def test_a_refused_watch_starts_again_without_the_namespace(status: int) -> None:
    stand = Stand()
    watch, seen = watching(refuses(status), ends)
    await run(cast("Operator", stand), watch)
    assert seen == [(SYSTEM, TEAM, OTHER), (SYSTEM, OTHER)]
    assert stand.stops == 1


async def test_a_list_that_changes_starts_the_watches_again() -> None:
    stand = Stand()
    watch, seen = watching(regroups, regroups, ends)
    await run(cast("Operator", stand), watch)
    assert len(seen) == 3
    assert stand.stops == 1


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_what_no_namespace_explains_ends_the_process(status: int) -> None:
    """A restart tries everything anew, and says why when it cannot."""
    stand = Stand(explains=False)
    watch, _ = watching(refuses(status))
    with pytest.raises(RefusedError):
        await run(cast("Operator", stand), watch)
    assert stand.stops == 1


async def test_a_signal_ends_the_watches_and_then_the_operator() -> None:
    stand = Stand()
    watch, seen = watching(is_told_to_stop)
    await run(cast("Operator", stand), watch)
    assert len(seen) == 1
    assert stand.stops == 1


async def test_what_kopf_forgot_does_not_hold_up_the_end() -> None:
    """It waits five seconds for tasks of its own that nobody has cancelled."""
    stand, forgotten = Stand(), asyncio.Event()

    async def lingers(flag: asyncio.Event) -> None:
        await is_told_to_stop(flag)
        await stand.stop()  # as its clean-up does
        await forgotten.wait()

    watch, _ = watching(lingers)
    async with asyncio.timeout(4):
        await run(cast("Operator", stand), watch)
    assert not stand.outlives_watches


async def test_a_signal_before_it_is_up_ends_it() -> None:
    class Slow(Stand):
        async def start(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)
            await Clock().sleep(1)
            await asyncio.Event().wait()

    stand = Slow()
    watch, seen = watching()
    await run(cast("Operator", stand), watch)
    assert (seen, stand.stops) == ([], 1)
