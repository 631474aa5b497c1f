"""What is put behind a person: a colour, a picture, the old background blurred, or nothing (A-040)."""

from __future__ import annotations

import re

import cv2
import numpy as np

from ..base.errors import Permanent
from .boxes import Picture
from .matting import Alpha, CutOut

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


def plain(colour: str, size: tuple[int, int]) -> Picture:
    """One colour (`#RRGGBB`) of this width and height. Raises Permanent: InvalidColour."""
    if _COLOUR.fullmatch(colour) is None:
        raise Permanent("InvalidColour", f"{colour!r} is no colour", hint="write it as #RRGGBB, for example #F5F5F5")
    row = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return np.full((size[1], size[0], 3), row, np.uint8)


def covering(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture that fills this width and height, its middle in the middle, the rest cut off."""
    width, height = size
    up, across = picture.shape[:2]
    scale = max(width / across, height / up)
    cut_across, cut_up = min(across, round(width / scale)), min(up, round(height / scale))
    left, top = (across - cut_across) // 2, (up - cut_up) // 2
    part = np.ascontiguousarray(picture[top : top + cut_up, left : left + cut_across])
    made: Picture = cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return made


def blurred(picture: Picture, alpha: Alpha, radius: int | None = None) -> Picture:
    """The picture's own background out of focus, without a glow of the person who stands before it.

    `radius` in pixels; without one, a fortieth of the shorter side. Blurred are only the background's own colours.
    """
    spread = float(radius if radius is not None else max(4, min(alpha.shape) // 40))
    step = max(1, int(spread // 8))  # a wide blur is as good at a fraction of the size
    size = (max(1, alpha.shape[1] // step), max(1, alpha.shape[0] // step))
    weight = cv2.resize(1 - alpha, size, interpolation=cv2.INTER_AREA)[..., None]
    image = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    least = np.float32(1e-4)  # far behind the person nothing is known: there it is the background's mean
    mean = ((image * weight).sum(axis=(0, 1)) + least * image.mean(axis=(0, 1))) / (weight.sum() + least)
    total = cv2.GaussianBlur(image * weight, (0, 0), spread / step) + least * mean
    share = cv2.GaussianBlur(weight, (0, 0), spread / step) + least
    made = np.clip(total / share[..., None], 0, 255)
    made = cv2.resize(made, (alpha.shape[1], alpha.shape[0]), interpolation=cv2.INTER_LINEAR)
    behind: Picture = np.rint(made).astype(np.uint8)
    return behind


def place(person: CutOut, background: Picture) -> Picture:
    """A person before a background of the same size."""
    alpha = person[..., 3:].astype(np.uint16)
    mixed = person[..., :3] * alpha + background * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)
