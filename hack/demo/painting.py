"""Brushes for the demo's pictures: noise, skies, ridges in haze, water that mirrors, trees, glow and grain. numpy and Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 2240, 1260
"""Larger than the video, so that a zoom finds something to show."""
Plane = NDArray[Any]
"""One value a pixel, mostly 0 to 1; pictures have three of them in the last axis."""
Colour = tuple[int, int, int]
Random = np.random.Generator

ROWS: Plane = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None]
COLUMNS: Plane = np.linspace(0, 1, WIDTH, dtype=np.float32)[None, :]


def rgb(colour: Colour) -> Plane:
    """A colour of 8 bits as three values."""
    return np.array(colour, np.float32) / 255


def resized(plane: Plane, size: tuple[int, int]) -> Plane:
    """A plane in another width and height."""
    image = Image.fromarray(np.asarray(plane, np.float32), mode="F")
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), np.float32)


def noise(
    random: Random,
    cells: tuple[float, float],
    octaves: int = 6,
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    fall: float = 0.5,
) -> Plane:
    """1/f noise with so many cells across and down at its coarsest: mean 0, mostly within -1 to 1."""
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(octaves):
        across, down = (max(2, min(side, round(count * 2**octave))) for side, count in zip(size, cells, strict=True))
        grid = random.standard_normal((down + 2, across + 2)).astype(np.float32)
        total += fall**octave * resized(grid, size)
    return np.asarray(total / max(1e-6, float(total.std()) * 2), np.float32)


def smooth(value: Plane, low: float, high: float) -> Plane:
    """0 below, 1 above, and a soft way between."""
    at = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(at * at * (3 - 2 * at), np.float32)


def mixed(under: Plane, over: Plane, alpha: Plane | float) -> Plane:
    """One picture, or colour, over another."""
    share = alpha[..., None] if isinstance(alpha, np.ndarray) else alpha
    return np.asarray(under + (over - under) * share, np.float32)


def sky(stops: Sequence[tuple[float, Colour]]) -> Plane:
    """Colours from the top down, each at its height."""
    heights = [height for height, _ in stops]
    column = np.stack([np.interp(ROWS[:, 0], heights, [rgb(each)[i] for _, each in stops]) for i in range(3)], axis=-1)
    return np.repeat(column[:, None, :], WIDTH, axis=1).astype(np.float32)


def glow(canvas: Plane, at: tuple[float, float], radius: float, colour: Colour, strength: float) -> Plane:
    """Light round a point, added."""
    distance = np.hypot((COLUMNS - at[0]) * WIDTH / HEIGHT, ROWS - at[1])
    return np.asarray(canvas + (strength * np.exp(-((distance / radius) ** 2)))[..., None] * rgb(colour), np.float32)


def disc(canvas: Plane, at: tuple[float, float], radius: float, colour: Colour) -> Plane:
    """A sun or a moon."""
    distance = np.hypot((COLUMNS - at[0]) * WIDTH / HEIGHT, ROWS - at[1])
    return mixed(canvas, rgb(colour), 1 - smooth(np.asarray(distance, np.float32), radius * 0.94, radius * 1.04))


def clouds(
    canvas: Plane, random: Random, colour: Colour, *, cover: float, low: float, shape: tuple[float, float]
) -> Plane:
    """Long clouds down to a height, their edges lit."""
    form = noise(random, shape, 7)
    mask = smooth(form, 0.55 - cover, 1.25 - cover) * (1 - smooth(ROWS, low * 0.55, low))
    light = np.clip((form - np.roll(form, (6, 8), (0, 1))) * 1.2, -0.25, 0.25)
    return mixed(canvas, np.clip(rgb(colour) + light[..., None], 0, 1), np.asarray(mask * 0.85, np.float32))


def ridge(
    random: Random, height: float, amplitude: float, cells: float, *, octaves: int = 8, fall: float = 0.48
) -> Plane:
    """Where a chain of mountains ends against the sky: one height for each column."""
    return np.asarray(
        height + amplitude * noise(random, (cells, 1), octaves, size=(WIDTH, 1), fall=fall)[0], np.float32
    )


def land(
    canvas: Plane, line: Plane, near: Colour, haze: Colour, *, fade: float, texture: Plane, rough: float = 0.07
) -> Plane:
    """Everything below a line: its own colour at the top, haze towards its foot."""
    depth = ROWS - line[None, :]
    alpha = smooth(depth, -0.0012, 0.0012)
    shade = texture - np.roll(texture, (3, 4), (0, 1))
    body = np.clip(rgb(near) + np.clip(shade * 0.6 + texture * 0.25, -1, 1)[..., None] * rough, 0, 1)
    return mixed(canvas, mixed(body, rgb(haze), np.clip(depth / fade, 0, 1) * 0.85), alpha)


def stencil(polygons: Sequence[Sequence[tuple[float, float]]]) -> Plane:
    """Polygons, in shares of the picture, as a mask with soft edges."""
    image = Image.new("L", (WIDTH * 2, HEIGHT * 2))
    draw = ImageDraw.Draw(image)
    for polygon in polygons:
        draw.polygon([(x * WIDTH * 2, y * HEIGHT * 2) for x, y in polygon], fill=255)
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX), np.float32) / 255


def blurred(plane: Plane, radius: float) -> Plane:
    """A mask without its edges."""
    image = Image.fromarray(np.clip(plane * 255, 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius)), np.float32) / 255


def pine(random: Random, x: float, foot: float, tall: float) -> list[tuple[float, float]]:
    """A fir: a crown in uneven tiers, a trunk."""
    tiers = int(random.integers(15, 22))
    slim = HEIGHT / WIDTH * tall * random.uniform(0.15, 0.21)
    left, right = [(x, foot - tall)], [(x, foot - tall)]
    for tier in range(1, tiers + 1):
        at = tier / tiers
        y = foot - tall * (1 - 0.93 * at)
        for side, sign in ((left, -1), (right, 1)):
            reach = slim * at**0.85 * random.uniform(0.78, 1.12)
            side += [(x + sign * reach, y + tall * 0.016), (x + sign * reach * 0.60, y - tall * 0.004)]
    trunk = slim * 0.08
    return [
        *left,
        (x - trunk, foot - tall * 0.05),
        (x - trunk, foot),
        (x + trunk, foot),
        (x + trunk, foot - tall * 0.05),
        *right[::-1],
    ]


def wood(canvas: Plane, random: Random, count: int, *, foot: float, tall: float, colour: Colour) -> Plane:
    """A row of firs in one colour: the farther, the paler."""
    spread = np.linspace(-0.03, 1.03, count) + random.uniform(-0.4, 0.4, count) / count
    trees = [
        pine(random, float(x), foot + random.uniform(-0.02, 0.02), tall * random.uniform(0.65, 1.2)) for x in spread
    ]
    ground = [(0.0, foot - 0.015), (0.3, foot), (0.6, foot - 0.02), (1.0, foot - 0.005), (1.0, 1.0), (0.0, 1.0)]
    return mixed(canvas, rgb(colour), stencil([*trees, ground]))


def waves(random: Random, horizon: float, *, slope: float = 1.0) -> Plane:
    """The light on a sea in perspective: rows come closer together towards the horizon."""
    form = noise(random, (9, 60), 6, size=(WIDTH, 1600), fall=0.62)
    depth = np.clip((ROWS[:, 0] - horizon) / (1 - horizon), 0, 1)
    rows = np.clip((1599 * np.power(depth, 0.42 * slope)).astype(int), 0, 1599)
    lit: Plane = form[rows]
    return lit


def sea(
    canvas: Plane, random: Random, horizon: float, near: Colour, far: Colour, *, rough: float, sheen: Colour
) -> Plane:
    """Water to the horizon: waves lit from the sky."""
    form = waves(random, horizon)
    depth = np.clip((ROWS - horizon) / (1 - horizon), 0, 1)
    water = mixed(
        np.broadcast_to(rgb(far), canvas.shape), rgb(near), np.broadcast_to(depth**0.6, form.shape).astype(np.float32)
    )
    crest = smooth(form, 0.1, 1.1) * (0.25 + 0.75 * depth) * rough
    water = (
        mixed(water, rgb(sheen), np.asarray(crest, np.float32))
        * (1 - 0.25 * rough * smooth(-form, 0.1, 1.0))[..., None]
    )
    return mixed(canvas, water, np.broadcast_to(smooth(ROWS, horizon - 0.0008, horizon + 0.0008), form.shape))


def glitter(
    canvas: Plane, random: Random, horizon: float, *, x: float, colour: Colour, strength: float, width: float = 0.05
) -> Plane:
    """The path that a low light draws on water."""
    depth = np.clip((ROWS - horizon) / (1 - horizon), 0, 1)
    path = np.exp(-(((COLUMNS - x) / (width * (0.35 + 1.5 * depth))) ** 2)) * (horizon < ROWS)
    sparks = smooth(waves(random, horizon), -0.1, 0.9)
    return np.asarray(canvas + (strength * path * sparks)[..., None] * rgb(colour), np.float32)


def mirrored(
    canvas: Plane, random: Random, shore: float, tint: Colour, *, share: float = 0.3, ripple: float = 7.0
) -> Plane:
    """Still water below a shore: what stands above it, upside down, moved by ripples."""
    rows, columns = np.arange(HEIGHT), np.arange(WIDTH)
    line = int(shore * HEIGHT)
    form = waves(random, shore)
    depth = np.clip((rows - line) / max(1, HEIGHT - line), 0, 1)[:, None]
    above = np.clip(2 * line - rows[:, None] + (form * ripple * 2 * (0.15 + depth)), 0, line - 1).astype(int)
    aside = np.clip(columns[None, :] + form * ripple * (0.2 + depth), 0, WIDTH - 1).astype(int)
    water = mixed(canvas[above, aside], rgb(tint), np.broadcast_to(share + 0.25 * depth, form.shape).astype(np.float32))
    water = water * (1 + 0.06 * form)[..., None]
    return np.where((rows >= line)[:, None, None], water, canvas).astype(np.float32)


def stars(canvas: Plane, random: Random, count: int, low: float, *, band: bool = False) -> Plane:
    """A night sky down to a height; with a band, the Milky Way crosses it."""
    light = np.zeros((HEIGHT, WIDTH), np.float32)
    lit = canvas
    if band:
        along = (COLUMNS - 0.5) * 0.86 - (ROWS - 0.42) * 0.9
        dust = noise(random, (5, 4), 7)
        milky = np.exp(-((along / 0.17) ** 2)) * np.clip(0.62 + 0.55 * dust, 0, 1.4)
        lane = np.exp(-(((along + 0.02 * dust) / 0.035) ** 2)) * smooth(noise(random, (7, 5), 6), -0.2, 0.7)
        milky = np.asarray(np.clip(milky - 0.55 * lane, 0, 2), np.float32)
        lit = lit + milky[..., None] * rgb((92, 98, 140)) * 0.75 + (milky**3)[..., None] * rgb((200, 168, 150)) * 0.16
        extra = random.random((HEIGHT, WIDTH)) < 0.0035 * milky
        light[extra] += random.random(int(extra.sum())).astype(np.float32) * 0.55
    x, y = random.integers(2, WIDTH - 2, count), random.integers(2, int(low * HEIGHT), count)
    bright = np.power(random.random(count), 5).astype(np.float32)
    np.add.at(light, (y, x), 0.25 + bright)
    for (dx, dy), part in {(1, 0): 0.5, (-1, 0): 0.5, (0, 1): 0.5, (0, -1): 0.5}.items():
        np.add.at(light, (y + dy, x + dx), part * bright)
    halo = blurred(np.clip(light, 0, 1), 3.5) * 1.6
    fade = 1 - smooth(ROWS, low * 0.8, low)
    return np.asarray(lit + ((light + halo) * fade)[..., None] * rgb((232, 236, 255)), np.float32)


def boat(canvas: Plane, at: tuple[float, float], length: float, light: float, *, mirror: float = 0.45) -> Plane:
    """A paper boat and its image in the water; `at` is the middle of its waterline."""
    ratio = WIDTH / HEIGHT

    def put(parts: Sequence[tuple[float, float]], flip: float = 1.0) -> list[tuple[float, float]]:
        return [(at[0] + x * length, at[1] - y * flip * length * ratio) for x, y in parts]

    bow, stern = (-0.52, 0.22), (0.52, 0.22)
    faces = (
        (((-0.24, 0.15), (0.0, 0.56), (0.03, 0.12)), 0.84),
        (((0.0, 0.56), (0.24, 0.15), (0.03, 0.12)), 0.66),
        ((bow, (-0.30, 0.0), (0.30, 0.0), stern, (0.03, 0.13)), 1.0),
        (((0.03, 0.13), stern, (0.30, 0.0)), 0.80),
    )
    for shape, shade in faces:
        paper = rgb((250, 246, 236)) * light * shade
        shadow = blurred(stencil([put(shape, -0.8)]), 3) * mirror
        canvas = mixed(canvas, paper * 0.8, shadow)
    for shape, shade in faces:
        canvas = mixed(canvas, rgb((250, 246, 236)) * light * shade, stencil([put(shape)]))
    return canvas


def finished(canvas: Plane, random: Random, path: Path, *, bloom: float = 0.25, grain: float = 0.008) -> None:
    """As a lens and a film would have it: bright places bleed, corners darken, grain lies over all. Written as JPEG."""
    bright = np.clip(canvas - 0.72, 0, 1)
    halo = np.stack([blurred(bright[..., each] * 2, 24) for each in range(3)], axis=-1)
    lit = canvas + bloom * halo
    edge = np.hypot((COLUMNS - 0.5) * 1.15, ROWS - 0.5)
    lit = lit * (1 - 0.32 * smooth(np.asarray(edge, np.float32), 0.35, 0.85))[..., None]
    film = random.standard_normal((HEIGHT, WIDTH, 1)).astype(np.float32) * grain
    Image.fromarray((np.clip(lit + film, 0, 1) * 255).astype(np.uint8)).save(path, quality=90)
