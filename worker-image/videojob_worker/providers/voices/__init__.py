"""Who speaks: an interface, and one file and one row for each provider (S-032, S-033). Offline ones come first.

A voice gives raw samples and, where its engine tells, the times of words. All online ones are asked for plain PCM, so that
nothing a stranger sends is ever decoded beside their credentials. Loudness, caches, chains and files are the stage's.
"""

from __future__ import annotations

from dataclasses import dataclass

from videojob_api.story.params import Provider

from .. import rows
from .base import TTS_ERROR, Voice


@dataclass(frozen=True)
class Row:
    """One provider."""

    name: str
    module: str
    """Module and class, imported on use."""


VOICES: dict[str, Row] = {
    row.name: row
    for row in (
        Row("flite", "flite:Flite"),
        Row("espeak", "espeak:Espeak"),
        Row("offline", "offline:Offline"),
        Row("piper", "piper:Piper"),
        Row("silent", "silent:Silent"),
        Row("openai", "openai:OpenAI"),
        Row("elevenlabs", "elevenlabs:ElevenLabs"),
        Row("azure", "azure:Azure"),
        Row("google", "google:Google"),
        Row("polly", "polly:Polly"),
    )
}
"""Every provider by name."""


def voice(choice: Provider) -> Voice:
    """The provider that a link of the chain names. Raises Permanent listing the known ones."""
    found: Voice = rows.chosen(
        __name__, VOICES, choice.name, what="voice provider", field="story.voice.providers[].name", code=TTS_ERROR
    )
    return found
