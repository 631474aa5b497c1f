"""Text as pictures: wrapped to a width, drawn once, laid over frames where it stands and nowhere else (S-022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import bidirectional

import cv2
import numpy as np
from PIL import Image, ImageDraw

from .fonts import Face, FontBook, Run
from .planes import Plane, Planes, from_rgb

NOT_FIRST = frozenset("、。，．,.!?！？」』）)】》〉’”：；:;ー…・々ゃゅょっぁぃぅぇぉャュョッァィゥェォ%％")
"""Signs that never begin a line."""
NOT_LAST = frozenset("「『（(【《〈‘“")
"""Signs that never end one."""
STROKE_SHARE = 14
"""The dark rim round letters is the size divided by this: white letters are read on white pictures."""


@dataclass(frozen=True)
class Style:
    """How letters look."""

    chain: tuple[Face, ...]
    size: int
    """Pixels."""
    color: str = "#FFFFFF"
    rim: str | None = "#000000"
    """Colour of the rim; None: no rim."""
    line_height: int | None = None
    """Pixels from line to line; 1.25 of the size when None."""

    @property
    def pitch(self) -> int:
        """Pixels from line to line."""
        return self.line_height or round(self.size * 1.25)

    @property
    def bold(self) -> bool:
        """Whether the family asked for is bold."""
        return "bold" in self.chain[0].style.lower()

    @property
    def stroke(self) -> int:
        """Width of the rim."""
        return max(1, round(self.size / STROKE_SHARE)) if self.rim is not None else 0


@dataclass(frozen=True)
class Span:
    """Letters of one colour."""

    text: str
    color: str | None = None
    """None: the style's."""


@dataclass(frozen=True)
class Sprite:
    """A drawn text with its place: what is to be added to a frame, and how much of the frame stays."""

    left: int
    top: int
    ink: Planes
    """Colours multiplied by how much they cover."""
    cover: tuple[Plane, Plane]
    """How much is covered, 0 to 255: for luma, for chroma."""

    def draw(self, frame: Planes, strength: float = 1.0) -> None:
        """Lay it over a frame, at part of its strength while it comes or goes."""
        if strength <= 0:
            return
        part = frame.crop(self.left, self.top, self.ink.width, self.ink.height)
        for under, ink, cover in zip(
            part.all, self.ink.all, (self.cover[0], self.cover[1], self.cover[1]), strict=True
        ):
            if strength < 1:
                cover = cv2.convertScaleAbs(cover, alpha=strength)  # noqa: PLW2901 - weaker versions of the same two
                ink = cv2.convertScaleAbs(ink, alpha=strength)  # noqa: PLW2901
            kept = cv2.multiply(under, cv2.bitwise_not(cover), scale=1 / 255)
            cv2.add(kept, ink, dst=under)


def sprite(picture: Image.Image, left: int, top: int, frame: tuple[int, int]) -> Sprite | None:
    """A sprite of an RGBA picture at a place, cut to the frame and to what is not empty; None when nothing is left."""
    whole = Image.new("RGBA", frame)
    whole.paste(picture, (left, top))
    box = whole.getchannel("A").getbbox()
    if box is None:
        return None
    x0, y0 = box[0] // 2 * 2, box[1] // 2 * 2
    x1, y1 = min(frame[0], -(-box[2] // 2) * 2), min(frame[1], -(-box[3] // 2) * 2)
    pixels = np.asarray(whole.crop((x0, y0, x1, y1)))
    cover = np.ascontiguousarray(pixels[:, :, 3])
    small = cv2.resize(cover, (cover.shape[1] // 2, cover.shape[0] // 2), interpolation=cv2.INTER_AREA)
    # Colours are averaged by how much they cover, else the nothing round a letter would darken its rim.
    colours = pixels[:, :, :3].astype(np.float32)
    share = cover[:, :, None].astype(np.float32) / 255
    size = (small.shape[1], small.shape[0])
    weight = cv2.resize(share, size, interpolation=cv2.INTER_AREA)[:, :, None]
    mean = cv2.resize(colours * share, size, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)
    chroma = from_rgb(np.repeat(np.repeat(np.rint(mean).astype(np.uint8), 2, axis=0), 2, axis=1))
    luma = from_rgb(np.ascontiguousarray(pixels[:, :, :3])).y
    return Sprite(
        x0,
        y0,
        Planes(
            cv2.multiply(luma, cover, scale=1 / 255),
            cv2.multiply(chroma.u, small, scale=1 / 255),
            cv2.multiply(chroma.v, small, scale=1 / 255),
        ),
        (cover, small),
    )


class Typesetter:
    """Measures, wraps and draws."""

    def __init__(self, fonts: FontBook) -> None:
        self.fonts = fonts

    def width(self, text: str, style: Style) -> float:
        """Pixels a text is wide."""
        return sum(run.face.at(style.size).getlength(run.text) for run in self.fonts.runs(text, style.chain))

    def wrap(self, text: str, style: Style, width: float) -> list[str]:
        """Lines of at most that width; a word that is wider is broken (S-038)."""
        lines: list[str] = []
        for paragraph in text.split("\n"):
            line = ""
            for unit in _units(paragraph):
                joined = line + unit
                if line and self.width(joined.rstrip(), style) > width:
                    lines.append(line.rstrip())
                    joined = unit.lstrip()
                while self.width(joined.rstrip(), style) > width and len(joined.rstrip()) > 1:
                    fits = self._fitting(joined, style, width)
                    lines.append(joined[:fits])
                    joined = joined[fits:].lstrip()
                line = joined
            if line.strip():
                lines.append(line.rstrip())
        return lines

    def _fitting(self, text: str, style: Style, width: float) -> int:
        low, high = 1, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.width(text[:middle], style) <= width else (low, middle - 1)
        return low

    def block(self, lines: Sequence[Sequence[Span]], style: Style) -> Image.Image:
        """Lines of spans, centred, as an RGBA picture just as large as they are."""
        rim = style.stroke
        widths = [sum(self.width(span.text, style) for span in line) for line in lines]
        across = int(max(widths, default=0)) + 2 * rim + 2
        picture = Image.new("RGBA", (max(2, across), max(2, style.pitch * len(lines) + 2 * rim)))
        pen = ImageDraw.Draw(picture)
        for layer in ("rim", "fill") if style.rim is not None else ("fill",):
            for row, (line, width) in enumerate(zip(lines, widths, strict=True)):
                x = (across - width) / 2
                base = rim + row * style.pitch + round(style.pitch * 0.76)
                for span, run in self._ordered(line, style):
                    font = run.face.at(style.size)
                    colour = style.rim if layer == "rim" else span.color or style.color
                    # A script that has no bold face here gets its weight from the pen.
                    weight = max(1, style.size // 40) if style.bold and "bold" not in run.face.style.lower() else 0
                    stroke = weight + (rim if layer == "rim" else 0)
                    pen.text((x, base), run.text, font=font, fill=colour, anchor="ls", stroke_width=stroke)
                    x += font.getlength(run.text)
        return picture

    def _ordered(self, line: Sequence[Span], style: Style) -> list[tuple[Span, Run]]:
        """Spans and runs from left to right: where the line is of a script that runs to the left, the last comes first."""
        found = [(span, run) for span in line for run in self.fonts.runs(span.text, style.chain)]
        strong = next(
            (kind for span in line for kind in map(bidirectional, span.text) if kind in {"L", "R", "AL"}), "L"
        )
        return found if strong == "L" else found[::-1]


def place(picture: Image.Image, frame: tuple[int, int], position: str) -> Sprite | None:
    """A block in the frame."""
    return sprite(picture, *spot(picture.size, frame, position), frame)


def spot(size: tuple[int, int], frame: tuple[int, int], position: str) -> tuple[int, int]:
    """Left and top of a block in the frame: `bottom` begins at 0.8 of the height or ends at 0.97, `center`, `top` begins at
    0.06.
    """
    width, height = frame
    top = {
        "bottom": min(round(height * 0.8), round(height * 0.97) - size[1]),
        "center": (height - size[1]) // 2,
        "top": round(height * 0.06),
    }[position]
    return (width - size[0]) // 2, top


def scaled(size: int, frame: tuple[int, int]) -> int:
    """A size meant for a picture whose shorter side is 1080, in pixels of this frame."""
    return max(8, round(size * min(frame) / 1080))


def _units(text: str) -> list[str]:
    """Pieces between which a line may end: words with the blank after them; signs of scripts without blanks one by one."""
    units: list[str] = []
    for character in text:
        if not units:
            units.append(character)
            continue
        before = units[-1][-1]
        wide = _wide(character) or _wide(before)
        glued = character in NOT_FIRST or before in NOT_LAST
        if (before.isspace() and not character.isspace()) or (wide and not glued and not character.isspace()):
            units.append(character)
        else:
            units[-1] += character
    return units


def _wide(character: str) -> bool:
    """Whether it belongs to a script that is written without blanks."""
    return "\u2e80" <= character <= "\u9fff" or "\uf900" <= character <= "\uffef" or character >= "\U00020000"
