"""A film's pieces on their way: what each consists of, how far it is, what is seen as it passes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from videojob_api.story.segments import Segment

from . import drawing, measuring
from .encoder import PieceFile
from .planes import Frame


@dataclass(frozen=True)
class Piece:
    """One piece of the film."""

    segment: Segment
    key: str

    @property
    def name(self) -> str:
        """Name of its file."""
        return f"{self.key}.mp4"


@dataclass
class Tally:
    """How far everybody together is."""

    total: int
    told: Callable[[int, int], None]
    """Frames made, frames in all. May raise to end the work."""
    done: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: bool = False

    def add(self, frames: int) -> None:
        """So many more."""
        with self.lock:
            self.done += frames
            done = self.done
        self.told(done, self.total)


@dataclass
class Making:
    """A piece on its way, encoded in strands, each by an encoder of its own: so a single new piece keeps several cores busy."""

    piece: Piece
    strands: tuple[range, ...]
    """Frames of each."""
    file: PieceFile
    black: int = 0
    left: int = field(init=False)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.left = len(self.strands)

    def done(self, black: int) -> bool:
        """One strand is encoded, with so many black frames; whether it was the last one."""
        with self.lock:
            self.black += black
            self.left -= 1
            return self.left == 0


@dataclass
class Shown:
    """On the way to the encoder: counts frames that are black."""

    width: int
    height: int
    output: drawing.Output | None = None
    black: int = 0

    def write(self, data: memoryview) -> None:
        """Pass a frame on."""
        luma = np.frombuffer(data, np.uint8, self.width * self.height).reshape(self.height, self.width)
        self.black += measuring.is_black(luma)
        if self.output is not None:
            self.output.write(data)


@dataclass(frozen=True)
class Seen:
    """Instead of an encoder: the latest frame."""

    frame: Frame

    def write(self, data: memoryview) -> None:
        """Take a frame."""
        self.frame.data[:] = np.frombuffer(data, np.uint8)
