"""Music for the demo's story: a slow pad in four chords, a few bells above it, made of sines on this machine."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
BAR_SECONDS = 6.0
ECHO = "aecho=0.8:0.6:90|170|310:0.32|0.22|0.14,lowpass=f=6500"
CHORDS = (("D2", "A2", "D3", "F3", "A3", "E4"), ("A#1", "F2", "D3", "F3", "A3", "C4"),
          ("F2", "C3", "F3", "A3", "C4", "G4"), ("C2", "G2", "C3", "E3", "G3", "D4"))  # fmt: skip
BELLS = (("A4", "D5"), ("F5", "E5", "C5"), ("A4", "C5", "G5"), ("E5", "D5"))
"""What is struck over each chord, evenly spread, a little late."""
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
Sound = NDArray[np.float64]


def pitch(note: str) -> float:
    """Hertz of `A4`."""
    return float(440.0 * 2 ** ((NAMES.index(note[:-1]) - 9) / 12 + int(note[-1]) - 4))


def _pad(time: Sound, note: str, side: int) -> Sound:
    """A soft string: three sines that drift apart, on either side of the ear a little differently."""
    hertz, drift = pitch(note), 0.6 if side else -0.6
    tones = [np.sin(2 * np.pi * (hertz + cents * hertz / 1731 + drift * 0.1) * time + side) for cents in (-5, 0, 6)]
    warm = 0.22 * np.sin(4 * np.pi * hertz * time + side)
    swell = 0.85 + 0.15 * np.sin(2 * np.pi * time / 7.3 + hertz)
    return np.asarray((sum(tones) / 3 + warm) * swell / (hertz / 110) ** 0.55)


def _bell(time: Sound, note: str) -> Sound:
    hertz = pitch(note)
    parts = ((1, 1.0, 1.6), (2.001, 0.35, 2.6), (3.01, 0.16, 4.2))
    struck = 1 - np.exp(-time * 220)
    return np.asarray(
        sum(gain * np.sin(2 * np.pi * hertz * n * time) * np.exp(-decay * time) for n, gain, decay in parts) * struck
    )


def composed(seconds: float) -> Sound:
    """So much of it, stereo, within -1 to 1."""
    total = int(seconds * RATE)
    out = np.zeros((total + int(9 * RATE), 2))
    for bar in range(int(np.ceil(seconds / BAR_SECONDS))):
        start = int(bar * BAR_SECONDS * RATE)
        time = np.arange(int((BAR_SECONDS + 2.6) * RATE)) / RATE
        shape = np.clip(time / 1.9, 0, 1) * np.clip((BAR_SECONDS + 2.6 - time) / 2.6, 0, 1)
        for note in CHORDS[bar % len(CHORDS)]:
            for side in (0, 1):
                out[start : start + len(time), side] += 0.10 * _pad(time, note, side) * shape
        ring = np.arange(int(3.2 * RATE)) / RATE
        struck = BELLS[bar % len(BELLS)] if bar else ()
        for place, note in enumerate(struck):
            at = start + int((0.35 + place * BAR_SECONDS / len(struck)) * RATE)
            pan = 0.35 + 0.3 * (place % 2)
            for side, gain in ((0, 1 - pan), (1, pan)):
                out[at : at + len(ring), side] += 0.13 * gain * _bell(ring, note)
    found = out[:total]
    return np.asarray(found / np.abs(found).max() * 0.8)


def write(path: Path, seconds: float) -> None:
    """The music as M4A, with some room round it. Raises RuntimeError with FFmpeg's words."""
    raw = path.with_suffix(".wav")
    with wave.open(str(raw), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((composed(seconds) * 32767).astype("<i2").tobytes())
    argv = [
        "ffmpeg",
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-i",
        str(raw),
        "-af",
        ECHO,
        "-c:a",
        "aac",
        "-b:a",
        "128k",
        str(path),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    raw.unlink()
    if done.returncode != 0:
        raise RuntimeError(f"ffmpeg failed while making the music: {done.stderr.strip()[-2000:]}")
