"""The sound of a film, laid once: each scene's speech at its first sample, music under it that steps back while somebody speaks.

Positions are samples, counted from whole frames (S-065): nothing is resampled or stretched, so nothing drifts. Written block by
block; no film is too long.
"""

from __future__ import annotations

import re
import wave
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from videojob_api.contract import Measured, content_key
from videojob_api.story.looks import SAMPLE_RATE, Music
from videojob_api.story.scenes import SceneManifest, Speech

from ..base.errors import Recoverable
from ..base.process import Finished
from . import encoding
from .gates import QUIET_LUFS
from .measuring import Listener

SOUND_VERSION = 2
"""Raise it when the same key would give another sound."""
BLOCK = SAMPLE_RATE
"""Samples worked on at a time."""
ATTACK, RELEASE = SAMPLE_RATE // 4, SAMPLE_RATE // 2
"""How long the music takes to step back before speech, and to return after it."""
BOTH_SIDES = 0.5**0.5
"""One voice on two channels is twice the power: it is turned down by 3 dB, so that its loudness stays as it was made."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Passage:
    """Somebody speaks: from one sample to another, of a file."""

    start: int
    end: int
    path: Path


def passages(manifest: SceneManifest, locate: Callable[[Speech], Path]) -> tuple[Passage, ...]:
    """Where each scene's speech lies in the film's samples; what would run into the next scene ends there."""
    found = []
    for scene in manifest.scenes:
        if scene.speech is not None:
            scene_start = scene.start_frame * manifest.samples_per_frame
            scene_end = scene_start + scene.frames * manifest.samples_per_frame
            start = scene_start + scene.speech.offset_ms * SAMPLE_RATE // 1000
            found.append(Passage(start, min(start + scene.speech.samples, scene_end), locate(scene.speech)))
    return tuple(found)


@dataclass(frozen=True)
class Bed:
    """Music, ready to be laid: 48 kHz stereo PCM, as long as the film."""

    path: Path
    lufs: float
    """Its loudness as it is."""
    look: Music
    voice_lufs: float
    """Loudness of the narration that `look.gain_db` counts from."""


def key(manifest: SceneManifest, voice_lufs: float, music_sha256: str | None) -> str:
    """Content key of a film's sound: what is heard when. Another picture leaves it as it is (M2)."""
    heard = [
        [
            scene.frames,
            *(
                [scene.speech.file.sha256, scene.speech.offset_ms, scene.speech.samples]
                if scene.speech is not None
                else []
            ),
        ]
        for scene in manifest.scenes
    ]
    music = manifest.music.dump() if manifest.music is not None else None
    params = {"fps": manifest.fps, "heard": heard, "music": music, "lufs": voice_lufs}
    return content_key("sound", SOUND_VERSION, params, (music_sha256,) if music_sha256 is not None else ())


def lay(manifest: SceneManifest, spoken: Sequence[Passage], target: Path, bed: Bed | None) -> None:
    """Write the film's sound, stereo PCM of exactly its length.

    Raises Recoverable for speech that is not as its manifest says.
    """
    total = manifest.total_frames * manifest.samples_per_frame
    gain = _gains(bed, spoken, total) if bed is not None else None
    music = wave.open(str(bed.path), "rb") if bed is not None else None  # noqa: SIM115 - closed below, with or without it
    try:
        with wave.open(str(target), "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            for start in range(0, total, BLOCK):
                count = min(BLOCK, total - start)
                mixed = np.zeros((count, 2))
                for passage in spoken:
                    if passage.start < start + count and passage.end > start:
                        _add(mixed, start, passage)
                if music is not None and gain is not None:
                    tune = np.frombuffer(music.readframes(count), dtype="<i2").reshape(-1, 2)
                    mixed[: len(tune)] += tune * np.interp(np.arange(start, start + len(tune)), *gain)[:, None]
                out.writeframes(np.clip(np.rint(mixed), -32768, 32767).astype("<i2").tobytes())
    finally:
        if music is not None:
            music.close()


def _add(mixed: Floats, start: int, passage: Passage) -> None:
    first, last = max(start, passage.start), min(start + len(mixed), passage.end)
    with wave.open(str(passage.path), "rb") as file:
        form = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if form != (1, 2, SAMPLE_RATE) or file.getnframes() < last - passage.start:
            raise Recoverable(
                "ResultInvalid",
                f"the speech {passage.path.name} is not what its manifest says: {form[0]} channels, {form[2]} Hz, "
                f"{file.getnframes()} samples",
                hint="it is made anew on the next attempt",
            )
        file.setpos(first - passage.start)
        voice = np.frombuffer(file.readframes(last - first), dtype="<i2") * BOTH_SIDES
        mixed[first - start : last - start] += voice[:, None]


def _gains(bed: Bed, spoken: Sequence[Passage], total: int) -> tuple[Floats, Floats]:
    """The music's gain over time, as corners of a polygon."""
    level = bed.voice_lufs + bed.look.gain_db - bed.lufs if bed.lufs > QUIET_LUFS else 0.0
    open_gain, ducked = _linear(level), _linear(level + bed.look.duck_db)
    corners: list[tuple[int, float]] = [(0, open_gain)]
    for start, end in _joined(spoken):
        corners += [(start - ATTACK, open_gain), (start, ducked), (end, ducked), (end + RELEASE, open_gain)]
    corners.append((total, open_gain))
    at = np.array([corner for corner, _ in corners], np.float64)
    gains = np.array([gain for _, gain in corners])
    fade = min(bed.look.fade_ms * SAMPLE_RATE // 1000, total // 2)
    # The fade's corners are laid among the others, and everything is multiplied there.
    every = np.unique(np.concatenate([np.clip(at, 0, total), np.array([0, fade, total - fade, total], np.float64)]))
    shape = np.interp(every, [0, fade, total - fade, total], [0, 1, 1, 0]) if fade else np.ones(len(every))
    return every, np.interp(every, at, gains) * shape


def _joined(spoken: Sequence[Passage]) -> list[tuple[int, int]]:
    """Passages with pauses too short for the music to return and step back are one."""
    found: list[tuple[int, int]] = []
    for passage in spoken:
        if found and passage.start - found[-1][1] < ATTACK + RELEASE:
            found[-1] = (found[-1][0], max(found[-1][1], passage.end))
        else:
            found.append((passage.start, passage.end))
    return found


class Done(Protocol):
    """Runs FFmpeg to a good end; `on_line` hears what it prints. May be called from several threads at once."""

    def __call__(self, argv: Sequence[str], doing: str, on_line: Callable[[str], None] | None = None) -> Finished:
        """Run it. Raises when it fails, with what it was `doing`."""


def compressed(program: str, laid: Path, target: Path, duration_ms: int, done: Done) -> Measured:
    """Write the laid sound as AAC, and measure it meanwhile: each keeps a core busy, and neither needs the other.

    Raises what `done` raises.
    """
    listener = Listener()
    with ThreadPoolExecutor(1, thread_name_prefix="listen") as beside:
        heard = beside.submit(done, encoding.listening(program, laid), "measuring the sound", listener.feed)
        done(encoding.sound(program, laid, target), "encoding the sound")
        loud = integrated(heard.result().stderr)
    return Measured(silence_ms=listener.silence_ms(duration_ms), lufs=loud)


def _linear(decibels: float) -> float:
    return float(10 ** (decibels / 20))


_INTEGRATED = re.compile(r"^\s*I:\s*(-?\d+(?:\.\d+)?|-inf|nan) LUFS", re.MULTILINE)


def loudness(program: str, path: Path) -> list[str]:
    """Command that measures a sound by EBU R128 and says so at the end of its standard error."""
    return [
        program, "-hide_banner", "-nostdin", "-nostats", "-v", "info", "-protocol_whitelist", "file", "-i",
        f"file:{path.absolute()}", "-map", "0:a:0", "-af", "ebur128=framelog=verbose", "-f", "null", "-",
    ]  # fmt: skip


def integrated(stderr: str) -> float:
    """Integrated loudness out of that; QUIET_LUFS for silence."""
    found = _INTEGRATED.findall(stderr)
    value = float(found[-1]) if found else float("-inf")
    return max(QUIET_LUFS, value)
