"""Captions: phrases, timing by the voice, styles, files beside the video."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Literal

import pytest

from fontmaker import font
from stories import manifest, plain, scene, spoken
from videojob_api.story.looks import Captions
from videojob_api.story.scenes import Background, Scene
from videojob_worker.compose import captions
from videojob_worker.compose.fonts import FontBook
from videojob_worker.compose.planes import Frame
from videojob_worker.compose.scenery import Scenery, view
from videojob_worker.compose.text import Typesetter

TEXT = "Hello big world. This is the second sentence, and it is longer than the first one was."


@pytest.fixture
def setter(tmp_path: Path) -> Typesetter:
    """Letters, each 0.6 of its size wide."""
    font(tmp_path, "Liberation Sans", "Bold", string.ascii_letters + " .,。、あいうえお")
    return Typesetter(FontBook([tmp_path]))


def phrases(one: Scene, setter: Typesetter, look: Captions | None = None, width: int = 1080) -> list[captions.Phrase]:
    look = look or Captions(words_per_line=5)
    style = captions.style_of(look, "en", setter, (width, 1920))
    return captions.phrases(captions.passage(one, 30), look, 30, setter, style, width)


def words(phrase: captions.Phrase) -> list[str]:
    return [" ".join(word.text for word in phrase.words[begin:end]) for begin, end in phrase.lines]


CARD_SIZE = (360, 640)


@pytest.mark.parametrize(
    ("background", "text", "burnt"),
    [
        (Background(kind="card"), TEXT, False),
        (None, TEXT, False),
        (plain("#336699"), TEXT, True),
        (Background(kind="card"), " ".join([TEXT] * 8), True),
    ],
    ids=["a card", "no background is a card", "a colour", "a card without room for all of it"],
)
@pytest.mark.parametrize("style", ["standard", "karaoke"])
def test_s_038_words_that_the_card_shows_are_not_captions_too(
    setter: Typesetter, background: Background | None, text: str, burnt: bool, style: Literal["standard", "karaoke"]
) -> None:
    """S-022: seen once. The files beside the video have them all the same, and a word the card has no room for is burnt."""
    one = scene(text, 600, speech=spoken(text)).model_copy(update={"background": background})
    whole = manifest([one], size=CARD_SIZE, captions=Captions(style=style))
    shown = Scenery(whole, one, view(whole, one, lambda _: Path(), setter), setter)
    bare, read = Frame.blank(*CARD_SIZE), Frame.blank(*CARD_SIZE)
    shown.picture(20, bare.planes)
    shown.picture(20, read.planes)
    shown.words(20, read.planes)
    assert bool((bare.data != read.data).any()) is burnt
    centre = bare.planes.y[CARD_SIZE[1] // 3 : CARD_SIZE[1] * 2 // 3]
    assert bool((centre > 180).any()) is (background is None or background.kind == "card")
    assert "Hello big world." in captions.sidecars(whole, ["srt"], setter)["srt"]


def test_phrases_end_with_sentences_and_have_two_lines_at_most(setter: Typesetter) -> None:
    found = phrases(scene(TEXT, 300, speech=spoken(TEXT)), setter)
    assert [words(phrase) for phrase in found] == [
        ["Hello big world."],
        ["This is the second sentence,"],
        ["and it is longer than", "the first one was."],
    ]


def test_phrases_stand_when_their_words_are_spoken(setter: Typesetter) -> None:
    """S-065: by the voice's own times; a phrase goes when the next comes."""
    found = phrases(scene(TEXT, 300, speech=spoken(TEXT, word_ms=300, offset_ms=100)), setter)
    assert [(phrase.start_ms, phrase.end_ms) for phrase in found] == [(100, 1000), (1000, 2500), (2500, 5450)]


def test_a_pause_ends_a_phrase(setter: Typesetter) -> None:
    speech = spoken("one two three four")
    moved = tuple(
        word.model_copy(update={"start_ms": word.start_ms + 900, "end_ms": word.end_ms + 900}) if place > 1 else word
        for place, word in enumerate(speech.words)
    )
    found = phrases(scene("one two three four", 90, speech=speech.model_copy(update={"words": moved})), setter)
    assert [words(phrase) for phrase in found] == [["one two"], ["three four"]]
    assert found[0].end_ms == 600 + captions.LINGER_MS


def test_a_scene_without_a_voice_shares_out_its_time(setter: Typesetter) -> None:
    found = phrases(scene("aaaa bbbb.", 60), setter)
    assert [(word.text, word.start_ms, word.end_ms) for word in found[0].words] == [
        ("aaaa", 0, 888),
        ("bbbb.", 888, 2000),
    ]
    long = phrases(scene("あいうえお" * 6 + "。", 90), setter)
    assert sum(len(word.text) for phrase in long for word in phrase.words) == 31


def test_lines_fit_the_frame(setter: Typesetter) -> None:
    narrow = phrases(scene(TEXT, 300, speech=spoken(TEXT)), setter, width=400)
    style = captions.style_of(Captions(), "en", setter, (400, 1920))
    assert all(setter.width(line, style) <= 344 for phrase in narrow for line in words(phrase))


@pytest.mark.parametrize(
    ("style", "changes"),
    [
        ("standard", [(0, 25, None)]),
        ("karaoke", [(0, 9, 1), (9, 18, 2), (18, 25, 3)]),
        ("word", [(0, 9, 0), (9, 18, 1), (18, 25, 2)]),
    ],
)
def test_styles_change_with_the_words(
    setter: Typesetter, style: Literal["standard", "karaoke", "word"], changes: list[tuple[int, int, int | None]]
) -> None:
    look = Captions(style=style)
    one = scene("Hello big world.", 25, speech=spoken("Hello big world."))
    found = captions.shown(captions.passage(one, 30), look, 30, phrases(one, setter, look))
    assert [(each.first, each.end, each.lit) for each in found] == changes
    letters = captions.style_of(look, "en", setter, (640, 360))
    drawings = [captions.draw(each, captions.passage(one, 30), look, setter, letters, (640, 360)) for each in found]
    assert len({drawing.ink.u.tobytes() for drawing in drawings if drawing is not None}) == len(changes)


def test_sidecars_hold_the_same_phrases_at_the_videos_time(setter: Typesetter) -> None:
    found = manifest(
        [scene("One two.", 60, speech=spoken("One two.")), scene("Three.", 30, speech=spoken("Three."))],
        captions=Captions(),
    )
    made = captions.sidecars(found, ["srt", "vtt"], setter)
    assert made["srt"] == ("1\n00:00:00,000 --> 00:00:00,850\nOne two.\n\n2\n00:00:02,000 --> 00:00:02,550\nThree.\n\n")
    assert made["vtt"].startswith("WEBVTT\n")
    assert "00:00:02.000 --> 00:00:02.550\nThree." in made["vtt"]
