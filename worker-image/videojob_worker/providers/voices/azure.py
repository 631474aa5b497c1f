"""Azure AI Speech: `POST /cognitiveservices/v1` with SSML (S-032)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import ClassVar

from ...base.errors import Permanent
from ...net.messages import Request
from ..calling import Means, at, call, secret
from .base import TTS_ERROR, Line, Manner, Utterance, service, wav, written

SERVICE = service("azure")
_VOICES = {
    "en": "en-US-JennyNeural", "de": "de-DE-KatjaNeural", "fr": "fr-FR-DeniseNeural", "es": "es-ES-ElviraNeural",
    "it": "it-IT-ElsaNeural", "pt": "pt-BR-FranciscaNeural", "ja": "ja-JP-NanamiNeural", "zh": "zh-CN-XiaoxiaoNeural",
    "nl": "nl-NL-ColetteNeural", "ko": "ko-KR-SunHiNeural", "hi": "hi-IN-SwaraNeural", "ar": "ar-EG-SalmaNeural",
}  # fmt: skip


class Azure:
    """One request for each line; REST tells no times of words."""

    version: ClassVar[int] = 1

    def chosen(self, manner: Manner) -> str:
        """The voice that was named, else one of the language."""
        voice = manner.choice.voice or _VOICES.get(manner.tongue)
        if voice is None:
            raise Permanent(
                TTS_ERROR, f"azure needs a voice for {manner.language}",
                hint="name one, such as sv-SE-SofieNeural, in story.voice.providers[].voice",
            )  # fmt: skip
        return voice

    def speak(self, lines: Sequence[Line], manner: Manner, means: Means) -> Iterator[Utterance | None]:
        """Every line, as WAV."""
        choice = manner.choice
        if choice.region is None and choice.endpoint is None:
            raise Permanent(
                TTS_ERROR, "azure needs the region of the Speech resource",
                hint="set story.voice.providers[].region, for example westeurope",
            )  # fmt: skip
        voice = self.chosen(manner)
        headers = {
            "Ocp-Apim-Subscription-Key": secret(means, SERVICE, choice.secret_name, "key"),
            "Content-Type": "application/ssml+xml",
            "X-Microsoft-OutputFormat": "riff-24khz-16bit-mono-pcm",
            "User-Agent": "videojob",
        }
        url = at(choice.endpoint, f"https://{choice.region}.tts.speech.microsoft.com", "/cognitiveservices/v1")
        for line in lines:
            body = ssml(written(line, manner).text, voice, manner).encode()
            request = Request(url, headers=headers, body=body, seconds=choice.timeout_seconds)
            yield Utterance(wav(SERVICE, call(means, SERVICE, request).body))


def ssml(text: str, voice: str, manner: Manner) -> str:
    """The line as SSML; rate and pitch only where they are not the voice's own."""
    said = escape(text)
    wishes = ""
    if manner.rate_percent != 100:
        wishes += f' rate="{manner.rate_percent - 100:+d}%"'
    if manner.pitch_semitones:
        wishes += f' pitch="{manner.pitch_semitones:+d}st"'
    if wishes:
        said = f"<prosody{wishes}>{said}</prosody>"
    language = "-".join(voice.split("-")[:2]) if voice.count("-") > 1 else manner.language
    return (
        f'<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="{escape(language)}">'
        f'<voice name="{escape(voice)}">{said}</voice></speak>'
    )
