"""Amazon Polly: `POST /v1/speech` twice, for the samples and for the marks of words; signed with SigV4 (S-032)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, ClassVar

from ...base.errors import External, Permanent
from ...net.messages import Reply, Request
from ..calling import Means, at, call, secret, wrong
from ..sigv4 import Credentials, signed
from .base import TTS_ERROR, Line, Manner, Sound, Utterance, raw, service, spans

SERVICE = service("polly")
RATE = 16_000
_VOICES = {
    "en": "Joanna", "de": "Vicki", "fr": "Lea", "es": "Lucia", "it": "Bianca", "pt": "Camila", "ja": "Takumi", "zh": "Zhiyu",
    "nl": "Laura", "ko": "Seoyeon", "hi": "Kajal", "sv": "Elin", "pl": "Ola",
}  # fmt: skip


def _now() -> datetime:
    return datetime.now(UTC)


class Polly:
    """Two requests for each line; neural voices know no pitch."""

    version: ClassVar[int] = 1

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now

    def chosen(self, manner: Manner) -> str:
        """Engine and voice; without a voice one of the language."""
        voice = manner.choice.voice or _VOICES.get(manner.tongue)
        if voice is None:
            raise Permanent(
                TTS_ERROR, f"polly needs a voice for {manner.language}",
                hint="name one, such as Astrid, in story.voice.providers[].voice",
            )  # fmt: skip
        return f"{manner.choice.model or 'neural'}:{voice}"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, with the times at which its words begin."""
        choice = manner.choice
        name, region = choice.secret_name, choice.region
        if region is None:
            raise Permanent(
                TTS_ERROR, "polly needs a region", hint="set story.voice.providers[].region, for example eu-central-1"
            )
        credentials = Credentials(
            secret(means, SERVICE, name, "accessKeyId"), secret(means, SERVICE, name, "secretAccessKey"),
            secret(means, SERVICE, name, "sessionToken", optional=True),
        )  # fmt: skip
        url = at(choice.endpoint, f"https://polly.{region}.amazonaws.com", "/v1/speech")
        engine, _, voice = self.chosen(manner).partition(":")

        def ask(wanted: dict[str, Any]) -> Reply:
            body = json.dumps({"Engine": engine, "VoiceId": voice, "TextType": "ssml", **wanted}).encode()
            headers = signed(
                "POST", url, {"Content-Type": "application/json"}, body, credentials=credentials, region=region,
                service="polly", now=self._now(),
            )  # fmt: skip
            request = Request(url, headers=headers, body=body, seconds=choice.timeout_seconds)
            try:
                return call(means, SERVICE, request)
            except Permanent as error:
                if "Throttling" in error.message:  # its answer 400 means what others say with 429
                    raise External(SERVICE.code, error.message, hint="its limit is reached: it goes on later") from None
                raise

        for line in lines:
            text, starts = ssml(line, manner)
            sound = raw(SERVICE, ask({"OutputFormat": "pcm", "SampleRate": str(RATE), "Text": text}).body, RATE)
            marks = ask({"OutputFormat": "json", "SpeechMarkTypes": ["word"], "Text": text}).body
            yield Utterance(sound, spans(line, _times(marks, starts, sound)), left_semitones=manner.pitch_semitones)


def ssml(line: Line, manner: Manner) -> tuple[str, tuple[int, ...]]:
    """The line as SSML, and at which byte each piece begins, as the marks count."""
    blank = "" if manner.tongue in {"ja", "zh"} else " "
    text = f'<speak><prosody rate="{manner.rate_percent}%">' if manner.rate_percent != 100 else "<speak>"
    starts = []
    for place, piece in enumerate(line.pieces):
        text += blank if place else ""
        starts.append(len(text.encode()))
        text += escape(piece.reading if blank else piece.text, quote=False)
    return text + ("</prosody></speak>" if manner.rate_percent != 100 else "</speak>"), tuple(starts)


def _times(marks: bytes, starts: Sequence[int], sound: Sound) -> list[tuple[int, int, int]]:
    """Times of pieces from one JSON object a line."""
    try:
        rows = [json.loads(row) for row in marks.splitlines() if row.strip()]
        begun = [(int(row["start"]), int(row["time"])) for row in rows if row["type"] == "word"]
    except (ValueError, KeyError, TypeError):
        raise wrong(SERVICE, "the speech marks are not as documented") from None
    ends = [ms for _, ms in begun[1:]] + [sound.duration_ms]
    found = []
    for (place, ms), end in zip(begun, ends, strict=True):
        index = max((at_piece for at_piece, start in enumerate(starts) if start <= place), default=0)
        found.append((index, ms, max(ms, end)))
    return found
