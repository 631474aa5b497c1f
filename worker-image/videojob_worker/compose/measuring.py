"""What pieces and sound are measured for while they are made, so that no film is decoded only to be judged (S-064)."""

from __future__ import annotations

import re

import numpy as np

from .planes import Plane

BLACK_SHARE = 0.98
"""A frame is black when so many of its pixels are."""
BLACK_LUMA = 20
"""A pixel is black up to this luma, a fiftieth of the way to white: a dark card (S-038) that fades is not black until it is
nearly gone."""
EVERY_ROW = 8
SILENCE_DB = -50
SILENCE_SECONDS = 0.5
"""Shorter silences are pauses between words."""
_SILENCE = f"silencedetect=noise={SILENCE_DB}dB:d={SILENCE_SECONDS}"
LISTENING = f"{_SILENCE},ametadata=mode=print:direct=1:file=-,ebur128=framelog=verbose"
"""Filters that measure a sound while it passes: silences are told on standard output, the loudness at the end of stderr."""


def is_black(luma: Plane) -> bool:
    """Whether a frame is black, by its luma."""
    bright = luma.size * (1 - BLACK_SHARE)
    # Nearly every frame has enough light in some of its rows alone.
    return bool(_lit(luma[::EVERY_ROW]) <= bright and _lit(luma) <= bright)


def _lit(luma: Plane) -> int:
    return int(np.count_nonzero(luma > BLACK_LUMA))


_MARK = re.compile(r"^lavfi\.silence_(start|end)=(-?[\d.]+)")


class Listener:
    """Adds up the silences that LISTENING prints, line by line."""

    def __init__(self) -> None:
        self._marks: dict[str, list[float]] = {"start": [], "end": []}

    def feed(self, line: str) -> None:
        """Take one line of standard output; starts and ends may come in any order."""
        match = _MARK.match(line)
        if match is not None:
            self._marks[match[1]].append(float(match[2]))

    def silence_ms(self, end_ms: int) -> int:
        """How long it was silent in all; what has no end lasts to the sound's."""
        ends, total, passed = sorted(self._marks["end"]), 0.0, -1.0
        for start in sorted(self._marks["start"]):
            end = next((end for end in ends if end > start), end_ms / 1000)
            total += max(0.0, end - max(start, passed))
            passed = max(passed, end)
        return round(total * 1000)
