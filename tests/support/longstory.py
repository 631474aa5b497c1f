"""A long story in two languages, and what an eye and an ear find in its finished file: cuts, letters, voices."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stories import texture
from videojob_worker.compose.fonts import Face, FontBook

WIDTH, HEIGHT, FPS = 426, 240, 30
LETTERS_TOP = HEIGHT * 62 // 100
"""Captions stand below this row; above it is nothing but the picture."""
INK = 185
"""Letters are brighter than this, pictures darker."""
QUIET, LOUD = 60, 700
"""Levels of silence and of speech, of 32,768."""
ENGLISH = (
    "The lighthouse had been dark for thirty years.",
    "Nobody in the village spoke about it.",
    "One night the keeper saw a light.",
    "It came from under the water.",
    "He took his lamp and went down.",
    "Twenty steps led to the door.",
    "Behind the door a clock was ticking.",
    "Both hands pointed to midnight.",
    "A letter lay on the table.",
    "Don't turn the lamp, it said.",
    "Beyond the window nothing moved.",
    "Then the great bell began to ring.",
    "Boats turned towards the harbour.",
    "Every child was at the window.",
    "Down on the beach stood a man.",
    "Behind him the sea was glowing.",
    "Do you know the way, he asked.",
    "Only the keeper gave an answer.",
)
JAPANESE = (
    "その夜、灯台に明かりがともった。",
    "村の人は誰も知らなかった。",
    "古い時計が十二時を打った。",
    "どこかで鐘が鳴っている。",
    "母は窓をそっと開けた。",
    "波の音だけが聞こえる。",
    "だれかが浜辺に立っていた。",
    "名前はまだ分からない。",
    "ボートが港に戻ってきた。",
    "ランプの光が海を照らす。",
    "彼は手紙を読み始めた。",
    "子どもたちは眠っている。",
    "道はどちらですか、と男が聞いた。",
    "答える人はいなかった。",
    "月が雲の間から出てきた。",
    "遠くで犬がほえている。",
    "朝まであと三時間だった。",
    "だから灯台守は歩き出した。",
)
LONGER = "One night the keeper saw a light, far out where no ship had ever been, and it moved."
"""What the fifth sentence becomes."""


def sentences(count: int) -> list[str]:
    """So many sentences, English and Japanese ones by turns."""
    return [(ENGLISH if place % 2 == 0 else JAPANESE)[place // 2] for place in range(count)]


def asked(texts: list[str], pictures: list[str]) -> dict[str, Any]:
    """The story of these sentences, each with its picture, which moves; the next one comes by a cut."""
    scenes = [
        {"text": text, "image": {"uri": f"store://stock/{name}"}} for text, name in zip(texts, pictures, strict=True)
    ]
    look = {"effects": ["ken_burns"], "transition": {"kind": "cut"}}
    return {
        "width": WIDTH, "height": HEIGHT, "encoding": {"quality": "Draft"}, "captions": {"size": 80, "wordsPerLine": 6},
        "scenes": [{**scene, **look} for scene in scenes], "voice": {"pauseMs": 600}, "title": "The light",
    }  # fmt: skip


def paint(stock: Path, count: int) -> list[str]:
    """So many dark pictures, each other than its neighbours."""
    for number in range(count):
        darker = texture(WIDTH, HEIGHT, number).point(lambda value, low=20 + 25 * (number % 3): low + value // 4)
        darker.save(stock / f"p{number}.png")
    return [f"p{number}.png" for number in range(count)]


def boxed(face: Face, sign: str) -> bool:
    """Whether a font draws for a sign what it draws for one that nobody has: its empty box."""
    font = face.at(48)
    return bytes(font.getmask(sign)) == bytes(font.getmask("\U0010fffd"))


def boxes(fonts: FontBook, text: str, language: str) -> str:
    """Every visible sign of a text that is left out of the picture, or is an empty box in it."""
    drawn = {
        sign
        for run in fonts.runs(text, fonts.chain("Arial-Bold", language))
        for sign in run.text
        if not boxed(run.face, sign)
    }
    return "".join(sign for sign in dict.fromkeys(text) if not sign.isspace() and sign not in drawn)


@dataclass(frozen=True)
class Onsets:
    """When things begin in a finished film, in milliseconds, found in the file alone."""

    cuts: tuple[float, ...]
    """The first scene begins at 0, the others where the picture above the letters is another one."""
    letters: tuple[float, ...]
    """Where letters stand that did not stand there before."""
    voices: tuple[float, ...]
    """Where somebody speaks after a silence."""

    def apart(self) -> list[tuple[float, float, float]]:
        """For each cut: how far from it the nearest letters and the nearest voice begin, and these from each other."""
        found = []
        for cut in self.cuts:
            letters = min(self.letters, key=lambda at: abs(at - cut))
            voice = min(self.voices, key=lambda at: abs(at - cut))
            found.append((abs(letters - cut), abs(voice - cut), abs(letters - voice)))
        return found


def onsets(film: Path) -> Onsets:
    """Look at a film, and listen to it."""
    seen = _decoded(film, "-pix_fmt", "gray", "-f", "rawvideo")
    frames = np.frombuffer(seen, np.uint8).reshape(-1, HEIGHT, WIDTH)
    upper = frames[:, : HEIGHT // 2 : 2, ::2].astype(np.int16)
    change = np.abs(np.diff(upper, axis=0)).mean(axis=(1, 2))
    cuts = [0, *(int(at) + 1 for at in np.flatnonzero(change > 8))]
    ink = frames[:, LETTERS_TOP:] > INK
    new = (ink[1:] & ~ink[:-1]).sum(axis=(1, 2))
    letters = [*([0] if ink[0].sum() > 25 else []), *(int(at) + 1 for at in np.flatnonzero(new > 60))]
    level = _level(film)
    voices, quiet = [], 200
    for at, value in enumerate(level):
        if value > LOUD and quiet >= 150:
            voices.append(at)
        quiet = quiet + 1 if value < LOUD else 0
    times = [tuple(frame * 1000 / FPS for frame in row) for row in (cuts, letters)]
    return Onsets(times[0], times[1], tuple(map(float, voices)))


def _level(film: Path) -> NDArray[np.float64]:
    """The sound's level, 1,000 values a second."""
    heard = _decoded(film, "-map", "0:a", "-ac", "1", "-ar", "48000", "-f", "s16le")
    samples = np.abs(np.frombuffer(heard, "<i2").astype(np.float64))
    level: NDArray[np.float64] = samples[: len(samples) // 48 * 48].reshape(-1, 48).max(axis=1)
    return level


def _decoded(film: Path, *how: str) -> bytes:
    argv = ["ffmpeg", "-v", "error", "-i", str(film), *how, "-"]
    return subprocess.run(argv, capture_output=True, check=True).stdout
