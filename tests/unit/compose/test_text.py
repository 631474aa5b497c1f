"""Fonts, lines and sprites (S-022, S-038); no font of the machine is needed."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fontmaker import font
from videojob_worker.compose.fonts import FontBook
from videojob_worker.compose.planes import Frame, fill
from videojob_worker.compose.text import Span, Style, Typesetter, place, scaled, sprite

LATIN = string.ascii_letters + string.digits + " .,!?"
KANA = "あいうえおかきくけこ。、「」"


@pytest.fixture
def fonts(tmp_path: Path) -> FontBook:
    """A Latin family in two styles, and one for kana."""
    font(tmp_path, "Liberation Sans", "Regular", LATIN)
    font(tmp_path, "Liberation Sans", "Bold", LATIN)
    font(tmp_path, "VL Gothic", "Regular", KANA + "a")
    return FontBook([tmp_path])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Arial-Bold", ("Liberation Sans", "Bold")),
        ("Arial", ("Liberation Sans", "Regular")),
        ("Liberation Sans Bold", ("Liberation Sans", "Bold")),
        ("VL Gothic", ("VL Gothic", "Regular")),
        ("Nobody Has This", ("Liberation Sans", "Regular")),
    ],
)
def test_a_family_is_found_by_the_names_people_write(fonts: FontBook, name: str, found: tuple[str, str]) -> None:
    first = fonts.chain(name, "en")[0]
    assert (first.family, first.style) == found


def test_other_scripts_come_from_other_fonts_and_nothing_is_an_empty_box(fonts: FontBook) -> None:
    """S-022: a character is drawn by a font that has it, or not at all."""
    chain = fonts.chain("Arial", "ja")
    runs = fonts.runs("Hi あい! \u2603é", chain)
    assert [(run.text, run.face.family) for run in runs] == [
        ("Hi ", "Liberation Sans"),
        ("あい", "VL Gothic"),
        ("! ", "Liberation Sans"),
        ("é", "Aileron"),
    ]
    assert all(ord(ch) in run.face.characters or ch == " " for run in runs for ch in run.text)
    assert fonts.missing("Hi あ \u2603\u200d é", chain) == "\u2603"


def test_without_any_font_latin_is_still_drawn(tmp_path: Path) -> None:
    fonts = FontBook([tmp_path])
    setter = Typesetter(fonts)
    made = setter.block([[Span("Hello")]], Style(fonts.chain("Arial", "en"), 40))
    assert made.getchannel("A").getbbox() is not None


def test_lines_end_at_blanks_and_never_before_a_full_stop(fonts: FontBook) -> None:
    setter = Typesetter(fonts)
    style = Style(fonts.chain("Arial", "en"), 10)  # each character is 6 pixels wide
    assert setter.wrap("one two three", style, 48) == ["one two", "three"]
    assert setter.wrap("a\nb", style, 48) == ["a", "b"]
    assert setter.wrap("abcdefghijkl", style, 30) == ["abcde", "fghij", "kl"]
    assert setter.wrap("あいうえお。かき", style, 30) == ["あいうえ", "お。かき"]
    assert setter.wrap("", style, 30) == []
    assert all(setter.width(line, style) <= 48 for line in setter.wrap("The quick brown fox jumps", style, 48))


def test_a_sprite_is_laid_over_exactly_its_place(fonts: FontBook) -> None:
    letters = Image.new("RGBA", (10, 6), (255, 255, 255, 255))
    made = sprite(letters, 20, 12, (64, 48))
    assert made is not None
    frame = Frame.blank(64, 48)
    fill(frame.planes, (100, 60, 200))
    made.draw(frame.planes)
    assert np.unique(frame.planes.y[12:18, 20:30]).tolist() == [235]
    assert np.unique(frame.planes.u[6:9, 10:15]).tolist() == [128]
    outside = frame.planes.y.copy()
    outside[12:18, 20:30] = 100
    assert np.unique(outside).tolist() == [100]
    fill(frame.planes, (100, 60, 200))
    made.draw(frame.planes, 0.5)
    assert abs(int(frame.planes.y[14, 24]) - 167) <= 2
    made.draw(frame.planes, 0)
    assert abs(int(frame.planes.y[14, 24]) - 167) <= 2


def test_nothing_to_see_is_no_sprite() -> None:
    assert sprite(Image.new("RGBA", (4, 4)), 0, 0, (16, 16)) is None
    assert sprite(Image.new("RGBA", (4, 4), "white"), 100, 0, (16, 16)) is None


@pytest.mark.parametrize(("position", "top"), [("bottom", 0.8), ("top", 0.06)])
def test_positions(fonts: FontBook, position: str, top: float) -> None:
    """S-022: at the bottom a text begins at 0.8 of the height, or higher when it would not fit."""
    picture = Image.new("RGBA", (100, 40), "white")
    found = place(picture, (400, 1000), position)
    assert found is not None
    assert (found.left, found.top) == (150, round(1000 * top))
    high = place(Image.new("RGBA", (100, 300), "white"), (400, 1000), "bottom")
    assert high is not None
    assert high.top + high.ink.height == 970
    middle = place(picture, (400, 1000), "center")
    assert middle is not None
    assert (middle.left, middle.top) == (150, 480)


def test_sizes_follow_the_frame() -> None:
    assert [scaled(48, frame) for frame in ((1080, 1920), (1920, 1080), (540, 960))] == [48, 48, 24]
