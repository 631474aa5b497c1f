"""Masks, cut-outs and backgrounds on drawn figures whose masks are known (A-001, A-040, A-041)."""

from __future__ import annotations

from importlib import import_module

import cv2
import numpy as np
import pytest

from videojob_worker.base.errors import BadConfig, Permanent
from videojob_worker.vision import backgrounds
from videojob_worker.vision.boxes import Box
from videojob_worker.vision.matting import MATTERS, Alpha, Steady, cut_out, open_matter, refine

SIZE = 200
GREEN, GREY = (30, 160, 60), (120, 120, 120)


def disc(radius: float, soft: float = 1.0) -> Alpha:
    up, across = np.mgrid[0:SIZE, 0:SIZE]
    distance = np.hypot(up - SIZE / 2, across - SIZE / 2)
    return np.clip((radius - distance) / soft + 0.5, 0, 1).astype(np.float32)


def figure(alpha: Alpha, behind: tuple[int, int, int] = GREEN) -> np.ndarray:
    mixed = alpha[..., None] * np.array([220, 60, 40]) + (1 - alpha[..., None]) * np.array(behind)
    return np.rint(mixed).astype(np.uint8)


def test_refining_draws_a_coarse_mask_to_the_pictures_edges() -> None:
    truth = disc(60)
    coarse = cv2.resize(cv2.resize(truth, (16, 16), interpolation=cv2.INTER_AREA), (SIZE, SIZE))
    fine = refine(figure(truth), coarse)
    assert np.abs(fine - truth).mean() < np.abs(coarse - truth).mean() / 3


def test_dust_goes_and_holes_close_only_with_smoothing() -> None:
    """A-001 `apply_smoothing`."""
    alpha = disc(60)
    alpha[5:8, 5:8] = 1
    alpha[98:102, 98:102] = 0
    smooth = refine(figure(disc(60)), alpha, edges=False, doubts=False)
    rough = refine(figure(disc(60)), alpha, smoothing=False, edges=False, doubts=False)
    assert (smooth[6, 6], smooth[100, 100]) == pytest.approx((0, 1), abs=0.02)
    assert (rough[6, 6], rough[100, 100]) == pytest.approx((1, 0), abs=0.02)


def test_a_hole_closes_only_when_it_is_small_and_has_no_way_out() -> None:
    """Between an arm and the body there is background; so there is in a notch at the edge of the picture."""
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[40:, 20:180] = 1
    alpha[90:96, 60:66] = 0  # a mistake
    alpha[120:160, 100:140] = 0  # a way to look through
    alpha[194:, 60:66] = 0  # open to the picture's lower edge
    made = refine(np.full((SIZE, SIZE, 3), 90, np.uint8), alpha, edges=False, doubts=False)
    assert (made[93, 63], made[140, 120], made[198, 63]) == pytest.approx((1, 0, 0), abs=0.05)


@pytest.mark.parametrize(("padding", "radius"), [(6, 66), (-6, 54), (0, 60)])
def test_padding_grows_the_mask_and_below_zero_eats_it(padding: int, radius: int) -> None:
    made = refine(figure(disc(60)), disc(60), padding=padding, edges=False, doubts=False)
    assert np.sqrt(made.sum() / np.pi) == pytest.approx(radius, abs=1)


@pytest.mark.parametrize(
    "empty", [np.zeros((40, 30), np.float32), np.ones((40, 30), np.float32)], ids=["nobody", "all"]
)
def test_a_mask_of_nobody_or_of_everything_stays_what_it_is(empty: Alpha) -> None:
    picture = np.full((40, 30, 3), 90, np.uint8)
    assert np.array_equal(refine(picture, empty), empty)


def test_a_cut_out_keeps_nothing_of_the_old_background_at_its_edge() -> None:
    """On a soft edge before green, what is left of green would be seen as a halo before grey."""
    alpha = disc(60, soft=12)
    naive = np.dstack([figure(alpha), np.rint(alpha * 255).astype(np.uint8)])
    wanted = figure(alpha, GREY).astype(int)
    clean = backgrounds.place(cut_out(figure(alpha), alpha), backgrounds.plain("#787878", (SIZE, SIZE))).astype(int)
    halo = backgrounds.place(naive, backgrounds.plain("#787878", (SIZE, SIZE))).astype(int)
    edge = (alpha > 0.1) & (alpha < 0.9)
    assert np.abs(clean - wanted)[edge].mean() < np.abs(halo - wanted)[edge].mean() / 2


def test_a_videos_masks_flicker_less_and_still_follow() -> None:
    """A-041: noise of the model is spread over frames, a step of the person is not."""
    rng = np.random.default_rng(7)
    steady, rest = Steady(), []
    for _ in range(30):
        noisy = np.clip(disc(60) + rng.normal(0, 0.08, (SIZE, SIZE)), 0, 1).astype(np.float32)
        rest.append((noisy, steady.next(noisy)))
    flicker = [np.abs(rest[at][which] - rest[at - 1][which]).mean() for which in (0, 1) for at in range(10, 30)]
    assert np.mean(flicker[20:]) < 0.6 * np.mean(flicker[:20])
    moved = np.roll(disc(60), 20, axis=1)
    assert np.abs(steady.next(moved) - moved).max() < 0.1
    assert steady.next(np.ones((3, 3), np.float32)).shape == (3, 3)


def test_backgrounds_are_as_large_as_asked_and_fill() -> None:
    """A-040."""
    wide = np.zeros((100, 400, 3), np.uint8)
    wide[:, 150:250] = 200
    assert backgrounds.covering(wide, (60, 60)).shape == (60, 60, 3)
    assert backgrounds.covering(wide, (60, 60)).min() > 150
    assert backgrounds.plain("#102030", (4, 2)).tolist() == [[[16, 32, 48]] * 4] * 2


@pytest.mark.parametrize("colour", ["red", "#12", "#12345G", "#1234567", ""])
def test_a_colour_that_is_none_is_refused(colour: str) -> None:
    with pytest.raises(Permanent, match="is no colour") as caught:
        backgrounds.plain(colour, (4, 4))
    assert "#RRGGBB" in str(caught.value.hint)


def test_a_blurred_background_shows_no_glow_of_the_person() -> None:
    alpha = disc(60)
    behind = backgrounds.blurred(figure(alpha), alpha, radius=12)
    assert np.abs(behind.astype(int) - GREEN).max() < 25


def test_grabcut_cuts_by_colour_within_the_box_and_says_that_it_is_less() -> None:
    truth = disc(60)
    matter = open_matter("grabcut")
    made = matter.matte(figure(truth), Box(30, 30, 170, 170))
    both = np.minimum(made, truth).sum() / np.maximum(made, truth).sum()
    assert both > 0.93
    assert "GrabCut" in str(matter.degraded)
    assert np.array_equal(made, matter.matte(figure(truth), Box(30, 30, 170, 170)))


def test_every_matter_of_the_table_is_there() -> None:
    for row in MATTERS.values():
        module, _, name = row.partition(":")
        assert hasattr(getattr(import_module(f"videojob_worker.vision.{module}"), name), "matte")
    with pytest.raises(BadConfig, match="there is no matter magic"):
        open_matter("magic")
