"""flite: English, offline, natural enough to listen to for minutes (S-032)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from videojob_api.story.scenes import Phoneme

from ...base.errors import Permanent
from ..calling import Means
from .base import TTS_ERROR, Line, Manner, Script, Utterance, scripted, spans
from .hosting import spoken

VOICES = ("slt", "rms", "awb", "kal16")
"""Female American, male American, male Scottish, and a small one."""
_ASCII = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "…": ".", "×": "x", "€": "euro "}
)


class Flite:
    """The flite library."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:
        """A voice by name, slt when none is named."""
        if manner.tongue != "en":
            raise Permanent(
                TTS_ERROR, f"flite speaks English, not {manner.language}",
                hint="name espeak or an online provider in story.voice.providers[].name",
            )  # fmt: skip
        voice = manner.choice.voice or "slt"
        if voice not in VOICES:
            raise Permanent(
                TTS_ERROR, f"flite has no voice {voice}; known: {', '.join(VOICES)}",
                hint="name one of these in story.voice.providers[].voice",
            )  # fmt: skip
        return voice

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, with the times of its words and sounds by the engine itself."""
        scripts = [scripted(line, readings=[plain(piece.reading) for piece in line.pieces]) for line in lines]
        request = {
            "voice": self.chosen(manner),
            "stretch": 100 / manner.rate_percent,
            "pitch": 2 ** (manner.pitch_semitones / 12),
        }
        texts = [script.text for script in scripts]
        for line, script, (sound, told) in zip(
            lines, scripts, spoken("host_flite.py", "flite", request, texts, means), strict=True
        ):
            sounds = told["sounds"]
            yield Utterance(sound, spans(line, _pieces(script, sounds)), "engine", _phonemes(sounds))


def plain(word: str) -> str:
    """A word in ASCII: flite knows no other letters."""
    text = unicodedata.normalize("NFKD", word.translate(_ASCII))
    return "".join(ch for ch in text if ch.isascii() and ch.isprintable()) or "-"


def _pieces(script: Script, sounds: Sequence[Sequence[Any]]) -> list[tuple[int, int, int]]:
    """Times of pieces: a token's place is that behind its last sign, and one more where a blank follows."""
    found, before = [], 0.0
    for _, end, place in sounds:
        if place >= 0:
            found.append((script.piece_at(max(0, place - 2)), round(before * 1000), round(end * 1000)))
        before = end
    return found


def _phonemes(sounds: Sequence[Sequence[Any]]) -> tuple[Phoneme, ...]:
    found, before = [], 0.0
    for name, end, _ in sounds:
        found.append(Phoneme(symbol=name, start_ms=round(before * 1000), end_ms=round(end * 1000)))
        before = end
    return tuple(found)
