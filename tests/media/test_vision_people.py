"""People on real photographs, found by the models that come with the worker."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from photographs import photograph
from videojob_worker.base.errors import Permanent
from videojob_worker.base.lanes import behind, cores
from videojob_worker.vision.boxes import Box
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.filming import looked
from videojob_worker.vision.people import choose, find, message

LEAST_OVERLAP = 0.5
"""What counts as found in benchmarks of detectors. An arm stretched far out of the picture's middle is outside of our box."""


@dataclass(frozen=True)
class Seen:
    """What a person sees: boxes drawn by hand, to some ten pixels; those whose heads are in the picture."""

    name: str
    boxes: tuple[Box, ...]
    says: str


PHOTOGRAPHS = (
    Seen("astronaut.png", (Box(15, 14, 480, 512),), "Detected 1 person, selected person #1"),
    Seen("camera.png", (Box(0, 64, 330, 512),), "Detected 1 person, selected person #1"),
    Seen("bus.jpg", (Box(50, 398, 245, 903), Box(222, 405, 344, 860)), "Detected 2 persons, selected person #1"),
    Seen("zidane.jpg", (Box(125, 200, 1130, 720), Box(745, 40, 1140, 720)), "Detected 2 persons, selected person #2"),
)


@pytest.mark.parametrize("seen", PHOTOGRAPHS, ids=lambda seen: seen.name)
def test_everybody_with_a_head_is_found_where_they_are(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    """A-002, A-014: the offline default really finds people."""
    picture = photograph(seen.name)
    found = find(open_detector(), picture)
    overlaps = [max(box.overlap(person.box) for person in found.persons) for box in seen.boxes]
    with capsys.disabled():
        count = f"{len(found.persons)} of {len(seen.boxes)} people"
        sys.stdout.write(f"\n{seen.name}: {count}, IoU {[round(each, 2) for each in overlaps]}\n")
    assert len(found.persons) == len(seen.boxes)
    assert min(overlaps) >= LEAST_OVERLAP
    assert found.again is False
    assert message(found, choose(found, "Largest", (picture.shape[1], picture.shape[0]))) == seen.says


@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png"])
def test_a_cup_and_a_cat_are_nobody(name: str) -> None:
    """Not even at the second look, which is less sure."""
    with pytest.raises(Permanent, match="No persons detected"):
        find(open_detector(), photograph(name))


def test_several_pictures_at_a_time_are_seen_as_one_after_the_other() -> None:
    """M7: frames of a video are looked at on all cores; each model answers every thread."""
    detector = open_detector()
    frames = [np.roll(photograph("astronaut.png"), 6 * number, axis=1) for number in range(12)]
    alone = [detector.detect(frame, 0.3, 0.45) for frame in frames]
    assert list(behind(frames, lambda frame: detector.detect(frame, 0.3, 0.45), 4)) == alone
    assert all(alone)
    assert list(looked(detector, frames, confidence=0.3, overlap=0.45)) == alone
    assert detector.lanes == cores()
