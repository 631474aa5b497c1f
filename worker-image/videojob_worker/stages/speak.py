"""SpeechGeneration: the words of an avatar become one sound, by the voices of a story (S-032). A silent face is no avatar."""

from __future__ import annotations

import wave

from videojob_api.avatar.tasks import SAID_FILE, SPEECH_FILE, Said, Sentence, SpeakParams
from videojob_api.contract import StageResult, canonical_json
from videojob_api.story.tasks import AudioParams
from videojob_api.v1alpha1 import AvatarStatus

from ..base.errors import BadConfig, Permanent, Recoverable
from ..providers.voices.base import TTS_ERROR
from ..storage.records import stored
from ..text.sentences import sentences
from .context import Context
from .narrating import Narrator
from .scenes import written

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
    texts = sentences(params.text, params.language)
    narration = narrator.narrate(texts)
    spoken = [each for each in narration.spoken if each is not None]
    if narration.silent:
        text = "nobody spoke: " + "; ".join(narration.failed)
        raise Recoverable(TTS_ERROR, text[:400], hint="name a voice that speaks in avatar.speech.voice.providers")
    if not spoken:
        raise Permanent(TTS_ERROR, "the text has no word that can be spoken", hint="write words in avatar.speech.text")
    target, pause = context.staging / SPEECH_FILE, bytes(2 * (voice.pause_ms * RATE // 1000))
    starts = list[int]()
    with wave.open(str(target), "wb") as whole:
        whole.setnchannels(1)
        whole.setsampwidth(2)
        whole.setframerate(RATE)
        for place, each in enumerate(spoken):
            whole.writeframes(pause if place else b"")
            starts.append(whole.getnframes() * 1000 // RATE)
            with wave.open(str(each.path), "rb") as part:
                whole.writeframes(part.readframes(part.getnframes()))
        length = whole.getnframes() * 1000 // RATE
    told = [(text, each.tells.words) for text, each in zip(texts, narration.spoken, strict=True) if each is not None]
    said = Said(
        sentences=tuple(
            Sentence(text=text, start_ms=start, end_ms=max(start + 1, end), words=words)
            for (text, words), start, end in zip(told, starts, [*starts[1:], length], strict=True)
        )
    )
    who = f"{spoken[0].tells.provider} ({spoken[0].tells.voice})"
    return StageResult(
        kind=context.kind.kind, message=f"{length / 1000:.1f} s spoken by {who}"[:200],
        parts=(stored(target), written(context.staging, SAID_FILE, canonical_json(said.dump()))),
        degraded=narration.failed[:8], avatar=AvatarStatus(duration_ms=length),
    )  # fmt: skip
