"""Work on a picture only where it is needed: the part round a mask, and tiles along its border.

Most of a photograph is surely the person or surely not. What is computed for all of it takes several times as long as models do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Part: TypeAlias = tuple[slice, slice]
"""Rows and columns."""


def around(there: NDArray[np.uint8], margin: int, step: int = 1) -> Part | None:
    """The part that holds all pixels that are not 0, with a margin, within the picture; None where there is no such pixel.

    It begins at multiples of `step`, and ends at one or with the picture.
    """
    left, top, across, up = cv2.boundingRect(there)
    if not across or not up:
        return None
    height, width = there.shape
    return _side(top, top + up, margin, step, height), _side(left, left + across, margin, step, width)


def _side(first: int, end: int, margin: int, step: int, length: int) -> slice:
    return slice(max(0, first - margin) // step * step, min(length, -(-(end + margin) // step) * step))


def tiles(there: NDArray[np.uint8], side: int) -> Iterator[Part]:
    """Rows of tiles that hold all pixels that are not 0: each tile is so many pixels high, those beside each other are one."""
    height, width = there.shape
    rows, columns = np.arange(0, height, side), np.arange(0, width, side)
    used = np.bitwise_or.reduceat(np.bitwise_or.reduceat(there, rows, axis=0), columns, axis=1) != 0
    edges = np.diff(np.pad(used, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    for top, line in zip(rows.tolist(), edges, strict=True):
        for first, end in zip(np.flatnonzero(line > 0).tolist(), np.flatnonzero(line < 0).tolist(), strict=True):
            yield slice(top, min(height, top + side)), slice(first * side, min(width, end * side))


def grown(part: Part, margin: int, shape: tuple[int, ...]) -> tuple[Part, Part]:
    """A part with a margin, as far as the picture has one; and where in that the part itself lies."""
    wide = tuple(
        slice(max(0, side.start - margin), min(length, side.stop + margin))
        for side, length in zip(part, shape, strict=False)
    )
    inside = tuple(
        slice(side.start - outer.start, side.stop - outer.start) for side, outer in zip(part, wide, strict=True)
    )
    return (wide[0], wide[1]), (inside[0], inside[1])


def enlarged(small: NDArray[np.float32], step: int, part: Part) -> NDArray[np.float32]:
    """A part of what a small plane is when drawn linearly at full size, each of its pixels a square of `step`.

    The part begins at multiples of the step.
    """
    if step == 1:
        return small[part]
    cells = tuple(slice(side.start // step, -(-side.stop // step)) for side in part)
    wide, _ = grown((cells[0], cells[1]), 1, small.shape)
    seen = small[wide]
    drawn = cv2.resize(seen, (seen.shape[1] * step, seen.shape[0] * step), interpolation=cv2.INTER_LINEAR)
    top, left = (side.start - outer.start * step for side, outer in zip(part, wide, strict=True))
    made: NDArray[np.float32] = drawn[
        top : top + part[0].stop - part[0].start, left : left + part[1].stop - part[1].start
    ]
    return made


def whole_steps(
    picture: NDArray[np.uint8], alpha: NDArray[np.float32], step: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Both with their last pixels repeated up to a multiple of the step."""
    below, beside = -alpha.shape[0] % step, -alpha.shape[1] % step
    if not below and not beside:
        return picture, alpha
    wide = cv2.copyMakeBorder(picture, 0, below, 0, beside, cv2.BORDER_REPLICATE)
    return wide, cv2.copyMakeBorder(alpha, 0, below, 0, beside, cv2.BORDER_REPLICATE)
