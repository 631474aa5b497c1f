"""Where captions are cut: full screens first, then the last two shared out again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob_api.story.scenes import Word
from videojob_worker.compose import cues

ROOM = cues.Room(words=7, width=30)


def words(text: str, *, pause_after: int | None = None) -> list[Word]:
    """Words of 300 ms each; one of them is followed by a second of silence."""
    found, at = [], 0
    for place, word in enumerate(text.split("|") if "|" in text else text.split()):
        found.append(Word(text=word, start_ms=at, end_ms=at + 300))
        at += 1300 if place == pause_after else 300
    return found


def wide(some: Sequence[Word]) -> float:
    """As many as there are letters; signs of two bytes count twice, and stand without blanks."""
    gap = "" if not some[0].text.isascii() else " "
    return sum(1 if sign.isascii() else 2 for sign in gap.join(word.text for word in some))


def cut(found: list[Word], room: cues.Room = ROOM) -> list[list[str]]:
    gap = "" if not found[0].text.isascii() else " "
    return [
        [gap.join(word.text for word in found[begin:end]) for begin, end in lines]
        for lines in cues.cut(cues.Measured(found, wide), room)
    ]


@dataclass(frozen=True)
class Case:
    name: str
    given: list[Word]
    expect: list[list[str]]


CASES = [
    Case(
        "a last word does not stand alone",
        words("aa bb cc dd ee ff gg hh ii jj kk ll mm nn oo."),
        [["aa bb cc dd", "ee ff gg hh"], ["ii jj kk ll mm nn oo."]],
    ),
    Case("one line is enough", words("aa bb cc dd ee."), [["aa bb cc dd ee."]]),
    Case("two lines are as wide as each other", words("aa bb cc dd ee ff gg hh."), [["aa bb cc dd", "ee ff gg hh."]]),
    Case(
        "letters count, not words",
        words("aaaaaaaaaaaaaaaaaaaa b c d eeeeeeeeeeeeeeeeeee f ggggggggg h i."),
        [["aaaaaaaaaaaaaaaaaaaa b c d"], ["eeeeeeeeeeeeeeeeeee", "f ggggggggg h i."]],
    ),
    Case(
        "a comma near the middle is the better place",
        words("aa bb cc dd ee ff gg, hh ii jj kk ll mm nn oo pp."),
        [["aa bb cc dd ee ff gg,"], ["hh ii jj kk ll", "mm nn oo pp."]],
    ),
    Case(
        "little behind a comma comes up, if there is room",
        words("aa bb cc dd ee ff gg, hh."),
        [["aa bb cc dd", "ee ff gg, hh."]],
    ),
    Case(
        "little behind a comma is shared, if there is none",
        words("aaaaaaaa bbbbbbbb ccccccc ddddddd eeeeeee fffffff ggggg, hhhhhhhh."),
        [["aaaaaaaa bbbbbbbb", "ccccccc ddddddd"], ["eeeeeee fffffff", "ggggg, hhhhhhhh."]],
    ),
    Case("a sentence ends a cue", words("aa bb cc. dd."), [["aa bb cc."], ["dd."]]),
    Case("so does a silence", words("aa bb cc dd", pause_after=2), [["aa bb cc"], ["dd"]]),
    Case(
        "only the last two are shared",
        words("aa bb cc dd ee ff gg hh ii jj kk ll mm nn oo pp qq rr ss tt uu vv ww xx yy zz aa bb cc."),
        [
            ["aa bb cc dd ee ff gg", "hh ii jj kk ll mm nn"],
            ["oo pp qq rr", "ss tt uu vv"],
            ["ww xx yy zz aa bb cc."],
        ],
    ),
    Case(
        "a word wider than the screen has a line of its own",
        words("a " + "b" * 40 + " c."),
        [["a", "b" * 40], ["c."]],
    ),
    Case(
        "Japanese phrases",
        words("吾輩は|猫で|ある|名前は|まだ|無い、|どこで|生れたか|とんと|見当が|つかぬ|のだ。"),
        [["吾輩は猫である名前はまだ無い、"], ["どこで生れたかとんと", "見当がつかぬのだ。"]],
    ),
    Case(
        "no line begins with a sign that ends one",
        words("ああああ|いいいい|うううう|、ええ|おおおお。"),
        [["ああああいいいい", "うううう、ええおおおお。"]],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_where_a_narration_is_cut(case: Case) -> None:
    """S-022: what a reader sees at once."""
    assert cut(case.given) == case.expect


@given(
    st.lists(st.sampled_from(["a", "bbb", "cccccc", "dd,", "eeee.", "ffffffffff", "g" * 35]), min_size=1, max_size=60),
    st.integers(1, 9),
)
def test_whatever_is_said_is_shown_once_and_fits(said: list[str], most: int) -> None:
    """Every word once and in order; two lines, each with room for its words; no second sentence on a screen."""
    found = words(" ".join(said))
    measured, room = cues.Measured(found, wide), cues.Room(most, 30)
    groups = cues.cut(measured, room)
    places = [place for lines in groups for begin, end in lines for place in range(begin, end)]
    assert places == list(range(len(found)))
    for lines in groups:
        assert len(lines) <= cues.MAX_LINES
        assert all(measured.fits(begin, end, room) for begin, end in lines)
        inner = found[lines[0][0] : lines[-1][1] - 1]
        assert not any(word.text[-1] in cues.ENDS for word in inner)


@given(st.lists(st.integers(1, 12).map(lambda size: "a" * size), min_size=2, max_size=40))
def test_the_last_two_cues_differ_by_no_more_than_a_long_word_forces(said: list[str]) -> None:
    """Moving the cut by one word would not make them more even."""
    found = words(" ".join(said))
    measured = cues.Measured(found, wide)
    groups = cues.cut(measured, ROOM)
    if len(groups) < 2:
        return
    begin, middle, end = groups[-2][0][0], groups[-1][0][0], groups[-1][-1][1]
    for place in (middle - 1, middle + 1):
        if begin < place < end and all(
            any(measured.fits(a, at, ROOM) and measured.fits(at, b, ROOM) for at in range(a + 1, b))
            or measured.fits(a, b, ROOM)
            for a, b in ((begin, place), (place, end))
        ):
            assert measured.uneven(begin, middle, end) <= measured.uneven(begin, place, end) + 1e-9
