"""Who is in a picture, who of them is meant, and which part of the picture shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from ..base.errors import Permanent
from .boxes import Box, Picture

CONFIDENCE = 0.5
OVERLAP = 0.45
SECOND_CONFIDENCE = 0.3
"""How sure the second look must be, before nobody is said to be there."""
HOPPED = "people were looked for on the CPU, for want of memory on the GPU"
Select: TypeAlias = Literal["Largest", "Index", "MostCentral", "All"]


@dataclass(frozen=True)
class Person:
    """Somebody in a picture."""

    box: Box
    confidence: float
    face: Box | None = None
    """Where the face is seen."""


class Detector(Protocol):
    """Finds people."""

    name: str
    note: str | None
    """What was asked for and could not be had, in words."""
    degraded: str | None
    """Why it worked by lesser means than asked for; None when it did not."""

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """What it runs on, as the model itself tells."""

    @property
    def lanes(self) -> int:
        """How many pictures it is shown at a time, for the most in a second."""

    def detect(self, picture: Picture, confidence: float, overlap: float) -> tuple[Person, ...]:
        """Everybody at least so surely there; of boxes that overlap by more (IoU) the surest."""


@dataclass(frozen=True)
class Found:
    """Everybody in a picture, left to right: number 1 is the leftmost."""

    persons: tuple[Person, ...]
    confidence: float
    """The bound at which they were found."""
    again: bool
    """Whether it took the second look."""


def find(
    detector: Detector, picture: Picture, *, confidence: float = CONFIDENCE, overlap: float = OVERLAP,
    second: float = SECOND_CONFIDENCE,
) -> Found:  # fmt: skip
    """Everybody (A-001, A-002); where nobody is, a second look takes what is less sure.

    Raises Permanent: NoPersons.
    """
    for bound in dict.fromkeys((confidence, min(confidence, second))):
        persons = detector.detect(picture, bound, overlap)
        if persons:
            ordered = sorted(persons, key=lambda person: (person.box.centre[0], person.box.centre[1]))
            return Found(tuple(ordered), bound, again=bound != confidence)
    raise Permanent(
        "NoPersons",
        f"No persons detected (confidence {min(confidence, second):g})",
        hint="give a picture in which a person is seen clearly, from the front, with the face in light",
    )


def choose(found: Found, select: Select, size: tuple[int, int], index: int = 1) -> tuple[int, ...]:
    """Numbers of those who are meant (A-039); `size` is the picture's, `index` counts from the left.

    Raises Permanent: NoSuchPerson.
    """
    persons = found.persons
    numbers = range(1, len(persons) + 1)
    if select == "All":
        return tuple(numbers)
    if select == "Index":
        if index not in numbers:
            raise Permanent(
                "NoSuchPerson",
                f"person #{index} was selected, but {_count(len(persons))} detected",
                hint=f"give an index from 1 to {len(persons)}, counted from the left",
            )
        return (index,)
    middle = (size[0] / 2, size[1] / 2)

    def far(number: int) -> float:
        across, up = persons[number - 1].box.centre
        return (across - middle[0]) ** 2 + (up - middle[1]) ** 2

    if select == "MostCentral":
        return (min(numbers, key=far),)
    return (max(numbers, key=lambda number: persons[number - 1].box.area),)


def message(found: Found, chosen: Sequence[int]) -> str:
    """What is told about it (A-014): `Detected 3 persons, selected person #1`."""
    who = ", ".join(f"#{number}" for number in chosen)
    which = f"person {who}" if len(chosen) == 1 else f"persons {who}"
    total = len(found.persons)
    return f"Detected {total} {'person' if total == 1 else 'persons'}, selected {which}"


def _count(total: int) -> str:
    return "1 person was" if total == 1 else f"{total} persons were"


def upper_body(person: Person, size: tuple[int, int], padding: float = 0.1) -> Box:
    """The part of a picture from above the head to the chest, within the picture.

    By the face where one is seen: a portrait is some five faces high. Else the upper half of the whole person.
    """
    box, face = person.box, person.face
    if face is None:
        bottom = box.top + min(box.height, max(box.height / 2, box.width * 0.9))
        return Box(box.left, box.top, box.right, bottom).grown(padding).within(*size)
    middle = face.centre[0]
    reach = 2.4 * face.width
    top, bottom = min(box.top, face.top - 0.6 * face.height), face.top + 3.6 * face.height
    left, right = max(box.left, middle - reach), min(box.right, middle + reach)
    return Box(min(left, face.left), top, max(right, face.right), bottom).grown(padding).within(*size)
