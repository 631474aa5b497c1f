"""The pictures of the demo's story: eight places that a paper boat comes by, painted on this machine, none of them downloaded.

python3 hack/demo/pictures.py FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from demo.painting import (
    COLUMNS,
    ROWS,
    Plane,
    Random,
    blurred,
    boat,
    clouds,
    disc,
    finished,
    glitter,
    glow,
    land,
    mirrored,
    mixed,
    noise,
    rgb,
    ridge,
    sea,
    sky,
    smooth,
    stars,
    stencil,
    wood,
)  # fmt: skip


def mountains(random: Random) -> Plane:
    """First light on range behind range, mist in the valleys."""
    canvas = sky([(0, (70, 96, 150)), (0.28, (150, 152, 178)), (0.45, (244, 190, 150)), (0.56, (255, 222, 178))])
    canvas = clouds(canvas, random, (250, 190, 160), cover=0.12, low=0.42, shape=(3, 14))
    canvas = glow(canvas, (0.66, 0.46), 0.30, (255, 176, 104), 0.28)
    canvas = disc(glow(canvas, (0.66, 0.445), 0.07, (255, 220, 160), 0.45), (0.66, 0.445), 0.026, (255, 246, 220))
    texture = noise(random, (14, 10), 8)
    ranges = (
        (0.47, 0.045, 4, (176, 150, 158), (246, 208, 178)), (0.53, 0.05, 4, (140, 124, 144), (236, 194, 172)),
        (0.60, 0.055, 5, (104, 98, 126), (216, 176, 166)), (0.69, 0.05, 5, (70, 74, 102), (178, 150, 156)),
        (0.80, 0.05, 4, (42, 50, 72), (112, 104, 122)), (0.91, 0.04, 3, (20, 27, 40), (38, 44, 58)),
    )  # fmt: skip
    for height, amplitude, cells, near, haze in ranges:
        line = ridge(random, height, amplitude, cells)
        canvas = land(canvas, line, near, haze, fade=0.13, texture=texture)
    return wood(canvas, random, 26, foot=1.0, tall=0.13, colour=(13, 18, 27))


def forest(random: Random) -> Plane:
    """Firs in the mist, row behind row, and light between them."""
    canvas = sky([(0, (172, 194, 190)), (0.6, (206, 216, 202)), (1, (160, 182, 168))])
    canvas = glow(canvas, (0.58, 0.12), 0.5, (255, 240, 196), 0.22)
    rows = (
        (30, 0.66, 0.42, (182, 200, 190)), (24, 0.72, 0.50, (150, 174, 164)), (18, 0.79, 0.60, (112, 142, 132)),
        (13, 0.87, 0.68, (72, 104, 96)), (8, 0.98, 0.86, (34, 58, 54)),
    )  # fmt: skip
    for count, foot, tall, colour in rows:
        canvas = wood(canvas, random, count, foot=foot, tall=tall, colour=colour)
        mist = smooth(noise(random, (3, 5), 5), -0.4, 1.0) * np.exp(-(((ROWS - foot) / 0.16) ** 2))
        canvas = mixed(canvas, rgb((218, 228, 214)), np.asarray(mist * 0.55, np.float32))
    angle = COLUMNS - 0.58
    rays = noise(random, (34, 1), 3, size=(2240, 1))[0]
    spread = np.clip(0.5 + (angle / (ROWS + 0.35)) * 0.8, 0, 1) * 2239
    beams = smooth(rays[spread.astype(int)], 0.1, 1.1) * (1 - smooth(ROWS, 0.25, 0.95))
    canvas = canvas + (0.26 * beams)[..., None] * rgb((255, 246, 214))
    stream = stencil(
        [
            [
                (0.36, 1.0),
                (0.47, 0.90),
                (0.44, 0.83),
                (0.50, 0.775),
                (0.49, 0.735),
                (0.505, 0.735),
                (0.525, 0.775),
                (0.495, 0.83),
                (0.57, 0.90),
                (0.68, 1.0),
            ]
        ]
    )
    light = np.clip(rgb((176, 202, 196)) * (0.8 + 0.2 * noise(random, (40, 90), 4))[..., None], 0, 1)
    canvas = mixed(np.asarray(canvas, np.float32), light, blurred(stream, 3))
    return boat(canvas, (0.475, 0.825), 0.036, 0.95, mirror=0.3)


def lake(random: Random) -> Plane:
    """A still lake that shows the hills to themselves."""
    canvas = sky([(0, (62, 128, 190)), (0.35, (138, 190, 222)), (0.56, (222, 232, 226))])
    canvas = clouds(canvas, random, (255, 252, 244), cover=0.30, low=0.52, shape=(4, 7))
    texture = noise(random, (16, 12), 8)
    shore = 0.585
    for height, amplitude, cells, near, haze in (
        (0.40, 0.075, 3, (126, 150, 172), (196, 212, 216)), (0.47, 0.05, 4, (96, 126, 138), (168, 190, 182)),
        (0.525, 0.03, 5, (74, 110, 84), (118, 146, 102)),
    ):  # fmt: skip
        canvas = land(
            canvas, ridge(random, height, amplitude, cells), near, haze, fade=0.12, texture=texture, rough=0.13
        )
    canvas = wood(canvas, random, 110, foot=shore, tall=0.055, colour=(40, 70, 54))
    canvas = mirrored(canvas, random, shore, (40, 92, 118))
    return boat(canvas, (0.37, 0.69), 0.07, 1.0)


def town(random: Random) -> Plane:
    """Windows at dusk along a river, a bridge, their lights in the water."""
    canvas = sky([(0, (24, 32, 74)), (0.3, (78, 70, 122)), (0.5, (206, 122, 118)), (0.62, (250, 178, 118))])
    canvas = clouds(canvas, random, (160, 92, 116), cover=0.16, low=0.5, shape=(3, 12))
    canvas = stars(canvas, random, 160, 0.24)
    texture = noise(random, (14, 10), 7)
    canvas = land(canvas, ridge(random, 0.50, 0.04, 3), (70, 58, 92), (132, 92, 108), fade=0.2, texture=texture)
    shore = 0.70
    lit = np.zeros_like(canvas[..., 0])
    for row, (foot, tall, dark) in enumerate(((0.615, 0.075, 62), (0.655, 0.105, 46), (shore, 0.14, 30))):
        walls, windows = [], []
        x = -0.02
        while x < 1.02:
            wide = float(random.uniform(0.028, 0.052)) * (0.75 + 0.22 * row)
            high = tall * float(random.uniform(0.55, 1.0))
            top = foot - high
            peak = top - wide * float(random.uniform(0.5, 1.1))
            walls.append([(x, 1.0), (x, top), (x + wide / 2, peak), (x + wide, top), (x + wide, 1.0)])
            step = 0.020
            for floor in np.arange(top + 0.012, foot - 0.024, 0.032):
                for column in np.arange(x + 0.007, x + wide - 0.011, step):
                    if random.random() < 0.5:
                        y, c = float(floor), float(column)
                        windows.append([(c, y), (c + 0.0075, y), (c + 0.0075, y + 0.018), (c, y + 0.018)])
            x += wide
        if row == 1:  # a tower among them
            walls.append([(0.30, 1.0), (0.30, 0.42), (0.3175, 0.33), (0.335, 0.42), (0.335, 1.0)])
            windows.append([(0.312, 0.45), (0.323, 0.45), (0.323, 0.475), (0.312, 0.475)])
        canvas = mixed(canvas, rgb((dark, dark - 8, dark + 18)), stencil(walls))
        shine = stencil(windows)
        lit = np.asarray(np.clip(lit * (1 - stencil(walls)) + shine, 0, 1), np.float32)
    canvas = mixed(canvas, rgb((255, 206, 112)), lit)
    canvas = canvas + (blurred(lit, 9) * 1.3 + blurred(lit, 40) * 1.6)[..., None] * rgb((255, 168, 74)) * 0.55
    canvas = mirrored(np.asarray(canvas, np.float32), random, shore, (22, 22, 52), share=0.22, ripple=12)
    deck = [(x, 0.665 - 0.055 * float(np.sin(np.pi * (x - 0.48) / 0.56))) for x in np.linspace(0.48, 1.04, 40)]
    road = [*deck, *[(x, y + 0.022) for x, y in reversed(deck)]]
    arches = []
    for left, right in ((0.50, 0.655), (0.68, 0.84), (0.865, 1.02)):
        arch = [
            (left + (right - left) * each, 0.725 - 0.062 * float(np.sin(np.pi * each)))
            for each in np.linspace(0, 1, 24)
        ]
        arches.append(arch)
    body = stencil([[*deck, (1.04, 0.74), (0.48, 0.74)]]) * (1 - stencil(arches))
    canvas = mixed(canvas, rgb((30, 26, 48)), np.maximum(body, stencil([road])))
    return boat(canvas, (0.22, 0.745), 0.05, 0.8)


def sunset(random: Random) -> Plane:
    """The sea, the sun going down behind it."""
    canvas = sky([(0, (46, 60, 118)), (0.25, (130, 92, 138)), (0.42, (242, 138, 96)), (0.55, (255, 208, 126))])
    canvas = clouds(canvas, random, (255, 156, 108), cover=0.30, low=0.52, shape=(3, 11))
    canvas = glow(canvas, (0.60, 0.50), 0.4, (255, 150, 70), 0.4)
    canvas = disc(glow(canvas, (0.60, 0.50), 0.12, (255, 214, 140), 0.7), (0.60, 0.495), 0.042, (255, 244, 206))
    canvas = sea(canvas, random, 0.55, (22, 40, 78), (214, 130, 104), rough=0.6, sheen=(250, 176, 128))
    canvas = glitter(canvas, random, 0.55, x=0.60, colour=(255, 204, 128), strength=0.9)
    return boat(canvas, (0.36, 0.715), 0.07, 0.92)


def lighthouse(random: Random) -> Plane:
    """A tower on its rock turns its light over a black sea."""
    canvas = sky([(0, (6, 10, 28)), (0.4, (18, 32, 66)), (0.6, (44, 68, 104))])
    canvas = stars(canvas, random, 900, 0.56)
    canvas = clouds(canvas, random, (46, 60, 94), cover=0.22, low=0.56, shape=(4, 9))
    canvas = sea(canvas, random, 0.60, (5, 12, 28), (40, 64, 98), rough=0.5, sheen=(84, 112, 150))
    lamp = (0.69, 0.268)
    canvas = glitter(canvas, random, 0.60, x=0.69, colour=(255, 226, 160), strength=0.5, width=0.07)
    beams = stencil([
        [lamp, (-0.05, 0.02), (-0.05, 0.235)], [lamp, (1.05, 0.275), (1.05, 0.375)],
    ])  # fmt: skip
    reach = np.exp(-np.abs(COLUMNS - lamp[0]) * 2.1)
    canvas = canvas + (blurred(beams, 14) * reach * 0.62)[..., None] * rgb((255, 240, 190))
    line = (
        0.70
        - 0.115 * np.exp(-(((COLUMNS[0] - 0.71) / 0.12) ** 2))
        + 0.018 * noise(random, (22, 1), 7, size=(2240, 1))[0]
    )
    line = np.where((COLUMNS[0] > 0.48) & (COLUMNS[0] < 0.98), line, 2.0)
    line = line + 0.25 * smooth(np.abs(COLUMNS[0] - 0.73), 0.13, 0.25)
    rock = land(np.asarray(canvas, np.float32), np.asarray(line, np.float32), (24, 28, 42), (10, 13, 24), fade=0.22,
                texture=noise(random, (30, 30), 8), rough=0.2)  # fmt: skip
    canvas = np.where((ROWS < 0.80)[..., None], rock, canvas)
    tower = [(0.668, 0.60), (0.677, 0.305), (0.703, 0.305), (0.712, 0.60)]
    bands = [
        [(0.6, 0.535), (0.8, 0.535), (0.8, 0.47), (0.6, 0.47)],
        [(0.6, 0.405), (0.8, 0.405), (0.8, 0.345), (0.6, 0.345)],
    ]
    mask = stencil([tower])
    shade = 1.0 - 0.62 * smooth(np.broadcast_to(COLUMNS, mask.shape), 0.672, 0.71)
    paint = (
        mixed(np.broadcast_to(rgb((186, 190, 200)), canvas.shape), rgb((140, 40, 42)), stencil(bands))
        * shade[..., None]
        * 0.72
    )
    canvas = mixed(np.asarray(canvas, np.float32), paint.astype(np.float32), mask)
    house = [[(0.678, 0.305), (0.678, 0.245), (0.702, 0.245), (0.702, 0.305)]]
    canvas = mixed(canvas, rgb((255, 236, 170)), stencil(house))
    frame = [
        [(0.672, 0.31), (0.672, 0.30), (0.708, 0.30), (0.708, 0.31)], [(0.674, 0.247), (0.69, 0.212), (0.706, 0.247)],
        [(0.6845, 0.30), (0.6845, 0.245), (0.686, 0.245), (0.686, 0.30)],
        [(0.694, 0.30), (0.694, 0.245), (0.6955, 0.245), (0.6955, 0.30)],
    ]  # fmt: skip
    canvas = mixed(canvas, rgb((20, 22, 34)), stencil(frame))
    canvas = glow(glow(canvas, lamp, 0.05, (255, 240, 190), 0.9), lamp, 0.2, (255, 220, 150), 0.28)
    return boat(canvas, (0.27, 0.70), 0.055, 0.5)


def night(random: Random) -> Plane:
    """The Milky Way over a quiet sea, and the boat alone."""
    canvas = sky([(0, (5, 8, 22)), (0.5, (13, 22, 50)), (0.72, (34, 54, 88))])
    canvas = stars(canvas, random, 2600, 0.655, band=True)
    canvas = glow(canvas, (0.5, 0.66), 0.3, (60, 110, 130), 0.22)
    canvas = mirrored(canvas, random, 0.655, (6, 14, 32), share=0.35, ripple=14)
    return boat(canvas, (0.52, 0.715), 0.05, 0.62)


def island(random: Random) -> Plane:
    """Morning on the sand of an island."""
    canvas = sky([(0, (96, 160, 204)), (0.3, (176, 208, 216)), (0.45, (252, 224, 190))])
    canvas = clouds(canvas, random, (255, 226, 204), cover=0.24, low=0.42, shape=(4, 9))
    canvas = glow(canvas, (0.24, 0.42), 0.26, (255, 206, 140), 0.16)
    canvas = disc(canvas, (0.24, 0.36), 0.028, (255, 250, 228))
    canvas = sea(canvas, random, 0.45, (34, 122, 138), (186, 204, 196), rough=0.5, sheen=(226, 238, 226))
    canvas = glitter(canvas, random, 0.45, x=0.24, colour=(255, 232, 180), strength=0.7)
    texture = noise(random, (16, 12), 8)
    far = np.where(
        COLUMNS[0] > 0.52, ridge(random, 0.425, 0.02, 5) - 0.075 * np.exp(-(((COLUMNS[0] - 0.86) / 0.16) ** 2)), 2.0
    )
    far = far + 0.2 * smooth(0.62 - COLUMNS[0], 0.0, 0.1)
    hill = land(
        canvas, np.asarray(far, np.float32), (74, 104, 98), (150, 168, 152), fade=0.14, texture=texture, rough=0.12
    )
    canvas = np.where((ROWS < 0.462)[..., None], hill, canvas).astype(np.float32)
    wash = 0.61 + 0.04 * np.sin(COLUMNS[0] * 5.2 + 0.6) + 0.008 * noise(random, (9, 1), 6, size=(2240, 1))[0]
    grains = noise(random, (220, 130), 3) * 0.5 + noise(random, (6, 16), 6) * 0.5
    sand = np.clip(rgb((226, 196, 150)) + (grains * 0.055)[..., None], 0, 1)
    wet = 1 - smooth(ROWS - wash[None, :], 0.0, 0.10)
    sand = mixed(np.asarray(sand, np.float32), rgb((150, 138, 120)), np.asarray(wet * 0.7, np.float32))
    canvas = mixed(canvas, sand, smooth(ROWS - wash[None, :], -0.003, 0.003))
    for shift, strength in ((0.0, 0.95), (-0.035, 0.55), (-0.075, 0.35)):
        edge = np.exp(-(((ROWS - wash[None, :] - shift) / 0.006) ** 2)) + 0.6 * np.exp(
            -(((ROWS - wash[None, :] - shift + 0.012) / 0.014) ** 2)
        )
        lace = smooth(noise(random, (60, 50), 5), -0.6, 0.6)
        canvas = mixed(canvas, rgb((252, 250, 244)), np.asarray(np.clip(edge * lace * strength, 0, 1), np.float32))
    return boat(canvas, (0.62, 0.73), 0.09, 1.0, mirror=0.0)


PICTURES: dict[str, Callable[[Random], Plane]] = {
    "mountains-morning": mountains,
    "forest-mist-pines": forest,
    "lake-hills-water": lake,
    "town-bridge-windows": town,
    "river-wide-sea": sunset,
    "lighthouse-rock-light": lighthouse,
    "stars-dark-nights-sailed": night,
    "island-sand-fisherman-letter": island,
}
"""Each picture under a name whose words a scene finds it by."""


def paint(name: str, folder: str) -> None:
    """Paint one of them."""
    random = np.random.default_rng(sum(name.encode()))
    finished(PICTURES[name](random), random, Path(folder) / f"{name}.jpg")


def paint_all(folder: Path, workers: int = 2) -> None:
    """Paint all of them, some side by side."""
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(paint, PICTURES, [str(folder)] * len(PICTURES)))


if __name__ == "__main__":
    paint_all(Path(sys.argv[1]))
