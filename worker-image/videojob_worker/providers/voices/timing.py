"""Times of words for engines that tell none: laid into the sound between its own pauses.

How long each word takes beside the others comes from an offline engine that says the same words, where one knows the
language; where sound and silence are comes from the sound. Only without such an engine signs are counted.
"""

from __future__ import annotations

import array
import sys
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from videojob_api.story.params import Provider

from ...base.errors import WorkerError
from ..calling import Means
from .base import Line, Manner, Sound, Utterance, spans
from .espeak import Espeak

BLOCK_MS = 10
PAUSE_MS = 120
"""A silence so long divides phrases."""
QUIET = 0.02
"""What is below this part of the loudest is silence."""
_ENDS = ",.;:!?…—–、。！？，；："


def loudness(sound: Sound) -> list[int]:
    """The highest sample of each block."""
    samples = array.array("h", sound.data)
    if sys.byteorder == "big":
        samples.byteswap()
    step = max(1, sound.rate * BLOCK_MS // 1000)
    blocks = [samples[at : at + step] for at in range(0, len(samples), step)]
    return [max(*block, -min(block)) if len(block) > 1 else abs(block[0]) for block in blocks]


def phrases(sound: Sound) -> list[tuple[int, int]]:
    """Where somebody speaks, in milliseconds; shorter silences belong to the speech."""
    levels = loudness(sound)
    threshold = max(1, int(max(levels, default=0) * QUIET))
    found: list[tuple[int, int]] = []
    for place, level in enumerate(levels):
        if level < threshold:
            continue
        begin, end = place * BLOCK_MS, min(sound.duration_ms, (place + 1) * BLOCK_MS)
        if found and begin - found[-1][1] < PAUSE_MS:
            found[-1] = (found[-1][0], end)
        else:
            found.append((begin, end))
    return found


def timed(line: Line, utterance: Utterance, manner: Manner, means: Means) -> Utterance:
    """The utterance with times of words; as it is when its engine told them."""
    if utterance.words or not line.pieces:
        return utterance
    weights, by = _weights(line, manner, means)
    times = laid(line, weights, phrases(utterance.sound))
    return replace(utterance, words=spans(line, times), timing="aligned" if by else "estimated")


def _weights(line: Line, manner: Manner, means: Means) -> tuple[list[int], bool]:
    """How long each word takes, and whether an engine says so."""
    try:
        other = replace(manner, choice=Provider(name="espeak"), rate_percent=100, pitch_semitones=0)
        spoken = next(Espeak().speak([line], other, means))
        if spoken is not None and spoken.words:
            return [max(1, word.end_ms - word.start_ms) for word in spoken.words], True
    except WorkerError as error:
        if error.code not in {"TTSError", "ToolMissing"}:
            raise
    return [max(1, sum(ch.isalnum() for ch in piece.reading)) for piece in line.pieces], False


def laid(line: Line, weights: Sequence[int], voiced: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Words into the stretches of speech: phrase by phrase where both have as many, else one after the other."""
    groups = _groups(line)
    if len(groups) == len(voiced):
        return [
            row for (begin, end), (first, last) in zip(voiced, groups, strict=True)
            for row in _within(range(first, last), weights, [(begin, end)])
        ]  # fmt: skip
    return _within(range(len(line.pieces)), weights, voiced)


def _groups(line: Line) -> list[tuple[int, int]]:
    """Pieces between marks at which a voice pauses."""
    ends = [place + 1 for place, piece in enumerate(line.pieces) if piece.text.rstrip("\"'”’»」』)）")[-1:] in _ENDS]
    cuts = sorted({0, *ends, len(line.pieces)})
    return list(pairwise(cuts))


def _within(places: range, weights: Sequence[int], voiced: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Words in proportion to their weights over all stretches together, silences skipped."""
    total = sum(weights[place] for place in places)
    length = sum(end - begin for begin, end in voiced)
    found, done = [], 0
    for place in places:
        start, stop = done * length // max(1, total), (done + weights[place]) * length // max(1, total)
        found.append((place, _moment(start, voiced, later=True), _moment(stop, voiced, later=False)))
        done += weights[place]
    return found


def _moment(spoken_ms: int, voiced: Sequence[tuple[int, int]], *, later: bool) -> int:
    """The moment of the sound at which so much has been spoken; at a silence its end, or its begin."""
    for begin, end in voiced:
        if spoken_ms < end - begin or (spoken_ms == end - begin and not later):
            return begin + spoken_ms
        spoken_ms -= end - begin
    return voiced[-1][1] if voiced else 0
