"""The fence: one operator at a time, by this process's own clock (cases 10, 11)."""

from __future__ import annotations

from clock import Clock
from videojob_operator.runtime.lease import Lease, Record


class Shelf:
    """A lease in memory."""

    def __init__(self) -> None:
        self.record: Record | None = None
        self.gone: set[str] = set()
        self.broken = False
        self.writes = 0

    async def read(self) -> Record | None:
        if self.broken:
            raise ConnectionError("no answer")
        return self.record

    async def write(self, holder: str, expected: Record | None, *, taken_over: bool) -> Record | None:
        if self.record != expected:
            return None
        self.writes += 1
        moved = (expected.transitions if expected else 0) + taken_over
        self.record = Record(holder, str(self.writes), moved)
        return self.record

    async def holder_gone(self, holder: str) -> bool:
        return holder in self.gone


def a_lease(shelf: Shelf, holder: str, clock: Clock) -> Lease:
    return Lease(shelf, holder, clock=clock, sleep=clock.sleep)


async def test_a_free_lease_is_taken_at_once() -> None:
    shelf, clock = Shelf(), Clock()
    lease = a_lease(shelf, "one", clock)
    await lease.acquire()
    assert lease.held
    assert clock.slept == []


async def test_the_same_pod_goes_on_at_once_after_its_container_was_killed() -> None:
    shelf, clock = Shelf(), Clock()
    await a_lease(shelf, "one", clock).acquire()
    again = a_lease(shelf, "one", clock)
    await again.acquire()
    assert clock.slept == []
    assert shelf.record is not None
    assert shelf.record.transitions == 1


async def test_another_pod_waits_for_expiry_counted_from_what_it_has_seen_itself() -> None:
    """Case 11: nobody's wall clock matters"""
    shelf, clock = Shelf(), Clock()
    await a_lease(shelf, "one", clock).acquire()
    clock.now += 10_000
    second = a_lease(shelf, "two", clock)
    assert not await second.try_acquire()
    clock.now += 14
    assert not await second.try_acquire()
    clock.now += 1
    assert await second.try_acquire()


async def test_a_renewed_lease_starts_the_count_anew() -> None:
    shelf, clock = Shelf(), Clock()
    first, second = a_lease(shelf, "one", clock), a_lease(shelf, "two", clock)
    await first.acquire()
    for _ in range(5):
        assert not await second.try_acquire()
        clock.now += 10
        assert await first.try_acquire()
    assert not await second.try_acquire()


async def test_another_pod_takes_over_at_once_when_the_holders_pod_is_gone() -> None:
    shelf, clock = Shelf(), Clock()
    await a_lease(shelf, "one", clock).acquire()
    shelf.gone.add("one")
    second = a_lease(shelf, "two", clock)
    await second.acquire()
    assert clock.slept == []


async def test_of_two_that_reach_for_it_one_gets_it() -> None:
    shelf, clock = Shelf(), Clock()
    await a_lease(shelf, "one", clock).acquire()
    second, third = a_lease(shelf, "two", clock), a_lease(shelf, "three", clock)
    await second.try_acquire()
    await third.try_acquire()
    clock.now += 20
    assert [await second.try_acquire(), await third.try_acquire()] == [True, False]


async def test_an_outage_ends_the_holder_before_another_may_start() -> None:
    """Case 10"""
    shelf, clock = Shelf(), Clock()
    lease = a_lease(shelf, "one", clock)
    await lease.acquire()
    began = clock.now
    shelf.broken = True
    reason = await lease.keep()
    assert "could not be renewed" in reason
    assert clock.now - began < 15
    assert not lease.held


async def test_a_thief_is_noticed() -> None:
    shelf, clock = Shelf(), Clock()
    lease = a_lease(shelf, "one", clock)
    await lease.acquire()
    shelf.record = Record("thief", "99")
    assert "held by thief" in await lease.keep()


async def test_who_hung_while_another_held_it_has_lost_it_even_if_that_one_is_gone() -> None:
    """Case 10: it is not taken back in passing; a new process begins with a list of its own."""
    shelf, clock = Shelf(), Clock()
    lease = a_lease(shelf, "one", clock)
    await lease.acquire()
    clock.now += 60
    await a_lease(shelf, "two", clock).try_acquire()
    clock.now += 60
    shelf.record, shelf.gone = Record("two", "99"), {"two"}
    assert "held by two" in await lease.keep()
    assert shelf.record.holder == "two"
    await a_lease(shelf, "one", clock).acquire()
    assert shelf.record.holder == "one", "its next container may have it"


async def test_an_unreachable_server_is_waited_for() -> None:
    shelf, clock = Shelf(), Clock()
    shelf.broken = True
    lease = a_lease(shelf, "one", clock)

    async def mend(seconds: float) -> None:
        await clock.sleep(seconds)
        shelf.broken = len(clock.slept) < 3

    lease._sleep = mend
    await lease.acquire()
    assert lease.held


async def test_a_released_lease_is_free() -> None:
    shelf, clock = Shelf(), Clock()
    lease = a_lease(shelf, "one", clock)
    await lease.acquire()
    await lease.release()
    second = a_lease(shelf, "two", clock)
    await second.acquire()
    assert clock.slept == []
