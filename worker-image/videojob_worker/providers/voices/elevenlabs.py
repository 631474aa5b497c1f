"""ElevenLabs: `POST /v1/text-to-speech/{voice}/with-timestamps`, with the time of each sign (S-032)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from ...net.messages import Request
from ..calling import Means, answered_json, at, call, secret, wrong
from .base import Line, Manner, Script, Utterance, raw, service, spans, written

USUAL = "https://api.elevenlabs.io"
SERVICE = service("elevenlabs")
RATE = 24_000
SPEEDS = (70, 120)
"""Percent it can be slowed down or hurried; the rest is done here."""


class ElevenLabs:
    """One request for each line; plain samples, so that nothing has to be decoded."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:
        """Model and voice ID; without a voice that of its own examples."""
        choice = manner.choice
        return f"{choice.model or 'eleven_multilingual_v2'}:{choice.voice or 'JBFqnCBsd6RMkjVDRZzb'}"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, with the times of its words by the engine itself."""
        choice = manner.choice
        key = secret(means, SERVICE, choice.secret_name, "key")
        model, _, voice = self.chosen(manner).partition(":")
        path = f"/v1/text-to-speech/{quote(voice, safe='')}/with-timestamps?output_format=pcm_{RATE}"
        speed = max(SPEEDS[0], min(SPEEDS[1], manner.rate_percent))
        for line in lines:
            script = written(line, manner)
            body: dict[str, Any] = {"text": script.text, "model_id": model}
            if speed != 100:
                body["voice_settings"] = {"speed": speed / 100}
            request = Request(
                at(choice.endpoint, USUAL, path), headers={"Content-Type": "application/json", "xi-api-key": key},
                body=json.dumps(body).encode(), seconds=choice.timeout_seconds,
            )  # fmt: skip
            answer = answered_json(SERVICE, call(means, SERVICE, request))
            if not isinstance(answer, dict) or not isinstance(answer.get("audio_base64"), str):
                raise wrong(SERVICE, "the answer has no audio_base64")
            try:
                data = base64.b64decode(answer["audio_base64"], validate=True)
            except binascii.Error:
                raise wrong(SERVICE, "audio_base64 is no base64") from None
            yield Utterance(
                raw(SERVICE, data, RATE), spans(line, _times(script, answer.get("alignment"))),
                left_percent=manner.rate_percent * 100 // speed, left_semitones=manner.pitch_semitones,
            )  # fmt: skip


def _times(script: Script, alignment: Any) -> list[tuple[int, int, int]]:
    """Times of pieces from times of signs. Raises Recoverable for lists that do not fit the text."""
    try:
        signs = alignment["characters"]
        starts, ends = alignment["character_start_times_seconds"], alignment["character_end_times_seconds"]
        rows = [
            (sign, round(float(start) * 1000), round(float(end) * 1000))
            for sign, start, end in zip(signs, starts, ends, strict=True)
        ]
    except (KeyError, TypeError, ValueError):
        raise wrong(SERVICE, "the alignment is not as documented") from None
    if "".join(str(sign) for sign, _, _ in rows) != script.text:
        raise wrong(SERVICE, "the alignment is of another text")
    found, at_sign = [], 0
    for sign, start, end in rows:
        if not str(sign).isspace():
            found.append((script.piece_at(at_sign), start, end))
        at_sign += len(str(sign))
    return found
