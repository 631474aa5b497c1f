"""Tiny fonts for tests: each character is a box, so that no font of the machine is needed."""

from __future__ import annotations

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


def font(folder: Path, family: str, style: str, characters: str) -> Path:
    """A font with boxes of 600 units a character of 1000, for these characters."""
    builder = FontBuilder(1000, isTTF=True)
    names = {ord(character): f"u{ord(character):04X}" for character in characters}
    builder.setupGlyphOrder([".notdef", *names.values()])
    builder.setupCharacterMap(names)
    pen = TTGlyphPen(None)
    for step, corner in enumerate([(50, 0), (50, 700), (550, 700), (550, 0)]):
        (pen.lineTo if step else pen.moveTo)(corner)
    pen.closePath()
    box = pen.glyph()
    blank = TTGlyphPen(None).glyph()
    builder.setupGlyf({name: blank if name == "u0020" else box for name in [".notdef", *names.values()]})
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names.values()], (600, 50)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": style})
    builder.setupOS2()
    builder.setupPost()
    path = folder / f"{family}-{style}.ttf".replace(" ", "")
    builder.save(path)
    return path
