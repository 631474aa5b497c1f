"""A person brought to the shape of a video: as large as the frame allows, standing on its lower edge."""

from __future__ import annotations

import cv2
import numpy as np

from .boxes import Box
from .matting import CutOut

HEADROOM = 0.08
"""Share of the frame's height that stays free above the head."""
MOST = 4.0
"""How many times larger a small picture is drawn at most."""


def framed(person: CutOut, part: Box, size: tuple[int, int], *, headroom: float = HEADROOM) -> CutOut:
    """The part of a cut-out (an upper body's box) in a frame of this width and height, transparent elsewhere.

    It is as high as the frame less the headroom, or as wide as the frame, whichever is less; its middle is the frame's, and its
    lower edge is the frame's lower edge, so that nobody floats who is cut off by the picture.
    """
    width, height = size
    scale = min(height * (1 - headroom) / max(1.0, part.height), width / max(1.0, part.width), MOST)
    source = _premultiplied(person)
    if scale < 0.5:  # fewer pixels first: a single look between four would skip some
        small = (max(1, round(person.shape[1] * scale)), max(1, round(person.shape[0] * scale)))
        source = cv2.resize(source, small, interpolation=cv2.INTER_AREA)
    across, up = source.shape[1] / person.shape[1], source.shape[0] / person.shape[0]
    place = np.array(
        [
            [scale / across, 0, width / 2 - scale * part.centre[0]],
            [0, scale / up, height - scale * part.bottom],
        ]
    )
    made = cv2.warpAffine(
        source, place, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=(0,) * 4
    )
    # What lies below the part is outside of the frame; what lies beside it is shown as far as the frame reaches.
    return _divided(made)


def _premultiplied(person: CutOut) -> CutOut:
    """Colours times alpha, so that what is transparent lends no colour to its neighbours."""
    alpha = person[..., 3:].astype(np.uint16)
    return np.dstack([((person[..., :3] * alpha + 127) // 255).astype(np.uint8), person[..., 3]])


def _divided(person: CutOut) -> CutOut:
    alpha = np.maximum(person[..., 3:], 1).astype(np.float32)
    colours = np.clip(np.rint(person[..., :3] * (255 / alpha)), 0, 255).astype(np.uint8)
    return np.dstack([colours, person[..., 3]])
