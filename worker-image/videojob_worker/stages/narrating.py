"""Who says what: a chain of voices, each sentence kept by its content, all at one loudness (S-032 to S-034, S-039, S-041).

One provider speaks the whole story: when a provider fails at any sentence, the next one in the chain speaks all of them. What a
paid one has spoken is kept, first in the job's folder, then by commit in the namespace's cache.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from videojob_api.contract import FetchPolicy, StageResult, canonical_json, content_key
from videojob_api.keeping import VOICE_PARTS
from videojob_api.story.params import Provider
from videojob_api.story.scenes import Phoneme, Word
from videojob_api.story.tasks import Speaking
from videojob_api.v1alpha1.base import StatusModel

from ..base.errors import External, Permanent, Recoverable, WorkerError
from ..base.process import Fences, Finished
from ..media import loudness
from ..providers.calling import Means, wrong
from ..providers.voices import voice
from ..providers.voices.base import TTS_ERROR, Line, Manner, Utterance, Voice, as_wav, service
from ..providers.voices.sounding import hurried, plausible, trimmed
from ..providers.voices.timing import timed
from ..storage import files
from ..text.pieces import pieces
from ..text.scripts import language_of
from .context import Context
from .kept import Kept
from .scenes import written

VERSION = 1
"""Raised when the same samples of a provider become other ones here."""
SOUND_FILE, TELLS_FILE = "speech.wav", "speech.json"
FENCES = Fences(file_bytes=512 << 20, cpu_seconds=900)
"""Engines and FFmpeg at some sentences at a time."""
BATCH = 16
_PASSING = {TTS_ERROR, "ToolMissing", "FFmpegFailed"}
"""Failures of one provider; anything else is this attempt's own."""


class Tells(StatusModel):
    """What is known of a spoken sentence beside its samples."""

    provider: str
    """Who spoke."""
    voice: str
    """With which voice."""
    samples: int
    """Its exact length at 48 kHz."""
    timing: Literal["engine", "aligned", "estimated"]
    """Where the words' times come from."""
    words: tuple[Word, ...] = ()
    """Words with their times and places in what was said."""
    phonemes: tuple[Phoneme, ...] = ()
    """Sounds with their times."""


@dataclass(frozen=True)
class Spoken:
    """One sentence, spoken and kept."""

    tells: Tells
    path: Path
    """WAV, mono, 48 kHz."""


@dataclass(frozen=True)
class Narration:
    """What came of a chain."""

    spoken: tuple[Spoken | None, ...]
    """One for each text; None for one without words, and for all when nobody speaks."""
    failed: tuple[str, ...] = ()
    """Why earlier links of the chain did not speak, one sentence each."""
    silent: bool = False
    """Whether every link has failed."""


class Narrator:
    """The chain of one story."""

    def __init__(self, context: Context, params: Speaking, language: str, rate_percent: int) -> None:
        self._context = context
        self._params = params
        self._language = language
        self.rate_percent = rate_percent
        self._shelf = Kept(context, VOICE_PARTS, params.voice.cache_seconds)
        self._scratch = context.store.scratch / f"voice-{context.task.key[:12]}"
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._failed: list[str] = []
        self._models: dict[Path, str] = {}
        self._links = list(params.voice.providers)

    def narrate(self, texts: Sequence[str]) -> Narration:
        """Speak every text. With `fallback: Deny` the first failure is raised; a link that failed is not asked again."""
        while self._links:
            choice = self._links[0]
            try:
                return Narration(tuple(self._by(choice, texts)), tuple(self._failed))
            except (Permanent, External, Recoverable) as error:
                if error.code not in _PASSING or self._params.fallback.policy == "Deny":
                    raise
                self._failed.append(error.message[:200])
                self._context.log.warning("a voice failed", extra={"provider": choice.name, "error": error.message})
                self._links.pop(0)
        return Narration((None,) * len(texts), tuple(self._failed), silent=True)

    def _by(self, choice: Provider, texts: Sequence[str]) -> list[Spoken | None]:
        provider = voice(choice)
        manners = [self._manner(choice, text) for text in texts]
        lines = [Line(text, pieces(text, manner.language)) for text, manner in zip(texts, manners, strict=True)]
        keys = [self._key(provider, manner, line) for manner, line in zip(manners, lines, strict=True)]
        silent: set[str] = set()
        for manner in {manner.language: manner for manner in manners}.values():
            every = zip(keys, manners, lines, strict=True)
            said = {key: line for key, own, line in every if own.language == manner.language and line.pieces}
            missing = [(key, line) for key, line in said.items() if self._kept(key) is None]
            for utterances in _batches(self._speaking(provider, missing, manner)):
                silent |= {key for key, utterance in utterances if utterance is None}
                spoken = [(key, utterance) for key, utterance in utterances if utterance is not None]
                self._keep(spoken, choice.name, provider.chosen(manner))
        return [
            self._kept(key) if line.pieces and key not in silent else None
            for key, line in zip(keys, lines, strict=True)
        ]

    def _manner(self, choice: Provider, text: str) -> Manner:
        """How a sentence is spoken: in the language it is written in, unless a voice was named, which may know one alone."""
        named = choice.voice is not None or choice.model is not None
        language = self._language if named else language_of(text, self._language)
        return Manner(language, self.rate_percent, self._params.voice.pitch_semitones, choice)

    def _speaking(
        self, provider: Voice, missing: Sequence[tuple[str, Line]], manner: Manner
    ) -> Iterator[tuple[str, Utterance | None]]:
        means = self._means()
        lines = [line for _, line in missing]
        came = provider.speak(lines, manner, means) if lines else iter(())
        for place, ((key, line), utterance) in enumerate(zip(missing, came, strict=True)):
            self._context.check()
            self._context.progress(place * 90 // len(missing), f"Speaking sentence {place + 1} of {len(missing)}")
            if utterance is None:
                yield key, None
                continue
            plausible(service(manner.choice.name), line, utterance.sound, self.rate_percent)
            yield key, hurried(trimmed(timed(line, utterance, manner, means)))

    # ------------------------------------------------------------ what is kept

    def _key(self, provider: Voice, manner: Manner, line: Line) -> str:
        choice, name = manner.choice, provider.chosen(manner)
        said = {
            "provider": choice.name, "voice": name, "endpoint": choice.endpoint, "language": manner.language,
            "text": line.text, "rate": manner.rate_percent, "pitch": manner.pitch_semitones,
            "lufs": self._params.voice.loudness_lufs, "version": provider.version,
        }  # fmt: skip
        model = self._model(choice)
        if model is not None:
            said["model"] = model
        return content_key(VOICE_PARTS, VERSION, said, ())

    def _model(self, choice: Provider) -> str | None:
        """Digest of a voice's model in the stock, where another one may lie under the same name tomorrow."""
        path = Path(self._context.document.store.stock) / choice.model if choice.model is not None else None
        if path is None or ".." in path.parts or not path.is_file():
            return None
        if path not in self._models:
            self._models[path] = files.sha256_file(path.resolve(), lambda _: self._context.check())
        return self._models[path]

    def _kept(self, key: str) -> Spoken | None:
        """A sentence that was spoken before: by this job, or by another one of the namespace, not too long ago."""
        folder = self._shelf.find(key)
        if folder is None:
            return None
        return Spoken(Tells.model_validate_json((folder / TELLS_FILE).read_bytes()), folder / SOUND_FILE)

    def _keep(self, utterances: Sequence[tuple[str, Utterance]], provider: str, name: str) -> None:
        """Bring sentences to their loudness, and keep each with what is known of it."""
        if not utterances:
            return
        scratch, run = self._scratch, self._tool("loudness")
        raws = [scratch / f"raw-{place}.wav" for place in range(len(utterances))]
        for path, (_, utterance) in zip(raws, utterances, strict=True):
            path.write_bytes(as_wav(utterance.sound))
        levels = loudness.measure(raws, [utterance.sound.duration_ms for _, utterance in utterances], run)
        works = []
        for path, measured, (key, utterance) in zip(raws, levels, utterances, strict=True):
            if measured.silent:
                raise wrong(service(provider), "the sound is silence")
            works.append(
                loudness.levelling(
                    path, scratch / f"{key}.wav", rate=utterance.sound.rate, level=measured,
                    lufs=self._params.voice.loudness_lufs, tempo_percent=utterance.left_percent,
                    semitones=utterance.left_semitones,
                )
            )  # fmt: skip
        loudness.level(works, run)
        for work, (key, utterance) in zip(works, utterances, strict=True):
            self._keep_one(key, work.target, utterance, provider, name)
            work.source.unlink()
            work.target.unlink()

    def _keep_one(self, key: str, sound: Path, utterance: Utterance, provider: str, name: str) -> None:
        folder = self._shelf.folder(key)
        data = sound.read_bytes()
        tells = Tells(
            provider=provider, voice=name, samples=samples_of(data), timing=utterance.timing, words=utterance.words,
            phonemes=utterance.phonemes,
        )  # fmt: skip
        record = StageResult(
            kind=VOICE_PARTS,
            parts=(written(folder, SOUND_FILE, data), written(folder, TELLS_FILE, canonical_json(tells.dump()))),
        )
        self._shelf.keep(key, record, folder)

    # ------------------------------------------------------------ means

    def _tool(self, what: str) -> Callable[..., Finished]:
        def run(argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
            watchdog, lines = self._context.watchdog(), 0

            def heard(line: str) -> None:
                nonlocal lines
                lines += 1
                watchdog.advance(lines)
                if on_line is not None:
                    on_line(line)

            self._context.log.debug("running a tool", extra={"for": what})
            return self._context.run(
                argv, fences=FENCES, watchdog=watchdog, on_line=heard if on_line is not None else None
            )

        return run

    def _means(self) -> Means:
        context = self._context

        def wait(seconds: float) -> None:
            select.select([context.stop.fileno()], [], [], seconds)
            context.check()

        return Means(
            run=self._tool("a voice"), scratch=self._scratch, stock=Path(context.document.store.stock),
            secrets=context.secrets, policy=context.document.fetch or FetchPolicy(), check=context.check, wait=wait,
            retries=self._params.voice.retries, threads=context.document.limits.threads,
        )  # fmt: skip


def _batches(
    utterances: Iterator[tuple[str, Utterance | None]],
) -> Iterator[list[tuple[str, Utterance | None]]]:
    """Some at a time; those that came before a failure are kept before it goes on its way."""
    batch: list[tuple[str, Utterance | None]] = []
    while True:
        try:
            batch.append(next(utterances))
        except StopIteration:
            break
        except WorkerError:
            if batch:
                yield batch
            raise
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def samples_of(data: bytes) -> int:
    """Number of samples of a WAV file of our own."""
    return len(data[data.index(b"data") + 8 :]) // 2
