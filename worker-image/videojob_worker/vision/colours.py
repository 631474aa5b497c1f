"""Colours at a person's edge, without what shone through of the background.

After Forte: Approximate Fast Foreground Colour Estimation (blur fusion), a wide pass at a fraction of the size and a narrow one
along the edge. Where the person is opaque the picture's own colours stay.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import areas
from .boxes import Picture

_NARROW, _TILE = 7, 24
_OPAQUE = 0.995


def own_colours(
    made: Picture, picture: Picture, alpha: NDArray[np.float32], half: NDArray[np.uint8], wide: int
) -> None:
    """Draw the person's own colours into `made`, a copy of the picture, round all pixels that are half transparent by `half`.

    `wide` is how far the first pass looks, in pixels.
    """
    step = max(1, wide // 22)
    front, behind = _learnt(*areas.whole_steps(picture, alpha, step), step, (wide // step) | 1)
    for part in areas.tiles(half, _TILE * step):
        around, inside = areas.grown(part, _NARROW // 2, alpha.shape)
        # the enlarged planes begin at multiples of the step
        first = tuple(side.start // step * step for side in around)
        from_step = (slice(first[0], around[0].stop), slice(first[1], around[1].stop))
        rest = tuple(slice(side.start - at, None) for side, at in zip(around, first, strict=True))
        near, past = (areas.enlarged(each, step, from_step)[rest] for each in (front, behind))
        drawn, _ = _fused(picture[around].astype(np.float32), near, past, alpha[around], _NARROW)
        own = np.rint(drawn[inside]).astype(np.uint8)
        made[part] = cv2.copyTo(own, cv2.compare(alpha[part], _OPAQUE, cv2.CMP_LE), made[part])


def _learnt(
    picture: Picture, alpha: NDArray[np.float32], step: int, reach: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colours of the person and of what is behind, at a fraction of the size."""
    small = (alpha.shape[1] // step, alpha.shape[0] // step)
    image = cv2.resize(picture, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    mask = cv2.resize(alpha, small, interpolation=cv2.INTER_AREA)
    return _fused(image, image, image, mask, reach)


def _fused(
    image: NDArray[Any], front: NDArray[Any], behind: NDArray[Any], alpha: NDArray[np.float32], reach: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """One pass of blur fusion: colours of the person and of what is behind, from those of the pass before."""
    size = (reach, reach)
    mask, inside = (
        cv2.merge([plane] * 3) for plane in (alpha, cv2.blur(alpha, size))
    )  # a colour each: no loops of three
    rest = 1 - mask
    near = cv2.blur(front * mask, size) / (inside + 1e-5)
    past = cv2.blur(behind * rest, size) / (1 - inside + 1e-5)
    return np.clip(near + mask * (image - mask * near - rest * past), 0, 255), past
