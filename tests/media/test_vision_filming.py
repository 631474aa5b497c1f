"""A person cut out of a moving, noisy video, by models that are loaded once for all its frames (A-038, A-041)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from photographs import outlined, photograph
from videojob_worker.vision.boxes import Picture
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.filming import LOOK_EVERY, best, cut_film, follow, looked, meet
from videojob_worker.vision.matting import Alpha, open_matter, refine

FRAMES = 16
ABOVE = 335
"""Rows above the helmet that is held: whether it belongs to the person, detectors and people see in two ways."""


def filmed() -> Iterator[tuple[Picture, Alpha]]:
    """A hand-held camera before the portrait: it wanders, and its sensor is noisy; each frame with its hand-made mask."""
    rng = np.random.default_rng(11)
    picture, mask = photograph("astronaut.png"), outlined("astronaut.png")
    for at in range(FRAMES):
        move = np.array([[1, 0, 1.5 * at], [0, 1, 3 * np.sin(at / 4)]])
        how = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
        frame = cv2.warpAffine(picture, move, (512, 512), **how).astype(np.int16)
        noisy = np.clip(frame + rng.normal(0, 7, frame.shape), 0, 255).astype(np.uint8)
        yield noisy, cv2.warpAffine(mask, move, (512, 512), **how)


def flicker(masks: list[Alpha]) -> float:
    """How much masks change from frame to frame beyond what the camera moves: second differences."""
    stack = np.stack(masks)
    return float(np.abs(stack[2:] - 2 * stack[1:-1] + stack[:-2]).mean())


def test_a_film_is_cut_out_frame_by_frame_with_less_flicker(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = list(filmed())
    detector, matter = open_detector(), open_matter()
    start = time.perf_counter()
    looks = list(looked(detector, (frame for frame, _ in pairs[::LOOK_EVERY]), confidence=0.3, overlap=0.45))
    first, found = meet(looks)
    person = found.persons[0]
    (way,) = follow(looks, first, [person], 25)
    made = list(cut_film(matter, (frame for frame, _ in pairs), way))
    took = (time.perf_counter() - start) / FRAMES
    overlaps = [
        float(np.minimum(alpha, truth)[:ABOVE].sum() / np.maximum(alpha, truth)[:ABOVE].sum())
        for (_, alpha), (_, truth) in zip(made, pairs, strict=True)
    ]
    alone = [refine(frame, matter.matte(frame, person.box), doubts=False) for frame, _ in pairs]
    calm, single = flicker([alpha for _, alpha in made]), flicker(alone)
    with capsys.disabled():
        told = f"IoU mean {np.mean(overlaps):.3f}, least {min(overlaps):.3f}, flicker {calm / single:.2f} of single frames'"
        sys.stdout.write(f"\nfilm: {told}, {took * 1000:.0f} ms a frame of 512x512\n")
    assert min(overlaps) > 0.88
    assert calm < 0.85 * single


def test_the_best_frame_is_a_sharp_one_with_a_face() -> None:
    """Before sharper ones that show none, and before one of which the face is out of focus."""
    face, cat = photograph("astronaut.png"), photograph("chelsea.png")
    blurred = cv2.GaussianBlur(face, (0, 0), 5)
    chosen = best([cat, blurred, face, cat])
    assert chosen is not None
    assert np.array_equal(chosen, face)
    assert best([]) is None
