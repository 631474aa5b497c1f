"""What comes from a voice, looked at and cut to size before anything is built on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from videojob_api.story.scenes import Phoneme, Word
from videojob_api.story.timing import words_ms

from ..calling import Service, wrong
from .base import Line, Sound, Utterance
from .timing import BLOCK_MS, loudness

LEAD_MS, TAIL_MS = 20, 80
"""Silence left before the first sound and after the last: a scene's speech begins with its picture."""
QUIET_LEVEL = 0.008
"""Part of the loudest sample below which the ends of a sound are silence; soft consonants stay above."""
USUAL_WORDS_PER_MINUTE = 150
Timed = TypeVar("Timed", Word, Phoneme)
FACTOR = 4
"""So many times faster or slower than usual is no speech of this text."""


def plausible(service: Service, line: Line, sound: Sound, rate_percent: int) -> None:
    """Raise Recoverable for a sound that cannot be this line: far too short, or far too long."""
    text = "".join(piece.reading + " " for piece in line.pieces)
    usual = words_ms(text, USUAL_WORDS_PER_MINUTE) * 100 // rate_percent
    least = usual // FACTOR - 300
    most = usual * FACTOR + 3000 + 1500 * sum(ch.isdigit() for ch in text)
    if not least <= sound.duration_ms <= most:
        raise wrong(
            service, f"the sound lasts {sound.duration_ms / 1000:.1f} s, which cannot be the {len(line.pieces)} words of "
            f"{line.text[:40]!r}",
        )  # fmt: skip


def trimmed(utterance: Utterance) -> Utterance:
    """The utterance without the silence at its ends; times of words and sounds move along. All silence stays as it is."""
    levels = loudness(utterance.sound)
    least = max(levels, default=0) * QUIET_LEVEL
    heard = [place for place, level in enumerate(levels) if level > least]
    if not heard:
        return utterance
    begin = max(0, heard[0] * BLOCK_MS - LEAD_MS)
    end = min(utterance.sound.duration_ms, (heard[-1] + 1) * BLOCK_MS + TAIL_MS)
    rate = utterance.sound.rate
    data = utterance.sound.data[begin * rate // 1000 * 2 : end * rate // 1000 * 2]

    def moved(ms: int) -> int:
        return min(end, max(begin, ms)) - begin

    return replace(
        utterance,
        sound=Sound(rate, data),
        words=tuple(_moved(word, moved(word.start_ms), moved(word.end_ms)) for word in utterance.words),
        phonemes=tuple(
            _moved(one, moved(one.start_ms), moved(one.end_ms))
            for one in utterance.phonemes
            if one.end_ms > begin and one.start_ms < end
        ),
    )


def hurried(utterance: Utterance) -> Utterance:
    """Times as they are after the change of rate that is still to be made."""
    percent = utterance.left_percent
    if percent == 100:
        return utterance
    return replace(
        utterance,
        words=tuple(_moved(w, w.start_ms * 100 // percent, w.end_ms * 100 // percent) for w in utterance.words),
        phonemes=tuple(_moved(p, p.start_ms * 100 // percent, p.end_ms * 100 // percent) for p in utterance.phonemes),
    )


def _moved(one: Timed, start_ms: int, end_ms: int) -> Timed:
    return one.model_copy(update={"start_ms": start_ms, "end_ms": end_ms})
