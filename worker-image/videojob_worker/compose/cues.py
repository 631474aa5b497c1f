"""Where captions are cut: which words stand on the screen at once, and on which line. Pure; knows widths, no letters.

Words fill the screen until there is no more room, a sentence ends or nobody speaks. Then what is left over is shared out again,
so that no last word stands alone: the last two cues of a sentence, and the two lines of each cue, are as even as may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from videojob_api.story.scenes import Word

from .text import NOT_FIRST, NOT_LAST

MAX_LINES = 2
GAP_MS = 600
"""A silence this long ends a cue."""
ENDS = frozenset(".!?。！？…")
PAUSES = frozenset(",;:、，；：")
SHORT = 1 / 3
"""A last cue that is less of the one before it is not left alone behind a comma, either."""
AT_PAUSE = 0.15
"""So much more uneven, in shares of both parts, a cut behind a comma may be than one between other words."""

Lines = tuple[tuple[int, int], ...]
"""First and last-but-one word of each line of a cue."""


@dataclass(frozen=True)
class Room:
    """What a line has room for."""

    words: int
    width: float


class Measured:
    """Words with their widths as they stand side by side."""

    def __init__(self, words: Sequence[Word], width: Callable[[Sequence[Word]], float]) -> None:
        self.words = words
        self._alone = [width(words[at : at + 1]) for at in range(len(words))]
        self._before = [0.0]  # width of all words before each, with what is between them
        for at in range(len(words) - 1):
            self._before.append(self._before[-1] + width(words[at : at + 2]) - self._alone[at + 1])

    def width(self, begin: int, end: int) -> float:
        """Width of some words on one line."""
        return self._before[end - 1] - self._before[begin] + self._alone[end - 1]

    def fits(self, begin: int, end: int, room: Room) -> bool:
        """Whether they have room on a line; a word that is too wide stands on one all the same."""
        return end - begin == 1 or (end - begin <= room.words and self.width(begin, end) <= room.width)

    def uneven(self, begin: int, cut: int, end: int) -> float:
        """How bad a cut is: by how much one part is longer, in shares of both, and what it tears apart."""
        first, second = self.width(begin, cut), self.width(cut, end)
        cost = abs(first - second) / max(1e-6, first + second)
        before, after = self.words[cut - 1].text[-1:], self.words[cut].text[:1]
        if before in NOT_LAST or after in NOT_FIRST:
            return cost + 1
        return cost - AT_PAUSE if before in PAUSES else cost


def cut(words: Measured, room: Room) -> list[Lines]:
    """All cues, in order: at most two lines each, none with words of two sentences or across a silence."""
    found: list[Lines] = []
    begin = 0
    for end in range(1, len(words.words) + 1):
        if end == len(words.words) or _ended(words.words[end - 1], words.words[end]):
            found += [lines(words, *cue, room) for cue in _cues(words, begin, end, room)]
            begin = end
    return found


def _ended(word: Word, following: Word) -> bool:
    return word.text[-1:] in ENDS or following.start_ms - word.end_ms >= GAP_MS


def _cues(words: Measured, begin: int, end: int, room: Room) -> list[tuple[int, int]]:
    """The cues of what is said without a stop."""
    found: list[tuple[int, int]] = []
    full = False
    while begin < end:
        until = _filled(words, begin, end, room)
        if until == end and found:
            return [*found[:-1], *_shared(words, found[-1][0], begin, end, room, full=full)]
        full = words.words[until - 1].text[-1:] not in PAUSES
        found.append((begin, until))
        begin = until
    return found


def _filled(words: Measured, begin: int, end: int, room: Room) -> int:
    """How far a cue comes that begins there: to where there is no more room, or behind a comma when a line is said."""
    line, ended = begin, 0
    for at in range(begin, end):
        if not words.fits(line, at + 1, room):
            line, ended = at, ended + 1
            if ended == MAX_LINES:
                return at
        if at + 1 - begin >= room.words and words.words[at].text[-1:] in PAUSES:
            return at + 1
    return end


def _shared(words: Measured, begin: int, cut_at: int, end: int, room: Room, *, full: bool) -> list[tuple[int, int]]:
    """The last two cues, evenly: one if both have room, where they were cut behind a comma and little is left."""
    little = words.width(cut_at, end) < SHORT * words.width(begin, cut_at)
    if not full and not little:
        return [(begin, cut_at), (cut_at, end)]
    if not full and _possible(words, begin, end, room):
        return [(begin, end)]
    places = [
        at
        for at in range(begin + 1, end)
        if _possible(words, begin, at, room) and _possible(words, at, end, room)
    ]  # fmt: skip
    best = min(places, key=lambda at: (words.uneven(begin, at, end), -at), default=cut_at)
    return [(begin, best), (best, end)]


def _possible(words: Measured, begin: int, end: int, room: Room) -> bool:
    """Whether these words are a cue: on one line, or on two."""
    return words.fits(begin, end, room) or any(
        words.fits(begin, at, room) and words.fits(at, end, room) for at in range(begin + 1, end)
    )


def lines(words: Measured, begin: int, end: int, room: Room) -> Lines:
    """The lines of a cue, as even as may be."""
    if words.fits(begin, end, room):
        return ((begin, end),)
    places = [at for at in range(begin + 1, end) if words.fits(begin, at, room) and words.fits(at, end, room)]
    best = min(places, key=lambda at: (words.uneven(begin, at, end), -at))
    return (begin, best), (best, end)
