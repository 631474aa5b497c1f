"""Speech by OpenAI's REST shape, which many servers of one's own speak too: `POST /v1/audio/speech` (S-032)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import ClassVar

from ...net.messages import Request
from ..calling import Means, at, call, secret
from .base import Line, Manner, Utterance, service, wav, written

USUAL = "https://api.openai.com/v1"
SERVICE = service("openai")


class OpenAI:
    """One request for each line; it tells no times of words and knows no pitch."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:
        """The voice that was named, else `alloy`."""
        return f"{manner.choice.model or 'tts-1'}:{manner.choice.voice or 'alloy'}"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line; a server of one's own (`endpoint`, ending in /v1) may need no key."""
        choice = manner.choice
        key = secret(means, SERVICE, choice.secret_name, "key", optional=choice.endpoint is not None)
        model, _, voice = self.chosen(manner).partition(":")
        headers = {"Content-Type": "application/json", "Accept": "audio/wav"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        for line in lines:
            body: dict[str, object] = {
                "model": model, "input": written(line, manner).text, "voice": voice, "response_format": "wav",
            }  # fmt: skip
            if manner.rate_percent != 100:  # not every model knows it
                body["speed"] = manner.rate_percent / 100
            request = Request(
                at(choice.endpoint, USUAL, "/audio/speech"), headers=headers, body=json.dumps(body).encode(),
                seconds=choice.timeout_seconds,
            )  # fmt: skip
            yield Utterance(wav(SERVICE, call(means, SERVICE, request).body), left_semitones=manner.pitch_semitones)
