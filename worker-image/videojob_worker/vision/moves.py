"""From a voice to movement: how far the mouth is open in each frame, when the eyes close, how the head sways.

What is heard decides: the mouth follows the loudness, and where the voice tells its sounds, their shapes; in silence it rests.
All chance comes from a seed, so that the same speech moves the same face in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from videojob_api.story.scenes import Phoneme

Samples = NDArray[np.float32]
"""Mono, -1 to 1."""
WINDOW_SECONDS = 0.04
SILENT_DB = -55.0
"""Below this nothing is heard, however quiet the rest."""
RANGE_DB = 28.0
"""From the loudest parts of a speech down to where its mouth is shut."""
AHEAD_SECONDS = 0.02
"""Mouths open before they are heard."""

# Openness and width of the mouth in each sound; capitals and stress marks are dropped before.
_SHAPES: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (("aa", "ae", "ah", "aw", "ay", "a", "ɑ", "æ", "ʌ", "ɐ", "a:", "0"), 1.0, 0.1),
    (("eh", "ey", "e", "ɛ", "er", "ax", "ə", "ɜ", "@", "3", "e:"), 0.7, 0.35),
    (("ao", "ow", "oy", "o", "ɔ", "o:"), 0.8, -0.6),
    (("uw", "uh", "u", "ʊ", "w", "u:"), 0.45, -0.9),
    (("iy", "ih", "i", "ɪ", "y", "j", "i:", "i2"), 0.45, 0.8),
    (("m", "b", "p"), 0.0, 0.0),
    (("f", "v"), 0.12, 0.2),
    (("th", "dh", "θ", "ð", "t", "d", "n", "l", "ɾ", "s", "z"), 0.28, 0.35),
    (("sh", "zh", "ch", "jh", "ʃ", "ʒ", "tʃ", "dʒ", "r", "ɹ"), 0.3, -0.45),
    (("k", "g", "ng", "ŋ", "hh", "h", "x"), 0.4, 0.0),
    (("pau", "_", "_:", "sil", "ssil", "h#"), 0.0, 0.0),
)
_BY_SOUND = {name: (opening, width) for names, opening, width in _SHAPES for name in names}


@dataclass(frozen=True)
class Move:
    """One frame of a face. Lengths are shares of the face's height."""

    mouth: float = 0.0
    """0 shut, 1 as wide as speech opens it."""
    width: float = 0.0
    """-1 as for `oo`, 1 as for `ee`."""
    blink: float = 0.0
    """0 open, 1 shut."""
    across: float = 0.0
    """Of the head, to the right in the picture."""
    down: float = 0.0
    """Of the head."""
    turn: float = 0.0
    """Of the head, in radians, clockwise."""


def moves(
    samples: Samples, rate: int, fps: float, *, seed: int = 0, sounds: Sequence[Phoneme] = ()
) -> tuple[Move, ...]:
    """One move for each frame of the speech."""
    count = max(1, round(len(samples) / rate * fps))
    times = np.arange(count) / fps
    loud = openness(samples, rate, times + AHEAD_SECONDS)
    mouth, width = _spelt(sounds, times + AHEAD_SECONDS, loud) if sounds else (loud, _width(samples, rate, times))
    mouth, width = _smooth(mouth, fps, 0.03), _smooth(width, fps, 0.06) * np.minimum(1, 3 * mouth)
    mouth = np.where(_smooth(loud, fps, 0.03) <= 0.02, 0.0, mouth)
    rng = np.random.default_rng(seed)
    blink = _blinks(times, rng)
    across, down, turn = _sway(times, loud, fps, rng)
    rows = zip(mouth, width, blink, across, down, turn, strict=True)
    return tuple(Move(*(round(float(value), 5) for value in row)) for row in rows)


def loudness(samples: Samples, rate: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root mean square round each time, in decibels below full scale."""
    half = max(1, round(rate * WINDOW_SECONDS / 2))
    total = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    middles = np.rint(times * rate).astype(np.int64)
    start, end = (np.clip(middles + shift, 0, len(samples)) for shift in (-half, half))
    power = (total[end] - total[start]) / (2 * half)
    made: NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-12))
    return made


def openness(samples: Samples, rate: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """How loud each moment is between this speech's silence (0) and its loud parts (1)."""
    level = loudness(samples, rate, times)
    heard = level[level > SILENT_DB]
    if not len(heard):
        return np.zeros(len(times))
    top = float(np.percentile(heard, 95))
    share = np.clip((level - (top - RANGE_DB)) / RANGE_DB, 0, 1)
    made: NDArray[np.float64] = np.where(level > SILENT_DB, share**1.6, 0.0)
    return made


def _width(samples: Samples, rate: int, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Wide where a vowel is bright (`ee`), narrow where it is dark (`oo`): by the middle of its spectrum below 4 kHz."""
    length = 1 << max(6, int(rate * WINDOW_SECONDS).bit_length() - 1)
    padded = np.concatenate([np.zeros(length // 2), samples, np.zeros(length)])
    starts = np.clip(np.rint(times * rate).astype(np.int64), 0, len(padded) - length)
    frames = padded[starts[:, None] + np.arange(length)] * np.hanning(length)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    pitch = np.fft.rfftfreq(length, 1 / rate)
    power = power[:, (pitch > 150) & (pitch < 4000)]
    middle = (power * pitch[(pitch > 150) & (pitch < 4000)]).sum(axis=1) / (power.sum(axis=1) + 1e-9)
    wide: NDArray[np.float64] = np.clip((middle - 1000) / 1000, -0.8, 0.8)
    return wide


def _spelt(
    sounds: Sequence[Phoneme], times: NDArray[np.float64], loud: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The shapes of the sounds, as far open as they are loud."""
    mouth, width = loud.copy(), np.zeros(len(times))
    for sound in sounds:
        name = sound.symbol.lower().strip("ˈˌ'012ː")
        shape = _BY_SOUND.get(name) or _BY_SOUND.get(name[:1])
        if shape is None:
            continue
        now = (times >= sound.start_ms / 1000) & (times < sound.end_ms / 1000)
        mouth[now] = shape[0] * (0.25 + 0.75 * loud[now]) * np.minimum(1, 6 * loud[now])
        width[now] = shape[1]
    return mouth, width


def _smooth(values: NDArray[np.float64], fps: float, seconds: float) -> NDArray[np.float64]:
    spread = seconds * fps
    reach = max(1, round(3 * spread))
    weights = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) / max(spread, 0.3)))
    return np.convolve(np.pad(values, reach, mode="edge"), weights / weights.sum(), "valid")


def _blinks(times: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Every two to six seconds the eyes close within 80 ms and open within 160."""
    shut = np.zeros(len(times))
    at = float(rng.uniform(0.8, 2.5))
    while len(times) and at < times[-1]:
        since = times - at
        closing = np.clip(1 + since / 0.08, 0, 1) * (since <= 0)
        opening = np.clip(1 - since / 0.16, 0, 1) * (since > 0)
        shut = np.maximum(shut, closing + opening)
        at += float(rng.uniform(2.2, 5.8))
    made: NDArray[np.float64] = shut * shut * (3 - 2 * shut)
    return made


def _sway(
    times: NDArray[np.float64], loud: NDArray[np.float64], fps: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Slow waves of small size, and a nod where the voice is strong; at the start the head is where the picture has it."""

    def wave(size: float) -> NDArray[np.float64]:
        pitches, phases = rng.uniform(0.10, 0.42, 3), rng.uniform(0, 2 * np.pi, 3)
        made = np.sin(2 * np.pi * pitches[:, None] * times + phases[:, None]).mean(axis=0)
        sized: NDArray[np.float64] = size * made
        return sized

    start = np.clip(times / 0.8, 0, 1)
    nod = _smooth(loud, fps, 0.25) - _smooth(loud, fps, 1.2)
    return wave(0.035) * start, (wave(0.012) + 0.03 * nod) * start, wave(0.03) * start
