"""What single-shot detectors of MediaPipe answer, read: a grid of anchors, each with a score, a box and points.

Published with the models: https://github.com/google-ai-edge/mediapipe (`ssd_anchors_calculator`,
`tensors_to_detections_calculator`). Anchors have one size, so that a grid's points are all there is to know.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .boxes import Box, Picture
from .tflite import network

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Head:
    """How one model's answers are read."""

    model: str
    grids: tuple[tuple[int, int], ...]
    """Cells between two anchors, and anchors in each cell."""


@dataclass(frozen=True)
class Sighting:
    """Something that a detector saw."""

    score: float
    box: Box
    points: Points
    """Pixels, one row a point."""


POSE = Head("pose_detection", ((8, 2), (16, 2), (32, 6)))
_SPARE = 1.5
"""A look is made of a part at least so many times as large: smaller ones would be blurred by the way they came."""
FACE = Head("face_detection_full_range_sparse", ((4, 1),))


@lru_cache(maxsize=4)
def _anchors(head: Head, size: int) -> Points:
    rows = []
    for stride, each in head.grids:
        cells = -(-size // stride)
        up, across = np.mgrid[0:cells, 0:cells]
        middles = (np.stack([across, up], axis=-1).reshape(-1, 2) + 0.5) * (size / cells)
        rows.append(np.repeat(middles, each, axis=0))
    return np.concatenate(rows).astype(np.float64)


class View:
    """A picture that is looked at in parts and at many sizes: halves of it are made once, by whoever asks first."""

    def __init__(self, picture: Picture) -> None:
        self._sizes = [picture]
        self._lock = threading.Lock()

    def part(self, part: Box, longest: int) -> tuple[Picture, Box]:
        """A part for a look that is so many pixels long, and where it lies in the picture: not much larger than needed, since
        averaging many pixels into one is the dearest of a look after its model.
        """
        left, top, right, bottom = part.whole()
        level = max(0, int(np.log2(max(right - left, bottom - top) / (longest * _SPARE))))
        source, step = self._halved(level), 1 << level
        height, width = source.shape[:2]
        across = slice(left // step, min(width, -(-right // step)))
        up = slice(top // step, min(height, -(-bottom // step)))
        return source[up, across], Box(across.start * step, up.start * step, across.stop * step, up.stop * step)

    def _halved(self, level: int) -> Picture:
        with self._lock:
            while len(self._sizes) <= level:
                last = self._sizes[-1]
                height, width = (length // 2 for length in last.shape[:2])
                even = last[: height * 2, : width * 2]
                self._sizes.append(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA))
            return self._sizes[level]


def see(head: Head, view: View, part: Box, least: float) -> Iterator[Sighting]:
    """What one look at a part of a picture shows; many sightings of one thing."""
    net = network(head.model)
    cut, place = view.part(part, net.width)
    shrunk = net.width / max(cut.shape[:2])
    across, up = max(1, round(cut.shape[1] * shrunk)), max(1, round(cut.shape[0] * shrunk))
    scale = shrunk * cut.shape[1] / place.width
    seen = np.zeros((net.height, net.width, 3), np.uint8)
    at_left, at_top = (net.width - across) // 2, (net.height - up) // 2
    seen[at_top : at_top + up, at_left : at_left + across] = cv2.resize(cut, (across, up), interpolation=cv2.INTER_AREA)
    offsets, logits = net(seen.astype(np.float32) / 127.5 - 1)
    scores = 1 / (1 + np.exp(-np.clip(logits[:, 0], -50, 50)))
    anchors = _anchors(head, net.width)
    move = np.array([place.left - at_left / scale, place.top - at_top / scale])
    for at in np.flatnonzero(scores >= least):
        row = offsets[at].astype(np.float64).reshape(-1, 2)
        middle, reach, points = row[0] + anchors[at], row[1] / 2, row[2:] + anchors[at]
        low, high = (middle - reach) / scale + move, (middle + reach) / scale + move
        yield Sighting(float(scores[at]), Box(*map(float, (*low, *high))), points / scale + move)


def parts(width: int, height: int) -> tuple[list[Box], list[Box]]:
    """Where to look: the whole picture, with squares over a long one; and smaller squares, in which far faces are larger."""
    short = min(width, height)
    wide = [Box(0, 0, width, height)]
    if max(width, height) >= short * 1.25:
        wide += _squares(width, height, short)
    near = round(short * 0.6)
    return wide, _squares(width, height, near) if near >= 160 else []


def _squares(width: int, height: int, side: int) -> list[Box]:
    return [Box(left, top, left + side, top + side) for top in _starts(height, side) for left in _starts(width, side)]


def _starts(length: int, side: int) -> list[int]:
    """Where pieces of this side begin that cover a length and overlap by a third or more."""
    if length <= side:
        return [0]
    count = -(-(length - side) * 3 // (side * 2)) + 1
    return [round(number * (length - side) / (count - 1)) for number in range(count)]
