"""BiRefNet, exported to ONNX or as a torch program: finer masks, for those who mount its weights.

The picture is pressed into a square (1024 pixels), colours as ImageNet has them; the last answer is a mask, as logits or as
shares. Where memory does not suffice it looks at a smaller square, then goes on without the card, and says so (A-030, A-032).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..base.errors import Resource, out_of_memory
from .boxes import Box, Picture
from .matting import Alpha
from .programs import Program, is_program
from .selfie import MARGIN
from .sessions import Accelerate, Precision, Session

SIDE, SMALLER = 1024, 512
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_SPREAD = np.array([0.229, 0.224, 0.225], np.float32)


class Network(Protocol):
    """What answers, by whatever library."""

    @property
    def note(self) -> str | None:
        """What was asked for and could not be had."""

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """What it computes on."""

    @property
    def side(self) -> int | None:
        """Pixels of the square it takes; None when it takes any."""

    def __call__(self, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """Answers for pictures (count x 3 x height x width). Raises Resource when memory does not suffice."""

    def close(self) -> None:
        """Give its memory back."""


Opener = Callable[[Path, str, Accelerate, Precision], Network]


def opened(weights: Path, sha256: str, accelerator: Accelerate, precision: Precision) -> Network:
    """The network of a file, by what the file is."""
    kind = Program if is_program(weights) else Session
    return kind(weights, sha256, accelerator=accelerator, precision=precision)


class BiRefNetMatter:
    """Masks by mounted weights (A-020)."""

    name = "birefnet"

    def __init__(
        self, weights: Path, sha256: str, *, accelerator: Accelerate = "Prefer", precision: Precision = "fp32",
        side: int = SIDE, opener: Opener = opened,
    ) -> None:  # fmt: skip
        self._given, self._open = (weights, sha256), opener
        self._accelerate, self._precision = accelerator, precision
        self._steps: list[str] = []
        try:
            self._session = self._opened(accelerator)
        except Resource:
            if accelerator != "Prefer":
                raise
            # A card whose memory others have filled is no use, and no reason to fail.
            self._session = self._opened("Never")
            self._steps.append("on the CPU")
        self._side = self._session.side or side

    def _opened(self, accelerator: Accelerate) -> Network:
        return self._open(*self._given, accelerator, self._precision)

    @property
    def accelerator(self) -> Literal["cpu", "cuda"]:
        """What it runs on now."""
        return self._session.accelerator

    @property
    def degraded(self) -> str | None:
        """What was given up for want of memory; None when nothing was."""
        return f"the mask was made {' and '.join(self._steps)}, for want of memory" if self._steps else None

    @property
    def note(self) -> str | None:
        """What was asked for and could not be had; None when there is nothing to say."""
        return self._session.note

    def matte(self, picture: Picture, box: Box | None) -> Alpha:
        """The mask of the person in the box; of whatever stands out without one.

        Raises Resource when memory does not suffice for the smallest square either.
        """
        height, width = picture.shape[:2]
        part = (box.grown(MARGIN) if box is not None else Box(0, 0, width, height)).within(width, height)
        left, top, right, bottom = part.whole()
        made = np.zeros((height, width), np.float32)
        cut = picture[top:bottom, left:right]
        while (alpha := self._tried(cut)) is None:
            self._less()
        made[top:bottom, left:right] = alpha
        return made

    def _tried(self, cut: Picture) -> Alpha | None:
        """The mask; None when memory does not suffice and there is less to ask for. What failed is let go of on return."""
        try:
            return self._look(cut)
        except (Resource, MemoryError) as error:
            if not (self._may_shrink or self._may_hop):
                raise error if isinstance(error, Resource) else out_of_memory(self.name) from None
            return None

    def _look(self, cut: Picture) -> Alpha:
        seen = cv2.resize(cut, (self._side, self._side), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        answer = self._session(((seen - _MEAN) / _SPREAD).transpose(2, 0, 1)[None])[-1]
        mask = np.array(answer.reshape(answer.shape[-2:]), np.float32)
        if mask.min() < 0 or mask.max() > 1:
            mask = (1 / (1 + np.exp(-np.clip(mask, -30, 30)))).astype(np.float32)
        made: Alpha = cv2.resize(mask, (cut.shape[1], cut.shape[0]), interpolation=cv2.INTER_LINEAR)
        return made

    @property
    def _may_shrink(self) -> bool:
        return self._side > SMALLER and self._session.side is None

    @property
    def _may_hop(self) -> bool:
        return self._session.accelerator == "cuda" and self._accelerate != "Require"

    def _less(self) -> None:
        """Ask for less: a smaller square where the graph takes one, then no card."""
        card = self._session.accelerator == "cuda"
        if self._may_shrink:
            self._steps.append(f"at {SMALLER} instead of {self._side} pixels")
            self._side = SMALLER
        else:
            self._steps.append("on the CPU")
            card = False
        # What a library has set aside is given back with the session only.
        self._session.close()
        self._session = self._opened(self._accelerate if card else "Never")
