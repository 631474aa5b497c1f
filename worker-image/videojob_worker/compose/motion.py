"""Where a still picture is looked at from, moment by moment, exact to a fraction of a pixel (S-021, C8).

A zoom has one point that stays where it is. The picture is kept as four quarters round that point, each mirrored so that the
point is its first corner: then each quarter's enlargement begins at a whole pixel whatever the zoom, and a plain resize is
exact where a resize of a moving window would jump from pixel to pixel. It costs a third of an affine warp and is the same
bytes on every machine. A pan has no such point; it is warped.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from .planes import Plane, Planes

ZOOM_PER_SECOND = 0.05
MAX_ZOOM = 1.25
"""C8: no scene enlarges its picture more. One that lasts longer zooms more slowly, so that it moves to its end."""
PAN_ZOOM = 1.12
"""How much a panned picture is larger than the frame where its shape leaves nothing else to pan over."""
PAN_PER_SECOND = 0.10
"""At most so much of the frame's width or height passes in a second."""
SPARE = 2
"""Pixels of canvas beyond what a quarter needs, for its last sample."""


@dataclass(frozen=True)
class Quarter:
    """One corner of the frame: its size, and which way it is mirrored against its quarter of the canvas."""

    left: int
    top: int
    width: int
    height: int
    flip_x: bool
    flip_y: bool


@dataclass(frozen=True)
class Window:
    """What part of the picture a canvas holds: in pixels of the frame without zoom, may reach beyond it by a fraction."""

    left: float
    top: float
    right: float
    bottom: float
    width: int
    """Pixels of the canvas."""
    height: int


class View(Protocol):
    """Something that can be drawn at any moment of a scene."""

    def draw(self, seconds: float, target: Planes) -> None:
        """Draw the picture as it is at that moment of the scene's motion."""


@dataclass(frozen=True)
class Still:
    """A picture that does not move."""

    planes: Planes

    def draw(self, seconds: float, target: Planes) -> None:  # noqa: ARG002 - every view is asked alike
        """Copy it."""
        self.planes.copy_to(target)


def zoom_rate(seconds: float) -> float:
    """Zoom a second of a scene that moves for so long."""
    return min(ZOOM_PER_SECOND, (MAX_ZOOM - 1) / seconds) if seconds > 0 else 0.0


def zoom_window(width: int, height: int, focus: tuple[int, int]) -> Window:
    """The canvas that a zoom into `focus` needs: there the point stands between whole pixels, for chroma too."""
    left, right = (_reach(side) for side in (focus[0], width - focus[0]))
    top, bottom = (_reach(side) for side in (focus[1], height - focus[1]))
    return Window(
        focus[0] - left / MAX_ZOOM,
        focus[1] - top / MAX_ZOOM,
        focus[0] + right / MAX_ZOOM,
        focus[1] + bottom / MAX_ZOOM,
        left + right,
        top + bottom,
    )


def _reach(side: int) -> int:
    return 2 * int(np.ceil((side + 1) * MAX_ZOOM / 2)) + SPARE if side else 0


class Zoom:
    """A picture that grows round one point: `1 + rate * t`, at most MAX_ZOOM."""

    def __init__(self, canvas: Planes, width: int, height: int, *, focus: tuple[int, int], rate: float) -> None:
        if any(part % 2 for part in (width, height, *focus)):
            raise ValueError(
                f"frame {width}x{height} and focus {focus} must be even: chroma is stored for pairs of pixels"
            )
        self.focus, self.rate = focus, rate
        self._own = threading.local()  # what several threads draw at the same time
        at = (_reach(focus[0]), _reach(focus[1]))
        self._parts = [
            self._quarters(
                plane,
                (at[0] // half, at[1] // half),
                (focus[0] // half, focus[1] // half),
                (width // half, height // half),
            )
            for plane, half in zip(canvas.all, (1, 2, 2), strict=True)
        ]

    @staticmethod
    def _quarters(
        plane: Plane, at: tuple[int, int], focus: tuple[int, int], frame: tuple[int, int]
    ) -> list[tuple[Quarter, Plane]]:
        columns = (
            (0, focus[0], True, slice(None, at[0])),
            (focus[0], frame[0] - focus[0], False, slice(at[0], None)),
        )
        rows = (
            (0, focus[1], True, slice(None, at[1])),
            (focus[1], frame[1] - focus[1], False, slice(at[1], None)),
        )
        found = []
        for left, across, flip_x, columns_of in columns:
            for top, up, flip_y, rows_of in rows:
                if across and up:
                    part = plane[rows_of, columns_of][:: -1 if flip_y else 1, :: -1 if flip_x else 1]
                    found.append((Quarter(left, top, across, up, flip_x, flip_y), np.ascontiguousarray(part)))
        return found

    def zoom(self, seconds: float) -> float:
        """Enlargement at a moment."""
        return min(MAX_ZOOM, 1 + self.rate * max(0.0, seconds))

    def draw(self, seconds: float, target: Planes) -> None:
        """Draw the picture as it is at that moment."""
        step = MAX_ZOOM / self.zoom(seconds)
        scratch: dict[tuple[int, int], Plane] = self._own.__dict__.setdefault("scratch", {})
        for plane, quarters in zip(target.all, self._parts, strict=True):
            for quarter, source in quarters:
                part = plane[quarter.top : quarter.top + quarter.height, quarter.left : quarter.left + quarter.width]
                if quarter.flip_x or quarter.flip_y:
                    made = scratch.setdefault(part.shape, np.empty(part.shape, np.uint8))
                    _enlarge(source, step, made)
                    cv2.flip(made, _FLIPS[quarter.flip_x, quarter.flip_y], dst=part)
                else:
                    _enlarge(source, step, part)


_FLIPS = {(True, False): 1, (False, True): 0, (True, True): -1}


def _taken(pixels: int, step: float) -> int:
    """How many source pixels, one every `step`, OpenCV rounds to exactly so many target pixels."""
    taken = int((pixels + 0.49) * step)
    return taken if round(taken / step) == pixels else taken + 1


def _enlarge(source: Plane, step: float, target: Plane) -> None:
    """Sample `source` every `step` pixels from its first corner on.

    OpenCV takes the factor itself, not the quotient of the sizes, when it is given no size: so any real factor is exact.
    """
    height, width = target.shape
    part = source[: _taken(height, step), : _taken(width, step)]
    made = cv2.resize(part, None, dst=target, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_LINEAR_EXACT)
    if made is not target:
        raise ValueError(f"a part of {part.shape} enlarged by {1 / step} is {made.shape}, not {target.shape}")


@dataclass(frozen=True)
class Pan:
    """A picture that passes by: a window of the frame's size slides from one corner of the canvas to another."""

    canvas: Planes
    start: tuple[float, float]
    """Upper left corner of the window at the start, in pixels of the canvas."""
    end: tuple[float, float]
    seconds: float

    def draw(self, seconds: float, target: Planes) -> None:
        """Draw the picture as it is at that moment."""
        share = min(1.0, max(0.0, seconds / self.seconds)) if self.seconds > 0 else 0.0
        left, top = (a + (b - a) * share for a, b in zip(self.start, self.end, strict=True))
        for plane, source, half in zip(target.all, self.canvas.all, (1, 2, 2), strict=True):
            matrix = np.array([[1, 0, left / half], [0, 1, top / half]], np.float64)
            cv2.warpAffine(
                source, matrix, plane.shape[::-1], dst=plane, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            )  # fmt: skip


def pan_path(
    canvas: tuple[int, int], frame: tuple[int, int], seconds: float, *, backwards: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Start and end of a pan over the canvas's longer spare side, no faster than PAN_PER_SECOND, in its middle."""
    spare: Sequence[int] = [whole - part for whole, part in zip(canvas, frame, strict=True)]
    along = 0 if spare[0] * frame[1] >= spare[1] * frame[0] else 1
    length = min(float(spare[along]), frame[along] * PAN_PER_SECOND * seconds)
    start, end = [part / 2 for part in spare], [part / 2 for part in spare]
    start[along] -= length / 2
    end[along] += length / 2
    ends = ((start[0], start[1]), (end[0], end[1]))
    return (ends[1], ends[0]) if backwards else ends
