"""Rectangles in a picture, in pixels, and what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""Height x width x 3, RGB."""


@dataclass(frozen=True)
class Box:
    """A rectangle; `right` and `bottom` are the first pixels outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels up."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Pixels inside."""
        return max(0.0, self.width) * max(0.0, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def within(self, width: int, height: int) -> Box:
        """The part that lies in a picture of this size."""
        return Box(
            min(max(self.left, 0.0), width),
            min(max(self.top, 0.0), height),
            min(max(self.right, 0.0), width),
            min(max(self.bottom, 0.0), height),
        )

    def grown(self, share: float) -> Box:
        """Larger on each side by a share of its own size."""
        across, up = self.width * share, self.height * share
        return Box(self.left - across, self.top - up, self.right + across, self.bottom + up)

    def shared(self, other: Box) -> float:
        """Pixels that both have."""
        across = min(self.right, other.right) - max(self.left, other.left)
        up = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, across) * max(0.0, up)

    def overlap(self, other: Box) -> float:
        """Shared area over the area of both together (IoU), 0 to 1."""
        both = self.shared(other)
        return both / (self.area + other.area - both) if both > 0 else 0.0

    def whole(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in whole pixels."""
        return round(self.left), round(self.top), round(self.right), round(self.bottom)


def working_size(picture: Picture, longest: int = 1920) -> Picture:
    """The same picture, no longer than this many pixels: models see far less, and a video shows no more."""
    scale = longest / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    made: Picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return made


def strongest(boxes: Sequence[Box], scores: Sequence[float], most: float) -> list[int]:
    """Places of the boxes that stay when of those that overlap by more than `most` only the best does; best first."""
    kept: list[int] = []
    for place in sorted(range(len(boxes)), key=lambda place: -scores[place]):
        if all(boxes[place].overlap(boxes[other]) <= most for other in kept):
            kept.append(place)
    return kept


def steady(found: Sequence[Box | None], seconds_per_box: float, settle_seconds: float = 0.5) -> tuple[Box, ...]:
    """Boxes of one person over time, without jitter: each a weighted mean of its neighbours, before and after.

    A frame without a box takes its neighbours'. Empty when no frame has one.
    """
    times = np.array([place for place, box in enumerate(found) if box is not None], np.float64)
    values = np.array([[box.left, box.top, box.right, box.bottom] for box in found if box is not None], np.float64)
    if not len(times):
        return ()
    every = np.arange(len(found), dtype=np.float64)
    filled = np.stack([np.interp(every, times, values[:, side]) for side in range(4)], axis=1)
    reach = max(1, round(3 * settle_seconds / seconds_per_box))
    offsets = np.arange(-reach, reach + 1) * seconds_per_box
    weights = np.exp(-0.5 * (offsets / settle_seconds) ** 2)
    padded = np.pad(filled, ((reach, reach), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, side], weights / weights.sum(), "valid") for side in range(4)], axis=1)
    return tuple(Box(*map(float, row)) for row in smooth)
