"""Sentences, clauses and scenes' texts of several languages (S-016, S-017, C4)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob_api.story.timing import words_ms
from videojob_worker.text.scripts import language_of
from videojob_worker.text.sentences import sentences
from videojob_worker.text.splitting import divided, scenes


@dataclass(frozen=True)
class Case:
    """A paragraph with a mark where sentences end."""

    name: str
    language: str
    marked: str


CASES = (
    Case("the seeds' own", "en", "Hello world.|This is a test video.|Enjoy!"),
    Case("titles", "en", "Dr. Smith met Mr. Jones and Prof. Ada Byron.|They left."),
    Case("initials", "en", "J. R. R. Tolkien wrote it.|I read it."),
    Case("prices and times", "en", "He paid $3.50 at 10 a.m. and left.|Then it was 5.30 p.m. already."),
    Case("numbers with points", "en", "Version 2.0.1 has 1,234.5 users.|It works."),
    Case("No. and Fig.", "en", "See Fig. 3 and No. 5 of it.|They are good."),
    Case("approximately", "en", "It was approx. 5 km away, e.g. near St. Paul.|We walked."),
    Case("countries", "en", "The U.S. Army came.|He lives in the U.S. now."),
    Case("a country at the end", "en", "I live in the U.S.|It is big."),
    Case("speech", "en", '"Is it over?" she asked.|"Yes!"|He left.'),
    Case("speech within", "en", 'She said "Stop. Now." and left.|He stayed.'),
    Case("ellipsis", "en", "The end... or is it?|Nobody knows."),
    Case("many marks", "en", "Wait!!|What?!|No."),
    Case("no mark at the end", "en", "One.|Two"),
    Case(
        "ordinals and dates",
        "de",
        "Am 3. Oktober 1990 feierte man.|Im 19. Jahrhundert war das anders.|Er starb am 1. September.",
    ),
    Case("German abbreviations", "de", "Dr. Müller kam z. B. nach Berlin, d. h. in die Stadt.|Das war bzw. ist gut."),
    Case("German numbers", "de", "Das kostet 1.234,50 Euro.|Ca. 5 % fehlen.|Nr. 5 lebt."),
    Case("kings", "de", "Ludwig XIV. war König.|Er war der 14. Sohn."),
    Case("German speech", "de", "Er sagte: „Das ist gut. Sehr gut!“|Dann ging er."),
    Case("a number at the end", "de", "Die Antwort ist 42.|Er ging."),
    Case("French titles", "fr", "M. Dupont habite 3 av. Foch.|Mme. Curie vint.|« Vraiment ? » dit-elle."),
    Case("Spanish", "es", "¿Qué hora es?|El Sr. García llegó.|¡Vaya!"),
    Case("Japanese", "ja", "むかしむかし、おじいさんがいました。|値段は3.5ドルです。|本当ですか？|はい！"),
    Case("Japanese speech", "ja", "「どこへ行くの？」と彼女は聞いた。|「山へ！」|彼は答えた。"),
    Case("Japanese speech that is quoted", "ja", "「待て。止まれ。」という声がした。|彼は止まった。"),
    Case("Chinese", "zh", "你好。|今天3.5度！|好吗？"),
    Case("Hindi", "hi", "यह एक है।|यह दो है।"),
    Case("a language of Austria", "de-AT", "Am 3. Jänner fiel Schnee.|Gut."),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.language}: {case.name}")
def test_s_016_sentences_of(case: Case) -> None:
    blank = "" if case.language in {"ja", "zh"} else " "
    assert sentences(case.marked.replace("|", blank), case.language) == tuple(case.marked.split("|"))


@given(st.text(alphabet="ab AB.!?,\"'“”「」。、1 2\n…", max_size=120), st.sampled_from(["en", "de", "ja", "xx"]))
def test_s_016_no_letter_is_lost(text: str, language: str) -> None:
    assert "".join("".join(sentences(text, language)).split()) == "".join(text.split())


# ---------------------------------------------------------------- clauses


def measure(text: str) -> int:
    return words_ms(text, 150)


@dataclass(frozen=True)
class Divide:
    """A long sentence with a mark where it is divided; the limit in words."""

    name: str
    marked: str
    words: int
    language: str = "en"


DIVIDE = (
    Divide("short enough", "One two three four.", 4),
    Divide("at a semicolon before a comma", "A b c, d e f; |g h i j k l.", 8),
    Divide("at a comma", "The old man went up the hill, |and the young one went down again.", 9),
    Divide("before a conjunction", "The old man went up the hill |because the young one went down again.", 9),
    Divide("between words", "One two three four |five six seven eight.", 5),
    Divide("more than once", "A b c d, |e f g h, |i j k l, |m n o p.", 5),
    Divide("never inside a number", "It was 1,234,567 of them |and more of them.", 5),
    Divide("a dash", "We climbed for hours — |nobody was there at all.", 6),
    Divide("German", "Der alte Mann ging den Berg hinauf, |während der junge wieder hinunterging.", 8, "de"),
    Divide("Japanese", "昔々ある山の中に一人の男がいて、|毎日朝から晩まで働いていました。", 10, "ja"),
    Divide("Japanese without a comma", "山の中の小さな村には|十人の子供が住んでいた。", 8, "ja"),
)


@pytest.mark.parametrize("case", DIVIDE, ids=lambda case: case.name)
def test_c4_a_long_sentence_is_divided(case: Divide) -> None:
    text = case.marked.replace("|", "")
    assert divided(text, case.words * 400, measure, case.language) == tuple(
        part.strip() for part in case.marked.split("|")
    )


def test_c4_a_word_is_never_cut() -> None:
    assert divided("Donaudampfschifffahrtsgesellschaftskapitän", 10, measure, "de") == (
        "Donaudampfschifffahrtsgesellschaftskapitän",
    )


@given(st.lists(st.text(alphabet="abc,;.日本", min_size=1, max_size=9), min_size=1, max_size=80), st.integers(1, 20))
def test_c4_division_loses_nothing_and_keeps_the_limit(words: list[str], limit: int) -> None:
    text = " ".join(words)
    parts = divided(text, limit * 400, measure, "en")
    assert "".join("".join(parts).split()) == "".join(text.split())
    for part in parts:
        assert measure(part) <= limit * 400 or len(part.split()) == 1


@pytest.mark.parametrize(
    ("name", "given_sentences", "expect"),
    [
        ("short ones join", ["Hello world.", "This is a test video.", "Enjoy!"], ["Hello world. This is a test video. Enjoy!"]),
        ("long enough ones stay", ["One two three four five.", "Six seven eight nine ten."], None),
        ("the last joins backwards", ["One two three four five.", "Six."], ["One two three four five. Six."]),
        ("not beyond the most", ["Word.", "word " * 24 + "end."], None),
        ("one alone stays", ["Hi."], None),
        ("long ones are divided", ["a b c d e f g h i j k l m, n o p q r s t u v w x y z."], [
            "a b c d e f g h i j k l m,", "n o p q r s t u v w x y z.",
        ]),
        ("Japanese joins without a blank", ["はい。", "そうです。"], ["はい。そうです。"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_s_017_scenes_last_from_two_to_ten_seconds(
    name: str, given_sentences: list[str], expect: list[str] | None
) -> None:
    found = scenes(given_sentences, 2000, 10_000, measure, "en")
    assert list(found) == [part.strip() for part in (expect or given_sentences)]


@pytest.mark.parametrize(
    ("text", "story", "language"),
    [
        ("The lighthouse was dark.", "en", "en"),
        ("灯台は暗かった。", "en-GB", "ja"),
        ("He said こんにちは and went on his way.", "en", "en"),
        ("灯台は暗かった。", "ja-JP", "ja-JP"),
        ("The lighthouse was dark.", "ja", "en"),
        ("iPhone", "ja", "ja"),
        ("iPhoneを買った。", "ja", "ja"),
        ("灯台很暗。", "zh", "zh"),
        ("Der Leuchtturm war dunkel.", "de", "de"),
        ("", "en", "en"),
    ],
)
def test_the_language_a_sentence_is_written_in(text: str, story: str, language: str) -> None:
    """S-016, S-032: by its letters, where they tell."""
    assert language_of(text, story) == language
