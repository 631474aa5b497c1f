"""The detector that needs no weights: MediaPipe's models of bodies and faces look, a third one confirms and outlines.

Bodies and faces are looked for in the whole picture and in parts of it. Each sighting is turned upright and shown to the model
of body landmarks, which says whether there is a person at all and which pixels are theirs: their bounds are the box.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base.lanes import both, cores
from . import ssd
from .boxes import Box, Picture, strongest
from .people import Person
from .tflite import network

LANDMARKS = "pose_landmark_full"
REAL = 0.5
"""How sure the third model must be that there is a person."""
SAME_FACE = 0.3
"""Overlap from which two sightings of a face are of one."""
ASTRAY = 1.0
"""Widths of a face from where a head was sighted to where the third model sees a nose: beyond, they speak of two things. Cups and
cats look like bodies to one model and are refused by this."""
_MARGIN = 1.25
_NOSE, _HIPS, _ABOVE = 0, 33, 34
_SEEN = 1.4
"""Logit from which a landmark is taken to be in the picture and not hidden (0.8)."""


@dataclass(frozen=True)
class _Guess:
    """Where somebody may be: the middle of the body, and a point straight above it, as far as the head's top or beyond."""

    score: float
    middle: NDArray[np.float64]
    above: NDArray[np.float64]
    face: Box

    def apart(self, nose: NDArray[np.float64]) -> float:
        """How far from the middle of this face a nose is, in widths of the face."""
        return float(np.hypot(*(nose - self.face.centre))) / self.face.width


@dataclass(frozen=True)
class _Body:
    presence: float
    points: NDArray[np.float64]
    box: Box | None


class PoseDetector:
    """Persons by body, face and outline; up to some five metres away, best when their faces are seen."""

    name = "mediapipe"
    accelerator: Literal["cpu", "cuda"] = "cpu"
    note: str | None = None
    degraded: str | None = None

    @property
    def lanes(self) -> int:
        """As many as there are cores: each look keeps one busy."""
        return cores()

    def detect(self, picture: Picture, confidence: float, overlap: float) -> tuple[Person, ...]:
        """Everybody whose sighting, times the certainty that it is a person, reaches the confidence."""
        height, width = picture.shape[:2]
        persons: list[Person] = []
        noses: list[NDArray[np.float64]] = []
        for guess in self._guesses(picture, confidence):
            if any(guess.apart(nose) < 0.5 for nose in noses):
                continue  # somebody whom a better sighting has outlined already
            body = _body(picture, guess.middle, guess.above)
            if body.presence >= REAL:
                body = _body(picture, body.points[_HIPS], body.points[_ABOVE])  # now in the middle of the model's view
            sure, nose = guess.score * body.presence, body.points[_NOSE]
            if body.box is None or body.presence < REAL or sure < confidence or guess.apart(nose) > ASTRAY:
                continue
            if any(np.hypot(*(nose - other)) < guess.face.width / 2 for other in noses):
                continue
            noses.append(nose)
            face = guess.face.within(width, height)
            persons.append(Person(body.box, sure, face if _holds(guess.face, nose) else None))
        kept = strongest([person.box for person in persons], [person.confidence for person in persons], overlap)
        return tuple(persons[place] for place in kept)

    @staticmethod
    def _guesses(picture: Picture, least: float) -> Sequence[_Guess]:
        """Sightings of heads, the surest first; faces before bodies, since they tell more exactly where a head is."""
        height, width = picture.shape[:2]
        wide, near = ssd.parts(width, height)
        view = ssd.View(picture)
        faces, bodies = both(
            lambda: [guess for part in (*wide, *near) for guess in _faces(view, part, least)],
            lambda: [guess for part in wide for guess in _bodies(view, part, least)],
        )
        return [*_once(faces), *_once(bodies)]


def _once(found: Sequence[_Guess]) -> list[_Guess]:
    kept = strongest([guess.face for guess in found], [guess.score for guess in found], SAME_FACE)
    return [found[place] for place in kept]


def _holds(face: Box, point: NDArray[np.float64]) -> bool:
    return bool(face.left <= point[0] <= face.right and face.top <= point[1] <= face.bottom)


def _faces(view: ssd.View, part: Box, least: float) -> Iterator[_Guess]:
    for seen in ssd.see(ssd.FACE, view, part, least):
        across, up = seen.box.centre
        size = seen.box.width
        # Most people are some ten faces tall, their hips four faces below the face.
        yield _Guess(seen.score, np.array([across, up + 4.2 * size]), np.array([across, up - size]), seen.box)


def _bodies(view: ssd.View, part: Box, least: float) -> Iterator[_Guess]:
    for seen in ssd.see(ssd.POSE, view, part, least):
        yield _Guess(seen.score, seen.points[0], seen.points[1], seen.box)


def _body(picture: Picture, middle: NDArray[np.float64], above: NDArray[np.float64]) -> _Body:
    """What the third model says of a square round a body, turned so that the body stands upright."""
    net = network(LANDMARKS)
    up = above - middle
    length = max(1.0, float(np.hypot(*up)))
    up /= length
    step = length * _MARGIN * 2 / net.width
    across = np.array([-up[1], up[0]])
    turn = np.stack([across * step, -up * step], axis=1)
    place = np.concatenate([turn, (middle - turn @ np.array([net.width / 2, net.height / 2]))[:, None]], axis=1)
    cut = cv2.warpAffine(picture, place, (net.width, net.height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    raw, presence, outline, *_ = net(cut.astype(np.float32) / 255)
    rows = raw.reshape(-1, 5).astype(np.float64)
    points = rows[:, :2] @ turn.T + place[:, 2]
    height, width = picture.shape[:2]
    box = _bounds(outline[..., 0], place, width, height)
    if box is not None:
        shown = points[:_HIPS][(rows[:_HIPS, 3:] > _SEEN).all(axis=1)]  # an outstretched arm is thin for an outline
        low, high = np.min([*shown, (box.left, box.top)], axis=0), np.max([*shown, (box.right, box.bottom)], axis=0)
        box = Box(*map(float, (*low, *high))).within(width, height)
    return _Body(float(presence[0]), points, box)


def _bounds(logits: NDArray[np.float32], place: NDArray[np.float64], width: int, height: int) -> Box | None:
    """Bounds, in the picture, of the largest connected part of an outline (logits)."""
    shape = (logits > 0).astype(np.uint8)
    count, labels, facts, _ = cv2.connectedComponentsWithStats(shape, connectivity=4)
    if count < 2:
        return None
    best = 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))
    ys, xs = np.nonzero(labels == best)
    corners = np.stack([xs + 0.5, ys + 0.5], axis=1) @ place[:, :2].T + place[:, 2]
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    box = Box(float(left), float(top), float(right), float(bottom)).within(width, height)
    return box if box.area > 0 else None
