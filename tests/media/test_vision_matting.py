"""Persons cut out of real photographs, held against masks drawn by hand."""

from __future__ import annotations

import sys
import time

import numpy as np
import pytest

from photographs import outlined, photograph
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.matting import open_matter, refine
from videojob_worker.vision.people import find


@pytest.mark.parametrize(
    ("name", "kind", "least"),
    [
        ("astronaut.png", "mediapipe", 0.95),
        ("camera.png", "mediapipe", 0.80),
        ("astronaut.png", "grabcut", 0.55),
        ("camera.png", "grabcut", 0.80),
    ],
)
def test_a_mask_is_what_a_person_would_draw(
    name: str, kind: str, least: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mask against mask (IoU); the hand's own error is about 0.02."""
    picture, truth = photograph(name), outlined(name)
    person = find(open_detector(), picture).persons[0]
    matter = open_matter(kind)
    start = time.perf_counter()
    raw = matter.matte(picture, person.box)
    matted = time.perf_counter()
    made = refine(picture, raw)
    refined = time.perf_counter()
    overlap = float(np.minimum(made, truth).sum() / np.maximum(made, truth).sum())
    plain = float(np.minimum(raw, truth).sum() / np.maximum(raw, truth).sum())
    with capsys.disabled():
        times = f"{(matted - start) * 1000:.0f} ms, refined in {(refined - matted) * 1000:.0f} ms"
        sys.stdout.write(f"\n{name} {kind}: IoU {overlap:.3f} (unrefined {plain:.3f}), {times}\n")
    assert overlap >= least
