"""Speaks lines with the flite library, in a process of its own (`host.py`, S-032).

The library comes with Debian's FFmpeg, which links it. It is asked through ctypes because no program of it says when each
word begins; and not inside the worker, because what reads arbitrary text in C may crash. Standard library only.
"""

from __future__ import annotations

import ctypes as c
import wave
from pathlib import Path
from typing import Any

VOICES = ("slt", "rms", "awb", "kal16")


class Wave(c.Structure):
    """cst_wave."""

    _fields_ = (
        ("type", c.c_char_p), ("sample_rate", c.c_int), ("num_samples", c.c_int), ("num_channels", c.c_int),
        ("samples", c.POINTER(c.c_short)),
    )  # fmt: skip


class Named(c.Structure):
    """The head of cst_voice."""

    _fields_ = (("name", c.c_char_p), ("features", c.c_void_p))


class Relation(c.Structure):
    """cst_relation."""

    _fields_ = (
        ("name", c.c_char_p), ("features", c.c_void_p), ("utterance", c.c_void_p), ("head", c.c_void_p),
        ("tail", c.c_void_p),
    )  # fmt: skip


_TOKEN = b"R:SylStructure.parent.parent.R:Token.parent"


class Flite:
    """The library, and one voice of it."""

    def __init__(self, voice: str) -> None:
        self.lib = c.CDLL("libflite.so.1", c.RTLD_GLOBAL)
        for name in ("libflite_usenglish.so.1", "libflite_cmulex.so.1"):
            c.CDLL(name, c.RTLD_GLOBAL)
        lib, item, text = self.lib, c.c_void_p, c.c_char_p
        for name, result, arguments in (
            ("flite_synth_text", item, (text, item)), ("utt_relation", item, (item, text)), ("utt_wave", item, (item,)),
            ("item_next", item, (item,)), ("path_to_item", item, (item, text)), ("item_feat_present", c.c_int, (item, text)),
            ("item_feat_int", c.c_int, (item, text)), ("ffeature_string", text, (item, text)),
            ("ffeature_float", c.c_float, (item, text)), ("delete_utterance", None, (item,)),
            ("flite_feat_set_float", None, (item, text, c.c_float)),
        ):  # fmt: skip
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        lib.flite_init()
        library = c.CDLL(f"libflite_cmu_us_{voice}.so.1")
        register = getattr(library, f"register_cmu_us_{voice}")
        register.restype, register.argtypes = c.c_void_p, (c.c_char_p,)
        self.voice = register(None)

    def tune(self, stretch: float, pitch: float) -> None:
        """Rate and height; both 1.0 are the voice's own."""
        features = Named.from_address(self.voice).features
        self.lib.flite_feat_set_float(features, b"duration_stretch", stretch)
        self.lib.flite_feat_set_float(features, b"f0_shift", pitch)

    def speak(self, text: str, out: Path) -> dict[str, Any]:
        """Say a text of ASCII into a WAV file; sounds as `[symbol, end in s, place in the text or -1]`."""
        lib = self.lib
        said = lib.flite_synth_text(text.encode("ascii"), self.voice)
        try:
            sound = Wave.from_address(lib.utt_wave(said))
            with wave.open(str(out), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(sound.sample_rate)
                file.writeframes(c.string_at(sound.samples, 2 * sound.num_samples * sound.num_channels))
            sounds = []
            segment = Relation.from_address(lib.utt_relation(said, b"Segment")).head
            while segment:
                token = lib.path_to_item(segment, _TOKEN)
                known = token and lib.item_feat_present(token, b"file_pos")
                place = lib.item_feat_int(token, b"file_pos") if known else -1
                name = lib.ffeature_string(segment, b"name").decode("ascii", "replace")
                sounds.append([name, round(lib.ffeature_float(segment, b"end"), 4), place])
                segment = lib.item_next(segment)
        finally:
            lib.delete_utterance(said)
        return {"sounds": sounds}


def engine(request: dict[str, Any]) -> Flite:
    """The engine of a request `{voice, stretch, pitch, ...}`, ready to speak."""
    made = Flite(request["voice"])
    made.tune(request["stretch"], request["pitch"])
    return made
