"""Speaks lines with the espeak-ng library, in a process of its own (`host.py`, S-032).

Its program does not print the times of words, its library does. The library is under the GPL and reads arbitrary text in C:
both are reasons for a process of its own. Standard library only.
"""

from __future__ import annotations

import ctypes as c
import wave
from pathlib import Path
from typing import Any

SYNCHRONOUS = 2
"""No thread of its own, which a fork would lose."""
PHONEME_EVENTS, PHONEME_IPA, DONT_EXIT = 1, 2, 0x8000
WORD, END, PHONEME = 1, 5, 7
UTF8 = 1
RATE, PITCH = 1, 3


class Id(c.Union):
    """The variable part of an event."""

    _fields_ = (("number", c.c_int), ("name", c.c_char_p), ("string", c.c_char * 8))


class Event(c.Structure):
    """espeak_EVENT."""

    _fields_ = (
        ("type", c.c_int), ("unique", c.c_uint), ("position", c.c_int), ("length", c.c_int), ("milliseconds", c.c_int),
        ("sample", c.c_int), ("user", c.c_void_p), ("id", Id),
    )  # fmt: skip


Heard = c.CFUNCTYPE(c.c_int, c.POINTER(c.c_short), c.c_int, c.POINTER(Event))


class Espeak:
    """The library, and one voice of it."""

    def __init__(self, voice: str, words_per_minute: int, pitch: int) -> None:
        self.lib = c.CDLL("libespeak-ng.so.1")
        self.rate = self.lib.espeak_Initialize(SYNCHRONOUS, 0, None, PHONEME_EVENTS | PHONEME_IPA | DONT_EXIT)
        if self.rate <= 0:
            raise SystemExit("the data of espeak-ng is missing: install the package espeak-ng-data")
        if self.lib.espeak_SetVoiceByName(voice.encode("ascii")) != 0:
            raise SystemExit(f"espeak-ng has no voice {voice}")
        self.lib.espeak_SetParameter(RATE, words_per_minute, 0)
        self.lib.espeak_SetParameter(PITCH, pitch, 0)
        self.samples = bytearray()
        self.events: list[list[Any]] = []
        self.heard = Heard(self._hear)  # kept: the library holds no reference
        self.lib.espeak_SetSynthCallback(self.heard)

    def _hear(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self.samples += c.string_at(samples, 2 * count)
        place = 0
        while events[place].type:
            event = events[place]
            if event.type in {WORD, END, PHONEME}:
                symbol = event.id.string.decode("utf-8", "replace") if event.type == PHONEME else ""
                self.events.append([event.type, event.position - 1, event.milliseconds, symbol])
            place += 1
        return 0

    def speak(self, text: str, out: Path) -> dict[str, Any]:
        """Say a text into a WAV file; events as `[kind, place in the text, ms, symbol]`."""
        self.samples.clear()
        self.events.clear()
        data = text.encode() + b"\0"
        self.lib.espeak_Synth(data, len(data), 0, 1, 0, UTF8, None, None)
        self.lib.espeak_Synchronize()
        with wave.open(str(out), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(bytes(self.samples))
        return {"events": list(self.events)}


def engine(request: dict[str, Any]) -> Espeak:
    """The engine of a request `{voice, wordsPerMinute, pitch, ...}`, ready to speak."""
    return Espeak(request["voice"], request["wordsPerMinute"], request["pitch"])
