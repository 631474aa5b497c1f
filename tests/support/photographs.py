"""Photographs that packages carry, as `make venv` lays them beside the models, and what a person sees in them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

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
