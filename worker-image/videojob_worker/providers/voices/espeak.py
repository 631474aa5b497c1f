"""espeak-ng: some hundred languages, offline; clear rather than beautiful (S-032)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from videojob_api.story.scenes import Phoneme

from ...base.errors import Permanent
from ..calling import Means
from .base import TTS_ERROR, Line, Manner, Script, Utterance, scripted, spans
from .host_espeak import END, PHONEME, WORD
from .hosting import spoken

WORDS_PER_MINUTE = 160
"""Its own 175 is for people who listen to it all day."""
_VOICES = {"zh": "cmn", "zh-tw": "cmn", "zh-hk": "yue", "no": "nb", "en": "en-us", "pt-br": "pt-br", "en-gb": "en-gb"}
_KNOWN = (
    "af am an ar as az ba be bg bn bpy bs ca chr cmn cs cv cy da de el en en-gb en-us eo es es-419 et eu fa fi fr fr-be fr-ch "
    "ga gd gn grc gu hak haw he hi hr ht hu hy ia id io is it ja jbo ka kk kl kn ko kok ku ky la lb lfn lt ltg lv mi mk ml mr "
    "ms mt my nb nci ne nl nog om or pa pap piqd pl pt pt-br py qdb qu quc qya ro ru sd shn si sjn sk sl smj sq sr sv sw ta te "
    "th tk tn tr tt ug uk ur uz vi yue"
)
_LANGUAGES = frozenset(_KNOWN.split())


class Espeak:
    """The espeak-ng library."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:
        """A voice by name, else that of the language."""
        if manner.choice.voice is not None:
            if not all(ch.isascii() and (ch.isalnum() or ch in "-+_") for ch in manner.choice.voice):
                raise Permanent(
                    TTS_ERROR, "espeak-ng's voices have names such as de or en-us+f3", hint="see espeak-ng --voices"
                )
            return manner.choice.voice
        for name in (manner.language.lower(), manner.tongue):
            known = _VOICES.get(name, name)
            if known in _LANGUAGES:
                return known
        raise Permanent(
            TTS_ERROR, f"espeak-ng does not speak {manner.language}",
            hint="name an online provider in story.voice.providers[].name",
        )  # fmt: skip

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, with the times of its words and sounds by the engine itself."""
        blank = "" if manner.tongue in {"zh", "yue", "th", "my"} else " "
        scripts = [scripted(line, blank=blank) for line in lines]
        request = {
            "voice": self.chosen(manner),
            "wordsPerMinute": min(450, max(80, WORDS_PER_MINUTE * manner.rate_percent // 100)),
            "pitch": min(100, max(0, 50 + round(50 * manner.pitch_semitones / 12))),
        }
        texts = [script.text for script in scripts]
        for line, script, (sound, told) in zip(
            lines, scripts, spoken("host_espeak.py", "espeak", request, texts, means), strict=True
        ):
            events = told["events"]
            times = _pieces(script, events, sound.duration_ms)
            yield Utterance(sound, spans(line, times), "engine", _phonemes(events, sound.duration_ms))


def _pieces(script: Script, events: Sequence[Sequence[Any]], whole_ms: int) -> list[tuple[int, int, int]]:
    """Times of pieces: a word ends where the next one begins, or at the silence before that."""
    found: list[tuple[int, int, int]] = []
    open_since: tuple[int, int] | None = None
    for kind, place, ms, symbol in events:
        silence = kind == END or (kind == PHONEME and not symbol)
        if open_since is not None and (kind == WORD or silence):
            found.append((*open_since, ms))
            open_since = None
        if kind == WORD:
            open_since = (script.piece_at(max(0, place)), ms)
        elif kind == PHONEME and symbol and open_since is None and found:
            open_since = (found[-1][0], ms)  # it was a silence inside a word, such as before a stop
    if open_since is not None:
        found.append((*open_since, whole_ms))
    return found


def _phonemes(events: Sequence[Sequence[Any]], whole_ms: int) -> tuple[Phoneme, ...]:
    times = [(symbol or "_", ms) for kind, _, ms, symbol in events if kind == PHONEME]
    ends = [ms for _, ms in times[1:]] + [whole_ms]
    return tuple(
        Phoneme(symbol=symbol, start_ms=ms, end_ms=max(ms, end)) for (symbol, ms), end in zip(times, ends, strict=True)
    )
