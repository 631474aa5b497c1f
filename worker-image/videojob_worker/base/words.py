"""A word as captions show it and as voices say it: what texts, voices and pictures have in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Piece:
    """One word, or in a script without blanks one phrase; captions show and mark these."""

    begin: int
    """Where it begins in the text that is shown."""
    end: int
    text: str
    """As it is shown, punctuation included."""
    reading: str
    """As it is said; the text itself where a voice reads that."""
