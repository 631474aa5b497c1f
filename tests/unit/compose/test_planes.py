"""Planes of bytes: colours there and back, light, and mixtures."""

from __future__ import annotations

import numpy as np
import pytest

from stories import texture
from videojob_worker.compose import planes
from videojob_worker.compose.planes import Frame


@pytest.mark.parametrize(
    ("text", "yuv"),
    [
        ("#000000", (16, 128, 128)),
        ("#FFFFFF", (235, 128, 128)),
        ("#FF0000", (63, 102, 240)),
        ("#1A1A2E", (40, 137, 127)),
    ],
)
def test_colours_are_those_of_bt709(text: str, yuv: tuple[int, int, int]) -> None:
    assert planes.colour(text) == yuv


def test_a_picture_survives_the_way_there_and_back() -> None:
    rgb = np.asarray(texture(64, 48).resize((8, 6)).resize((64, 48)))
    back = planes.to_rgb(planes.from_rgb(rgb))
    assert np.abs(back.astype(int) - rgb)[2:-2, 2:-2].mean() < 6


def test_a_frame_is_one_piece_of_memory_in_the_encoders_order() -> None:
    frame = Frame.blank(8, 4)
    assert len(frame.data) == 8 * 4 * 3 // 2
    frame.planes.u[0, 0], frame.planes.v[1, 3] = 7, 9
    assert (frame.data[32], frame.data[47]) == (7, 9)


def test_dim_ends_at_black_and_mix_at_either_picture() -> None:
    first, second = (planes.from_rgb(np.asarray(texture(16, 8, seed))) for seed in (1, 2))
    dark = planes.Planes(*(plane.copy() for plane in first.all))
    planes.dim(dark, 0)
    assert [set(plane.ravel()) for plane in dark.all] == [{16}, {128}, {128}]
    planes.dim(first, 1)
    kept = [plane.copy() for plane in first.all]
    planes.mix(first, second, 0)
    assert all(np.array_equal(a, b) for a, b in zip(first.all, kept, strict=True))
    planes.mix(first, second, 1)
    assert all(np.array_equal(a, b) for a, b in zip(first.all, second.all, strict=True))
