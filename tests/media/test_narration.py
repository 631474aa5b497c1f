"""Stories that are really spoken: onsets, words' times, loudness, chains, what is kept (S-008, S-032 to S-034, S-039, S-065)."""

from __future__ import annotations

import json
import os
import re
import shutil
import wave
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pocketsphinx import Decoder

import voices as support
from programs import program
from videojob_api.contract import RunResult
from videojob_api.story.params import StoryParams
from videojob_api.story.scenes import Scene, SceneManifest
from videojob_api.story.tasks import audio_params
from videojob_worker.base import process
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.media import loudness
from videojob_worker.providers.voices.base import Sound
from videojob_worker.providers.voices.timing import phrases
from webserver import Request, WebServer, reply, serve
from workbench import UID, Workbench

KEYS = {"scenes": "a" * 32, "audio": "b" * 32}
ENGLISH = (
    "The lighthouse had been dark for thirty years. Nobody in the village spoke of it, and no ship passed near. Then, one night "
    "in 1990, Dr. Smith saw a light. It moved slowly along the shore!"
)
JAPANESE = "昔々、海のそばに小さな村がありました。村には30人の人が住んでいました。ある夜、灯台に光が見えました。"


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def document(bench: Workbench, attempt: int = 1, key: str = KEYS["audio"], **story: Any) -> dict[str, Any]:
    """The first two stages of a story, as the operator would resolve them."""
    params = StoryParams.model_validate(story)
    return bench.document(attempt) | {
        "fetch": {"allowNetworks": ["127.0.0.0/8"]},
        "stages": [
            {"kind": "scenes", "container": "work", "key": KEYS["scenes"], "params": {"story": params.dump()}},
            {
                "kind": "audio", "container": "work", "key": key, "params": audio_params(params).dump(),
                "inputs": [{"stage": "scenes", "key": KEYS["scenes"]}],
            },
        ],
    }  # fmt: skip


def manifest(bench: Workbench, key: str = KEYS["audio"]) -> SceneManifest:
    return SceneManifest.model_validate_json((bench.job / "processed" / "audio" / key / "scenes.json").read_bytes())


def told(bench: Workbench, result: RunResult) -> SceneManifest:
    """The manifest of a run that went well."""
    assert result.failure is None, result.failure
    return manifest(bench)


def sound(bench: Workbench, scene: Scene) -> Sound:
    assert scene.speech is not None
    with wave.open(str(bench.job / "processed" / "audio" / KEYS["audio"] / scene.speech.file.path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        assert file.getnframes() == scene.speech.samples
        return Sound(48_000, file.readframes(file.getnframes()))


def test_s_032_s_065_english_is_spoken_measured_and_laid_out(bench: Workbench) -> None:
    found = told(bench, bench.run(document=document(bench, script={"text": ENGLISH}, title="The light")))
    assert len(found.scenes) == 4
    at = 0
    for scene in found.scenes:
        speech = scene.speech
        assert speech is not None
        assert (speech.provider, speech.voice, speech.timing, scene.basis) == (
            "offline",
            "flite:slt",
            "engine",
            "speech",
        )
        assert scene.start_frame == at
        assert scene.frames == -(-(speech.duration_ms + 300) * 30 // 1000)
        at += scene.frames
        assert " ".join(word.text for word in speech.words) == scene.text
        assert all(scene.text[word.begin : word.end] == word.text for word in speech.words)
        assert speech.words[0].start_ms <= 40
        assert speech.words[-1].end_ms <= speech.duration_ms
        assert speech.phonemes
    assert found.total_frames == at
    assert found.degraded == ()


def test_s_064_every_sentence_has_the_same_loudness_and_begins_at_once(bench: Workbench, tmp_path: Path) -> None:
    found = told(bench, bench.run(document=document(bench, script={"text": ENGLISH})))
    paths, lengths = [], []
    for scene in found.scenes:
        heard = phrases(sound(bench, scene))
        assert heard[0][0] <= 60
        assert scene.speech is not None
        assert heard[-1][1] >= scene.speech.duration_ms - 200
        paths.append(bench.job / "processed" / "audio" / KEYS["audio"] / scene.speech.file.path)
        lengths.append(scene.speech.duration_ms)

    def run(argv: Any, on_line: Any = None) -> process.Finished:
        return process.run(argv, cwd=tmp_path, stop=Stop(), deadline=Deadline(60), on_line=on_line)

    for level in loudness.measure(paths, lengths, run):
        assert level.lufs == pytest.approx(-16, abs=1.0)
        assert level.peak_db <= -1.0


def test_a_recogniser_hears_the_words(bench: Workbench) -> None:
    """An ear of its own: pocketsphinx, without being told what to expect, finds most words of the English voice."""
    found = told(bench, bench.run(document=document(bench, script={"text": ENGLISH})))
    decoder = Decoder(samprate=16_000)
    heard: list[str] = []
    for scene in found.scenes:
        samples = array("h", sound(bench, scene).data)
        thirds = [sum(samples[at : at + 3]) // 3 for at in range(0, len(samples) - 2, 3)]
        decoder.start_utt()
        decoder.process_raw(array("h", thirds).tobytes(), full_utt=True)
        decoder.end_utt()
        heard += decoder.hyp().hypstr.split()
    words = re.findall("[a-z]+", ENGLISH.lower())
    assert sum(word in heard for word in words) >= 0.7 * len(words), heard


def test_words_begin_where_the_sound_does_after_a_pause(bench: Workbench) -> None:
    """The engine's own times against the sound: a sentence begins where the silence ends."""
    found = told(
        bench, bench.run(document=document(bench, scenes=[{"text": "We waited. And then it came. Nothing was left."}]))
    )
    (scene,) = found.scenes
    assert scene.speech is not None
    heard = phrases(sound(bench, scene))
    starts = [word.start_ms for word in scene.speech.words]
    assert len(heard) >= 2
    for begin, _ in heard:
        assert min(abs(begin - start) for start in starts) <= 60


def test_japanese_is_read_in_kana_and_captioned_as_written(bench: Workbench) -> None:
    found = told(bench, bench.run(document=document(bench, script={"text": JAPANESE}, language="ja")))
    assert "".join(scene.text for scene in found.scenes) == JAPANESE
    for scene in found.scenes:
        assert scene.speech is not None
        assert scene.speech.voice == "espeak:ja"
        assert scene.speech.timing == "engine"
        assert "".join(word.text for word in scene.speech.words) == scene.text
        times = [word.start_ms for word in scene.speech.words]
        assert times == sorted(times)
        assert len(set(times)) == len(times)
        assert 60 <= scene.speech.duration_ms / sum(ch.isalnum() for ch in scene.text) <= 400


def test_s_032_a_sentence_in_another_writing_has_a_voice_of_its_own(bench: Workbench) -> None:
    """In an English story one sentence is Japanese. A voice that was named speaks all of them."""
    texts = ("One night he saw a light.", "灯台に明かりがともった。", "It was gone.")
    scenes = [{"text": text} for text in texts]
    speeches = [scene.speech for scene in told(bench, bench.run("work", document(bench, scenes=scenes))).scenes]
    assert [speech and speech.voice for speech in speeches] == ["flite:slt", "espeak:ja", "flite:slt"]
    assert speeches[1] is not None
    assert [word.text for word in speeches[1].words] == ["灯台に", "明かりが", "ともった。"]
    named: dict[str, Any] = {"language": "ja", "voice": {"providers": [{"name": "espeak", "voice": "ja"}]}}
    assert bench.run("work", document(bench, 2, "c" * 32, scenes=scenes, **named)).failure is None
    found = manifest(bench, "c" * 32).scenes
    assert [scene.speech and scene.speech.voice for scene in found] == ["ja"] * 3


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_other_languages_are_spoken_offline(bench: Workbench, language: str) -> None:
    text = {"de": "Am 3. Oktober kam Dr. Müller an.", "fr": "M. Dupont habite ici.", "es": "El Sr. García llegó hoy."}[
        language
    ]
    found = told(bench, bench.run(document=document(bench, scenes=[{"text": text}], language=language)))
    speech = found.scenes[0].speech
    assert speech is not None
    assert speech.voice == f"espeak:{language}"
    assert len(speech.words) == len(text.split())


def test_s_034_rate_and_pitch_are_heard(bench: Workbench) -> None:
    text = [{"text": "The quick brown fox jumps over the lazy dog."}]
    lengths = {}
    for place, rate in enumerate((80, 100, 125)):
        key = f"{place}" * 32
        result = bench.run(
            document=document(bench, key=key, scenes=text, voice={"ratePercent": rate, "pitchSemitones": place})
        )
        assert result.failure is None
        speech = manifest(bench, key).scenes[0].speech
        assert speech is not None
        lengths[rate] = speech.duration_ms
        shutil.rmtree(bench.job / "processed" / "scenes")
    assert lengths[80] / lengths[100] == pytest.approx(1.25, rel=0.05)
    assert lengths[125] / lengths[100] == pytest.approx(0.8, rel=0.05)


def test_s_002_pauses_meet_the_target_exactly_enough(bench: Workbench) -> None:
    found = told(bench, bench.run(document=document(bench, script={"text": ENGLISH}, targetDurationMs=18_000)))
    assert found.notes == ()
    assert found.duration_ms == pytest.approx(18_000, abs=900)


@pytest.mark.parametrize(("target_ms", "hurried"), [(9_500, True), (22_000, False)])
def test_s_002_speech_is_measured_before_it_is_hurried_or_slowed(
    bench: Workbench, target_ms: int, hurried: bool
) -> None:
    """By counting, the story lasts longer than this voice takes: rate follows the sound, not the count."""
    found = told(bench, bench.run(document=document(bench, script={"text": ENGLISH}, targetDurationMs=target_ms)))
    assert (found.rate_percent > 100) is hurried
    assert 80 <= found.rate_percent <= 125
    assert found.notes or found.duration_ms == pytest.approx(target_ms, abs=max(600, target_ms // 20))


def test_c4_speech_longer_than_the_limit_is_divided_at_a_clause(bench: Workbench) -> None:
    text = "In 1987654321 and 1234567890, the numbers went on and on; nobody who counted them came to an end of them."
    found = told(bench, bench.run(document=document(bench, script={"text": text})))
    assert len(found.scenes) > 1
    assert " ".join(scene.text for scene in found.scenes) == text
    assert all(scene.speech is not None and scene.speech.duration_ms <= 10_000 for scene in found.scenes)
    assert [scene.id for scene in found.scenes] == [f"s{place + 1:03d}" for place in range(len(found.scenes))]


def test_what_is_said_may_differ_from_what_is_shown(bench: Workbench) -> None:
    scenes = [{"text": "Dr. Nguyen speaks.", "spoken": "Doctor new yen speaks."}, {"durationMs": 2000}]
    found = told(bench, bench.run(document=document(bench, scenes=scenes)))
    first, second = found.scenes
    assert first.speech is not None
    assert [word.text for word in first.speech.words] == ["Dr.", "Nguyen", "speaks."]
    assert second.speech is None
    assert (second.frames, second.basis) == (60, "given")


def test_s_056_another_attempt_takes_what_was_spoken(bench: Workbench) -> None:
    """One edited sentence is one new sentence; the others keep their bytes."""
    first = told(bench, bench.run(document=document(bench, script={"text": ENGLISH})))
    kept = {path.name for path in (bench.job / "processed" / "voice").iterdir()}
    shutil.rmtree(bench.job / "processed" / "scenes")
    edited = ENGLISH.replace("slowly", "very slowly")
    result = bench.run(document=document(bench, 2, "c" * 32, script={"text": edited}))
    assert result.failure is None
    second = manifest(bench, "c" * 32)
    now = {path.name for path in (bench.job / "processed" / "voice").iterdir()}
    assert len(now - kept) == 1
    same = [a.speech == b.speech for a, b in zip(first.scenes, second.scenes, strict=True)]
    assert same == [True, True, True, False]


def test_s_056_another_model_under_the_same_name_speaks_again(bench: Workbench) -> None:
    """S-034: a sentence is kept by the model's bytes, not by its name."""
    program(
        bench.root / "bin/piper",
        'while [ "$1" != --model ]; do shift; done; model="$2"\n'
        'while [ "$1" != --output-file ]; do shift; done; cp "$model.wav" "$2"',
    )
    for name, hertz in (("amy", 220), ("ben", 330)):
        sound = support.wav_file(support.tone(1600, hertz=hertz))
        (bench.root / f"stock/{name}.wav").write_bytes(sound)
    asked = {
        "scenes": [{"text": "One night he saw a light."}],
        "voice": {"providers": [{"name": "piper", "model": "en.onnx"}]},
    }
    environment = {"PATH": f"{bench.root / 'bin'}:{os.environ['PATH']}"}
    (bench.root / "stock/en.onnx.json").write_text("{}")
    kept = []
    for attempt, name in enumerate(("amy", "amy", "ben"), 1):
        (bench.root / "stock/en.onnx").write_bytes(f"the model of {name}".encode())
        shutil.copy(bench.root / f"stock/{name}.wav", bench.root / "stock/en.onnx.wav")
        key = str(attempt) * 32
        result = bench.run("work", document(bench, attempt, key, **asked), **environment)
        assert result.failure is None
        (scene,) = manifest(bench, key).scenes
        assert scene.speech is not None
        kept.append((scene.speech.provider, scene.speech.file.sha256))
    assert {provider for provider, _ in kept} == {"piper"}
    assert kept[0] == kept[1]
    assert kept[2] != kept[1]


def test_s_034_speech_of_the_namespace_is_taken_for_thirty_days(bench: Workbench) -> None:
    told(bench, bench.run(document=document(bench, script={"text": ENGLISH})))
    shutil.copytree(bench.job / "processed" / "voice", bench.root / "cache" / "voice")
    entries = sorted((bench.root / "cache" / "voice").iterdir())
    for place, (entry, words) in enumerate(zip(entries, ("old", "new", "broken", "new"), strict=False)):
        if words == "old":
            os.utime(entry / "stage.json", (1, 1))
        if words == "broken":
            (entry / "speech.wav").write_bytes(b"x" * (place + 1))
    shutil.rmtree(bench.job / "processed")
    order = {"mode": "ReadOnly", "source": "store://stock/none"}
    result = bench.run(document=document(bench, script={"text": ENGLISH}) | {"cache": order})
    assert len(told(bench, result).scenes) == 4
    commands = (bench.job / "debug" / "main-a1" / "audio.commands.txt").read_text()
    assert commands.count("host_flite.py") == 2  # the first run, and one for the entries that could not be taken
    asked = json.loads(next((bench.root / "tmp").glob("voice-*/flite.json")).read_text())
    assert len(asked["lines"]) == 2


# ---------------------------------------------------------------- chains


@pytest.fixture
def service() -> Iterator[WebServer]:
    with serve({}) as server:
        yield server


def openai(server: WebServer, **more: Any) -> dict[str, Any]:
    return {"name": "openai", "endpoint": server.url("/v1"), "timeoutSeconds": 5, **more}


def test_s_032_a_service_that_tells_no_times_has_its_words_laid_into_its_sound(
    bench: Workbench, service: WebServer
) -> None:
    """A tone, a silence, a tone: two phrases, as the text has."""
    data = support.tone(1000) + support.tone(400, level=0) + support.tone(900)
    service.pages["/v1/audio/speech"] = reply(support.wav_file(data))
    scenes = [{"text": "Far away it began, so they say."}]
    found = told(bench, bench.run(document=document(bench, scenes=scenes, voice={"providers": [openai(service)]})))
    speech = found.scenes[0].speech
    assert speech is not None
    assert (speech.provider, speech.timing) == ("openai", "aligned")
    starts = {word.text: word.start_ms for word in speech.words}
    assert starts["so"] == pytest.approx(1400, abs=40)
    assert speech.words[3].end_ms == pytest.approx(1000, abs=40)


def test_pitch_that_a_service_cannot_shift_is_shifted_here(bench: Workbench, service: WebServer) -> None:
    service.pages["/v1/audio/speech"] = reply(support.wav_file(support.tone(2000)))
    wanted = {"providers": [openai(service)], "pitchSemitones": 12}
    found = told(bench, bench.run(document=document(bench, scenes=[{"text": "One two three four."}], voice=wanted)))
    heard = sound(bench, found.scenes[0])
    samples = [int.from_bytes(heard.data[at : at + 2], "little", signed=True) for at in range(20_000, 60_000, 2)]
    crossings = sum(a < 0 <= b for a, b in pairwise(samples))
    assert crossings * 48_000 / len(samples) == pytest.approx(440, rel=0.03)
    assert heard.duration_ms == pytest.approx(2000, abs=100)


FAILURES = {
    "401": reply(b'{"error": {"message": "no such key"}}', "401 Unauthorized"),
    "403": reply(b"", "403 Forbidden"),
    "429": reply(b"", "429 Too Many Requests", ("Retry-After: 30",)),
    "500": reply(b"", "500 Internal Server Error"),
    "too short": reply(support.wav_file(support.tone(100))),
    "too long": reply(support.wav_file(support.tone(60_000, 8000), 8000)),
    "silence": reply(support.wav_file(support.tone(2500, level=0))),
    "no sound": reply(b"<html></html>"),
}
TEXT = "One two three four five six seven eight nine."


@pytest.mark.parametrize("name", ["401", "silence"])
def test_s_039_and_c14_the_next_voice_speaks_and_it_is_said(bench: Workbench, service: WebServer, name: str) -> None:
    service.pages["/v1/audio/speech"] = FAILURES[name]
    chain = {"providers": [openai(service), {"name": "flite"}], "retries": 0}
    result = bench.run(document=document(bench, scenes=[{"text": TEXT}], voice=chain))
    found = told(bench, result)
    assert found.scenes[0].speech is not None
    assert found.scenes[0].speech.provider == "flite"
    assert found.degraded[0].startswith("flite read the story aloud instead: openai")
    assert result.stages[-1].degraded == found.degraded


@pytest.mark.parametrize(
    ("name", "failure_class"),
    [
        ("401", "Permanent"), ("403", "Permanent"), ("429", "External"), ("500", "Recoverable"), ("too short", "Recoverable"),
        ("too long", "Recoverable"), ("silence", "Recoverable"), ("no sound", "Recoverable"),
    ],
)  # fmt: skip
def test_s_041_denied_a_fallback_the_failure_ends_the_stage(
    bench: Workbench, service: WebServer, name: str, failure_class: str
) -> None:
    service.pages["/v1/audio/speech"] = FAILURES[name]
    chain = {"providers": [openai(service), {"name": "flite"}], "retries": 0}
    result = bench.run(document=document(bench, scenes=[{"text": TEXT}], voice=chain, fallback={"policy": "Deny"}))
    assert result.failure is not None
    assert (result.failure.code, result.failure.failure_class) == ("TTSError", failure_class)
    assert result.failure.stage == "AudioGeneration"
    assert "openai" in result.failure.message
    assert result.failure.retry_after_seconds == (30 if name == "429" else None)


def test_s_039_when_nobody_speaks_scenes_last_half_as_long_again(bench: Workbench, service: WebServer) -> None:
    chain = {"providers": [openai(service)], "retries": 0}
    scenes = [{"text": "One two three four five."}, {}, {"text": "word " * 30}, {"durationMs": 1000}]
    found = told(bench, bench.run(document=document(bench, scenes=scenes, voice=chain)))
    assert [scene.speech for scene in found.scenes] == [None] * 4
    assert [scene.frames for scene in found.scenes] == [90, 225, 540, 45]
    assert found.degraded[0].startswith("nobody could read the story aloud, so it is silent")


def test_s_033_a_story_that_is_meant_to_be_silent_is_not_degraded(bench: Workbench) -> None:
    scenes = [{"text": "One two three four five."}]
    found = told(bench, bench.run(document=document(bench, scenes=scenes, voice={"providers": [{"name": "silent"}]})))
    assert (found.scenes[0].speech, found.scenes[0].frames, found.degraded) == (None, 60, ())


def test_a_sentence_a_paid_service_has_spoken_is_not_paid_for_again(bench: Workbench, service: WebServer) -> None:
    good = reply(support.wav_file(support.tone(2500)))
    bad = reply(b"", "429 Too Many Requests", ("Retry-After: 30",))
    turns = [good, bad]

    def page(request: Request, connection: Any) -> None:
        (turns.pop(0) if len(turns) > 1 else turns[0])(request, connection)

    service.pages["/v1/audio/speech"] = page
    scenes = [{"text": TEXT}, {"text": f"And {TEXT}"}]
    chain = {"providers": [openai(service)], "retries": 0}
    wanted = {"scenes": scenes, "voice": chain, "fallback": {"policy": "Deny"}}
    assert bench.run(document=document(bench, **wanted)).failure is not None
    turns[:] = [good]
    told(bench, bench.run(document=document(bench, 2, **wanted)))
    assert len(service.seen) == 3


# ---------------------------------------------------------------- scripts of the store


def test_a_script_of_the_store_is_read(bench: Workbench) -> None:
    (bench.root / "stock" / "story.md").write_text("\ufeff# Title\n\n" + ENGLISH, encoding="utf-8")
    found = told(bench, bench.run(document=document(bench, script={"uri": "store://stock/story.md"})))
    assert len(found.scenes) == 4


@pytest.mark.parametrize(
    ("data", "code", "text"),
    [
        (b"\xff\xfe\x00", "SceneGenerationError", "the script is no text in UTF-8"),
        (b"a " * (1 << 20), "SceneGenerationError", "1048576 are the most"),
        (None, "SourceNotFound", "does not exist"),
        (b"[pause]", "SceneGenerationError", "no words to read"),
    ],
)
def test_a_script_that_cannot_be_read_says_why(bench: Workbench, data: bytes | None, code: str, text: str) -> None:
    if data is not None:
        (bench.root / "stock" / "story.md").write_bytes(data)
    result = bench.run(document=document(bench, script={"uri": "store://stock/story.md"}))
    assert result.failure is not None
    assert (result.failure.code, result.failure.failure_class) == (code, "Permanent")
    assert text in result.failure.message
    assert result.uid == UID
