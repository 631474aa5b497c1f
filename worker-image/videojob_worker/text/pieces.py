"""A scene's text as a voice takes it: words with their place in the text, and their reading where signs are not read as such."""

from __future__ import annotations

import re
import unicodedata

from ..base.words import Piece
from . import japanese
from .scripts import UNSPACED, base_language


def pieces(text: str, language: str) -> tuple[Piece, ...]:
    """The words of a text. What is not said (emoji, lone dashes) goes with the word before it."""
    tongue = base_language(language)
    if tongue == "ja":
        found = [Piece(p.begin, p.end, text[p.begin : p.end], p.reading) for p in japanese.phrases(text)]
    else:
        found = []
        for match in re.finditer(r"\S+", text):
            for begin, end in _signs(text, match.start(), match.end()):
                found.append(Piece(begin, end, text[begin:end], said(text[begin:end])))
    return tuple(_with_neighbours(found, text))


def _signs(text: str, begin: int, end: int) -> list[tuple[int, int]]:
    """One word, divided into signs with the marks after them where the script has no blanks."""
    if not UNSPACED.search(text, begin, end):
        return [(begin, end)]
    starts = [begin]
    for place in range(begin + 1, end):
        sign, before = text[place], text[place - 1]
        if unicodedata.category(sign)[0] in "LN" and (UNSPACED.match(sign) or UNSPACED.match(before)):
            starts.append(place)
    return list(zip(starts, [*starts[1:], end], strict=True))


def said(word: str) -> str:
    """A word without what nobody says: emoji, marks of markup, invisible signs."""
    kept = "".join(ch for ch in word if unicodedata.category(ch) not in {"So", "Cs", "Co", "Cn", "Cf", "Cc"})
    kept = kept.replace("\ufe0f", "").strip("*_~`|#<>")
    return kept if any(ch.isalnum() for ch in kept) else ""


def _with_neighbours(found: list[Piece], text: str) -> list[Piece]:
    """What says nothing joins the piece before it, or the first one after it."""
    whole: list[Piece] = []
    waiting: int | None = None
    for piece in found:
        if not any(ch.isalnum() for ch in piece.reading):
            if whole:
                last = whole[-1]
                whole[-1] = Piece(last.begin, piece.end, text[last.begin : piece.end], last.reading)
            elif waiting is None:
                waiting = piece.begin
            continue
        begin = piece.begin if waiting is None else waiting
        whole.append(Piece(begin, piece.end, text[begin : piece.end], piece.reading))
        waiting = None
    return whole
