"""From sentences to scenes' texts: long ones divided at their clauses, short ones joined (S-016, S-017, C4)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from .scripts import base_language, together

Measure = Callable[[str], int]
"""How long a text takes to say, in milliseconds."""

_STRONG = re.compile(r"(?<=[;:—–])\s+|(?<=[；：])")
_COMMA = re.compile(r"(?<=,)\s+|(?<=[、，])")
_CONJUNCTIONS = {
    "en": "and but or because although while when which who that so then until unless where if after before",
    "de": "und aber oder weil obwohl während als dass denn sondern damit bis wenn nachdem bevor wo",
    "fr": "et mais ou parce que quand lorsque qui donc car si puis où",
    "es": "y pero o porque aunque cuando que mientras si donde pues",
}
_BLANK = re.compile(r"\s+")
_KANA_END = re.compile("(?<=[はがをにでともへて])(?=[\u4e00-\u9fff\u30a0-\u30ff])")
_COSTS = (0.0, 0.08, 0.2, 0.45)
"""How much worse than the middle a place may lie before a weaker kind of place is taken."""
_NOT_AT_EDGE = 0.15


def divided(text: str, limit_ms: int, measure: Measure, language: str) -> tuple[str, ...]:
    """The text itself when it can be said within the limit, else parts that can, each as long as the others as may be.

    Divided at a strong mark, else at a comma, else before a conjunction, else between words; never inside a word or a
    number. A single word that takes longer stays whole: speech is never cut.
    """
    if measure(text) <= limit_ms:
        return (text,)
    best: tuple[float, int] | None = None
    for cost, places in zip(_COSTS, _places(text, language), strict=True):
        for place in places:
            share = measure(text[:place]) / max(1, measure(text))
            score = cost + abs(share - 0.5) + (1 if not _NOT_AT_EDGE < share < 1 - _NOT_AT_EDGE else 0)
            if best is None or score < best[0]:
                best = (score, place)
    if best is None:
        return (text,)
    first, second = text[: best[1]].strip(), text[best[1] :].strip()
    if not first or not second:
        return (text,)
    return (*divided(first, limit_ms, measure, language), *divided(second, limit_ms, measure, language))


def _places(text: str, language: str) -> tuple[list[int], ...]:
    words = _CONJUNCTIONS.get(base_language(language), "")
    conjunction = re.compile(rf"\s+(?=(?:{'|'.join(words.split())})\s)", re.IGNORECASE) if words else None
    patterns = (_STRONG, _COMMA, conjunction, re.compile(f"{_BLANK.pattern}|{_KANA_END.pattern}"))
    return tuple(
        [match.end() for match in pattern.finditer(text) if 0 < match.end() < len(text)] if pattern is not None else []
        for pattern in patterns
    )


def scenes(sentences: Sequence[str], min_ms: int, max_ms: int, measure: Measure, language: str) -> tuple[str, ...]:
    """Texts of scenes: each sentence one, those too long divided, those too short joined with a neighbour if both fit."""
    parts = [part for sentence in sentences for part in divided(sentence, max_ms, measure, language)]
    found: list[str] = []
    for part in parts:
        both = together(found[-1], part) if found else part
        if found and measure(found[-1]) < min_ms and measure(both) <= max_ms:
            found[-1] = both
        else:
            found.append(part)
    if len(found) > 1 and measure(found[-1]) < min_ms and measure(both := together(found[-2], found[-1])) <= max_ms:
        found[-2:] = [both]
    return tuple(found)
