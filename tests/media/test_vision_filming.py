"""A person cut out of a moving, noisy video, by models that are loaded once for all its frames (A-038, A-041)."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from photographs import outlined, photograph
from videojob_worker.base.errors import Permanent
from videojob_worker.vision.boxes import Picture
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.filming import Follower, cut_film
from videojob_worker.vision.matting import Alpha, open_matter, refine
from videojob_worker.vision.people import find

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
    person = find(detector, pairs[0][0]).persons[0]
    start = time.perf_counter()
    made = list(cut_film(Follower(detector, matter, person), (frame for frame, _ in pairs)))
    took = (time.perf_counter() - start) / FRAMES
    overlaps = [
        float(np.minimum(alpha, truth)[:ABOVE].sum() / np.maximum(alpha, truth)[:ABOVE].sum())
        for (_, _, alpha), (_, truth) in zip(made, pairs, strict=True)
    ]
    alone = [refine(frame, matter.matte(frame, person.box), doubts=False) for frame, _ in pairs]
    calm, single = flicker([alpha for _, _, alpha in made]), flicker(alone)
    with capsys.disabled():
        told = f"IoU mean {np.mean(overlaps):.3f}, least {min(overlaps):.3f}, flicker {calm / single:.2f} of single frames'"
        sys.stdout.write(f"\nfilm: {told}, {took * 1000:.0f} ms a frame of 512x512\n")
    assert min(overlaps) > 0.88
    assert calm < 0.85 * single


def test_a_film_whose_person_leaves_is_refused() -> None:
    detector, matter = open_detector(), open_matter()
    picture = photograph("astronaut.png")
    person = find(detector, picture).persons[0]
    empty = np.full_like(picture, 128)
    with pytest.raises(Permanent, match="lost in 3 of 3 looks"):
        list(cut_film(Follower(detector, matter, person), [picture, *[empty] * 15]))
