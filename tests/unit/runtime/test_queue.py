"""The queue's promises: one key, one worker, nothing lost, failures back off (cases 17, 27; I11)."""

from __future__ import annotations

import asyncio

from clock import Clock
from videojob_operator.runtime.queue import WorkQueue, work


def a_queue(cap: float = 60.0) -> tuple[WorkQueue[str], Clock]:
    clock = Clock()
    return WorkQueue(clock=clock, cap=cap), clock


def drain(queue: WorkQueue[str]) -> list[str]:
    found = []
    while (key := queue.take()) is not None:
        found.append(key)
        queue.done(key)
    return found


def test_a_thousand_events_about_one_key_are_one_piece_of_work() -> None:
    """Case 27"""
    queue, _ = a_queue()
    for _ in range(1000):
        queue.add("a")
    queue.add("b")
    assert drain(queue) == ["a", "b"]


def test_a_key_added_while_it_is_worked_on_runs_once_more_and_never_twice_at_once() -> None:
    queue, _ = a_queue()
    queue.add("a")
    assert queue.take() == "a"
    queue.add("a")
    queue.add("a")
    assert queue.take() is None
    queue.done("a")
    assert drain(queue) == ["a"]


def test_a_timer_fires_at_its_time() -> None:
    queue, clock = a_queue()
    queue.add_after("a", 5)
    assert queue.take() is None
    clock.now += 4.9
    assert queue.take() is None
    clock.now += 0.2
    assert drain(queue) == ["a"]


def test_a_timer_of_the_same_purpose_replaces_the_earlier_one() -> None:
    queue, clock = a_queue()
    queue.add_after("a", 5, "wake")
    queue.add_after("a", 50, "wake")
    clock.now += 10
    assert drain(queue) == []
    clock.now += 41
    assert drain(queue) == ["a"]
    assert queue.delayed == 0


def test_timers_of_different_purposes_stand_side_by_side() -> None:
    queue, clock = a_queue()
    queue.add_after("a", 50, "wake")
    queue.add_after("a", 5, "progress")
    clock.now += 6
    assert drain(queue) == ["a"]
    assert queue.pending("a", "wake")
    assert not queue.pending("a", "progress")


def test_a_failing_key_backs_off_to_the_cap_and_delays_nobody() -> None:
    """I11, case 9"""
    queue, _ = a_queue(cap=2.0)
    waits = [queue.add_failed("bad") for _ in range(12)]
    assert waits[:3] == [0.005, 0.01, 0.02]
    assert waits[-1] == 2.0
    queue.add("good")
    assert drain(queue) == ["good"]
    queue.succeeded("bad")
    assert queue.add_failed("bad") == 0.005


def test_a_server_that_asks_for_patience_gets_it() -> None:
    """Case 23"""
    queue, _ = a_queue()
    assert queue.add_failed("a", at_least=7.0) == 7.0


def test_what_is_gone_is_forgotten() -> None:
    queue, clock = a_queue()
    queue.add_failed("a")
    queue.add_after("a", 1, "wake")
    queue.forget("a")
    clock.now += 100
    assert drain(queue) == []
    assert queue.failures("a") == 0


def test_replaced_timers_do_not_pile_up() -> None:
    queue, clock = a_queue()
    for number in range(10_000):
        queue.add_after("a", 1000 + number, "wake")
    assert len(queue._heap) < 200
    clock.now += 20_000
    assert drain(queue) == ["a"]


async def test_workers_share_the_keys_and_end_when_the_queue_closes() -> None:
    queue: WorkQueue[int] = WorkQueue()
    seen: list[int] = []
    active: set[int] = set()

    async def handle(key: int) -> None:
        assert key not in active
        active.add(key)
        await asyncio.sleep(0)
        active.discard(key)
        seen.append(key)
        if len(seen) == 60:
            queue.close()

    for key in range(20):
        queue.add(key)
    workers = [asyncio.create_task(work(queue, handle)) for _ in range(4)]
    while len(seen) < 60:
        await asyncio.sleep(0)
        for key in range(20):
            queue.add(key)
    await asyncio.gather(*workers)
    assert set(seen) == set(range(20))


async def test_a_waiting_worker_wakes_for_a_timer() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("late", 0.01)
    async with asyncio.timeout(5):
        assert await queue.get() == "late"
