"""The floor under all models: OpenCV's GrabCut tells a box's colours from those round it. No weights; visibly worse."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from .boxes import Box, Picture
from .matting import Alpha

ROUNDS = 4
LONGEST = 480
"""Pixels of the longer side at which it works: its time grows with the area."""


class GrabCutMatter:
    """By colours alone."""

    name = "grabcut"
    accelerator: Literal["cpu", "cuda"] = "cpu"
    note: str | None = None
    degraded: str | None = "the background was removed by colours alone (GrabCut), because no model could be used"

    def matte(self, picture: Picture, box: Box | None) -> Alpha:
        """The mask of what is in the box and has other colours than what is round it."""
        height, width = picture.shape[:2]
        scale = min(1.0, LONGEST / max(height, width))
        size = (max(8, round(width * scale)), max(8, round(height * scale)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        part = box if box is not None else Box(0, 0, width, height).grown(-0.04)
        left, top, right, bottom = (round(side * scale) for side in (part.left, part.top, part.right, part.bottom))
        # Colours of the background are learnt outside of the box: a rim of it there must be.
        left, top = min(max(left, 2), size[0] - 4), min(max(top, 2), size[1] - 4)
        right = min(max(right, left + 2), size[0] - 2)
        labels = np.full((size[1], size[0]), cv2.GC_BGD, np.uint8)
        labels[top:bottom, left:right] = cv2.GC_PR_FGD
        across, up = right - left, bottom - top
        labels[top + up // 3 : top + 2 * up // 3, left + across * 2 // 5 : left + across * 3 // 5] = cv2.GC_FGD
        state = np.zeros((2, 1, 65), np.float64)
        cv2.setRNGSeed(1)  # the same picture, the same mask
        cv2.grabCut(
            cv2.cvtColor(small, cv2.COLOR_RGB2BGR), labels, None, state[0], state[1], ROUNDS, cv2.GC_INIT_WITH_MASK
        )
        mask = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        mask = cv2.GaussianBlur(mask, (0, 0), 1.0)
        made: Alpha = np.clip(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), 0, 1).astype(
            np.float32
        )
        return made
