"""Cutting a person out: what every way has in common, and what is done to a mask afterwards.

A mask (alpha) is a plane of float32: 1 where the person is, 0 where nobody is, between on hair and edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from . import areas
from .boxes import Box, Picture
from .colours import own_colours
from .doubts import SURE, decided
from .weights import opened

Alpha: TypeAlias = NDArray[np.float32]
CutOut: TypeAlias = NDArray[np.uint8]
"""Height x width x 4, RGBA, colours not multiplied by alpha."""
_SPECK = 0.01
"""Share of the person below which an island is dust and a hole is a mistake."""

_GUIDED_AT, _TILE = 360, 32
"""Pixels of the shorter side at which a border's colours are learnt, at least; and of a tile in which it is drawn."""
_HALF = 0.002
"""Within so much of 0 or 1 a pixel is wholly the background's, or the person's."""

_HELD, _EDGE = 0.5, 15
"""From this share on a pixel holds a person together; so many pixels round it belong to the edge."""


class Matter(Protocol):
    """Tells a person from what is behind."""

    name: str

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """What it runs on, as the model itself tells."""

    @property
    def note(self) -> str | None:
        """What was asked for and could not be had, in words."""

    @property
    def degraded(self) -> str | None:
        """Why its masks are less than they could be; None when they are as good as asked for."""

    def matte(self, picture: Picture, box: Box | None) -> Alpha:
        """The mask of the person in the box; of everybody without one."""


MATTERS = {
    "mediapipe": "selfie:SelfieMatter",
    "grabcut": "grabcut:GrabCutMatter",
    "birefnet": "birefnet:BiRefNetMatter",
}
"""Names, and the classes behind them."""
WEIGHTLESS = frozenset({"mediapipe", "grabcut"})
"""Those that bring their own models, or need none."""


def open_matter(kind: str = "mediapipe", weights: Path | None = None, sha256: str | None = None, **how: Any) -> Matter:
    """A way to cut out. `how` goes to those with mounted weights: `accelerator`, `precision`, `side`.

    Raises BadConfig: UnknownMatter, WeightsNeeded, and what loading the weights raises.
    """
    return cast("Matter", opened(MATTERS, WEIGHTLESS, "matter", kind, weights=weights, sha256=sha256, how=how))


def refine(
    picture: Picture, alpha: Alpha, *, smoothing: bool = True, padding: int = 0, edges: bool = True, doubts: bool = True
) -> Alpha:
    """A mask made fit to be seen (A-001 `apply_smoothing`).

    `doubts` decides by colour where the model is not sure (off for frames of a video, where it would flicker); `edges` draws the
    border to the picture's own edges; `smoothing` removes dust, fills holes and softens steps; `padding` grows the mask by so
    many pixels, below 0 it eats.
    """
    short = min(alpha.shape)
    step = max(1, short // _GUIDED_AT)
    reach = max(2, round(short / step / 60))
    whole = np.zeros_like(alpha)
    there = cv2.compare(alpha, 1 - SURE, cv2.CMP_GT)
    part = areas.around(there, 4 * reach * step + 2 * abs(padding), step)
    if part is None:
        return whole
    shown, seen = picture[part], alpha[part]
    made: Alpha = _sharpened(decided(shown, seen) if doubts else seen)
    if edges:
        made = _guided(shown, made, step, reach)
    if smoothing:
        made = _cleaned(made, max(3, short // 60) | 1)
    if padding:
        size = 2 * abs(padding) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        made = cv2.dilate(made, kernel) if padding > 0 else cv2.erode(made, kernel)
    if smoothing:
        made = cv2.GaussianBlur(made, (0, 0), max(0.6, short / 1400))
    np.clip(made, 0, 1, out=whole[part])
    return whole


def _sharpened(alpha: Alpha) -> Alpha:
    """What is nearly nobody is nobody, and what is nearly the person is the person."""
    made: Alpha = np.subtract(alpha, np.float32(0.12))
    made /= np.float32(0.76)
    return np.clip(made, 0, 1, out=made)


def _cleaned(alpha: Alpha, reach: int) -> Alpha:
    """Without islands that hang on nothing and holes that nobody has. Haze so near the person stays."""
    made = alpha.copy()
    solid = (alpha > 0.5).astype(np.uint8)
    least = _SPECK * float(cv2.countNonZero(solid))
    count, labels, facts, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count < 2:
        return made
    keep = np.ones(count, np.uint8)
    keep[0] = 0
    keep[1:] = facts[1:, cv2.CC_STAT_AREA] >= least
    if not keep[1:].all():
        near = cv2.dilate(np.take(keep, labels), np.ones((reach, reach), np.uint8))
        made *= near  # haze round the dust goes with it, haze round the person stays
    enclosed = _enclosed(solid)
    part = areas.around(enclosed, 0)
    if part is not None:
        _, labels, facts, _ = cv2.connectedComponentsWithStats(enclosed[part], connectivity=4)
        small = facts[:, cv2.CC_STAT_AREA] < least
        small[0] = False
        np.copyto(made[part], np.float32(1), where=small[labels])
    return made


def _enclosed(solid: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is not solid and has no way to the picture's edge."""
    walled = cv2.copyMakeBorder(solid, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(walled, None, (0, 0), 1)
    return cast("NDArray[np.uint8]", cv2.bitwise_xor(walled[1:-1, 1:-1], 1))


def _guided(picture: Picture, alpha: Alpha, step: int, reach: int) -> Alpha:
    """The mask as a local linear function of the picture's colours (He, Sun, Tang: Guided Image Filtering; and its fast form):
    learnt at a fraction of the size, drawn where the border is.
    """
    band = _band(alpha, reach * step)
    made = alpha.copy()
    if not cv2.countNonZero(band):
        return made
    slopes, offset = _line(*areas.whole_steps(picture, alpha, step), step, reach)
    for part in areas.tiles(band, _TILE * step):
        slope = areas.enlarged(slopes, step, part)
        drawn = cv2.transform(cv2.multiply(slope, picture[part], scale=1 / 255, dtype=cv2.CV_32F), np.ones((1, 3)))
        drawn += areas.enlarged(offset, step, part)
        np.copyto(made[part], np.clip(drawn, 0, 1, out=drawn), where=band[part] != 0)
    return made


def _line(picture: Picture, alpha: Alpha, step: int, reach: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slopes, one for each colour, and offset of the line from colours (0 to 1) to the mask, at a fraction of the size."""
    small = (alpha.shape[1] // step, alpha.shape[0] // step)
    image = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    image *= np.float32(1 / 255)
    mask = cv2.resize(alpha, small, interpolation=cv2.INTER_AREA)
    size = (2 * reach + 1, 2 * reach + 1)

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return cast("NDArray[Any]", cv2.blur(values, size))

    planes = cv2.split(image)
    colours, level = [mean(plane) for plane in planes], mean(mask)
    right = [mean(plane * mask) - colour * level for plane, colour in zip(planes, colours, strict=True)]
    spread = [
        mean(planes[one] * planes[other]) - colours[one] * colours[other] + np.float32(1e-4 if one == other else 0)
        for one, other in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    ]
    slopes = _solved(spread, right)
    offset = level - sum(slope * colour for slope, colour in zip(slopes, colours, strict=True))
    return mean(cv2.merge(slopes)), mean(offset)


def _solved(spread: Sequence[NDArray[Any]], right: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Solutions of many symmetric systems of three by Cramer's rule: a fifth of the time of a general solver."""
    a, b, c, d, e, f = spread
    aa, ab, ac, bb, bc, cc = d * f - e * e, c * e - b * f, b * e - c * d, a * f - c * c, b * c - a * e, a * d - b * b
    scale = 1 / (a * aa + b * ab + c * ac)
    x, y, z = right
    rows = (aa * x + ab * y + ac * z, ab * x + bb * y + bc * z, ac * x + bc * y + cc * z)
    return [row * scale for row in rows]


def _band(alpha: Alpha, reach: int) -> NDArray[np.uint8]:
    """Where the border may be (not 0): only there a mask is drawn anew."""
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    sure = cv2.erode(cv2.compare(alpha, 0.95, cv2.CMP_GT), kernel)
    never = cv2.erode(cv2.compare(alpha, 0.05, cv2.CMP_LT), kernel)
    return cast("NDArray[np.uint8]", cv2.bitwise_not(cv2.bitwise_or(sure, never)))


def own(alpha: Alpha, box: Box) -> Alpha:
    """A mask without the others: of what hangs together, that which fills most of the middle of the person's box stays."""
    count, labels = cv2.connectedComponents((alpha > _HELD).astype(np.uint8))
    left, top, right, bottom = box.whole()
    third = (right - left) // 3
    middle = labels[max(0, top) : bottom, max(0, left) + third : max(1, right - third)]
    shares = np.bincount(middle[middle > 0], minlength=count)
    if shares.max(initial=0) == 0:
        return alpha
    near = cv2.dilate((labels == int(shares.argmax())).astype(np.uint8), np.ones((_EDGE, _EDGE), np.uint8))
    return np.where(near > 0, alpha, np.float32(0))


class Steady:
    """Masks of a video, one after the other, without flicker: small changes are spread over frames, large ones are movement."""

    def __init__(self, weight: float = 0.6) -> None:
        self._weight = weight
        self._last: Alpha | None = None

    def next(self, alpha: Alpha) -> Alpha:
        """The mask of the next frame, steadied; a mask of another size begins anew."""
        if self._last is not None and self._last.shape == alpha.shape:
            change = self._last - alpha
            alpha = (alpha + self._weight * np.exp(-np.square(change / 0.35)) * change).astype(np.float32)
        self._last = alpha
        return alpha


def cut_out(picture: Picture, alpha: Alpha) -> CutOut:
    """The person alone: colours at the edge are the person's own, so that no halo of the old background stays."""
    colours = picture.copy()
    half = cv2.inRange(alpha, _HALF, 1 - _HALF)
    wide = max(15, min(alpha.shape) // 12) | 1
    part = areas.around(half, wide)
    if part is not None:
        own_colours(colours[part], picture[part], alpha[part], half[part], wide)
    made = np.empty((*alpha.shape, 4), np.uint8)
    cv2.mixChannels([colours, cv2.convertScaleAbs(alpha, alpha=255)], [made], [0, 0, 1, 1, 2, 2, 3, 3])
    return made
