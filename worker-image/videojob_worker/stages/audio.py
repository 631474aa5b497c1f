"""AudioGeneration: each scene is spoken and measured, and the manifest gets its true times (S-008, S-039, S-065, C4)."""

from __future__ import annotations

from collections.abc import Sequence

from videojob_api.contract import StageFile, StageResult, canonical_json
from videojob_api.story import platforms
from videojob_api.story.looks import SAMPLE_RATE
from videojob_api.story.scenes import AssetRef, Scene, SceneManifest, Speech, Word
from videojob_api.story.tasks import AudioParams, Speaking, online
from videojob_api.story.timing import Fit, fit, laid_out, scene_ms, whole_frames, words_ms
from videojob_api.story.variants import MAIN, scenes_file
from videojob_api.v1alpha1 import StoryStatus

from ..base.errors import BadConfig
from ..base.words import Piece
from ..text.parsing import beyond
from ..text.pieces import pieces
from ..text.scripts import language_of
from ..text.splitting import divided
from .context import Context
from .narrating import Narration, Narrator, Spoken
from .scenes import manifest_of, said_of, variant, written

ROUNDS = 3
"""So often sentences that turn out too long are divided; a word alone is never cut."""


def run(context: Context) -> StageResult:
    """Write one WAV for each spoken scene, and `scenes.json`, one more of it for each take; equal sentences are one file.

    Raises what the last provider of the chain raised with `fallback: Deny`; Resource when the volume is full.
    """
    params = context.params
    if not isinstance(params, AudioParams):
        raise BadConfig("BadDocument", "stage audio got another stage's params")
    made: dict[str, StageFile] = {}
    others = {take.name: take for take in params.takes or ()}
    each = {name: _spoken(context, name, take, made) for name, take in {MAIN: params, **others}.items()}
    found, who = each[MAIN]
    return StageResult(
        kind=context.kind.kind,
        message=f"{len(found.scenes)} scenes spoken by {who or 'nobody'}, {found.duration_ms / 1000:.1f} s"[:200],
        parts=tuple(made.values()),
        degraded=said_of({name: told.degraded for name, (told, _) in each.items()}),
        notes=said_of({name: told.notes for name, (told, _) in each.items()}),
        story=StoryStatus(
            scenes=len(found.scenes),
            duration_ms=found.duration_ms,
            narrator=who[:200] if who is not None else None,
            variants=tuple(variant(told, name) for name, (told, _) in each.items() if name != MAIN) or None,
        ),
    )


def _spoken(
    context: Context, take: str, params: Speaking, made: dict[str, StageFile]
) -> tuple[SceneManifest, str | None]:
    """One take: its manifest, which lies beside its speech then, and who spoke."""
    manifest = manifest_of(context, "scenes", take)
    # What is counted is a guess: voices that cost nothing speak at the rate asked for first, and are measured.
    first = manifest.rate_percent if online(params.voice) else params.voice.rate_percent
    narrator = Narrator(context, params, manifest.language, first)
    scenes, narration = _narrated(narrator, manifest, params)
    speeches = [
        _speech(context, spoken, scene, manifest.language, made)
        for scene, spoken in zip(scenes, narration.spoken, strict=True)
    ]
    manifest = manifest.model_copy(update={"rate_percent": narrator.rate_percent})
    found = timed(manifest, scenes, speeches, params, silent=narration.silent)
    found = found.model_copy(update={"degraded": degraded(narration, speeches)})
    file = scenes_file(take)
    made[file] = written(context.staging, file, canonical_json(found.dump()))
    return found, next((f"{speech.provider} ({speech.voice})" for speech in speeches if speech is not None), None)


def _narrated(narrator: Narrator, manifest: SceneManifest, params: Speaking) -> tuple[list[Scene], Narration]:
    """The scenes, spoken; those of a script whose speech turned out longer than the limit divided and spoken anew."""
    scenes = list(manifest.scenes)
    narration = narrator.narrate([scene.spoken for scene in scenes])
    rate = better_rate(scenes, narration, params, narrator.rate_percent)
    if rate != narrator.rate_percent:
        narrator.rate_percent = rate
        narration = narrator.narrate([scene.spoken for scene in scenes])
    for _ in range(0 if params.explicit else ROUNDS):
        parts = [
            _divided(scene, spoken, params, manifest.language)
            for scene, spoken in zip(scenes, narration.spoken, strict=True)
        ]
        if all(len(part) == 1 for part in parts):
            break
        scenes = [scene for part in parts for scene in part]
        narration = narrator.narrate([scene.spoken for scene in scenes])
    return scenes, narration


def better_rate(scenes: Sequence[Scene], narration: Narration, params: Speaking, spoken_at: int) -> int:
    """The rate that meets the target with what was measured; the same one while pauses alone can meet it (S-002)."""
    speech_ms = [one.tells.samples * 1000 // SAMPLE_RATE for one in narration.spoken if one is not None]
    if params.target_duration_ms is None or not speech_ms:
        return spoken_at
    fixed_ms = sum(
        scene_ms(scene.spoken, params.splitting, speech_ms=None, pause_ms=0, given_ms=scene.given_ms).duration_ms
        for scene, one in zip(scenes, narration.spoken, strict=True)
        if one is None
    )

    def fitted(*, rate_open: bool) -> Fit:
        return fit(
            speech_ms, fixed_ms, rate_percent=spoken_at, pause_ms=params.voice.pause_ms,
            target_ms=params.target_duration_ms, rate_open=rate_open, asked_percent=params.voice.rate_percent,
        )  # fmt: skip

    return spoken_at if fitted(rate_open=False).note is None else fitted(rate_open=True).rate_percent


def _divided(scene: Scene, spoken: Spoken | None, params: Speaking, language: str) -> list[Scene]:
    """The scene itself, or the parts of its sentence when its speech is longer than the limit (C4)."""
    limit = params.splitting.max_ms
    if spoken is None or scene.text != scene.spoken or spoken.tells.samples <= limit * SAMPLE_RATE // 1000:
        return [scene]
    counted = max(1, words_ms(scene.text, params.splitting.words_per_minute))
    measured = spoken.tells.samples * 1000 // SAMPLE_RATE

    def measure(text: str) -> int:
        return words_ms(text, params.splitting.words_per_minute) * measured // counted

    texts = divided(scene.text, limit, measure, language)
    return [scene.model_copy(update={"text": text, "spoken": text}) for text in texts]


def _speech(
    context: Context, spoken: Spoken | None, scene: Scene, language: str, made: dict[str, StageFile]
) -> Speech | None:
    """The scene's speech, its file beside the manifest: named by its content, so that equal sentences are one file."""
    if spoken is None:
        return None
    name = f"speech-{spoken.path.parent.name}.wav"
    if name not in made:
        made[name] = written(context.staging, name, spoken.path.read_bytes())
    tells = spoken.tells
    words = tells.words
    if scene.spoken != scene.text:
        words = shown(words, pieces(scene.text, language_of(scene.text, language)))
    return Speech(
        file=AssetRef(stage="audio", path=name, sha256=made[name].sha256),
        samples=tells.samples,
        provider=tells.provider,
        voice=tells.voice,
        words=words,
        timing=tells.timing,
        phonemes=tells.phonemes,
    )


def shown(spoken: Sequence[Word], pieces_: Sequence[Piece]) -> tuple[Word, ...]:
    """Times of the words that are shown, from those of other words that are said: the n-th of m at its share of the way."""
    if not spoken or not pieces_:
        return ()
    found: list[Word] = []
    for place, piece in enumerate(pieces_):
        first = spoken[place * len(spoken) // len(pieces_)]
        last = spoken[max(place * len(spoken) // len(pieces_), (place + 1) * len(spoken) // len(pieces_) - 1)]
        start = found[-1].end_ms if found and found[-1].end_ms > first.start_ms else first.start_ms
        found.append(
            Word(text=piece.text, start_ms=start, end_ms=max(start, last.end_ms), begin=piece.begin, end=piece.end)
        )
    return tuple(found)


def timed(
    manifest: SceneManifest,
    scenes: Sequence[Scene],
    speeches: Sequence[Speech | None],
    params: Speaking,
    *,
    silent: bool,
) -> SceneManifest:
    """The manifest with measured times: durations follow the speech, pauses what is left to a target (S-002, S-065)."""
    lasting = [
        scene_ms(scene.spoken, params.splitting, speech_ms=None, pause_ms=0, given_ms=scene.given_ms, silent=silent)
        for scene in scenes
    ]
    fitted = fit(
        [speech.duration_ms for speech in speeches if speech is not None],
        sum(length.duration_ms for length, speech in zip(lasting, speeches, strict=True) if speech is None),
        rate_percent=manifest.rate_percent, pause_ms=params.voice.pause_ms, target_ms=params.target_duration_ms,
        rate_open=False,
    )  # fmt: skip
    found = []
    for place, (scene, speech) in enumerate(zip(scenes, speeches, strict=True)):
        length = lasting[place]
        if speech is not None:
            length = scene_ms(
                scene.spoken,
                params.splitting,
                speech_ms=speech.duration_ms,
                pause_ms=fitted.pause_ms,
                given_ms=scene.given_ms,
            )
        update = {
            "frames": whole_frames(length.duration_ms, manifest.fps), "basis": length.basis, "speech": speech,
            "id": scene.id if params.explicit else f"s{place + 1:03d}",
        }  # fmt: skip
        found.append(scene.model_copy(update=update))
    whole = manifest.model_copy(
        update={
            "scenes": laid_out(found, manifest.fps, params.effect_ms), "pause_ms": fitted.pause_ms,
            "notes": (fitted.note,) if fitted.note else (),
        }
    )  # fmt: skip
    return whole.model_copy(update={"notes": whole.notes + beyond(platform_of(params), whole)})


def platform_of(params: Speaking) -> platforms.Platform | None:
    """The platform's row."""
    return platforms.platform(params.platform) if params.platform is not None else None


def degraded(narration: Narration, speeches: Sequence[Speech | None]) -> tuple[str, ...]:
    """What to say of links of the chain that failed (S-038, S-039, C14)."""
    if not narration.failed:
        return ()
    why = "; ".join(narration.failed)
    if narration.silent:
        text = f"nobody could read the story aloud, so it is silent and its scenes last half as long again: {why}"
    else:
        who = next((speech.provider for speech in speeches if speech is not None), "silent")
        text = f"{who} read the story aloud instead: {why}"
    return (text[:480],)
