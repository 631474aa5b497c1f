"""SpeechGeneration: the words of an avatar become one sound, by the voices of a story (S-032). A silent face is no avatar."""

from __future__ import annotations

import wave

from videojob_api.avatar.tasks import SPEECH_FILE, SpeakParams
from videojob_api.contract import StageResult
from videojob_api.story.tasks import AudioParams
from videojob_api.v1alpha1 import AvatarStatus

from ..base.errors import BadConfig, Permanent, Recoverable
from ..providers.voices.base import TTS_ERROR
from ..storage.records import stored
from ..text.sentences import sentences
from .context import Context
from .narrating import Narrator

RATE = 48_000


def run(context: Context) -> StageResult:
    """Write the speech. Raises what the last voice raised, Recoverable (TTSError) when nobody spoke."""
    params = context.params
    if not isinstance(params, SpeakParams):
        raise BadConfig("BadDocument", "stage speak got another stage's params")
    voice = params.voice
    narrator = Narrator(
        context, AudioParams(voice=voice, fallback=params.fallback), params.language, voice.rate_percent
    )
    narration = narrator.narrate(sentences(params.text, params.language))
    spoken = [each for each in narration.spoken if each is not None]
    if narration.silent:
        text = "nobody spoke: " + "; ".join(narration.failed)
        raise Recoverable(TTS_ERROR, text[:400], hint="name a voice that speaks in avatar.speech.voice.providers")
    if not spoken:
        raise Permanent(TTS_ERROR, "the text has no word that can be spoken", hint="write words in avatar.speech.text")
    target, pause = context.staging / SPEECH_FILE, bytes(2 * (voice.pause_ms * RATE // 1000))
    with wave.open(str(target), "wb") as whole:
        whole.setnchannels(1)
        whole.setsampwidth(2)
        whole.setframerate(RATE)
        for place, each in enumerate(spoken):
            with wave.open(str(each.path), "rb") as part:
                whole.writeframes((pause if place else b"") + part.readframes(part.getnframes()))
        length = whole.getnframes() * 1000 // RATE
    who = f"{spoken[0].tells.provider} ({spoken[0].tells.voice})"
    return StageResult(
        kind=context.kind.kind, message=f"{length / 1000:.1f} s spoken by {who}"[:200], parts=(stored(target),),
        degraded=narration.failed[:8], avatar=AvatarStatus(duration_ms=length),
    )  # fmt: skip
