"""A cut-out in the frame of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from videojob_worker.vision.boxes import Box
from videojob_worker.vision.framing import framed


@dataclass(frozen=True)
class Case:
    name: str
    size: tuple[int, int]
    expect: tuple[int, int, int, int]
    """Left, top, right, bottom of what is not transparent."""


CASES = (
    Case("as high as a wide frame less the headroom", (1280, 720), (474, 58, 806, 720)),
    Case("as wide as a tall frame", (180, 720), (0, 360, 180, 720)),
    Case("a small frame", (64, 36), (24, 3, 40, 36)),
    Case("never more than four times as large", (4000, 2000), (1800, 1200, 2200, 2000)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_person_stands_in_the_middle_on_the_lower_edge(case: Case) -> None:
    person = np.zeros((400, 300, 4), np.uint8)
    person[200:400, 100:200] = (200, 80, 40, 255)
    made = framed(person, Box(100, 200, 200, 400), case.size)
    assert made.shape == (case.size[1], case.size[0], 4)
    rows, columns = np.nonzero(made[..., 3] > 127)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found == pytest.approx(case.expect, abs=2)
    middle = made[(rows.min() + rows.max()) // 2, case.size[0] // 2]
    assert middle.tolist() == [200, 80, 40, 255]


def test_a_soft_edge_takes_no_colour_of_what_is_transparent() -> None:
    person = np.zeros((100, 100, 4), np.uint8)
    person[..., :3] = (0, 255, 0)
    person[30:, 30:70] = (200, 80, 40, 255)
    made = framed(person, Box(30, 30, 70, 100), (150, 140))
    edge = (made[..., 3] > 30) & (made[..., 3] < 225)
    assert edge.any()
    assert np.abs(made[edge][:, :3].astype(int) - (200, 80, 40)).max() <= 8
