"""Captions over somebody else's video: where the band is, what it shows when."""

from __future__ import annotations

import string
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fontmaker import font
from videojob_api.story.looks import Captions
from videojob_api.story.scenes import Word
from videojob_worker.compose.captions import Passage
from videojob_worker.compose.fonts import FontBook
from videojob_worker.compose.subtitled import Saying, Subtitles
from videojob_worker.compose.text import Typesetter

FRAME = (640, 360)


@pytest.fixture
def setter(tmp_path: Path) -> Typesetter:
    """Letters, each 0.6 of its size wide."""
    font(tmp_path, "Liberation Sans", "Bold", string.ascii_letters + " .,")
    return Typesetter(FontBook([tmp_path]))


def saying(start_ms: int, *words: tuple[str, int, int]) -> Saying:
    """Words with their times in the passage, which lasts two seconds."""
    text, found = " ".join(word for word, *_ in words), []
    for word, first, end in words:
        at = text.index(word)
        found.append(Word(text=word, start_ms=first, end_ms=end, begin=at, end=at + len(word)))
    return Saying(start_ms, Passage(text, tuple(found), 2000))


SAYINGS = (saying(0, ("Good", 100, 300), ("day.", 350, 600)), saying(2000, ("Bye.", 200, 500)))


def bands(made: Subtitles, rate: Fraction, duration_ms: int) -> list[NDArray[np.uint8]]:
    rows = made.band[1]
    return [np.frombuffer(data, np.uint8).reshape(rows, FRAME[0], 4) for data in made.frames(rate, duration_ms)]


def test_words_are_there_while_they_are_said_and_a_moment_longer(setter: Typesetter) -> None:
    made = Subtitles(SAYINGS, Captions(), "en", setter, FRAME)
    first, rows = made.band
    assert first % 2 == rows % 2 == 0
    assert FRAME[1] * 0.7 < first < first + rows <= FRAME[1]
    found = bands(made, Fraction(10), 4000)
    assert len(found) == 42, "a little longer than the video: its last picture has words, too"
    seen = [number for number, band in enumerate(found) if band[..., 3].any()]
    assert seen == [*range(1, 9), *range(22, 28)]


def test_a_rate_that_is_no_whole_number_keeps_in_step(setter: Typesetter) -> None:
    rate = Fraction(30000, 1001)
    made = Subtitles([saying(60_000, ("Late.", 0, 500))], Captions(), "en", setter, FRAME)
    seen = [number for number, band in enumerate(bands(made, rate, 62_000)) if band[..., 3].any()]
    assert seen[0] == -(-60_000 * rate.numerator // (1000 * rate.denominator))


def test_each_word_is_marked_in_turn(setter: Typesetter) -> None:
    look = Captions(style="word", highlight="#FF0000", color="#00FF00")
    found = bands(Subtitles(SAYINGS[:1], look, "en", setter, FRAME), Fraction(20), 1000)
    red = [
        int(((band[..., 0] > 200) & (band[..., 1] < 50) & (band[..., 3] > 200)).sum(axis=0).argmax()) for band in found
    ]
    assert 0 < red[3] < red[8], "the mark moves to the right"


def test_where_nothing_is_said_there_is_no_band(setter: Typesetter) -> None:
    made = Subtitles([Saying(0, Passage("", (), 1000))], Captions(), "en", setter, FRAME)
    assert made.band[1] == 0
    assert made.files(["srt"]) == {"srt": ""}


def test_letters_taller_than_the_frame_are_cut_at_its_edge(setter: Typesetter) -> None:
    made = Subtitles(SAYINGS, Captions(size=400, position="top"), "en", setter, (640, 120))
    first, rows = made.band
    assert first + rows <= 120
    assert sum(1 for _ in made.frames(Fraction(5), 1000)) == 7
