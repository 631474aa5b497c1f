"""What every voice has in common: lines in, samples and words' times out."""

from __future__ import annotations

import array
import io
import sys
import wave
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

from videojob_api.story.params import Provider
from videojob_api.story.scenes import Phoneme, Word

from ...base.words import Piece
from ..calling import Means, Service, wrong

TTS_ERROR = "TTSError"
"""`failure.code` of every voice (S-071)."""
FIELD = "story.voice.providers"


@dataclass(frozen=True)
class Line:
    """What one scene says."""

    text: str
    """As it is written."""
    pieces: tuple[Piece, ...]
    """Its words, with their place in the shown text."""


@dataclass(frozen=True)
class Manner:
    """How all lines of a story are said."""

    language: str
    """BCP 47 tag."""
    rate_percent: int
    pitch_semitones: int
    choice: Provider
    """The link of the chain that was taken."""

    @property
    def tongue(self) -> str:
        """Language without region."""
        return self.language.partition("-")[0].lower()


@dataclass(frozen=True)
class Sound:
    """Mono samples."""

    rate: int
    """Samples a second."""
    data: bytes = field(repr=False)
    """16 bits each, signed, little-endian."""

    @property
    def duration_ms(self) -> int:
        """Its length."""
        return len(self.data) // 2 * 1000 // self.rate


@dataclass(frozen=True)
class Utterance:
    """One line, spoken."""

    sound: Sound
    words: tuple[Word, ...] = ()
    timing: Literal["engine", "aligned", "estimated"] = "engine"
    phonemes: tuple[Phoneme, ...] = ()
    left_percent: int = 100
    """Change of rate that the engine could not do itself."""
    left_semitones: int = 0
    """Change of pitch that the engine could not do itself."""


class Voice(Protocol):
    """A provider of speech."""

    version: ClassVar[int]
    """Raised when the same request gives other sound; part of what speech is kept by."""

    def chosen(self, manner: Manner) -> str:
        """Name of the voice that will speak. Raises Permanent when there is none for the language."""

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Each line in order, as soon as it is spoken; None for a line that is to stay silent.

        Raises Permanent, External, Recoverable or Stalled.
        """


def service(name: str) -> Service:
    """A voice as a service that is called."""
    return Service(name, TTS_ERROR, FIELD)


@dataclass(frozen=True)
class Script:
    """A line as one text for an engine, and where in it each piece begins."""

    text: str
    starts: tuple[int, ...]

    def piece_at(self, place: int) -> int:
        """Which piece a place of the text belongs to."""
        return max(0, bisect_right(self.starts, place) - 1)


def scripted(line: Line, *, blank: str = " ", readings: Sequence[str] | None = None) -> Script:
    """The readings of a line's pieces as one text."""
    text, starts = "", []
    for reading in readings if readings is not None else [piece.reading for piece in line.pieces]:
        text += blank if text else ""
        starts.append(len(text))
        text += reading
    return Script(text, tuple(starts))


def written(line: Line, manner: Manner) -> Script:
    """A line for an engine that reads the language's own writing: no kana, no blanks where there are none."""
    if manner.tongue in {"ja", "zh", "yue", "th"}:
        return scripted(line, blank="", readings=[piece.text for piece in line.pieces])
    return scripted(line)


def spans(line: Line, found: Sequence[tuple[int, int, int]]) -> tuple[Word, ...]:
    """Words from times of pieces `(index, start_ms, end_ms)`; several of one piece are one word, none leaps back.

    A piece the engine said nothing of begins and ends where its neighbour does.
    """
    times: dict[int, tuple[int, int]] = {}
    for index, start, end in found:
        old = times.get(index)
        times[index] = (min(start, old[0]), max(end, old[1])) if old else (start, max(start, end))
    words, at = [], 0
    for index, piece in enumerate(line.pieces):
        start, end = times.get(index, (at, at))
        start = max(at, start)
        end = max(start, end)
        words.append(Word(text=piece.text, start_ms=start, end_ms=end, begin=piece.begin, end=piece.end))
        at = end
    return tuple(words)


def wav(service_: Service, data: bytes) -> Sound:
    """Samples of a WAV file, mixed to mono. Raises Recoverable for what is no PCM of 16 bits.

    Read here and not by FFmpeg: what a stranger sends meets no decoder. Lengths in the header are not believed.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise wrong(service_, f"the sound is no WAV: it begins with {data[:8].hex()}")
    at, rate, channels = 12, 0, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if name == b"fmt ":
            kind, channels = int.from_bytes(body[:2], "little"), int.from_bytes(body[2:4], "little")
            rate, bits = int.from_bytes(body[4:8], "little"), int.from_bytes(body[14:16], "little")
            if kind not in {1, 0xFFFE} or bits != 16 or channels not in {1, 2} or not 8000 <= rate <= 192_000:
                raise wrong(service_, f"the WAV has format {kind}, {bits} bits, {channels} channels, {rate} Hz")
        elif name == b"data" and rate:
            return raw(service_, data[at + 8 : at + 8 + size] if size < 0xFFFFFF00 else data[at + 8 :], rate, channels)
        at += 8 + size + size % 2
    raise wrong(service_, "the WAV holds no samples")


def raw(service_: Service, data: bytes, rate: int, channels: int = 1) -> Sound:
    """Plain samples of 16 bits, mixed to mono."""
    data = data[: len(data) // (2 * channels) * 2 * channels]
    if not data:
        raise wrong(service_, "no sound came")
    if channels == 2:
        both = array.array("h", data)
        if sys.byteorder == "big":
            both.byteswap()
        mixed = array.array("h", [(a + b) // 2 for a, b in zip(both[::2], both[1::2], strict=True)])
        if sys.byteorder == "big":
            mixed.byteswap()
        data = mixed.tobytes()
    return Sound(rate, data)


def as_wav(sound: Sound) -> bytes:
    """The same as a WAV file of our own."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes(sound.data)
    return buffer.getvalue()
