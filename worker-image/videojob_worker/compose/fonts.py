"""Fonts by family, with others behind them for scripts the family lacks, so that no character is drawn as an empty box.

The image bundles Liberation (the shapes of Arial, Times, Courier), Noto for most scripts and VL Gothic and Droid Fallback for
Japanese and Chinese, Nanum for Korean. On a machine with none of them, the one inside Pillow is left, for Latin letters.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
ALIASES = {
    "arial": "Liberation Sans",
    "helvetica": "Liberation Sans",
    "helvetica neue": "Liberation Sans",
    "sans-serif": "Liberation Sans",
    "sans": "Liberation Sans",
    "times": "Liberation Serif",
    "times new roman": "Liberation Serif",
    "serif": "Liberation Serif",
    "courier": "Liberation Mono",
    "courier new": "Liberation Mono",
    "monospace": "Liberation Mono",
}
"""Names people write, and the family with the same shapes."""
DEFAULTS = ("Liberation Sans", "Noto Sans", "DejaVu Sans")
"""Asked after the family itself."""
CJK = {
    "ja": ("Noto Sans CJK JP", "VL PGothic", "VL Gothic", "IPAPGothic"),
    "zh": ("Noto Sans CJK SC", "Droid Sans Fallback"),
    "ko": ("Noto Sans CJK KR", "NanumGothic"),
}
"""The same character has another shape in each of these languages."""
_STYLE = re.compile(r"[\s_-]+(bold\s*italic|bold\s*oblique|bold|italic|oblique|regular|book|medium)$", re.IGNORECASE)
_INVISIBLE = frozenset("\u200b\u200c\u200d\u2060\ufeff\ufe0e\ufe0f")


@dataclass(frozen=True)
class Face:
    """One font in a file, or (without a path) the one inside Pillow."""

    path: Path | None
    index: int
    family: str
    style: str

    @cached_property
    def characters(self) -> frozenset[int]:
        """Code points it has a shape for, by its own table."""
        if self.path is None:
            return frozenset((*range(0x20, 0x7F), *range(0xA0, 0x100)))
        try:
            with TTFont(self.path, fontNumber=self.index, lazy=True) as font:
                return frozenset(font.getBestCmap() or {})
        except (TTLibError, OSError, KeyError, AssertionError):
            return frozenset()

    @cached_property
    def digest(self) -> str:
        """Which very font: another version draws other pixels."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16] if self.path is not None else "pillow"

    def at(self, size: int) -> ImageFont.FreeTypeFont:
        """Ready to draw. Size in pixels."""
        return _loaded(self.path, self.index, size)


@lru_cache(maxsize=64)
def _loaded(path: Path | None, index: int, size: int) -> ImageFont.FreeTypeFont:
    if path is None:
        found = ImageFont.load_default(size)
        if not isinstance(found, ImageFont.FreeTypeFont):
            raise RuntimeError("Pillow was built without FreeType")
        return found
    return ImageFont.truetype(str(path), size, index)


INSIDE_PILLOW = Face(None, 0, "Aileron", "Regular")


@dataclass(frozen=True)
class Run:
    """Characters that one face draws."""

    text: str
    face: Face


class FontBook:
    """All fonts of some folders."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self.faces = tuple(face for folder in folders for face in _faces(folder))
        self._by_family: dict[str, list[Face]] = {}
        self._chains: dict[tuple[str, str], tuple[Face, ...]] = {}
        for face in self.faces:
            self._by_family.setdefault(face.family.lower(), []).append(face)

    def chain(self, name: str, language: str) -> tuple[Face, ...]:
        """Whom to ask for a character, in order: the family, the defaults, the language's own, all others."""
        if (name, language) not in self._chains:  # the scenes of a story ask for few, again and again
            self._chains[name, language] = self._ordered(name, language)
        return self._chains[name, language]

    def _ordered(self, name: str, language: str) -> tuple[Face, ...]:
        family, bold, italic = _parsed(name)
        tongue = language.partition("-")[0].lower()
        preferred = [row for known, rows in sorted(CJK.items(), key=lambda item: item[0] != tongue) for row in rows]
        names = [family, *DEFAULTS, *preferred, *sorted(self._by_family)]
        found = [
            self._best(faces, bold=bold, italic=italic)
            for faces in (self._by_family.get(each.lower(), []) for each in dict.fromkeys(names))
            if faces
        ]
        return (*dict.fromkeys(found), INSIDE_PILLOW)

    @staticmethod
    def _best(faces: list[Face], *, bold: bool, italic: bool) -> Face:
        def away(face: Face) -> tuple[int, str]:
            style = face.style.lower()
            plain = style in {"bold", "regular", "italic", "bold italic", "book", ""}
            slanted = "italic" in style or "oblique" in style
            return 4 * (("bold" in style) != bold) + 2 * (slanted != italic) + (not plain), face.style

        return min(faces, key=away)

    def runs(self, text: str, chain: tuple[Face, ...]) -> tuple[Run, ...]:
        """Cut a text into runs by the first face that has each character; what no face has is left out.

        A blank or a mark joins the run it stands in, if that face has it.
        """
        found: list[Run] = []
        for character in text:
            if character in _INVISIBLE:
                continue
            last = found[-1] if found else None
            if last is not None and character == " ":
                face: Face | None = last.face
            else:
                face = next((each for each in chain if ord(character) in each.characters), None)
            if face is None:
                continue
            if last is not None and last.face == face:
                found[-1] = Run(last.text + character, face)
            else:
                found.append(Run(character, face))
        return tuple(found)

    def missing(self, text: str, chain: tuple[Face, ...]) -> str:
        """Characters that nobody can draw, each once."""
        visible = dict.fromkeys(ch for ch in text if not ch.isspace() and ch not in _INVISIBLE)
        return "".join(ch for ch in visible if not any(ord(ch) in face.characters for face in chain))


def _parsed(name: str) -> tuple[str, bool, bool]:
    """Family, bold, italic of a name such as `Arial-Bold`."""
    style = _STYLE.search(name)
    family = name[: style.start()] if style else name
    words = style[1].lower() if style else ""
    return ALIASES.get(family.strip().lower(), family.strip()), "bold" in words, "italic" in words or "oblique" in words


def _faces(folder: Path) -> Iterator[Face]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in {".ttf", ".otf", ".ttc"} or not path.is_file():
            continue
        for index in range(16 if path.suffix.lower() == ".ttc" else 1):
            try:
                family, style = ImageFont.truetype(str(path), 10, index).getname()
            except OSError:
                break
            if family:
                yield Face(path, index, family, style or "")


@lru_cache(maxsize=4)
def book(folders: tuple[str, ...] = FOLDERS) -> FontBook:
    """The machine's fonts, read once."""
    return FontBook(Path(folder) for folder in folders)
