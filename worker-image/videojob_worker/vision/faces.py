"""Faces: where they are, and 468 points on each, by MediaPipe's face mesh.

Which point is what is published with the model: https://github.com/google-ai-edge/mediapipe (`face_mesh_connections`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base.errors import Permanent
from . import ssd
from .boxes import Box, Picture, strongest
from .tflite import network

MESH = "face_landmark"
CONFIDENCE = 0.5
POINTS = 468
_MARGIN = 1.5
"""How much larger than a face the square is that the mesh's model sees."""
_LOOKS = 3

RIGHT_EYE, LEFT_EYE = 33, 263
"""Outer corners; right is the person's own right, on the picture's left."""
MOUTH_RIGHT, MOUTH_LEFT = 61, 291
INNER_TOP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
INNER_BOTTOM = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
"""The lips' inner border, from the corner on the picture's left to that on its right."""
RIGHT_LID_TOP, RIGHT_LID_BOTTOM = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
)
LEFT_LID_TOP, LEFT_LID_BOTTOM = (
    (362, 398, 384, 385, 386, 387, 388, 466, 263),
    (362, 382, 381, 380, 374, 373, 390, 249, 263),
)
"""Borders of the eyes' openings, from left to right in the picture."""
BROW_RIGHT, BROW_LEFT = (70, 63, 105, 66, 107), (336, 296, 334, 293, 300)
FOREHEAD, CHIN, NOSE_BASE = 10, 152, 2
CHEEKS = (50, 205, 101, 280, 425, 330)


@dataclass(frozen=True)
class Face:
    """A face that was sighted."""

    box: Box
    confidence: float
    eyes: tuple[tuple[float, float], tuple[float, float]]
    """Their middles, the one on the picture's left first."""


@dataclass(frozen=True)
class Mesh:
    """The points of one face, in pixels."""

    points: NDArray[np.float64]
    confidence: float
    """How sure the model is that it sees a face, 0 to 1."""

    def at(self, *which: int) -> NDArray[np.float64]:
        """Some of the points, one row each."""
        return self.points[list(which)]

    @property
    def height(self) -> float:
        """Pixels from the forehead to the chin."""
        return float(np.hypot(*(self.points[FOREHEAD] - self.points[CHIN])))

    @property
    def across(self) -> NDArray[np.float64]:
        """Direction from the right eye to the left one, of length one: what is level in this face."""
        line = self.points[LEFT_EYE] - self.points[RIGHT_EYE]
        level: NDArray[np.float64] = line / max(1e-6, float(np.hypot(*line)))
        return level


def find_faces(picture: Picture, confidence: float = CONFIDENCE) -> tuple[Face, ...]:
    """Everybody's face, the surest first."""
    height, width = picture.shape[:2]
    wide, near = ssd.parts(width, height)
    view = ssd.View(picture)
    seen = [one for part in (*wide, *near) for one in ssd.see(ssd.FACE, view, part, confidence)]
    kept = strongest([one.box for one in seen], [one.score for one in seen], 0.3)
    return tuple(_face(seen[place]) for place in kept)


def _face(seen: ssd.Sighting) -> Face:
    right, left = (tuple(map(float, row)) for row in seen.points[:2])
    return Face(seen.box, seen.score, ((right[0], right[1]), (left[0], left[1])))


def mesh(picture: Picture, face: Face) -> Mesh:
    """Its points: looked at, turned upright by what was seen, and looked at again."""
    centre = np.array(face.box.centre)
    side = max(face.box.width, face.box.height) * _MARGIN
    made = _look(picture, centre, side, np.array(face.eyes[1]) - np.array(face.eyes[0]))
    for _ in range(_LOOKS - 1):
        made = again(picture, made)
    return made


def again(picture: Picture, last: Mesh) -> Mesh:
    """The points of a face in the next frame, or of the same picture more exactly: by where they were."""
    turned = last.points @ np.array([last.across, [-last.across[1], last.across[0]]]).T
    low, high = turned.min(axis=0), turned.max(axis=0)
    middle = (low + high) / 2
    centre = middle[0] * last.across + middle[1] * np.array([-last.across[1], last.across[0]])
    return _look(picture, centre, float((high - low).max()) * _MARGIN, last.across)


def _look(picture: Picture, centre: NDArray[np.float64], side: float, level: NDArray[np.float64]) -> Mesh:
    net = network(MESH)
    level = level / max(1e-6, float(np.hypot(*level)))
    step = max(side, 2.0) / net.width
    turn = np.array([[level[0], -level[1]], [level[1], level[0]]]) * step
    place = np.concatenate([turn, (centre - turn @ np.array([net.width / 2, net.height / 2]))[:, None]], axis=1)
    smaller = step > 2  # a single bilinear look would skip pixels
    source, back = (_smaller(picture, step, place)) if smaller else (picture, place)
    cut = cv2.warpAffine(
        source, back, (net.width, net.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    answers: Sequence[NDArray[np.float32]] = net(cut.astype(np.float32) / 255)
    rows, flag = sorted((answer.ravel() for answer in answers), key=len, reverse=True)
    points = rows.reshape(POINTS, 3)[:, :2].astype(np.float64) @ turn.T + place[:, 2]
    return Mesh(points, float(1 / (1 + np.exp(-float(flag[0])))))


def _smaller(picture: Picture, step: float, place: NDArray[np.float64]) -> tuple[Picture, NDArray[np.float64]]:
    scale = 1 / step
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small: Picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small, place * np.array([[size[0] / picture.shape[1]], [size[1] / picture.shape[0]]])


def mouth_opening(points: Mesh) -> float:
    """Gap between the lips over the height of the face: 0 closed, about 0.25 wide open."""
    top, bottom = points.at(*INNER_TOP[3:8]), points.at(*INNER_BOTTOM[3:8])
    up = np.array([-points.across[1], points.across[0]])
    return float(np.maximum(0, (bottom - top) @ up).mean() / points.height)


def eyes_opening(points: Mesh) -> float:
    """Gap between the lids over the width of the eyes, mean of both: about 0.3 open, 0.1 closed."""
    up = np.array([-points.across[1], points.across[0]])
    found = []
    for top, bottom in ((RIGHT_LID_TOP, RIGHT_LID_BOTTOM), (LEFT_LID_TOP, LEFT_LID_BOTTOM)):
        width = float(np.hypot(*(points.points[top[0]] - points.points[top[-1]])))
        gap = np.maximum(0, (points.at(*bottom[3:6]) - points.at(*top[3:6])) @ up).mean()
        found.append(float(gap) / max(1e-6, width))
    return sum(found) / 2


def portrait_face(picture: Picture, within: Box | None = None) -> Mesh:
    """The face that a portrait is of: the largest of those that are surely one, in a person's box or anywhere.

    Raises Permanent: NoFace.
    """
    found = []
    for bound in (CONFIDENCE, 0.3):
        for face in find_faces(picture, bound):
            if within is not None and within.shared(face.box) < face.box.area / 2:
                continue
            points = mesh(picture, face)
            if points.confidence >= CONFIDENCE:
                found.append(points)
        if found:
            return max(found, key=lambda points: points.height)
    raise Permanent(
        "NoFace", "no face was found that could speak",
        hint="give a picture of a person who looks into the camera, with eyes and mouth uncovered",
    )  # fmt: skip
