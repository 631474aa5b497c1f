"""Who is found, who is chosen, and what is said about it (A-001, A-002, A-014, A-039)."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Literal

import numpy as np
import pytest

from videojob_worker.base.errors import BadConfig, Permanent
from videojob_worker.vision.boxes import Box, Picture, steady, strongest, working_size
from videojob_worker.vision.detectors import DETECTORS, open_detector
from videojob_worker.vision.people import Found, Person, Select, choose, find, message, upper_body

SIZE = (1000, 600)
PICTURE = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
LEFT = Person(Box(50, 100, 250, 600), 0.6)
MIDDLE = Person(Box(420, 200, 560, 600), 0.9)
RIGHT = Person(Box(650, 20, 990, 600), 0.4)


@dataclass
class Eye:
    """Sees what it is told, with the confidence asked for."""

    sees: tuple[Person, ...]
    name: str = "eye"
    accelerator: Literal["cpu", "cuda"] = "cpu"
    asked: list[tuple[float, float]] = field(default_factory=list)

    def detect(self, picture: Picture, confidence: float, overlap: float) -> tuple[Person, ...]:
        self.asked.append((confidence, overlap))
        return tuple(person for person in self.sees if person.confidence >= confidence)


@dataclass(frozen=True)
class Case:
    name: str
    sees: tuple[Person, ...]
    select: Select
    expect: str
    index: int = 1


CASES = (
    Case("the largest of three", (MIDDLE, RIGHT, LEFT), "Largest", "Detected 2 persons, selected person #1"),
    Case("numbers count from the left", (MIDDLE, LEFT), "Index", "Detected 2 persons, selected person #2", 2),
    Case("the most central", (MIDDLE, LEFT), "MostCentral", "Detected 2 persons, selected person #2"),
    Case("all of them", (MIDDLE, LEFT), "All", "Detected 2 persons, selected persons #1, #2"),
    Case("one alone", (MIDDLE,), "Largest", "Detected 1 person, selected person #1"),
    Case("one alone of all", (MIDDLE,), "All", "Detected 1 person, selected person #1"),
    Case("at the second look", (RIGHT,), "Largest", "Detected 1 person, selected person #1"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_message_says_how_many_and_who(case: Case) -> None:
    """A-014, A-039."""
    found = find(Eye(case.sees), PICTURE)
    assert message(found, choose(found, case.select, SIZE, case.index)) == case.expect


def test_three_persons_are_told_in_the_seeds_words() -> None:
    """A-014 to the letter."""
    found = Found((LEFT, MIDDLE, RIGHT), 0.3, again=False)
    assert message(found, choose(found, "Index", SIZE, 1)) == "Detected 3 persons, selected person #1"


def test_a_second_look_comes_only_when_the_first_finds_nobody() -> None:
    """A-001: 0.5 first, then 0.3."""
    first, second = Eye((LEFT, RIGHT)), Eye((RIGHT,))
    found = find(first, PICTURE)
    assert (first.asked, found.again, found.persons) == ([(0.5, 0.45)], False, (LEFT,))
    found = find(second, PICTURE)
    assert (second.asked, found.again, found.confidence) == ([(0.5, 0.45), (0.3, 0.45)], True, 0.3)


def test_a_bound_below_the_second_looks_is_looked_at_once() -> None:
    eye = Eye(())
    with pytest.raises(Permanent, match="No persons detected"):
        find(eye, PICTURE, confidence=0.2)
    assert eye.asked == [(0.2, 0.45)]


def test_nobody_is_permanent_and_says_what_to_give() -> None:
    """A-034."""
    with pytest.raises(Permanent) as caught:
        find(Eye(()), PICTURE)
    assert caught.value.code == "NoPersons"
    assert caught.value.message == "No persons detected (confidence 0.3)"
    assert caught.value.hint is not None


@pytest.mark.parametrize("index", [0, 3, -1])
def test_an_index_nobody_has_is_refused_with_the_range(index: int) -> None:
    found = find(Eye((LEFT, MIDDLE)), PICTURE)
    with pytest.raises(Permanent, match="2 persons were detected") as caught:
        choose(found, "Index", SIZE, index)
    assert caught.value.code == "NoSuchPerson"
    assert "1 to 2" in str(caught.value.hint)


def test_the_upper_body_lies_round_the_face_and_within_the_picture() -> None:
    face = Box(460, 230, 520, 290)
    crop = upper_body(Person(MIDDLE.box, 0.9, face), SIZE, padding=0)
    assert crop == Box(420, 194, 560, 446)
    at_edge = upper_body(Person(RIGHT.box, 0.9, Box(780, 30, 900, 150)), SIZE)
    assert at_edge == at_edge.within(*SIZE)
    assert at_edge.top == 0


def test_without_a_face_the_upper_half_is_taken() -> None:
    crop = upper_body(LEFT, SIZE, padding=0)
    assert crop == Box(50, 100, 250, 350)


def test_of_boxes_that_overlap_the_surest_stays() -> None:
    boxes = [Box(0, 0, 10, 10), Box(1, 0, 11, 10), Box(6, 0, 16, 10)]
    assert strongest(boxes, [0.5, 0.9, 0.7], 0.45) == [1, 2]


def test_a_videos_boxes_are_steady_and_follow() -> None:
    """Jitter of 4 pixels becomes less than one, a walk across the picture is kept, gaps are closed."""
    walk = [Box(10 + 2 * step + (-1) ** step * 4, 20, 110 + 2 * step, 220) for step in range(100)]
    seen: list[Box | None] = [box if 30 != step != 31 else None for step, box in enumerate(walk)]
    smooth = steady(seen, 1 / 25, settle_seconds=0.2)
    assert len(smooth) == 100
    assert max(abs(smooth[step].left - (10 + 2 * step)) for step in range(20, 80)) < 1
    assert steady([None, None], 1 / 25) == ()


@pytest.mark.parametrize(
    ("size", "expect"), [((4000, 6000), (1280, 1920)), ((1920, 80), (1920, 80)), ((30000, 2), (1920, 1))]
)
def test_a_huge_picture_is_worked_on_at_a_size_that_a_video_shows(
    size: tuple[int, int], expect: tuple[int, int]
) -> None:
    made = working_size(np.full((size[1], size[0], 3), 7, np.uint8))
    assert (made.shape[1], made.shape[0]) == expect
    assert made.min() == made.max() == 7


def test_every_detector_of_the_table_is_there() -> None:
    for row in DETECTORS.values():
        module, _, name = row.partition(":")
        assert hasattr(getattr(import_module(f"videojob_worker.vision.{module}"), name), "detect")
    with pytest.raises(BadConfig, match="there is no detector haar"):
        open_detector("haar")
