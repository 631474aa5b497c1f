"""Working on parts of a picture gives what working on all of it gives."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from videojob_worker.vision import areas
from videojob_worker.vision.boxes import Box
from videojob_worker.vision.doubts import decided
from videojob_worker.vision.matting import cut_out, refine
from videojob_worker.vision.ssd import View

RNG = np.random.default_rng(5)


def spots(height: int, width: int) -> np.ndarray:
    made = np.zeros((height, width), np.uint8)
    for row, column in RNG.integers(0, (height, width), (12, 2)):
        made[row, column] = 1
    return made


@pytest.mark.parametrize("size", [(64, 64), (61, 97), (7, 200), (1, 1)])
@pytest.mark.parametrize("side", [1, 8, 32])
def test_tiles_hold_each_pixel_once(size: tuple[int, int], side: int) -> None:
    there, seen = spots(*size), np.zeros(size, int)
    for part in areas.tiles(there, side):
        seen[part] += 1
        assert all(edge.start % side == 0 for edge in part)
        assert there[part].any()
    assert seen.max(initial=0) <= 1
    assert (seen[there != 0] == 1).all()


def test_nobody_has_no_part_and_no_tiles() -> None:
    nobody = np.zeros((20, 30), np.uint8)
    assert areas.around(nobody, 4) is None
    assert list(areas.tiles(nobody, 8)) == []


def test_a_part_has_its_margin_and_begins_at_whole_steps() -> None:
    there = np.zeros((100, 90), np.uint8)
    there[50:60, 40:44] = 1
    assert areas.around(there, 5, 4) == (slice(44, 68), slice(32, 52))
    assert areas.around(there, 500, 7) == (slice(0, 100), slice(0, 90))
    wide, inside = areas.grown((slice(50, 60), slice(1, 90)), 3, there.shape)
    assert wide == (slice(47, 63), slice(0, 90))
    assert np.array_equal(there[wide][inside], there[50:60, 1:90])


@pytest.mark.parametrize("step", [1, 3, 4])
def test_a_part_drawn_larger_is_that_part_of_all_drawn_larger(step: int) -> None:
    small = RNG.random((20, 30, 3)).astype(np.float32)
    whole = cv2.resize(small, (30 * step, 20 * step), interpolation=cv2.INTER_LINEAR) if step > 1 else small
    for part in (
        (slice(0, 7 * step), slice(5 * step, 30 * step)),
        (slice(19 * step, 20 * step - step // 2), slice(0, step)),
    ):
        assert np.allclose(areas.enlarged(small, step, part), whole[part], atol=1e-6)


def figure(height: int, width: int, left: int) -> tuple[np.ndarray, np.ndarray]:
    up, across = np.mgrid[0:height, 0:width]
    alpha = np.clip(80 - np.hypot(up - height / 2, across - left) + 0.5, 0, 1).astype(np.float32)
    mixed = alpha[..., None] * np.array([200, 90, 40]) + (1 - alpha[..., None]) * np.array([30, 60, 160])
    return np.rint(mixed).astype(np.uint8), alpha


@pytest.mark.parametrize("size", [(900, 1200), (901, 1203), (745, 1111)])
def test_masks_and_colours_do_not_depend_on_where_tiles_and_parts_end(size: tuple[int, int]) -> None:
    """A person in the middle and one at the edge, of pictures whose sides are no multiples of anything."""
    for left in (size[1] // 2, size[1] - 60):
        picture, truth = figure(*size, left)
        coarse = cv2.GaussianBlur(truth, (0, 0), 6)
        made = refine(picture, coarse)
        assert np.abs(made - truth).max() < 0.5
        assert np.abs(made - truth).sum() < 0.03 * truth.sum()
        off = np.abs(cut_out(picture, truth)[..., :3].astype(int) - (200, 90, 40))
        assert off[truth > 0.3].max() < 20


def test_doubts_are_decided_by_colours_seen_elsewhere() -> None:
    picture, truth = figure(300, 300, 150)
    model = np.where(truth > 0.5, 1.0, 0.0).astype(np.float32)
    model[120:180] = 0.45  # a band across all of it, in which the model knows nothing
    made = decided(picture, model)
    assert (made[125:175] > 0.5).mean() == pytest.approx((truth[125:175] > 0.5).mean(), abs=0.02)
    assert np.array_equal(made[:100], model[:100])


def test_without_a_sure_word_doubts_stay() -> None:
    picture, _ = figure(100, 100, 50)
    model = np.full((100, 100), 0.5, np.float32)
    assert decided(picture, model) is model


@pytest.mark.parametrize("part", [Box(0, 0, 1203, 901), Box(101, 55, 749, 703), Box(555, 253, 1203, 901)])
def test_a_part_of_a_halved_picture_lies_where_it_says(part: Box) -> None:
    """A blob's place is found again through the part that a look is made of."""
    shown = np.zeros((901, 1203, 3), np.uint8)
    cv2.circle(shown, (700, 600), 30, (255, 255, 255), -1)
    cut, place = View(shown).part(part, 192)
    assert max(cut.shape[:2]) >= 1.5 * 192
    ys, xs = np.nonzero(cut[..., 0] > 127)
    scale = place.width / cut.shape[1]
    assert place.height / cut.shape[0] == pytest.approx(scale)
    assert (xs.mean() + 0.5) * scale + place.left == pytest.approx(700.5, abs=1)
    assert (ys.mean() + 0.5) * scale + place.top == pytest.approx(600.5, abs=1)
