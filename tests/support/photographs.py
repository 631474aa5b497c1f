"""Photographs that packages carry, as `make venv` lays them beside the models, and what a person sees in them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

FOLDER = Path(sys.prefix) / "share" / "videojob" / "photographs"


@cache
def photograph(name: str) -> NDArray[np.uint8]:
    """One of them, in RGB, not to be written to."""
    path = FOLDER / name
    assert path.is_file(), f"{path} is missing: run `make venv`"
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    pixels.setflags(write=False)
    return pixels


OUTLINES = {
    "astronaut.png": (
        (232, 15),
        (256, 19),
        (281, 29),
        (296, 47),
        (300, 70),
        (301, 89),
        (294, 115),
        (283, 129),
        (274, 136),
        (267, 136),
        (263, 155),
        (256, 171),
        (256, 176),
        (277, 188),
        (295, 211),
        (304, 230),
        (306, 241),
        (324, 246),
        (338, 263),
        (349, 281),
        (356, 305),
        (363, 335),
        (365, 349),
        (384, 345),
        (408, 344),
        (436, 349),
        (464, 370),
        (483, 399),
        (492, 427),
        (496, 455),
        (506, 462),
        (512, 474),
        (512, 512),
        (35, 512),
        (28, 492),
        (23, 464),
        (21, 431),
        (19, 408),
        (26, 375),
        (28, 338),
        (33, 314),
        (40, 295),
        (47, 277),
        (61, 256),
        (77, 239),
        (96, 225),
        (110, 213),
        (117, 206),
        (113, 190),
        (121, 185),
        (127, 173),
        (141, 159),
        (159, 150),
        (185, 148),
        (183, 134),
        (174, 129),
        (169, 115),
        (158, 103),
        (154, 80),
        (154, 61),
        (164, 45),
        (190, 35),
        (202, 23),
        (216, 18),
    ),
    "camera.png": (
        (162, 105),
        (164, 94),
        (176, 77),
        (197, 66),
        (220, 66),
        (244, 80),
        (263, 98),
        (271, 117),
        (268, 130),
        (257, 132),
        (253, 143),
        (254, 164),
        (247, 176),
        (244, 188),
        (241, 206),
        (263, 211),
        (281, 202),
        (305, 197),
        (319, 170),
        (331, 176),
        (331, 197),
        (319, 218),
        (300, 227),
        (288, 244),
        (302, 258),
        (304, 274),
        (281, 286),
        (248, 312),
        (206, 293),
        (173, 342),
        (141, 382),
        (150, 417),
        (151, 512),
        (0, 512),
        (0, 260),
        (21, 230),
        (40, 197),
        (61, 159),
        (84, 138),
        (113, 128),
        (129, 124),
        (141, 113),
        (152, 106),
    ),
}
"""Persons outlined by hand, corner by corner, in pixels; a helmet that is held belongs to them."""


def outlined(name: str) -> NDArray[np.float32]:
    """The hand-made mask of the person: 1 inside."""
    mask = np.zeros(photograph(name).shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(OUTLINES[name], np.int32)], 1)
    return mask.astype(np.float32)
