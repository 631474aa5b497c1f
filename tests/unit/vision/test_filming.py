"""Who is met in a video, and where they go: rules on looks that are written down here (A-041)."""

from __future__ import annotations

import numpy as np
import pytest

from videojob_worker.base.errors import Permanent
from videojob_worker.vision.boxes import Box
from videojob_worker.vision.filming import LOOK_EVERY, Look, Way, follow, meet
from videojob_worker.vision.people import Person

RATE = 25.0


def person(left: float, confidence: float = 0.9, top: float = 0) -> Person:
    return Person(Box(left, top, left + 100, top + 200), confidence)


def walking(step: float, count: int = 12) -> list[Look]:
    """Somebody who goes to the right."""
    return [(person(step * place),) for place in range(count)]


def test_the_first_who_are_surely_there_are_met_and_numbered_from_the_left() -> None:
    looks: list[Look] = [(), (person(300, 0.4),), (person(300), person(20)), (person(300),)]
    start, found = meet(looks)
    assert (start, [one.box.left for one in found.persons], found.again) == (2, [20, 300], False)


def test_who_is_never_sure_counts_when_half_of_the_looks_have_somebody() -> None:
    start, found = meet([(), (person(0, 0.4),), (person(3, 0.35),), ()])
    assert (start, found.confidence, found.again) == (1, 0.3, True)
    with pytest.raises(Permanent, match=r"No persons detected \(confidence 0\.3\) in 5 looks") as caught:
        meet([(), (person(0, 0.4),), (), (), (person(3, 0.35),)])
    assert caught.value.code == "NoPersons"


def test_boxes_go_with_the_person_in_few_steps_that_fade_into_each_other() -> None:
    (way,) = follow(walking(20), 0, [person(0)], RATE)
    assert way.lost == 0
    assert 2 <= len(way.stays) <= 6
    for frame in range(12 * LOOK_EVERY):
        there = Box(4.0 * min(frame, 55), 0, 4.0 * min(frame, 55) + 100, 200)
        boxes = way.at(frame)
        assert sum(share for _, share in boxes) == pytest.approx(1)
        assert boxes[-1][0].grown(0.12).shared(there) > 0.9 * there.area
    before, after = (way.at(way.stays[1][0] * LOOK_EVERY + step)[0] for step in (-1, 0))
    assert before == (way.stays[0][1], 1.0)
    assert after[0] == way.stays[0][1]
    assert after[1] > 0.7


def test_a_box_that_trembles_stands_still() -> None:
    shakes = np.random.default_rng(2).normal(0, 6, 40)
    (way,) = follow([(person(50 + shake),) for shake in shakes], 0, [person(50 + shakes[0])], RATE)
    assert len({way.at(frame) for frame in range(40 * LOOK_EVERY)}) == 1


def test_who_is_met_late_is_followed_back_and_a_gap_is_bridged() -> None:
    looks = walking(8)
    looks[5] = looks[6] = ()
    (way,) = follow(looks, 8, [person(64)], RATE)
    assert way.lost == 2
    assert abs(way.boxes[5].left - 40) < 2


def test_two_who_pass_each_other_stay_two() -> None:
    """Nobody is in two places, and no place is for two."""
    looks: list[Look] = [(person(20.0 * at), person(220 - 20.0 * at, top=90)) for at in range(12)]
    first, second = follow(looks, 0, list(looks[0]), RATE)
    assert first.boxes[-1].top < 10
    assert second.boxes[-1].top > 80


def test_who_is_gone_for_more_than_half_of_the_video_is_refused() -> None:
    with pytest.raises(Permanent, match=r"met at 50,100 was lost in 7 of 12 looks") as caught:
        follow([*walking(5, 5), *[()] * 7], 0, [person(0)], RATE)
    assert caught.value.hint is not None


def test_a_picture_is_a_way_of_one_place() -> None:
    assert Way((Box(1, 2, 3, 4),), 0).at(500) == ((Box(1, 2, 3, 4), 1.0),)
