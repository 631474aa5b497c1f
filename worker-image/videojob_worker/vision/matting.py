"""Cutting a person out: what every way has in common, and what is done to a mask afterwards.

A mask (alpha) is a plane of float32: 1 where the person is, 0 where nobody is, between on hair and edges.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from .boxes import Box, Picture
from .weights import opened

Alpha: TypeAlias = NDArray[np.float32]
CutOut: TypeAlias = NDArray[np.uint8]
"""Height x width x 4, RGBA, colours not multiplied by alpha."""
_SPECK = 0.01
"""Share of the person below which an island is dust and a hole is a mistake."""

_SURE, _DECIDED_AT, _LEARNT = 0.9, 400, 50
"""From which a model's word is taken; pixels of the longer side at which colours decide about the rest; how many pixels must be
sure for their colours to be learnt."""

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

    `doubts` decides by colour where the model is not sure (a tenth of a second a picture: off for frames of a video); `edges`
    draws the border to the picture's own edges; `smoothing` removes dust, fills holes and softens steps; `padding` grows the
    mask by so many pixels, below 0 it eats.
    """
    made: Alpha = _sharpened(_decided(picture, alpha) if doubts else alpha)
    if edges:
        made = _guided(picture, made)
    if smoothing:
        made = _cleaned(made)
    if padding:
        size = 2 * abs(padding) + 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        made = cv2.dilate(made, kernel) if padding > 0 else cv2.erode(made, kernel)
    if smoothing:
        made = cv2.GaussianBlur(made, (0, 0), max(0.6, min(alpha.shape) / 1400))
    fit: Alpha = np.clip(made, 0, 1).astype(np.float32)
    return fit


def _decided(picture: Picture, alpha: Alpha) -> Alpha:
    """Doubtful pixels told apart by the colours of the sure ones (GrabCut), at a fraction of the size."""
    height, width = alpha.shape
    scale = min(1.0, _DECIDED_AT / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA)
    guess = np.where(mask > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels = np.where(mask > _SURE, cv2.GC_FGD, np.where(mask < 1 - _SURE, cv2.GC_BGD, guess)).astype(np.uint8)
    known = min(int((labels == label).sum()) for label in (cv2.GC_FGD, cv2.GC_BGD))
    if known < _LEARNT or not np.isin(labels, (cv2.GC_PR_FGD, cv2.GC_PR_BGD)).any():
        return alpha
    cv2.setRNGSeed(1)  # the same picture, the same mask
    behind, front = np.zeros((1, 65), np.float64), np.zeros((1, 65), np.float64)
    cv2.grabCut(small, labels, None, behind, front, 2, cv2.GC_INIT_WITH_MASK)
    told = cv2.GaussianBlur(np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32), (0, 0), 0.8)
    told = cv2.resize(told, (width, height), interpolation=cv2.INTER_LINEAR)
    made: Alpha = np.where((alpha > _SURE) | (alpha < 1 - _SURE), alpha, told).astype(np.float32)
    return made


def _sharpened(alpha: Alpha) -> Alpha:
    """What is nearly nobody is nobody, and what is nearly the person is the person."""
    made: Alpha = np.clip((alpha - 0.12) / 0.76, 0, 1).astype(np.float32)
    return made


def _cleaned(alpha: Alpha) -> Alpha:
    """Without islands that hang on nothing and holes that nobody has."""
    made = alpha.copy()
    solid = (alpha > 0.5).astype(np.uint8)
    least = _SPECK * float(solid.sum())
    count, labels, facts, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    if count < 2:
        return made
    dust = np.zeros(count, bool)
    dust[1:] = facts[1:, cv2.CC_STAT_AREA] < least
    if dust.any():
        keep = (~dust[labels] & (solid > 0)).astype(np.uint8)
        reach = max(3, min(alpha.shape) // 60) | 1
        near = cv2.dilate(keep, np.ones((reach, reach), np.uint8))
        made *= near  # haze round the dust goes with it, haze round the person stays
    count, labels, facts, _ = cv2.connectedComponentsWithStats(1 - solid, connectivity=4)
    height, width = alpha.shape
    for label in range(1, count):
        left, top, across, up, area = facts[label]
        inside = left > 0 and top > 0 and left + across < width and top + up < height
        if inside and area < least:
            made[labels == label] = 1.0
    return made


def _guided(picture: Picture, alpha: Alpha) -> Alpha:
    """The mask as a local linear function of the picture's colours (He, Sun, Tang: Guided Image Filtering; and its fast form)."""
    height, width = alpha.shape
    step = max(1, min(height, width) // 360)
    small = (max(1, width // step), max(1, height // step))
    image = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = cv2.resize(alpha, small, interpolation=cv2.INTER_AREA)
    reach = max(2, round(min(small) / 60))

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return cast("NDArray[Any]", cv2.blur(values, (2 * reach + 1, 2 * reach + 1)))

    colour, level = mean(image), mean(mask)
    together = mean(image * mask[..., None]) - colour * level[..., None]
    spread = np.empty((*mask.shape, 3, 3), np.float32)
    for row in range(3):
        for column in range(row, 3):
            shared = mean(image[..., row] * image[..., column]) - colour[..., row] * colour[..., column]
            spread[..., row, column] = spread[..., column, row] = shared
    spread += np.eye(3, dtype=np.float32) * 1e-4
    slope = _solved(spread, together)
    offset = level - (slope * colour).sum(axis=-1)
    slope, offset = mean(slope), mean(offset)
    slope = cv2.resize(slope, (width, height), interpolation=cv2.INTER_LINEAR)
    offset = cv2.resize(offset, (width, height), interpolation=cv2.INTER_LINEAR)
    made = (slope * picture).sum(axis=-1) / 255 + offset
    band = _band(alpha, reach * step)
    return np.where(band, np.clip(made, 0, 1), alpha).astype(np.float32)


def _solved(spread: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    """Solutions of many symmetric systems of three by Cramer's rule: a fifth of the time of a general solver."""
    (a, b, c), (_, d, e), (_, _, f) = (tuple(spread[..., row, column] for column in range(3)) for row in range(3))
    inverse = ((d * f - e * e, c * e - b * f, b * e - c * d), (a * f - c * c, b * c - a * e), (a * d - b * b,))
    (aa, ab, ac), (bb, bc), (cc,) = inverse
    scale = 1 / (a * aa + b * ab + c * ac)
    x, y, z = right[..., 0], right[..., 1], right[..., 2]
    rows = (aa * x + ab * y + ac * z, ab * x + bb * y + bc * z, ac * x + bc * y + cc * z)
    return np.stack([row * scale for row in rows], axis=-1).astype(np.float32)


def _band(alpha: Alpha, reach: int) -> NDArray[np.bool_]:
    """Where the border may be: only there a mask is drawn anew."""
    size = 2 * reach + 1
    kernel = np.ones((size, size), np.uint8)
    sure = cv2.erode((alpha > 0.95).astype(np.uint8), kernel)
    never = cv2.erode((alpha < 0.05).astype(np.uint8), kernel)
    return cast("NDArray[np.bool_]", (sure == 0) & (never == 0))


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
    """The person alone: colours at the edge are the person's own, so that no halo of the old background stays.

    After Forte: Approximate Fast Foreground Colour Estimation (blur fusion), a wide pass at a fraction of the size and a narrow
    one. Where the person is opaque, or far away, the picture's own colours stay.
    """
    colours = picture.copy()
    wide = max(15, min(alpha.shape) // 12) | 1
    for part in _edge_parts(alpha, wide):
        colours[part] = _own_colours(picture[part], alpha[part], wide)
    return np.dstack([colours, np.rint(alpha * 255).astype(np.uint8)])


def _edge_parts(alpha: Alpha, margin: int) -> tuple[tuple[slice, slice], ...]:
    """The part of a picture that has all its half transparent pixels, with a margin; none where there is no such pixel."""
    half = ((alpha > 0.002) & (alpha < 0.998)).astype(np.uint8)
    left, top, across, up = cv2.boundingRect(half)
    if not across or not up:
        return ()
    rows = slice(max(0, top - margin), top + up + margin)
    return ((rows, slice(max(0, left - margin), left + across + margin)),)


def _own_colours(picture: Picture, alpha: Alpha, wide: int) -> Picture:
    """A part of a picture with the person's own colours wherever the person is not opaque."""
    height, width = alpha.shape
    step = max(1, wide // 22)
    small = (max(1, width // step), max(1, height // step))
    image = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    mask = cv2.resize(alpha, small, interpolation=cv2.INTER_AREA)
    front, behind = _fused(image, image, image, mask, (wide // step) | 1)
    front, behind = (cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in (front, behind))
    front, _ = _fused(picture.astype(np.float32), front, behind, alpha, 7)
    opaque = alpha > 0.995
    made: Picture = np.rint(front).astype(np.uint8)
    made[opaque] = picture[opaque]
    return made


def _fused(
    image: NDArray[Any], front: NDArray[Any], behind: NDArray[Any], alpha: Alpha, reach: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """One pass of blur fusion: colours of the person and of what is behind, from those of the pass before."""
    size, mask = (reach, reach), alpha[..., None]
    inside = cv2.blur(alpha, size)[..., None]
    near = cv2.blur(front * mask, size) / (inside + 1e-5)
    past = cv2.blur(behind * (1 - mask), size) / (1 - inside + 1e-5)
    return np.clip(near + mask * (image - mask * near - (1 - mask) * past), 0, 255), past
