"""Google Cloud Text-to-Speech: `POST /v1beta1/text:synthesize`, with a mark before each word (S-032, S-034)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, ClassVar

from ...net.messages import Request
from ..calling import Means, answered_json, at, call, secret, wrong
from .base import Line, Manner, Sound, Utterance, service, spans, wav

USUAL = "https://texttospeech.googleapis.com"
SERVICE = service("google")
_REGIONS = {
    "en": "en-US", "de": "de-DE", "fr": "fr-FR", "es": "es-ES", "it": "it-IT", "pt": "pt-BR", "ja": "ja-JP", "zh": "cmn-CN",
    "nl": "nl-NL", "ko": "ko-KR", "hi": "hi-IN", "sv": "sv-SE",
}  # fmt: skip


class Google:
    """One request for each line; v1beta1, because v1 tells no times."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:
        """The voice that was named, else the seeds' en-US-Neural2-C, else the language's usual one."""
        named = manner.choice.voice
        if named is not None:
            return named
        return "en-US-Neural2-C" if manner.tongue == "en" else f"{_language(manner)}:usual"

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, with the times at which its words begin."""
        choice, named = manner.choice, self.chosen(manner)
        headers = {
            "Content-Type": "application/json",
            "X-Goog-Api-Key": secret(means, SERVICE, choice.secret_name, "key"),
        }
        voice = {"languageCode": "-".join(named.split("-")[:2]).partition(":")[0]}
        if not named.endswith(":usual"):
            voice["name"] = named
        for line in lines:
            body = {
                "input": {"ssml": ssml(line, manner)},
                "voice": voice,
                "audioConfig": {
                    "audioEncoding": "LINEAR16", "sampleRateHertz": 24_000, "speakingRate": manner.rate_percent / 100,
                    "pitch": manner.pitch_semitones,
                },
                "enableTimePointing": ["SSML_MARK"],
            }  # fmt: skip
            url = at(choice.endpoint, USUAL, "/v1beta1/text:synthesize")
            request = Request(url, headers=headers, body=json.dumps(body).encode(), seconds=choice.timeout_seconds)
            answer = answered_json(SERVICE, call(means, SERVICE, request))
            try:
                sound = wav(SERVICE, base64.b64decode(answer["audioContent"], validate=True))
            except (KeyError, TypeError, binascii.Error):
                raise wrong(SERVICE, "the answer has no audioContent in base64") from None
            points = answer.get("timepoints") or []
            yield Utterance(sound, spans(line, _times(points, len(line.pieces), sound)) if points else ())


def _language(manner: Manner) -> str:
    return manner.language if "-" in manner.language else _REGIONS.get(manner.tongue, manner.language)


def ssml(line: Line, manner: Manner) -> str:
    """The line with a mark before each of its words; signs of scripts without blanks stand together."""
    blank = "" if manner.tongue in {"ja", "zh", "th"} else " "
    words = [piece.text if not blank else piece.reading for piece in line.pieces]
    marked = blank.join(f'<mark name="{place}"/>{escape(word)}' for place, word in enumerate(words))
    return f"<speak>{marked}</speak>"


def _times(points: Any, count: int, sound: Sound) -> list[tuple[int, int, int]]:
    """Times of pieces: each ends where the next begins, the last with the sound."""
    try:
        begun = sorted((int(point["markName"]), round(float(point.get("timeSeconds", 0)) * 1000)) for point in points)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise wrong(SERVICE, "the timepoints are not as documented") from None
    if any(not 0 <= place < count for place, _ in begun):
        raise wrong(SERVICE, "the timepoints are of another text")
    ends = [ms for _, ms in begun[1:]] + [sound.duration_ms]
    return [(place, ms, max(ms, end)) for (place, ms), end in zip(begun, ends, strict=True)]
