"""Nobody speaks: a story to be read, with music or without (S-033)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from ..calling import Means
from .base import Line, Manner, Utterance


class Silent:
    """No sound; scenes last as long as their words are counted."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:  # noqa: ARG002 - the interface
        """Nobody."""
        return "silent"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:  # noqa: ARG002
        """Nothing for every line."""
        return iter([None] * len(lines))
