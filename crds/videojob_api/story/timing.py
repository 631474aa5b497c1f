"""The rules of time (S-016 to S-021, S-039, S-065, C4): pure arithmetic in milliseconds and whole frames."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .looks import SAMPLE_RATE, Effect, Transition, TransitionKind
from .params import Splitting
from .scenes import Basis, Cut, Scene

SILENT_FACTOR_PERCENT = 150
"""Scenes last so much longer when nobody reads them aloud (S-039)."""
SIGNS_PER_WORD = 2
"""In a script without blanks between words, two signs take as long as one word."""
RATES = (80, 125)
"""How far, in percent of the rate asked for, a fit may slow speech down or hurry it."""
PAUSES = (100, 1500)
"""How short and how long, in milliseconds, a fit may make the pauses."""
BOTH: frozenset[TransitionKind] = frozenset({"dissolve", "slide", "wipe", "zoom"})
"""Transitions that show two pictures at a time."""

_UNSPACED = re.compile(
    "[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\u0e00-\u0eff\u1780-\u17ff"
    "\U00020000-\U0003ffff]"
)


def word_count(text: str) -> int:
    """Words of a text; signs of scripts without blanks count by SIGNS_PER_WORD, rounded up."""
    signs = len(_UNSPACED.findall(text))
    spaced = _UNSPACED.sub(" ", text).split()
    words = sum(any(unicodedata.category(ch)[0] in "LN" for ch in word) for word in spaced)
    return words + -(-signs // SIGNS_PER_WORD)


def words_ms(text: str, words_per_minute: int) -> int:
    """How long a text takes to say, by counting (S-017)."""
    return -(-word_count(text) * 60_000 // words_per_minute)


@dataclass(frozen=True)
class Length:
    """How long a scene lasts, and why."""

    duration_ms: int
    basis: Basis


def scene_ms(
    text: str, splitting: Splitting, *, speech_ms: int | None, pause_ms: int, given_ms: int | None, silent: bool = False
) -> Length:
    """Measured speech with its pause, else counted words, else the default; what the user gave is a least (C4, S-065).

    No limit cuts or stretches it: limits steer the splitting only. `silent` says that nobody reads the story aloud: then what
    is counted or default lasts half as long again (S-039), after everything else.
    """
    if speech_ms is not None:
        found = Length(speech_ms + pause_ms, "speech")
    else:
        counted = words_ms(text, splitting.words_per_minute)
        found = Length(counted, "words") if counted else Length(splitting.default_ms, "default")
        if given_ms is not None and not counted:
            found = Length(given_ms, "given")
        if silent:
            found = Length(-(-found.duration_ms * SILENT_FACTOR_PERCENT // 100), found.basis)
    if given_ms is not None and given_ms > found.duration_ms:
        return Length(given_ms, "given")
    return found


def whole_frames(duration_ms: int, fps: int) -> int:
    """Frames that hold so long, rounded up, at least one: speech is never cut, and sound needs no resampling."""
    return max(1, -(-duration_ms * fps // 1000))


def near_frames(duration_ms: int, fps: int) -> int:
    """Frames of an effect: the nearest number."""
    return (duration_ms * fps + 500) // 1000


def frame_samples(frames: int, fps: int) -> int:
    """Samples of so many frames, exact."""
    return frames * (SAMPLE_RATE // fps)


@dataclass(frozen=True)
class Fit:
    """How a story is brought to its target duration."""

    rate_percent: int
    """Rate of speech to ask for."""
    pause_ms: int
    """Pause after each scene's speech."""
    expected_ms: int
    """What comes of it."""
    note: str | None = None
    """What could not be met."""


def fit(
    speech_ms: Sequence[int], fixed_ms: int, *, rate_percent: int, pause_ms: int, target_ms: int | None,
    rate_open: bool = True, asked_percent: int | None = None,
) -> Fit:  # fmt: skip
    """Bring scenes that speak for so long at `rate_percent`, and silent ones of `fixed_ms` in all, to `target_ms` (S-002).

    Pauses give way first, then the rate; each within its limits, so that speech stays speech. `rate_open=False` is for
    speech that has been recorded: then pauses alone can give way. The limits of the rate are those of `asked_percent`, where that
    is another than the one it was measured at.
    """
    count, spoken = len(speech_ms), sum(speech_ms)
    as_asked = Fit(rate_percent, pause_ms, fixed_ms + spoken + count * pause_ms)
    if target_ms is None or not count or as_asked.expected_ms == target_ms:
        return as_asked if target_ms is None or count else _missed(as_asked, target_ms)
    pause = _clamp((target_ms - fixed_ms - spoken) // count, *_around(pause_ms, PAUSES))
    rate, said, asked = rate_percent, spoken, asked_percent or rate_percent
    left = target_ms - fixed_ms - count * pause
    if rate_open and left != spoken:
        low, high = (max(50, asked * RATES[0] // 100), min(200, asked * RATES[1] // 100))
        rate = _clamp(-(-spoken * rate_percent // left) if left > 0 else high, low, high)
        said = spoken * rate_percent // rate
        pause = _clamp((target_ms - fixed_ms - said) // count, *_around(pause_ms, PAUSES))
    return _missed(Fit(rate, pause, fixed_ms + said + count * pause), target_ms)


def _around(asked: int, limits: tuple[int, int]) -> tuple[int, int]:
    """Limits that never forbid what was asked for."""
    return min(asked, limits[0]), max(asked, limits[1])


def _clamp(value: int, low: int, high: int) -> int:
    return max(low, min(high, value))


def _missed(found: Fit, target_ms: int) -> Fit:
    """The same, with a sentence when it is further than a twentieth, or half a second, from the target."""
    away = found.expected_ms - target_ms
    if abs(away) <= max(500, target_ms // 20):
        return found
    what = "shorter" if away > 0 else "longer"
    note = (
        f"the target of {target_ms / 1000:.1f} s cannot be met: with speech at {found.rate_percent} % and pauses of "
        f"{found.pause_ms} ms the story lasts {found.expected_ms / 1000:.1f} s; give a {what} script or another "
        "targetDuration"
    )
    return Fit(found.rate_percent, found.pause_ms, found.expected_ms, note)


def laid_out(scenes: Sequence[Scene], fps: int, effect_ms: int) -> tuple[Scene, ...]:
    """The same scenes with index, start, heads and tails as their frames and transitions make them (S-020, S-021).

    Start frames are the running sum: no transition takes or gives time. A cut's two halves share out its length; each end
    takes at most half of its scene. Where both pictures are seen, the scene's own fades at that end rest.
    """
    found: list[Scene] = []
    at = 0
    for place, scene in enumerate(scenes):
        before = scenes[place - 1].transition if place else None
        after = scene.transition if place + 1 < len(scenes) else None
        head = _end(before, "fade_in", scene, fps, effect_ms, later=True)
        tail = _end(after, "fade_out", scene, fps, effect_ms, later=False)
        if place and before is not None and before.kind in BOTH:  # the halves of one length
            other = scenes[place - 1]
            head = _half(before, scene.frames, fps, later=True)
            found[-1] = found[-1].model_copy(update={"tail": _half(before, other.frames, fps, later=False)})
        found.append(scene.model_copy(update={"index": place, "start_frame": at, "head": head, "tail": tail}))
        at += scene.frames
    return tuple(found)


def _half(transition: Transition, frames: int, fps: int, *, later: bool) -> Cut:
    whole = near_frames(transition.duration_ms, fps)
    wanted = whole - whole // 2 if later else whole // 2
    taken = min(wanted, frames // 2)
    return Cut(kind=transition.kind if taken else "cut", frames=taken)


def _end(transition: Transition | None, effect: Effect, scene: Scene, fps: int, effect_ms: int, *, later: bool) -> Cut:
    if transition is not None and transition.kind in BOTH:
        return _half(transition, scene.frames, fps, later=later)
    own = near_frames(effect_ms, fps) if effect in scene.effects else 0
    half = near_frames(transition.duration_ms, fps) // 2 if transition is not None and transition.kind == "fade" else 0
    taken = min(max(own, half), scene.frames // 2)
    return Cut(kind="fade" if taken else "cut", frames=taken)
