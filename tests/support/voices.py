"""Voices under test: means that are real but for the network's wall, and servers that answer as the vendors' manuals show."""

from __future__ import annotations

import base64
import io
import json
import math
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from videojob_api.contract import FetchPolicy
from videojob_api.story.params import Provider
from videojob_worker.base import process
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.base.words import Piece
from videojob_worker.providers.calling import Means
from videojob_worker.providers.voices.base import Line, Manner
from webserver import Answer, Request, reply

LOOPBACK = FetchPolicy(allow_networks=("127.0.0.0/8",))
PATHS = {
    "openai": "/v1/audio/speech",
    "elevenlabs": "/v1/text-to-speech/JBFqnCBsd6RMkjVDRZzb/with-timestamps",
    "azure": "/cognitiveservices/v1",
    "google": "/v1beta1/text:synthesize",
    "polly": "/v1/speech",
}
"""Where each service is asked for speech."""
MORE: dict[str, dict[str, Any]] = {"polly": {"region": "eu-central-1"}}
"""What a choice of that service has to name besides."""


def tone(milliseconds: int, rate: int = 24_000, hertz: int = 220, level: int = 8000) -> bytes:
    """Samples of a tone, 16 bits."""
    count = milliseconds * rate // 1000
    return struct.pack(f"<{count}h", *(round(level * math.sin(2 * math.pi * hertz * at / rate)) for at in range(count)))


def wav_file(data: bytes, rate: int = 24_000, channels: int = 1, width: int = 2) -> bytes:
    """A WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return buffer.getvalue()


def line(text: str) -> Line:
    """A line in a language with blanks, its words as they stand."""
    pieces, at = [], 0
    for word in text.split():
        at = text.index(word, at)
        pieces.append(Piece(at, at + len(word), word, word))
        at += len(word)
    return Line(text, tuple(pieces))


def manner(name: str, language: str = "en-US", **choice: Any) -> Manner:
    """How to speak, by one provider."""
    rate, pitch = choice.pop("rate", 100), choice.pop("pitch", 0)
    return Manner(language, rate, pitch, Provider.model_validate({"name": name, **choice}))


def means(folder: Path, *, secrets: dict[str, str] | None = None, retries: int = 0) -> Means:
    """Means in a folder; waits are not waited."""
    (folder / "secrets" / "tts").mkdir(parents=True, exist_ok=True)
    for name, value in (secrets or {}).items():
        (folder / "secrets" / "tts" / name).write_text(value)

    def run(argv: Any, on_line: Callable[[str], None] | None = None) -> process.Finished:
        return process.run(argv, cwd=folder, stop=Stop(), deadline=Deadline(60), on_line=on_line)

    return Means(
        run=run, scratch=folder, stock=folder, secrets=folder / "secrets", policy=LOOPBACK, check=lambda: None,
        wait=lambda _: None, retries=retries, threads=2,
    )  # fmt: skip


SECRETS = {"key": "sk-0123456789abcdef", "accessKeyId": "AKIDEXAMPLE", "secretAccessKey": "wJalrXUtnFEMI/K7MDENG"}


def json_reply(value: Any, status: str = "200 OK", headers: tuple[str, ...] = ()) -> Answer:
    """An answer in JSON."""
    return reply(json.dumps(value).encode(), status, ("Content-Type: application/json", *headers))


def elevenlabs(text: str, milliseconds: int = 1200) -> dict[str, Any]:
    """Its answer with timestamps: each sign takes as long as every other."""
    step = milliseconds / 1000 / len(text)
    alignment = {
        "characters": list(text),
        "character_start_times_seconds": [round(at * step, 3) for at in range(len(text))],
        "character_end_times_seconds": [round((at + 1) * step, 3) for at in range(len(text))],
    }
    sound = base64.b64encode(tone(milliseconds)).decode()
    return {"audio_base64": sound, "alignment": alignment, "normalized_alignment": alignment}


def google(count: int, milliseconds: int = 1200) -> dict[str, Any]:
    """Its answer with the marks' times."""
    points = [{"markName": str(at), "timeSeconds": round(at * milliseconds / 1000 / count, 3)} for at in range(count)]
    points[0].pop("timeSeconds")  # a zero is left away in its JSON
    sound = base64.b64encode(wav_file(tone(milliseconds))).decode()
    return {"audioContent": sound, "timepoints": points, "audioConfig": {"audioEncoding": "LINEAR16"}}


def polly(text: str, milliseconds: int = 1200) -> Answer:
    """Samples, or marks of the words of this text within its SSML."""

    def answer(request: Request, connection: Any) -> None:
        asked = json.loads(request.body)
        if asked["OutputFormat"] == "pcm":
            reply(tone(milliseconds, 16_000), headers=("Content-Type: audio/pcm",))(request, connection)
            return
        rows, ssml = [], asked["Text"].encode()
        words = text.split()
        at = 0
        for place, word in enumerate(words):
            at = ssml.index(word.encode(), at)
            row = {
                "time": place * milliseconds // len(words),
                "type": "word",
                "start": at,
                "end": at + len(word),
                "value": word,
            }
            rows.append(json.dumps(row))
            at += len(word)
        reply("\n".join(rows).encode(), headers=("Content-Type: application/x-json-stream",))(request, connection)

    return answer
