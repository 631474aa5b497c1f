"""When a server is asked how far a video is: seldom on the way, in time at its end, and never in a hurry."""

from __future__ import annotations

import pytest

from videojob_worker.providers.avatars.pace import LEAST_SECONDS, Pace


def asked(seconds: float, poll: float, *, tells: bool = True) -> tuple[int, float]:
    """Questions about a video that takes so long, and seconds from its end to the question that finds it done."""
    pace, count = Pace(poll, 10_000), 1
    while pace.waited < seconds:
        pace.wait(int(100 * pace.waited / seconds) if tells else None)
        count += 1
    return count, pace.waited - seconds


@pytest.mark.parametrize("poll", [1.0, 5.0])
@pytest.mark.parametrize("seconds", [7.3, 40.0, 41.9, 133.7])
def test_by_its_percent_the_end_is_met_with_few_questions_more(seconds: float, poll: float) -> None:
    count, late = asked(seconds, poll)
    assert late <= 2.5 * LEAST_SECONDS + seconds / 100
    assert count <= seconds / poll + 6


def test_without_a_percent_it_is_asked_as_often_as_the_spec_says() -> None:
    assert asked(41.9, 5.0, tells=False) == (10, pytest.approx(3.1))


def test_a_server_that_stays_at_99_is_left_in_peace() -> None:
    pace = Pace(5, 600)
    pace.wait(0)
    waits = [pace.wait(99) for _ in range(8)]
    assert waits == sorted(waits)
    assert waits[-1] == 5


def test_a_percent_that_does_not_move_or_falls_says_nothing() -> None:
    pace = Pace(5, 600)
    assert [pace.wait(percent) for percent in (50, 50, 40, None)] == [5] * 4


def test_a_server_that_wants_peace_has_it_and_patience_ends() -> None:
    pace = Pace(5, 30)
    assert [pace.wait(None, 20), pace.over] == [20, False]
    assert [pace.wait(None, 2), pace.over] == [5, False]
    assert [pace.wait(99, None), pace.over] == [5, True]
    assert Pace(5, 30).wait(None, 86_400) == 30
