"""What an avatar's stages leave each other: pictures as arrays, who was found, and what the voice says."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from videojob_api.avatar.tasks import FILM_FILE, PORTRAIT_FILE, SPEECH_FILE
from videojob_api.v1alpha1.avatar import MOST_PERSONS, Weights
from videojob_api.v1alpha1.base import StatusModel

from ..base.errors import BadConfig, Recoverable
from ..storage import files
from ..vision.boxes import Box, Picture
from ..vision.filming import Way
from .context import Context, plain_file

FOUND_FILE = "persons.json"


class Sitter(StatusModel):
    """Whose portrait it is, in pixels of the portrait."""

    person: tuple[float, float, float, float]
    """Left, top, right and bottom of the person."""
    crop: tuple[float, float, float, float] | None = None
    """The part of the picture that is shown; None: all of it."""
    number: int | None = None
    """Which one it is, counted from the left, where each of several has a portrait."""
    followed: tuple[tuple[float, float, float, float], ...] | None = None
    """In a video: where the person is in each look, from its first frame on."""

    def box(self) -> Box:
        """The person's box."""
        return Box(*self.person)

    def way(self) -> Way:
        """Where the person is in each frame of a video; in a picture, and where nobody was followed, always the same."""
        return Way(tuple(Box(*sides) for sides in self.followed or (self.person,)), 0)

    def shown(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Edges of what is shown of a portrait of this width and height, in whole pixels."""
        return (Box(*self.crop) if self.crop is not None else Box(0, 0, *size)).whole()

    def place(self) -> Box:
        """The person's box in what is shown."""
        across, down = self.shown((0, 0))[:2]
        left, top, right, bottom = self.person
        return Box(left - across, top - down, right - across, bottom - down)


class Sitters(StatusModel):
    """Everybody who has a portrait."""

    sitters: Annotated[tuple[Sitter, ...], Field(min_length=1, max_length=MOST_PERSONS)]
    """From left to right."""
    company: bool | None = None
    """In a video: whether there were others."""


def picture(context: Context, kind: str, name: str) -> Picture:
    """A picture of an earlier stage, RGB or with alpha as it was written. Raises Recoverable when it cannot be read."""
    context.earlier(kind)
    path = plain_file(context.folder(kind), name)
    try:
        with Image.open(path, formats=("PNG",)) as opened:
            return np.asarray(opened)
    except (OSError, ValueError):
        raise Recoverable("ResultInvalid", f"{name} of {kind} cannot be read", hint="a retry makes it anew") from None


def mounted(context: Context, weights: Weights | None, precision: str | None) -> dict[str, Any]:
    """How a model with weights of one's own is opened; nothing for one that brings its own.

    Raises Permanent: what reading a file of the store raises.
    """
    if weights is None:
        return {}
    return {
        "weights": context.store.source(weights.uri, None), "sha256": weights.sha256, "precision": precision or "fp32",
        "accelerator": context.task.accelerator or "Prefer",
    }  # fmt: skip


@contextmanager
def named(field: str) -> Iterator[None]:
    """What is wrong with weights is told with the field that names them."""
    try:
        yield
    except BadConfig as error:
        raise BadConfig(error.code, f"{field}: {error.message}", hint=error.hint) from None


def sitters(context: Context) -> tuple[Sitter, ...]:
    """Who was found, and is to speak."""
    return everybody(context).sitters


def everybody(context: Context) -> Sitters:
    """All that Detection has left."""
    context.earlier("detect")
    return Sitters.model_validate_json(plain_file(context.folder("detect"), FOUND_FILE).read_bytes())


def portrait_of(context: Context) -> str:
    """Digest of the portrait, or of the video in its place, by which what was seen in it is kept (A-037)."""
    there = {part.path for part in context.earlier("upload").parts}
    return files.sha256_file(plain_file(context.folder("upload"), FILM_FILE if FILM_FILE in there else PORTRAIT_FILE))


def save(path: Path, pixels: NDArray[np.uint8]) -> None:
    """A picture as PNG, RGB or RGBA, quickly rather than small: a filter that is the same for every row takes half the time of
    one that is chosen for each, and is read again in two thirds, at the same size.
    """
    order = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    how = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_DEFAULT]
    how += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]
    coded, data = cv2.imencode(".png", cv2.cvtColor(pixels, order), how)
    if not coded:
        raise Recoverable("InternalError", f"{path.name} could not be coded as PNG", hint="a retry makes it anew")
    path.write_bytes(data.tobytes())


def samples(context: Context) -> tuple[NDArray[np.float32], int]:
    """The voice, mono, from -1 to 1, and its rate."""
    with wave.open(str(plain_file(context.folder("upload"), SPEECH_FILE)), "rb") as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return np.divide(raw, np.float32(32768), dtype=np.float32), file.getframerate()
