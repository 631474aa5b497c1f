"""piper: natural voices, offline, when a model lies in the store's stock (S-032).

Its program is run, not its library: it is under the GPL. It is not part of the worker's image, nor is a model.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from ...base.errors import Permanent, Recoverable
from ..calling import Means
from .base import TTS_ERROR, Line, Manner, Utterance, service, wav, written

SERVICE = service("piper")


class Piper:
    """The program `piper`, one run for each line; it tells no times of words and knows no pitch."""

    version: ClassVar[int] = 1

    def __init__(self, program: str = "piper") -> None:
        self._program = program

    def chosen(self, manner: Manner) -> str:
        """The model's path below the stock, and the number of its speaker."""
        model = manner.choice.model
        if model is None or Path(model).is_absolute() or ".." in Path(model).parts or not model.endswith(".onnx"):
            raise Permanent(
                TTS_ERROR, "piper needs a model: a file of the stock that ends in .onnx",
                hint="put it and its .onnx.json into the stock and name it, for example voices/en_US-lessac-medium.onnx",
            )  # fmt: skip
        voice = manner.choice.voice
        if voice is not None and not voice.isdecimal():
            raise Permanent(TTS_ERROR, "piper's voices are numbers of speakers", hint="leave voice away, or give 0")
        return f"{model}:{voice or '0'}"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line."""
        model, _, speaker = self.chosen(manner).partition(":")
        path = means.stock / model
        for needed in (path, path.with_name(path.name + ".json")):
            if not needed.is_file():
                raise Permanent(
                    TTS_ERROR, f"the stock has no file {needed.relative_to(means.stock)}",
                    hint="piper needs the model and its .onnx.json side by side in the stock",
                )  # fmt: skip
        program = shutil.which(self._program)
        if program is None:
            raise Permanent(
                TTS_ERROR, "this worker image has no program piper",
                hint="build one with `pip install piper-tts`, or name another provider",
            )  # fmt: skip
        out, said = means.scratch / "piper.wav", means.scratch / "piper.txt"
        for line in lines:
            said.write_text(written(line, manner).text + "\n", encoding="utf-8")
            out.unlink(missing_ok=True)
            finished = means.run(
                [
                    program, "--model", str(path), "--input-file", str(said), "--output-file", str(out),
                    "--speaker", speaker, "--length-scale", f"{100 / manner.rate_percent:.4f}",
                ]
            )  # fmt: skip
            if finished.code != 0 or not out.is_file():
                last = (finished.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise Recoverable(
                    TTS_ERROR, f"piper ended with code {finished.code}: {last[:200]}", log_tail=finished.stderr
                )
            yield Utterance(wav(SERVICE, out.read_bytes()), left_semitones=manner.pitch_semitones)
