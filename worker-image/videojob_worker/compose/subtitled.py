"""Captions as a picture stream of their own, to be laid over somebody else's video by FFmpeg: a band of the frame, transparent
where no letter is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from PIL import Image

from videojob_api.story.looks import Captions

from . import captions as drawing
from .captions import Form, Passage, Phrase, Shown
from .text import Style, Typesetter, spot

CLOCK = 1000
"""Passages are timed in milliseconds: they count as frames here."""


@dataclass(frozen=True)
class Saying:
    """A passage, and the millisecond of the video at which it begins."""

    start_ms: int
    said: Passage


@dataclass(frozen=True)
class _Drawing:
    start_ms: int
    end_ms: int
    said: Passage
    one: Shown


class Subtitles:
    """All captions of a video of that size.

    Args:
        sayings: what is said, in order; their frames are milliseconds.
        captions: how it looks.
        language: of the words, for the choice of fonts.
        setter: sets the letters.
        frame: width and height of the video.
    """

    def __init__(
        self, sayings: Sequence[Saying], captions: Captions, language: str, setter: Typesetter, frame: tuple[int, int]
    ) -> None:
        self._captions, self._setter, self._frame = captions, setter, frame
        self._style: Style = drawing.style_of(captions, language, setter, frame)
        self._cut: list[tuple[Saying, list[Phrase]]] = [
            (saying, drawing.phrases(saying.said, captions, CLOCK, setter, self._style, frame[0])) for saying in sayings
        ]

    def files(self, forms: Sequence[Form]) -> dict[str, str]:
        """The captions as files, by their form."""
        return drawing.written([(saying.start_ms, saying.said, cut) for saying, cut in self._cut], forms)

    @cached_property
    def _drawings(self) -> list[_Drawing]:
        return [
            _Drawing(saying.start_ms + one.first, saying.start_ms + one.end, saying.said, one)
            for saying, cut in self._cut
            for one in drawing.shown(saying.said, self._captions, CLOCK, cut)
        ]

    def _picture(self, drawn: _Drawing) -> Image.Image:
        return drawing.block(drawn.one, drawn.said, self._captions, self._setter, self._style)

    @cached_property
    def band(self) -> tuple[int, int]:
        """Rows of the frame in which letters are: the first, and how many; both even, none without a word."""
        height = self._frame[1]
        tops, ends = [height], [0]
        for number, drawn in enumerate(self._drawings):
            if number and drawn.one.phrase is self._drawings[number - 1].one.phrase:
                continue  # the same words in other colours
            size = self._picture(drawn).size
            top = spot(size, self._frame, self._captions.position)[1]
            tops.append(max(0, top))
            ends.append(min(height, top + size[1]))
        first = min(tops) // 2 * 2
        return first, max(0, -(-(max(ends) - first) // 2) * 2)

    def frames(self, rate: Fraction, duration_ms: int) -> Iterator[bytes]:
        """The band at every frame of a video of that rate, RGBA, a little beyond its end."""
        first, rows = self.band
        nothing = bytes(4 * self._frame[0] * rows)
        starts = [drawn.start_ms for drawn in self._drawings]
        latest, shown = -1, nothing
        for number in range(int(duration_ms * rate / 1000) + 2):
            now = int(number * 1000 / rate)
            at = bisect_right(starts, now) - 1
            if at < 0 or now >= self._drawings[at].end_ms:
                yield nothing
                continue
            if at != latest:
                latest, shown = at, self._filled(self._drawings[at], first, rows)
            yield shown

    def _filled(self, drawn: _Drawing, first: int, rows: int) -> bytes:
        picture = self._picture(drawn)
        left, top = spot(picture.size, self._frame, self._captions.position)
        band = Image.new("RGBA", (self._frame[0], rows))
        band.paste(picture, (left, top - first))
        return np.asarray(band).tobytes()
