"""The voice of a story that names none: flite for English, espeak-ng for every other language. No key, no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from ..calling import Means
from .base import Line, Manner, Utterance, Voice
from .espeak import Espeak
from .flite import VOICES, Flite


class Offline:
    """Whichever engine of this image speaks the language best."""

    version: ClassVar[int] = 1

    def _engine(self, manner: Manner) -> Voice:
        english = manner.tongue == "en" and manner.choice.voice in {None, *VOICES}
        return Flite() if english else Espeak()

    def chosen(self, manner: Manner) -> str:
        """The engine and its voice."""
        engine = self._engine(manner)
        return f"{type(engine).__name__.lower()}:{engine.chosen(manner)}"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, by the engine of its language."""
        return self._engine(manner).speak(lines, manner, means)
