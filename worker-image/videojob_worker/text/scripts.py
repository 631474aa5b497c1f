"""Writing systems: which have no blanks between words, and how lines and sentences of each are put together."""

from __future__ import annotations

import re

UNSPACED = re.compile(
    "[\u3000-\u303f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uff65\uff66-\uff9f]"
)
"""Signs of Chinese and Japanese, their punctuation included."""

_BLANK_BETWEEN = re.compile(f"(?<={UNSPACED.pattern}) (?={UNSPACED.pattern})")


def joined(text: str) -> str:
    """Lines as one: a blank between them, none between signs of a script without blanks."""
    lines = [re.sub(r"[ \t\u00a0\u2007\u202f]+", " ", line).strip() for line in text.split("\n")]
    found = ""
    for line in lines:
        found = together(found, line)
    return _BLANK_BETWEEN.sub("", found)


def together(first: str, second: str) -> str:
    """Two texts as one."""
    if not first or not second:
        return first or second
    bare = UNSPACED.match(first[-1]) and UNSPACED.match(second[0])
    return f"{first}{'' if bare else ' '}{second}"


def base_language(tag: str) -> str:
    """`de` of `de-AT`."""
    return tag.split("-", maxsplit=1)[0].lower()


_KANA = re.compile("[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_LATIN_WORDS = re.compile(r"[A-Za-z]{2,}[^A-Za-z]+[A-Za-z]{2,}")


def language_of(text: str, language: str) -> str:
    """Language of a sentence in a story of that one: Japanese where most of it is written so, English where a Japanese story
    says something in Latin letters alone. Letters tell no other languages apart.
    """
    tongue = base_language(language)
    if tongue == "ja":
        return "en" if _LATIN_WORDS.search(text) and not UNSPACED.search(text) else language
    signs = len(UNSPACED.findall(text))
    return "ja" if _KANA.search(text) and 2 * signs > sum(not ch.isspace() for ch in text) else language
