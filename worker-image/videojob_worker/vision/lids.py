"""The eyes of a picture, closed and opened: the upper lid comes down over what is seen, and the skin above it with it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import BROW_LEFT, BROW_RIGHT, LEFT_LID_BOTTOM, LEFT_LID_TOP, RIGHT_LID_BOTTOM, RIGHT_LID_TOP, Mesh
from .mouth import eased, line, patch
from .moves import Move

_SHUT = 0.94
"""How far down the opening a shut lid comes."""


class _Eye:
    def __init__(
        self, mesh: Mesh, shape: tuple[int, ...], lids: tuple[tuple[int, ...], tuple[int, ...]], brow: tuple[int, ...]
    ) -> None:
        upper, lower = lids
        corners = mesh.at(upper[0], upper[-1])
        self.origin = corners.mean(axis=0)
        self.across = mesh.across
        width = float(np.hypot(*(corners[1] - corners[0])))
        straight = np.array([-self.across[1], self.across[0]])
        above = max(3.0, -float(((mesh.at(*brow) - self.origin) @ straight).mean()))
        self.left, self.top, self.u, self.v = patch(mesh, self.origin, (0.75 * width, above, 0.5 * width), shape)
        lid = np.interp(self.u, *line(mesh, upper, self.origin)).astype(np.float32)
        end = np.interp(self.u, *line(mesh, lower, self.origin)).astype(np.float32)
        inside = np.abs(self.u) < width / 2
        self.lid = lid
        self.way = np.where(inside, np.maximum(0, end - lid), 0) * _SHUT
        self.above = above

    def drawn(self, layer: NDArray[np.uint8], blink: float) -> tuple[int, int, NDArray[np.uint8]]:
        way = self.way * blink
        edge = self.lid + way
        # The skin between brow and lid is stretched; a lash's width below the old border comes along.
        share = eased(np.clip((self.v + self.above) / np.maximum(edge + self.above, 1), 0, 1))
        from_v = np.where(self.v <= edge, self.v - way * share, self.v).astype(np.float32)
        x = (self.origin[0] + self.u * self.across[0] - from_v * self.across[1]).astype(np.float32)
        y = (self.origin[1] + self.u * self.across[1] + from_v * self.across[0]).astype(np.float32)
        made: NDArray[np.uint8] = cv2.remap(layer, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return self.left, self.top, made


class Lids:
    """Both eyes."""

    def __init__(self, layer: NDArray[np.uint8], mesh: Mesh) -> None:
        self._layer = layer
        self._eyes = (
            _Eye(mesh, layer.shape, (RIGHT_LID_TOP, RIGHT_LID_BOTTOM), BROW_RIGHT),
            _Eye(mesh, layer.shape, (LEFT_LID_TOP, LEFT_LID_BOTTOM), BROW_LEFT),
        )
        left, top = (min(getattr(eye, side) for eye in self._eyes) for side in ("left", "top"))
        right = max(eye.left + eye.u.shape[1] for eye in self._eyes)
        bottom = max(eye.top + eye.u.shape[0] for eye in self._eyes)
        self._place = (left, top, right, bottom)

    def drawn(self, move: Move) -> tuple[int, int, NDArray[np.uint8]] | None:
        """The pixels that change, and where they belong; None while the eyes are open."""
        if move.blink < 0.02:
            return None
        left, top, right, bottom = self._place
        made = self._layer[top:bottom, left:right].copy()
        for eye in self._eyes:
            at_left, at_top, pixels = eye.drawn(self._layer, move.blink)
            made[at_top - top : at_top - top + pixels.shape[0], at_left - left : at_left - left + pixels.shape[1]] = (
                pixels
            )
        return left, top, made
