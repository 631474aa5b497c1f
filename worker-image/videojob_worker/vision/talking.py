"""A face that talks: one photograph, moved. No model of movement, no GPU; honest about what it is: a puppet of a picture.

The mouth is opened along the line between the lips: what is below moves down, what is above a little up, and the gap shows the
picture's own teeth or drawn ones. Lids move over the eyes. The head sways, the shoulders stay. All in the face's own directions,
so that a tilted head talks along its own chin.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from videojob_api.story.scenes import Phoneme

from .boxes import Picture
from .faces import CHIN, FOREHEAD, Mesh, portrait_face
from .lids import Lids
from .matting import CutOut
from .mouth import Mouth
from .moves import Move, Samples, moves

GRID = 16
"""Pixels between two places at which the head's movement is worked out."""
_LOOSE = 0.06
"""Share of the head's movement that shoulders make."""
_FARTHEST = 0.25
"""Share of the face's height that a head moves at most, in any direction."""


class TalkingHead:
    """One person before one background, drawn frame by frame."""

    def __init__(self, person: CutOut, mesh: Mesh, background: Picture) -> None:
        height, width = person.shape[:2]
        if height % 2 or width % 2 or background.shape[:2] != (height, width):
            raise ValueError(f"person {person.shape} and background {background.shape} are to be alike and even")
        alpha = person[..., 3:].astype(np.uint16)
        self._layer: NDArray[np.uint8] = np.dstack(
            [((person[..., :3] * alpha + 127) // 255).astype(np.uint8), person[..., 3]]
        )
        self._background = background
        self._face = mesh.height
        self._parts = (Mouth(self._layer, mesh), Lids(self._layer, mesh))
        # Nothing is seen of the person outside of this part, however the head moves: only it is drawn anew.
        shown = np.nonzero(cv2.dilate(person[..., 3], np.ones((3, 3), np.uint8)))
        margin = round(_FARTHEST * mesh.height)
        self._left, self._top = (max(0, int(axis.min(initial=0)) - margin) for axis in (shown[1], shown[0]))
        self._right = min(width, int(shown[1].max(initial=0)) + margin + 1)
        self._bottom = min(height, int(shown[0].max(initial=0)) + margin + 1)
        size = (self._right - self._left, self._bottom - self._top)
        corner = np.array([self._left, self._top])
        self._weights, self._offsets = _sway_field(mesh, corner, size)
        grid = np.meshgrid(np.arange(self._left, self._right), np.arange(self._top, self._bottom))
        self._every = np.stack(grid, axis=-1).astype(np.float32)

    def frame(self, move: Move) -> Picture:
        """The picture of one moment."""
        layer = self._layer
        changed = [part.drawn(move) for part in self._parts]
        if any(change is not None for change in changed):
            layer = layer.copy()
        for change in changed:
            if change is not None:
                left, top, pixels = change
                layer[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
        moved = self._moved(layer, move)
        here = (slice(self._top, self._bottom), slice(self._left, self._right))
        behind = cv2.merge([255 - moved[..., 3]] * 3)
        made = self._background.copy()
        made[here] = cv2.add(cv2.multiply(self._background[here], behind, scale=1 / 255), moved[..., :3])
        return made

    def _moved(self, layer: NDArray[np.uint8], move: Move) -> NDArray[np.uint8]:
        if not (move.across or move.down or move.turn):
            return layer[self._top : self._bottom, self._left : self._right]
        turn = move.turn
        shift = np.array([move.across, move.down]) * self._face
        # Where a pixel comes from: turned back and shifted back, as far as the place is part of the head.
        turned = self._offsets @ np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        field = self._weights[..., None] * (turned - self._offsets - shift)
        size = (self._right - self._left, self._bottom - self._top)
        whole = cv2.resize(field.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        whole += self._every
        made: NDArray[np.uint8] = cv2.remap(layer, whole, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return made


def _sway_field(
    mesh: Mesh, corner: NDArray[np.int64], size: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much each place of a coarse grid moves with the head, and where it lies from the neck that the head turns about."""
    across = mesh.across
    down = np.array([-across[1], across[0]])
    chin, face = mesh.points[CHIN], mesh.height
    pivot = chin + 0.55 * face * down
    columns, rows = -(-size[0] // GRID), -(-size[1] // GRID)
    # The middles of cells, as cv2.resize understands them.
    left, top = (np.arange(columns) + 0.5) * size[0] / columns - 0.5, (np.arange(rows) + 0.5) * size[1] / rows - 0.5
    places = np.stack(np.meshgrid(left, top), axis=-1) + corner
    below = (places - chin) @ down / face
    share = np.clip((below + 0.05) / 1.35, 0, 1)
    weights = _LOOSE + (1 - _LOOSE) * (1 - share * share * (3 - 2 * share))
    aside = np.abs((places - mesh.points[[FOREHEAD, CHIN]].mean(axis=0)) @ across) / face
    weights *= 1 - np.clip((aside - 1.4) / 1.6, 0, 1) * 0.9  # far from the head, a whole picture stays in place
    return weights, places - pivot


def talk(
    person: CutOut, background: Picture, samples: Samples, rate: int, *, fps: float = 25, seed: int = 0,
    sounds: Sequence[Phoneme] = (), mesh: Mesh | None = None,
) -> Iterator[Picture]:  # fmt: skip
    """Frames of a person who says this, one for each 1 / fps seconds; the same for the same seed.

    Raises Permanent (NoFace) before the first frame when the person has no face that can be seen.
    """
    found = mesh if mesh is not None else portrait_face(np.ascontiguousarray(person[..., :3]))
    head = TalkingHead(person, found, background)
    track = moves(samples, rate, fps, seed=seed, sounds=sounds)
    return (head.frame(move) for move in track)
