"""Makes crds/examples/media/portrait.jpg and voice.wav: a person who does not exist, and what a synthetic voice says for them.

Nobody's likeness is lent to a machine here: the face is painted by this script, from ellipses, soft light and noise, like enough
to a person for detectors and landmark models to find one. Runs by hand when the picture is to change; the example names the
digests, and a test compares them. Needs Debian's flite for the voice.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

MEDIA = Path(__file__).resolve().parent.parent / "crds" / "examples" / "media"
PORTRAIT, VOICE = MEDIA / "portrait.jpg", MEDIA / "voice.wav"
SENTENCE = "I am painted, and a program lends me this voice."
WIDTH, HEIGHT = 480, 600
FINE = 3
"""Painted so many times larger, then made smaller: soft edges."""
Plane = NDArray[np.float32]
Point = tuple[float, float]
Colour = tuple[int, int, int]

SKIN, SHADE, LIGHT, BLUSH = (221, 173, 142), (168, 112, 84), (246, 213, 188), (214, 132, 112)
HAIR, HAIR_LIGHT, SHIRT, WALL = (58, 38, 28), (112, 76, 50), (52, 78, 108), (176, 186, 184)
LIP, LIP_DARK, IRIS, WHITE, DARK = (178, 92, 86), (128, 56, 54), (84, 104, 92), (238, 234, 228), (26, 18, 16)


class Canvas:
    """A picture in units of its final pixels, painted by soft shapes."""

    def __init__(self) -> None:
        self.pixels: Plane = np.empty((HEIGHT * FINE, WIDTH * FINE, 3), np.float32)
        self.pixels[:] = WALL

    def shape(self, points: Sequence[Point], soft: float = 0.8) -> Plane:
        """How much of each pixel lies within a smooth closed line through the points."""
        mask = Image.new("L", (WIDTH * FINE, HEIGHT * FINE))
        ImageDraw.Draw(mask).polygon([(x * FINE, y * FINE) for x, y in _curve(points)], fill=255)
        return np.asarray(mask.filter(ImageFilter.GaussianBlur(soft * FINE)), np.float32) / np.float32(255)

    def ellipse(self, centre: Point, radii: Point, soft: float = 0.8) -> Plane:
        """The same for an ellipse."""
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        return self.shape([(centre[0] + radii[0] * np.cos(a), centre[1] + radii[1] * np.sin(a)) for a in angles], soft)

    def paint(self, mask: Plane, colour: Colour, strength: float = 1.0) -> None:
        """Lay a colour on."""
        share = mask[..., None] * np.float32(strength)
        self.pixels = self.pixels * (1 - share) + np.array(colour, np.float32) * share


def _curve(points: Sequence[Point], steps: int = 12) -> list[Point]:
    """A closed Catmull-Rom curve through the points."""
    given, t = np.array(points, np.float64), (np.arange(steps) / steps)[:, None]
    found: list[Point] = []
    for place in range(len(given)):
        a, b, c, d = (given[(place + offset) % len(given)] for offset in (-1, 0, 1, 2))
        part = (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3) / 2
        found.extend((float(x), float(y)) for x, y in part)
    return found


def _mirrored(points: Sequence[Point], axis: float) -> list[Point]:
    """Both halves of a symmetric line, of its right half from top to bottom."""
    return [*points, *((2 * axis - x, y) for x, y in reversed(points) if abs(x - axis) > 1)]


def painted(seed: int = 7) -> Image.Image:
    """The portrait."""
    at, middle = Canvas(), WIDTH / 2
    rows = np.linspace(0, 1, HEIGHT * FINE, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, WIDTH * FINE, dtype=np.float32)[None, :]
    at.pixels *= (1.08 - 0.3 * rows - 0.12 * columns)[..., None]
    # hair behind, shoulders, neck
    back = _mirrored([(middle, 84), (300, 98), (344, 160), (354, 250), (350, 350), (336, 410), (296, 428)], middle)
    at.paint(at.shape(back, 2.5), HAIR)
    body = _mirrored([(middle, 452), (300, 458), (370, 488), (432, 530), (452, 640)], middle)
    at.paint(at.shape(body, 1.5), SHIRT)
    at.paint(at.shape([(330, 500), (440, 540), (460, 640), (350, 640)], 20), (30, 48, 72), 0.6)
    neck = _mirrored([(middle, 380), (286, 390), (284, 440), (300, 468), (262, 500), (middle, 512)], middle)
    at.paint(at.shape(neck, 1.2), SKIN)
    at.paint(
        at.shape(_mirrored([(middle, 396), (290, 396), (284, 430), (258, 452), (middle, 458)], middle), 9), SHADE, 0.75
    )
    # head, lit from the left
    head = _mirrored(
        [(middle, 128), (296, 146), (330, 208), (330, 278), (318, 338), (290, 388), (256, 414), (middle, 418)], middle
    )
    face = at.shape(head, 1.2)
    for side in (-1, 1):
        ear = at.ellipse((middle + side * 94, 280), (13, 30), 1.2)
        at.paint(ear, SKIN)
        at.paint(at.ellipse((middle + side * 96, 280), (6, 18), 3), SHADE, 0.6)
    at.paint(face, SKIN)
    edge = np.clip(face - np.asarray(at.shape(head, 26)), 0, 1)
    at.paint(face * np.clip(1.9 * edge, 0, 1), SHADE, 0.75)
    at.paint(face * at.ellipse((322, 300), (36, 120), 18), SHADE, 0.45)
    at.paint(face * at.ellipse((206, 190), (44, 32), 18), LIGHT, 0.6)
    at.paint(face * at.ellipse((196, 300), (22, 26), 12), LIGHT, 0.45)
    for side in (-1, 1):
        at.paint(face * at.ellipse((middle + side * 50, 322), (22, 16), 12), BLUSH, 0.35)
        at.paint(face * at.ellipse((middle + side * 40, 250), (30, 16), 8), SHADE, 0.5)
    _eyes(at, middle)
    _nose_and_mouth(at, middle)
    # hair in front
    around = [(149, 268), (143, 190), (172, 122), (240, 92), (310, 122), (338, 196), (333, 268)]
    fringe = [*around, (322, 214), (288, 170), (222, 152), (186, 176), (160, 218)]
    hair = at.shape(fringe, 1.6)
    at.paint(hair, HAIR)
    at.paint(hair * at.ellipse((204, 132), (40, 16), 9), HAIR_LIGHT, 0.7)
    random = np.random.default_rng(seed)
    strands = np.asarray(
        Image.fromarray(random.standard_normal((40, 420)).astype(np.float32)).resize((WIDTH * FINE, HEIGHT * FINE))
    )
    at.pixels += (np.maximum(hair, at.shape(back, 2) * (1 - face) * (1 - at.shape(neck, 1.2))) * 6 * strands)[..., None]
    small = np.asarray(
        Image.fromarray(np.clip(at.pixels, 0, 255).astype(np.uint8)).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    )
    grain = random.standard_normal((HEIGHT, WIDTH, 1)) * 2.2 + random.standard_normal((HEIGHT, WIDTH, 3)) * 0.8
    return Image.fromarray(np.clip(small + grain, 0, 255).astype(np.uint8))


def _eyes(at: Canvas, middle: float) -> None:
    for side in (-1, 1):
        x, y = middle + side * 40, 258.0
        outer, inner = x + side * 22, x - side * 20
        opening = at.shape(
            [(outer, y), (x + side * 8, y - 10.5), (x - side * 8, y - 9.5), (inner, y + 3), (x, y + 8.5)], 0.6
        )
        at.paint(opening, WHITE)
        at.paint(opening * at.ellipse((x, y - 1), (9.6, 9.6), 0.6), IRIS)
        at.paint(opening * at.ellipse((x, y - 1), (4.4, 4.4), 0.5), DARK)
        at.paint(opening * at.shape([(outer, y - 4), (x, y - 12), (inner, y - 2), (x, y - 5)], 2), SHADE, 0.6)
        at.paint(at.ellipse((x - 3, y - 4), (1.8, 1.8), 0.4), (255, 255, 255))
        upper = [(outer + side * 3, y - 2), (x + side * 8, y - 12.5), (x - side * 8, y - 11.5), (inner, y + 2)]
        lid = [*upper, (x - side * 7, y - 8.5), (x + side * 8, y - 9.5)]
        at.paint(at.shape(lid, 0.6), DARK, 0.9)
        at.paint(at.shape([(outer, y + 2), (x, y + 9), (inner, y + 4), (x, y + 10.5)], 0.8), SHADE, 0.8)
        arch = [
            (outer + side * 8, y - 22),
            (x + side * 6, y - 34),
            (inner + side * 1, y - 29),
            (inner + side * 2, y - 23),
        ]
        brow = [*arch, (x + side * 6, y - 28)]
        at.paint(at.shape(brow, 1.6), HAIR, 0.85)


def _nose_and_mouth(at: Canvas, middle: float) -> None:
    at.paint(at.ellipse((middle + 13, 296), (7, 36), 6), SHADE, 0.45)
    at.paint(at.ellipse((middle - 3, 300), (6, 34), 5), LIGHT, 0.6)
    at.paint(at.ellipse((middle, 328), (22, 11), 6), SHADE, 0.3)
    at.paint(at.ellipse((middle - 2, 322), (10, 8), 5), LIGHT, 0.5)
    for side in (-1, 1):
        at.paint(at.ellipse((middle + side * 9, 334), (5, 2.6), 1.4), LIP_DARK, 0.8)
        at.paint(
            at.shape(
                [
                    (middle + side * 20, 318),
                    (middle + side * 24, 330),
                    (middle + side * 17, 337),
                    (middle + side * 20, 329),
                ],
                1.6,
            ),
            SHADE,
            0.7,
        )
    at.paint(at.ellipse((middle, 392), (26, 7), 6), SHADE, 0.35)
    upper = [
        (middle - 36, 364),
        (middle - 12, 359),
        (middle, 362),
        (middle + 12, 359),
        (middle + 36, 364),
        (middle, 370),
    ]
    lower = [
        (middle - 36, 364),
        (middle, 369),
        (middle + 36, 364),
        (middle + 18, 380),
        (middle, 383),
        (middle - 18, 380),
    ]
    at.paint(at.shape(upper, 0.9), LIP)
    at.paint(at.shape(lower, 0.9), LIP)
    at.paint(at.ellipse((middle - 5, 376), (13, 3), 2), LIGHT, 0.35)
    at.paint(
        at.shape(
            [
                (middle - 39, 363),
                (middle - 14, 367.4),
                (middle + 14, 367.4),
                (middle + 39, 363),
                (middle + 14, 369.6),
                (middle - 14, 369.6),
            ],
            0.6,
        ),
        LIP_DARK,
    )


def main() -> int:
    """Write both and print what the example has to name."""
    MEDIA.mkdir(parents=True, exist_ok=True)
    painted().save(PORTRAIT, "JPEG", quality=88)
    done = subprocess.run(["flite", "-voice", "slt", "-t", SENTENCE, "-o", str(VOICE)], check=False)
    if done.returncode:
        print("flite failed: is it there?", file=sys.stderr)
        return 1
    for path in (PORTRAIT, VOICE):
        body = path.read_bytes()
        print(f"{path.name}: {len(body)} bytes, store://inbox/{hashlib.sha256(body).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
