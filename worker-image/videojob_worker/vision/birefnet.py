"""BiRefNet, exported to ONNX: finer masks, for those who mount its weights.

The picture is pressed into a square (1024 pixels), colours as ImageNet has them; the last answer is a mask, as logits or as
shares. Where memory does not suffice it looks at a smaller square, then goes on without the card, and says so (A-030, A-032).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from ..base.errors import Resource
from .boxes import Box, Picture
from .matting import Alpha
from .selfie import MARGIN
from .sessions import Accelerate, Precision, Session

SIDE, SMALLER = 1024, 512
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)


class BiRefNetMatter:
    """Masks by mounted weights (A-020)."""

    name = "birefnet"

    def __init__(
        self, weights: Path, sha256: str, *, accelerator: Accelerate = "Prefer", precision: Precision = "fp32",
        side: int = SIDE,
    ) -> None:  # fmt: skip
        self._given = (weights, sha256)
        self._accelerate, self._precision = accelerator, precision
        self._session = Session(weights, sha256, accelerator=accelerator, precision=precision)
        self._side = self._session.side or side
        self.degraded: str | None = None

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """What it runs on now."""
        return self._session.accelerator

    def matte(self, picture: Picture, box: Box | None) -> Alpha:
        """The mask of the person in the box; of whatever stands out without one.

        Raises Resource when memory does not suffice for the smallest square either.
        """
        height, width = picture.shape[:2]
        part = (box.grown(MARGIN) if box is not None else Box(0, 0, width, height)).within(width, height)
        left, top, right, bottom = part.whole()
        made = np.zeros((height, width), np.float32)
        cut = picture[top:bottom, left:right]
        while True:
            try:
                made[top:bottom, left:right] = self._look(cut)
            except Resource:
                if not self._less():
                    raise
            else:
                return made

    def _look(self, cut: Picture) -> Alpha:
        seen = cv2.resize(cut, (self._side, self._side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        answer = self._session(((seen - _MEAN) / _SPREAD).transpose(2, 0, 1)[None])[-1]
        mask = np.array(answer.reshape(answer.shape[-2:]), np.float32)
        if mask.min() < 0 or mask.max() > 1:
            mask = (1 / (1 + np.exp(-np.clip(mask, -30, 30)))).astype(np.float32)
        made: Alpha = cv2.resize(mask, (cut.shape[1], cut.shape[0]), interpolation=cv2.INTER_LINEAR)
        return made

    def _less(self) -> bool:
        """Ask for less: a smaller square where the graph takes one, then no card. Whether there was anything left to give up."""
        if self._side > SMALLER and self._session.side is None:
            self.degraded = f"the mask was made at {SMALLER} instead of {self._side} pixels, for want of memory"
            self._side = SMALLER
            return True
        if self._session.accelerator == "cuda" and self._accelerate != "Require":
            self.degraded = "the mask was made on the CPU, for want of memory on the GPU"
            self._session = Session(*self._given, accelerator="Never", precision=self._precision)
            return True
        return False
