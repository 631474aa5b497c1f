"""What of a script is read aloud: Markdown and stage directions cleaned away (S-016)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob_worker.text.clean import paragraphs


@dataclass(frozen=True)
class Case:
    """A script, and its paragraphs."""

    name: str
    script: str
    expect: tuple[str, ...]
    markup: str = "Markdown"


CASES = (
    Case("nothing to clean", "Hello world. This is a test video. Enjoy!", ("Hello world. This is a test video. Enjoy!",)),
    Case("paragraphs", "One.\nStill one.\n\nTwo.", ("One. Still one.", "Two.")),
    Case("lines of Windows and old Macs", "One.\r\n\r\nTwo.\rStill two.", ("One.", "Two. Still two.")),
    Case("headings divide and are not read", "# Title\n\nOne.\n\n## Part\n\nTwo.", ("One.", "Two.")),
    Case("headings alone are read", "# Only a title", ("Only a title",)),
    Case("emphasis", "This is **very** *good* and ~~not~~ `bad`.", ("This is very good and ~~not~~ bad.",)),
    Case("links keep their words", "See [the map](https://example.com/x) now.", ("See the map now.",)),
    Case("bare addresses are not read", "See https://example.com/a?b=c for more.", ("See for more.",)),
    Case("pictures and HTML vanish", "![alt](a.png) A <b>bold</b> word.<!-- no -->", ("A bold word.",)),
    Case("code blocks vanish", "Before.\n\n```python\nx = 1\n```\n\nAfter.", ("Before.", "After.")),
    Case("indented prose is prose", "    He came late.", ("He came late.",)),
    Case("lists", "We need:\n- bread\n- milk", ("We need:", "bread", "milk")),
    Case("numbered lists", "1. Wake up.\n2. Get dressed.", ("Wake up.", "Get dressed.")),
    Case("a year at the begin of a line is no list", "1984. A cold day.", ("1984. A cold day.",)),
    Case("a German date at the begin of a line", "3. Oktober war ein Feiertag.", ("3. Oktober war ein Feiertag.",)),
    Case("rules divide", "One.\n\n---\n\nTwo.\n\n* * *\n\nThree.", ("One.", "Two.", "Three.")),
    Case("quotes are read", "> So it is.", ("So it is.",)),
    Case("front matter vanishes", "---\ntitle: X\n---\nHello.", ("Hello.",)),
    Case("directions in brackets", "[Scene: a dark forest]\nHe [pause] went.", ("He went.",)),
    Case("a line in parentheses", "(The door opens.)\n\nShe enters.", ("She enters.",)),
    Case("directions in parentheses", "Well (laughs), that is it. (sighs)", ("Well, that is it.",)),
    Case("asides are read", "It is far (about 5 km) away.", ("It is far (about 5 km) away.",)),
    Case("directions in emphasis", "*sighs* I know.", ("I know.",)),
    Case("speakers", "NARRATOR: Once.\n\n**Narrator:** Twice.\n\nHost (excited): Thrice.", ("Once.", "Twice.", "Thrice.")),
    Case("names in capitals", "MARY ANN (whispering): Come.", ("Come.",)),
    Case("a colon in a sentence", "He said: come in.", ("He said: come in.",)),
    Case("scene headings", "INT. KITCHEN - NIGHT\n\nShe cooks.\n\nCUT TO:\n\nScene 2: The end of it", ("She cooks.",)),
    Case("notes for others", "Visual: a red car\nMusic: soft piano\nThe car is fast.", ("The car is fast.",)),
    Case("a sentence about an interior", "Interior design is hard.", ("Interior design is hard.",)),
    Case("German directions", "ERZÄHLER: Es war einmal (lacht) ein Mann.\nBild: ein Schloss", ("Es war einmal ein Mann.",)),
    Case(
        "Japanese directions, lines without blanks",
        "ナレーター：むかし、\nあるところに（笑）いました。\n［音楽］",
        ("むかし、あるところにいました。",),
    ),
    Case("plain text is left as it is", "# 1 * 2\n[x]\n\nTwo.", ("# 1 * 2 [x]", "Two."), "Plain"),
    Case("nothing left", "[pause]\n\n---\n\n(laughs)", ()),
    Case("nothing at all", " \n\n ", ()),
    Case("signs nobody sees", "A\u00adB\u200bC \ufeffD.", ("ABC D.",)),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_s_016_what_is_read_of(case: Case) -> None:
    assert paragraphs(case.script, case.markup) == case.expect


@given(st.text(max_size=300))
def test_s_016_any_text_gives_lines_that_say_something(text: str) -> None:
    for markup in ("Markdown", "Plain"):
        for line in paragraphs(text, markup):
            assert line == line.strip()
            assert "\n" not in line
            assert line


def test_a_long_script_is_cleaned_in_time() -> None:
    """A hostile script must not catch a rule: 60,000 characters of what each of them begins with."""
    for begin in ("(((laughs", "[[[[", "*_*_*_", "A: ", "1. a\n", "# ", "MARY ", "> ", "![[](", "a\n\n[["):
        paragraphs(begin * (60_000 // len(begin)), "Markdown")
