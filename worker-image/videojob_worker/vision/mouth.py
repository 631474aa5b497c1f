"""The mouth of a picture, opened and shut.

Everything is worked out in the face's directions: `u` across, `v` down, in pixels. The border between the lips is a pair of
lines over `u`; they are moved apart or together, and what lies beyond follows, less and less.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from .faces import CHEEKS, CHIN, INNER_BOTTOM, INNER_TOP, MOUTH_LEFT, MOUTH_RIGHT, NOSE_BASE, Mesh
from .moves import Move

Values: TypeAlias = NDArray[np.floating[Any]]
WIDEST = 0.16
"""Gap of a wide open mouth, as a share of the face's height."""
_UP = 0.22
"""Share of an opening that the upper lip makes; the jaw makes the rest."""
_JAW = 0.55
"""How far the chin follows the lower lip."""


def line(
    mesh: Mesh, which: tuple[int, ...], origin: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A border as `v` over `u`, with `u` rising."""
    across = mesh.across
    rows = mesh.at(*which) - origin
    u, v = rows @ across, rows @ np.array([-across[1], across[0]])
    order = np.argsort(u)
    return u[order], v[order]


def patch(
    mesh: Mesh, origin: NDArray[np.float64], reach: tuple[float, float, float], shape: tuple[int, ...]
) -> tuple[int, int, Values, Values]:
    """A part of the picture: its left and top, and `u` and `v` of its pixels. `reach` is to the sides, up and down."""
    sides, up, down = reach
    across = mesh.across
    straight = np.array([-across[1], across[0]])
    corners = [origin + u * across + v * straight for u in (-sides, sides) for v in (-up, down)]
    low = np.floor(np.min(corners, axis=0)).astype(int)
    high = np.ceil(np.max(corners, axis=0)).astype(int) + 1
    left, top = max(0, low[0]), max(0, low[1])
    right, bottom = min(shape[1], max(left + 1, high[0])), min(shape[0], max(top + 1, high[1]))
    x, y = np.meshgrid(np.arange(left, right) - origin[0], np.arange(top, bottom) - origin[1])
    return (
        left,
        top,
        (x * across[0] + y * across[1]).astype(np.float32),
        (-x * across[1] + y * across[0]).astype(np.float32),
    )


def eased(values: Values) -> Values:
    """0 to 1 without corners."""
    held = np.clip(values, 0, 1)
    made: Values = held * held * (3 - 2 * held)
    return made


class Mouth:
    """One mouth, ready to be drawn at any opening."""

    def __init__(self, layer: NDArray[np.uint8], mesh: Mesh) -> None:
        right, left = mesh.points[MOUTH_RIGHT], mesh.points[MOUTH_LEFT]
        self._origin = (right + left) / 2
        self._across = mesh.across
        straight = np.array([-self._across[1], self._across[0]])
        self._half = float((left - right) @ self._across) / 2
        self._height = mesh.height
        self._chin = float((mesh.points[CHIN] - self._origin) @ straight)
        self._nose = float((mesh.points[NOSE_BASE] - self._origin) @ straight)
        self._top, self._bottom = line(mesh, INNER_TOP, self._origin), line(mesh, INNER_BOTTOM, self._origin)
        self._rest = float(np.maximum(0, self._gap(np.linspace(-0.6, 0.6, 9) * self._half)).mean())
        sides = max(2.2 * self._half, 0.55 * self._height)
        self._left, self._upper, self._u, self._v = patch(
            mesh, self._origin, (sides, 2.2 * self._half, self._chin + 0.45 * self._height), layer.shape
        )
        self._source = layer
        self._sides = sides
        self._inside = _inside(layer, mesh.at(*CHEEKS))

    def _gap(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.interp(u, *self._bottom) - np.interp(u, *self._top)

    def drawn(self, move: Move) -> tuple[int, int, NDArray[np.uint8]] | None:
        """The pixels that change, and where they belong; None when the picture's own mouth is right."""
        wanted = move.mouth * WIDEST * self._height
        if abs(wanted - self._rest) < 0.3 and abs(move.width) < 0.02:
            return None
        u = self._narrowed(move.width)
        beside = np.clip(np.abs(u) / self._half, 0, 1)
        profile = (1 - beside * beside) ** 1.25
        top = np.interp(u, *self._top).astype(np.float32)
        bottom = np.maximum(top, np.interp(u, *self._bottom).astype(np.float32))
        gap = np.where(np.abs(u) < self._half, bottom - top, 0)
        change = wanted * profile - gap
        up, down = -_UP * change, (1 - _UP) * change
        top_now, bottom_now = top + up, bottom + down
        v = self._v
        below = np.clip((v - bottom_now) / max(2.0, 0.8 * self._chin), 0, 1)
        lower = down * (1 - eased(below))
        lower += self._jaw(v - bottom_now, float((1 - _UP) * (wanted - self._rest)))
        upper = up * (1 - eased(np.clip((top_now - v) / max(2.0, -0.9 * self._nose), 0, 1)))
        inside = (v > top_now) & (v < bottom_now)
        from_v = np.where(v >= bottom_now, v - lower, v - upper)
        from_v = np.where(inside, np.minimum(top + (v - top_now), np.maximum(top, bottom - 0.5)), from_v)
        pixels = self._taken(u, from_v)
        if wanted > self._rest * 0.5:
            self._open(pixels, top_now, bottom_now, gap, beside)
        return self._left, self._upper, pixels

    def _narrowed(self, width: float) -> Values:
        """Where across each pixel comes from: round the mouth, nearer to its middle the wider it is drawn."""
        near = np.exp(-np.square(self._u / (1.1 * self._half)) - np.square(self._v / (1.1 * self._half)))
        made: Values = (self._u * (1 - 0.14 * width * near)).astype(np.float32)
        return made

    def _jaw(self, below: Values, drop: float) -> Values:
        """How far the chin and the cheeks beside it come down: from the lip on more, behind the chin less."""
        wide = 1 - eased(np.abs(self._u) / self._sides)
        grow = eased(np.clip(below / max(2.0, self._chin * 0.9), 0, 1))
        fade = 1 - eased(np.clip((below - self._chin) / (0.42 * self._height), 0, 1))
        made: Values = (_JAW * drop * wide * grow * fade).astype(np.float32)
        return made

    def _taken(self, u: Values, v: Values) -> NDArray[np.uint8]:
        across = self._across
        x = (self._origin[0] + u * across[0] - v * across[1]).astype(np.float32)
        y = (self._origin[1] + u * across[1] + v * across[0]).astype(np.float32)
        made: NDArray[np.uint8] = cv2.remap(self._source, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        alpha = made[..., 3]
        np.minimum(
            made[..., :3], alpha[..., None], out=made[..., :3]
        )  # cubic weights overshoot; colours stay below alpha
        return made

    def _open(self, pixels: NDArray[np.uint8], top: Values, bottom: Values, gap: Values, beside: Values) -> None:
        """Draw the inside of the mouth: dark, a tongue below, teeth above: the picture's own where it shows any."""
        depth, room = self._v - top, np.maximum(bottom - top, 1e-3)
        cover = np.clip(depth + 0.5, 0, 1) * np.clip(bottom - self._v + 0.5, 0, 1) * (room > 0.6)
        if self._rest > 0.02 * self._height:
            own = np.clip(0.92 * gap - depth + 0.5, 0, 1)  # the picture's teeth hang from the upper lip as they do
            cover = cover * (1 - own)
            teeth = np.zeros_like(cover)
        else:
            length = np.minimum(0.45 * room, 0.03 * self._height)
            teeth = np.clip(length - depth + 0.5, 0, 1) * np.clip((0.8 - beside) * 6, 0, 1)
        tongue = eased(np.clip((self._v - bottom + 0.42 * room) / np.maximum(0.3 * room, 1), 0, 1)) * (1 - beside)
        dark, flesh, enamel = self._inside
        colour = dark + (flesh - dark) * tongue[..., None]
        shade = 0.72 + 0.28 * (1 - beside)
        colour += (enamel * shade[..., None] - colour) * teeth[..., None]
        colour *= (0.55 + 0.45 * np.clip(depth / np.maximum(0.25 * room, 1), 0, 1))[..., None]  # the upper lip's shadow
        cover = cover[..., None] * (pixels[..., 3:] / 255)
        pixels[..., :3] = np.rint(pixels[..., :3] * (1 - cover) + colour * cover).astype(np.uint8)


def _inside(
    layer: NDArray[np.uint8], cheeks: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Colours of the inside, of flesh and of teeth in this picture's light: as bright and as colourful as its skin."""
    places = np.rint(cheeks).astype(int)
    x, y = np.clip(places[:, 0], 0, layer.shape[1] - 1), np.clip(places[:, 1], 0, layer.shape[0] - 1)
    skin = np.median(layer[y, x, :3].astype(np.float32), axis=0)
    light = float(np.clip(skin.mean() / 165, 0.35, 1.1))
    colourful = float(np.clip((skin.max() - skin.min()) / 40, 0, 1))

    def lit(colour: tuple[int, int, int]) -> NDArray[np.float32]:
        base = np.array(colour, np.float32)
        made: NDArray[np.float32] = ((base.mean() + (base - base.mean()) * colourful) * light).astype(np.float32)
        return made

    return lit((52, 18, 20)), lit((156, 70, 70)), lit((206, 198, 184))
