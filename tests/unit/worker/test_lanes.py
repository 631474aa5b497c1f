"""Work side by side: order, failures in their turn, and no more on its way than agreed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from videojob_worker.base.lanes import behind, both, cores


def test_results_come_in_order_though_later_ones_are_done_first() -> None:
    second = threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert second.wait(10)
        elif number == 1:
            second.set()
        return number * 10

    assert list(behind(range(5), work, lanes=2)) == [0, 10, 20, 30, 40]


def test_the_caller_makes_the_next_item_while_one_is_worked_on() -> None:
    """A-038: the model looks at one picture while another one's mask is drawn."""
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    assert list(behind(items(), lambda number: (number, made.wait(10)), lanes=1)) == [(1, True), (2, True)]


@pytest.mark.parametrize("lanes", [1, 3])
def test_no_more_is_on_its_way_than_lanes_and_two(lanes: int) -> None:
    go, begun = threading.Semaphore(0), list[int]()

    def items() -> Iterator[int]:
        for number in range(20):
            begun.append(number)
            if len(begun) == lanes + 2:
                go.release(20)
            yield number

    def work(number: int) -> int:
        assert go.acquire(timeout=10)
        return number

    most = 0
    for done, _ in enumerate(behind(items(), work, lanes=lanes)):
        most = max(most, len(begun) - done)
    assert most <= lanes + 2


def test_a_failure_comes_in_its_turn_and_nothing_new_begins() -> None:
    done = list[int]()

    def work(number: int) -> int:
        if number == 2:
            raise ValueError("the third")
        done.append(number)
        return number

    seen = list[int]()
    with pytest.raises(ValueError, match="the third"):
        seen.extend(behind(range(100), work, lanes=1))
    assert seen == [0, 1]
    assert max(done) < 10


def test_what_making_an_item_raises_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(behind(items(), str, lanes=2))


def test_who_stops_listening_waits_for_what_runs() -> None:
    ended = list[int]()
    lanes = behind(range(100), ended.append, lanes=2)
    next(lanes)
    lanes.close()
    assert len(ended) < 10
    assert not any(thread.name.startswith("lane") for thread in threading.enumerate())


def test_both_run_and_either_failure_is_told() -> None:
    assert both(lambda: 1, lambda: "two") == (1, "two")
    with pytest.raises(ZeroDivisionError):
        both(lambda: 1, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        both(lambda: 1 // 0, lambda: 1)
    assert cores() >= 1


@pytest.mark.parametrize(("lanes", "apart"), [(1, 2), (2, 1)])
def test_within_one_of_several_lanes_nothing_is_divided_again(
    lanes: int, apart: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M7: each core has work already; more threads would only take turns."""
    monkeypatch.setattr("videojob_worker.base.lanes.cores", lambda: 2)

    def work(_: int) -> int:
        return len(set(both(threading.get_ident, threading.get_ident)))

    assert list(behind(range(3), work, lanes)) == [apart] * 3
    assert len(set(both(threading.get_ident, threading.get_ident))) == 2
