"""Pictures as a codec sees them: three planes of bytes (I420, BT.709, limited range), and the arithmetic on them.

All drawing happens here and never in RGB: a plane is half the bytes, and OpenCV works on them with the GIL released.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Plane: TypeAlias = NDArray[np.uint8]
BLACK = (16, 128, 128)
"""Black in limited range."""

cv2.setNumThreads(1)  # pieces are drawn side by side; a pool of threads inside each would only wait for the others
cv2.ocl.setUseOpenCL(False)

_KR, _KB = 0.2126, 0.0722
_KG = 1 - _KR - _KB
_LUMA = np.array([_KR, _KG, _KB]) * 219 / 255
_BLUE = np.array([-_KR, -_KG, 1 - _KB]) / (2 * (1 - _KB)) * 224 / 255
_RED = np.array([1 - _KR, -_KG, -_KB]) / (2 * (1 - _KR)) * 224 / 255
_MATRIX = np.array([[*_LUMA, 16.0], [*_BLUE, 128.0], [*_RED, 128.0]], dtype=np.float32)
_INVERSE = np.linalg.inv(_MATRIX[:, :3].astype(np.float64))
_BACK = np.column_stack([_INVERSE, -_INVERSE @ np.array(BLACK)]).astype(np.float32)


@dataclass(frozen=True)
class Planes:
    """One picture: luma whole, chroma for pairs of pixels."""

    y: Plane
    u: Plane
    v: Plane

    @property
    def all(self) -> tuple[Plane, Plane, Plane]:
        """The three, in the order of a file."""
        return self.y, self.u, self.v

    @property
    def width(self) -> int:
        """Pixels across."""
        return int(self.y.shape[1])

    @property
    def height(self) -> int:
        """Pixels up."""
        return int(self.y.shape[0])

    def crop(self, left: int, top: int, width: int, height: int) -> Planes:
        """A part that shares these bytes; all four numbers are even."""
        return Planes(
            self.y[top : top + height, left : left + width],
            *(
                plane[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
                for plane in (self.u, self.v)
            ),
        )  # fmt: skip

    def copy_to(self, other: Planes) -> None:
        """Write these bytes into another picture of the same size."""
        for source, target in zip(self.all, other.all, strict=True):
            np.copyto(target, source)


@dataclass(frozen=True)
class Frame:
    """A picture in one piece of memory, as it goes to the encoder."""

    data: Plane
    planes: Planes

    @classmethod
    def blank(cls, width: int, height: int) -> Frame:
        """A black frame. Width and height are even."""
        area, quarter = width * height, width * height // 4
        data = np.empty(area + 2 * quarter, np.uint8)
        planes = Planes(
            data[:area].reshape(height, width),
            data[area : area + quarter].reshape(height // 2, width // 2),
            data[area + quarter :].reshape(height // 2, width // 2),
        )
        fill(planes, BLACK)
        return cls(data, planes)


def fill(planes: Planes, colour: tuple[int, int, int]) -> None:
    """Paint a picture in one colour, given as luma and chroma."""
    for plane, value in zip(planes.all, colour, strict=True):
        plane[:] = value


def from_rgb(rgb: NDArray[np.uint8]) -> Planes:
    """A picture of even size from RGB bytes; chroma is the mean of its four pixels."""
    three = cv2.transform(rgb, _MATRIX)
    half = (rgb.shape[1] // 2, rgb.shape[0] // 2)
    u, v = (cv2.resize(three[:, :, place], half, interpolation=cv2.INTER_AREA) for place in (1, 2))
    return Planes(np.ascontiguousarray(three[:, :, 0]), u, v)


def to_rgb(planes: Planes) -> NDArray[np.uint8]:
    """Back to RGB bytes, for people and for JPEG."""
    size = (planes.width, planes.height)
    chroma = [cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR) for plane in (planes.u, planes.v)]
    return np.asarray(cv2.transform(cv2.merge([planes.y, *chroma]), _BACK), np.uint8)


def colour(text: str) -> tuple[int, int, int]:
    """Luma and chroma of a colour such as `#1A1A2E`."""
    rgb = np.array([int(text[place : place + 2], 16) for place in (1, 3, 5)], np.float64)
    y, u, v = (_MATRIX[:, :3].astype(np.float64) @ rgb) + _MATRIX[:, 3]
    return round(y), round(u), round(v)


def dim(planes: Planes, gain: float) -> None:
    """Darken in place: 1 leaves the picture, 0 is black."""
    if gain >= 1:
        return
    for plane, black in zip(planes.all, BLACK, strict=True):
        cv2.convertScaleAbs(plane, dst=plane, alpha=gain, beta=black * (1 - gain))


def mix(under: Planes, over: Planes, share: float) -> None:
    """Dissolve in place: at share 0 the first picture stays, at 1 it is the second."""
    for first, second in zip(under.all, over.all, strict=True):
        cv2.addWeighted(first, 1 - share, second, share, 0, dst=first)
