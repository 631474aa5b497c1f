"""Detectors that were exported to ONNX: read by the shape of their answers, whoever trained them.

- `1 x (4 + classes) x places`: boxes as centre and size in pixels, a score for each class (YOLOv8 to 12);
- `1 x places x 6`: corners in pixels, score, class, nothing left to suppress (YOLOv10, YOLO26 and other end-to-end exports);
- `1 x places x (5 + classes)`: centre and size, a score of there being anything, scores of classes (YOLOv5, YOLOX decoded);
- `logits` and `pred_boxes`: centre and size as shares of the picture (DETR and RT-DETR, Apache-2.0).
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base.errors import BadConfig, Resource
from .boxes import Box, Picture, strongest
from .people import HOPPED, Person
from .sessions import Accelerate, Precision, Session

SIDE = 640
"""Pixels of the square that a graph for any size is given."""
_FILL = 114
"""Grey beside a picture that is no square, as these models were trained with."""
Rows = NDArray[np.float32]


class ExportedDetector:
    """Finds people with mounted weights."""

    name = "onnx"
    lanes = 1  # one look takes all cores, or the GPU

    def __init__(
        self, weights: Path, sha256: str, *, accelerator: Accelerate = "Prefer", precision: Precision = "fp32"
    ) -> None:
        self._given = (weights, sha256, precision)
        self._may_hop = accelerator == "Prefer"
        self.degraded: str | None = None
        try:
            self._session = Session(weights, sha256, accelerator=accelerator, precision=precision)
        except Resource:
            if not self._hop():
                raise
        self.note = self._session.note
        self._side = self._session.side or SIDE
        self._transformer = {"logits", "pred_boxes"} <= set(self._session.exits)

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """What it runs on now."""
        return self._session.accelerator

    def detect(self, picture: Picture, confidence: float, overlap: float) -> tuple[Person, ...]:
        """Everybody at least so surely there; of boxes that overlap by more (IoU) the surest.

        Raises Resource when memory does not suffice on the CPU either.
        """
        height, width = picture.shape[:2]
        look = self._stretched if self._transformer else self._boxed
        try:
            corners, scores = look(picture)
        except Resource:
            if self._session.accelerator == "cpu" or not self._hop():
                raise
            corners, scores = look(picture)
        sure = scores >= confidence
        boxes = [Box(*map(float, row)).within(width, height) for row in corners[sure]]
        certain = [float(score) for score in scores[sure]]
        kept = strongest(boxes, certain, overlap)
        return tuple(Person(boxes[place], certain[place]) for place in kept if boxes[place].area > 0)

    def _hop(self) -> bool:
        """Go on without the card, where that is allowed (A-032)."""
        if self._may_hop:
            weights, sha256, precision = self._given
            self._session = Session(weights, sha256, accelerator="Never", precision=precision)
            self.degraded = HOPPED
        return self._may_hop

    def _stretched(self, picture: Picture) -> tuple[Rows, Rows]:
        """Ask a transformer: the whole picture, pressed into a square."""
        seen = cv2.resize(picture, (self._side, self._side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        pressed: Rows = np.asarray(seen.transpose(2, 0, 1)[None], np.float32)
        answers = dict(zip(self._session.exits, self._session(pressed), strict=True))
        logits, shares = answers["logits"][0], answers["pred_boxes"][0]
        person = self._person(logits.shape[1])
        scores = 1 / (1 + np.exp(-logits[:, person]))
        if logits.shape[1] in {91, 92}:  # DETR: the classes share one sum, the last one is nothing
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            scores = powers[:, person] / powers.sum(axis=1)
        size = np.array([picture.shape[1], picture.shape[0]] * 2, np.float32)
        return _corners(shares) * size, scores.astype(np.float32)

    def _boxed(self, picture: Picture) -> tuple[Rows, Rows]:
        """Ask one of the YOLO family: the picture in a square, grey beside it."""
        height, width = picture.shape[:2]
        scale = self._side / max(height, width)
        across, up = max(1, round(width * scale)), max(1, round(height * scale))
        square = np.full((self._side, self._side, 3), _FILL, np.uint8)
        left, top = (self._side - across) // 2, (self._side - up) // 2
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        square[top : top + up, left : left + across] = cv2.resize(picture, (across, up), interpolation=method)
        pressed: Rows = np.asarray(square.transpose(2, 0, 1)[None] / 255, np.float32)
        rows = self._session(pressed)[0]
        corners, scores = self._read(rows[0])
        return (corners - np.array([left, top, left, top], np.float32)) / scale, scores

    def _read(self, rows: Rows) -> tuple[Rows, Rows]:
        if rows.ndim != 2 or min(rows.shape) < 5:
            raise BadConfig(
                "ModelInvalid", f"{self._session.name} answers with {rows.shape}, which no known detector does",
                hint="export a YOLO or a DETR; the shapes that are read stand in the reference",
            )  # fmt: skip
        if rows.shape[1] == 6 and rows.shape[0] != 6:
            return rows[:, :4], np.where(np.rint(rows[:, 5]) == self._person(80), rows[:, 4], 0)
        if rows.shape[0] < rows.shape[1]:
            rows = rows.T
            return _corners(rows[:, :4]), rows[:, 4 + self._person(rows.shape[1] - 4)]
        return _corners(rows[:, :4]), rows[:, 4] * rows[:, 5 + self._person(rows.shape[1] - 5)]

    def _person(self, classes: int) -> int:
        """Number of the class of people: as the file says, else as COCO counts (from 1 where there are 91)."""
        noted = self._session.notes.get("names", "")
        try:
            names = ast.literal_eval(noted) if noted else {}
        except (ValueError, SyntaxError):
            names = {}
        if isinstance(names, dict):
            for number, name in names.items():
                if str(name).lower() in {"person", "people", "human"} and isinstance(number, int) and number < classes:
                    return number
        return 1 if classes in {91, 92} else 0


def _corners(rows: Rows) -> Rows:
    half = rows[:, 2:4] / 2
    return np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
