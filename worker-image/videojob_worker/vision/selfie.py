"""MediaPipe's model of people before a camera: masks without mounted weights, in a few milliseconds."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from .boxes import Box, Picture
from .matting import Alpha
from .tflite import network

MODEL = "selfie_segmentation"
MARGIN = 0.12
"""Share of a person's box that is looked at beyond it: hair, and hands that a box missed."""


class SelfieMatter:
    """Sees a person's box as a square; a second, nearer look at the upper part draws head and shoulders finer."""

    name = "mediapipe"
    accelerator: Literal["cpu", "cuda"] = "cpu"
    note: str | None = None
    degraded: str | None = None

    def matte(self, picture: Picture, box: Box | None) -> Alpha:
        """The mask of the person in the box; of everybody without one."""
        height, width = picture.shape[:2]
        part = (box.grown(MARGIN) if box is not None else Box(0, 0, width, height)).within(width, height)
        left, top, right, bottom = part.whole()
        made = np.zeros((height, width), np.float32)
        made[top:bottom, left:right] = _look(picture[top:bottom, left:right])
        if box is not None:
            _feather(made, part, max(2, round(min(box.width, box.height) / 50)))
        return made


def _look(cut: Picture) -> Alpha:
    net = network(MODEL)
    up, across = cut.shape[:2]
    side = max(up, across)
    above, before = (side - up) // 2, (side - across) // 2
    square = cv2.copyMakeBorder(cut, above, side - up - above, before, side - across - before, cv2.BORDER_REPLICATE)
    seen = cv2.resize(square, (net.width, net.height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = np.ascontiguousarray(net(seen)[0][..., 0])
    mask = cv2.resize(mask, (side, side), interpolation=cv2.INTER_CUBIC if side > net.width else cv2.INTER_AREA)
    made: Alpha = np.clip(mask[above : above + up, before : before + across], 0, 1).astype(np.float32)
    return made


def _feather(mask: Alpha, part: Box, reach: int) -> None:
    """Let a mask end softly where the looked-at part ends within the picture."""
    left, top, right, bottom = part.whole()
    height, width = mask.shape
    across, up = np.ones(right - left, np.float32), np.ones(bottom - top, np.float32)
    ramp = (np.arange(reach, dtype=np.float32) + 0.5) / reach
    for line, at_start, at_end in ((across, left > 0, right < width), (up, top > 0, bottom < height)):
        count = min(reach, len(line))
        if at_start:
            line[:count] *= ramp[:count]
        if at_end:
            line[-count:] *= ramp[:count][::-1]
    mask[top:bottom, left:right] *= up[:, None] * across[None, :]
