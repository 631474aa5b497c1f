"""Motion of stills, exact to a fraction of a pixel (S-021, C8)."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from stories import texture
from videojob_worker.compose import motion, picture
from videojob_worker.compose.planes import Frame, Plane, from_rgb

SIZE = (320, 180)


def zoomed(focus: tuple[int, int] = (160, 90), rate: float = 0.05) -> motion.Zoom:
    canvas = picture.canvas(texture(800, 450), motion.zoom_window(*SIZE, focus))
    return motion.Zoom(canvas, *SIZE, focus=focus, rate=rate)


def drawn(view: motion.View, seconds: float) -> Frame:
    frame = Frame.blank(*SIZE)
    view.draw(seconds, frame.planes)
    return frame


def sampled(plane: Plane, left: NDArray[np.float64], top: NDArray[np.float64]) -> NDArray[np.float64]:
    """The plane at fractional places, by the definition of bilinear interpolation."""
    height, width = plane.shape
    x, y = np.clip(left, 0, width - 1), np.clip(top, 0, height - 1)[:, None]
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    p = plane.astype(np.float64)
    above = p[y0, x0] * (1 - (x - x0)) + p[y0, x1] * (x - x0)
    below = p[y1, x0] * (1 - (x - x0)) + p[y1, x1] * (x - x0)
    return above * (1 - (y - y0)) + below * (y - y0)


@pytest.mark.parametrize("focus", [(160, 90), (96, 68), (320, 0), (0, 180)], ids=str)
@pytest.mark.parametrize("seconds", [0.0, 1 / 30, 1.7, 3.99, 5.0, 9.0])
def test_a_zoom_is_what_bilinear_interpolation_says(focus: tuple[int, int], seconds: float) -> None:
    """S-021: at every moment each pixel is the canvas at `focus + (pixel - focus) / zoom`, within rounding."""
    window = motion.zoom_window(*SIZE, focus)
    canvas = picture.canvas(texture(800, 450), window)
    frame = drawn(motion.Zoom(canvas, *SIZE, focus=focus, rate=0.05), seconds)
    zoom = min(1.25, 1 + 0.05 * seconds)
    for plane, source, half in zip(frame.planes.all, canvas.all, (1, 2, 2), strict=True):
        places = []
        for side, start, end, middle, pixels in (
            (SIZE[0], window.left, window.right, focus[0], source.shape[1]),
            (SIZE[1], window.top, window.bottom, focus[1], source.shape[0]),
        ):
            at = (np.arange(side // half) + 0.5) * half
            seen = middle + (at - middle) / zoom
            places.append((seen - start) / (end - start) * pixels - 0.5)
        wanted = sampled(source, *places)
        inner = (slice(1, -1), slice(1, -1))  # at the frame's rim the last sample may lack its neighbour
        assert np.abs(plane.astype(float) - wanted)[inner].max() <= 1.5


def test_zoom_follows_the_seed_and_its_cap() -> None:
    """S-021, C8: 1 + 0.05 t, never above 1.25; a longer scene zooms more slowly, to its end."""
    assert [round(zoomed().zoom(t), 4) for t in (0, 1, 2, 5, 6)] == [1, 1.05, 1.1, 1.25, 1.25]
    assert motion.zoom_rate(5) == pytest.approx(0.05)
    assert motion.zoom_rate(3) == pytest.approx(0.05)
    assert motion.zoom_rate(10) == pytest.approx(0.025)


def moved(before: Plane, after: Plane) -> tuple[float, float, float]:
    """How far a picture has moved to the right and down, and by which share it has grown, in fractions of a pixel.

    Least squares on the brightness' gradients: for steps below a pixel far more exact than the peak of a correlation.
    """
    a, b = (cv2.GaussianBlur(plane.astype(np.float64), (0, 0), 2) for plane in (before, after))
    rows, columns = np.gradient((a + b) / 2)
    y, x = np.mgrid[: a.shape[0], : a.shape[1]].astype(float)
    grown = columns * (x - x.mean()) + rows * (y - y.mean())
    inner = (slice(8, -8), slice(8, -8))
    known = np.stack([part[inner].ravel() for part in (columns, rows, grown)], axis=1)
    right, down, share = np.linalg.lstsq(known, (a - b)[inner].ravel(), rcond=None)[0]
    return right, down, share


def test_a_zoom_does_not_jitter() -> None:
    """A corner moves outward by equal steps, to a fiftieth of a pixel; the focus stays where it is; it grows evenly."""
    frames = [drawn(zoomed(), n / 30).planes.y for n in range(30)]
    corner = np.array([moved(a[:64, :64], b[:64, :64]) for a, b in pairwise(frames)])
    middle = np.array([moved(a[58:122, 128:192], b[58:122, 128:192]) for a, b in pairwise(frames)])
    zoom = 1 + 0.05 * (np.arange(29) + 0.5) / 30
    assert np.abs(corner[:, 0] + (160 - 31.5) / zoom * 0.05 / 30).max() < 0.02
    assert np.abs(corner[:, 1] + (90 - 31.5) / zoom * 0.05 / 30).max() < 0.02
    assert np.abs(middle[:, :2]).max() < 0.02
    assert np.abs(middle[:, 2] - 0.05 / 30 / zoom).max() < 0.001


def test_the_measure_finds_the_jitter_of_whole_pixels() -> None:
    """Else the test above could not fail: a window moved by whole pixels, as a naive zoom does, is found out."""
    whole = np.asarray(texture(800, 450).convert("L"))
    windows = []
    for n in range(20):
        zoom = 1 + 0.05 * n / 30
        left, top = int(400 - 400 / zoom), int(225 - 225 / zoom)
        window = whole[top : int(top + 450 / zoom), left : int(left + 800 / zoom)]
        windows.append(cv2.resize(window, SIZE, interpolation=cv2.INTER_AREA)[58:122, 128:192])
    steps = np.array([moved(a, b) for a, b in pairwise(windows)])
    assert np.abs(steps[:, :2]).max() > 0.05


def test_a_pan_slides_evenly_and_not_too_fast() -> None:
    canvas = picture.whole(texture(900, 450), 360, 180)
    start, end = motion.pan_path((360, 180), SIZE, 2.0, backwards=False)
    assert (start, end) == ((0, 0), (40, 0))
    view = motion.Pan(canvas, start, end, 2.0)
    frames = [drawn(view, n / 30).planes.y[40:140, 60:260] for n in range(20)]
    steps = np.array([moved(a, b) for a, b in pairwise(frames)])
    assert np.abs(steps[:, 0] + 40 / 60).max() < 0.04
    assert np.abs(steps[:, 1]).max() < 0.02
    slow = motion.pan_path((3000, 180), SIZE, 2.0, backwards=True)
    assert abs(slow[1][0] - slow[0][0]) == pytest.approx(SIZE[0] * motion.PAN_PER_SECOND * 2)
    assert slow[0][0] > slow[1][0]


def test_frames_and_foci_are_even() -> None:
    with pytest.raises(ValueError, match="must be even"):
        motion.Zoom(from_rgb(np.zeros((200, 400, 3), np.uint8)), 320, 180, focus=(161, 90), rate=0.05)
