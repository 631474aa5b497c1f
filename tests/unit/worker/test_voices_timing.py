"""What is made of a voice's sound: silence cut away, words laid in, loudness commanded (S-034, S-064, S-065)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import voices as support
from videojob_api.story.scenes import Word
from videojob_worker.base.errors import Recoverable
from videojob_worker.media import loudness
from videojob_worker.providers.voices import VOICES, voice
from videojob_worker.providers.voices.base import Manner, Sound, Utterance, as_wav, service, spans, wav
from videojob_worker.providers.voices.flite import plain
from videojob_worker.providers.voices.sounding import hurried, plausible, trimmed
from videojob_worker.providers.voices.timing import laid, phrases
from videojob_worker.stages.audio import shown
from videojob_worker.stages.narrating import samples_of

RATE = 8000


def sound(*parts: tuple[int, bool]) -> Sound:
    """Tones and silences, each so many milliseconds."""
    return Sound(RATE, b"".join(support.tone(ms, RATE, level=8000 if loud else 0) for ms, loud in parts))


@pytest.mark.parametrize("name", VOICES)
def test_every_row_leads_to_a_voice(name: str) -> None:
    manner = support.manner(name, "en-US", model="x.onnx")
    found = voice(manner.choice)
    assert found.version >= 1
    assert found.chosen(manner)
    assert isinstance(manner, Manner)


# ---------------------------------------------------------------- sound


def test_speech_begins_and_ends_with_the_sound() -> None:
    whole = sound((400, False), (1000, True), (700, False))
    words = (Word(text="a", start_ms=390, end_ms=900), Word(text="b", start_ms=900, end_ms=2000))
    found = trimmed(Utterance(whole, words))
    assert found.sound.duration_ms == 20 + 1000 + 80
    assert [(word.start_ms, word.end_ms) for word in found.words] == [(10, 520), (520, 1100)]


@pytest.mark.parametrize("parts", [((1000, True),), ((500, False),)], ids=["no silence at the ends", "silence alone"])
def test_what_needs_no_trimming_stays(parts: tuple[tuple[int, bool], ...]) -> None:
    whole = Utterance(sound(*parts))
    assert trimmed(whole) == whole


def test_times_follow_a_change_of_rate_that_is_still_to_be_made() -> None:
    spoken = Utterance(sound((1000, True)), (Word(text="a", start_ms=100, end_ms=1000),), left_percent=125)
    assert (hurried(spoken).words[0].start_ms, hurried(spoken).words[0].end_ms) == (80, 800)
    assert hurried(replace(spoken, left_percent=100)).words == spoken.words


@pytest.mark.parametrize(
    ("text", "ms", "fits"),
    [
        ("One two three four five six.", 2400, True),
        ("One two three four five six.", 200, False),
        ("One two three four five six.", 30_000, False),
        ("Hi.", 300, True),
        ("Call 0123456789012345678901234.", 30_000, True),
    ],
)
def test_a_sound_that_cannot_be_the_text_is_refused(text: str, ms: int, fits: bool) -> None:
    spoken = sound((ms, True))
    if fits:
        plausible(service("openai"), support.line(text), spoken, 100)
        return
    with pytest.raises(Recoverable, match="cannot be the") as caught:
        plausible(service("openai"), support.line(text), spoken, 100)
    assert caught.value.code == "TTSError"


def test_a_wav_is_read_as_it_was_written_and_mixed_to_one_channel() -> None:
    made = sound((50, True))
    assert wav(service("x"), as_wav(made)) == made
    assert samples_of(as_wav(made)) == len(made.data) // 2
    both = b"".join(made.data[at : at + 2] * 2 for at in range(0, len(made.data), 2))
    assert wav(service("x"), support.wav_file(both, RATE, channels=2)) == made


# ---------------------------------------------------------------- words


def test_phrases_lie_between_the_pauses() -> None:
    assert phrases(sound((100, False), (500, True), (50, False), (300, True), (400, False), (200, True))) == [
        (100, 950), (1350, 1550),
    ]  # fmt: skip
    assert phrases(sound((300, False))) == []


@dataclass(frozen=True)
class Laid:
    """A text, weights of its words, phrases of its sound, and where the words begin and end."""

    name: str
    text: str
    weights: tuple[int, ...]
    voiced: tuple[tuple[int, int], ...]
    expect: tuple[tuple[int, int], ...]


LAID = (
    Laid("one phrase", "a b", (1, 3), ((0, 400),), ((0, 100), (100, 400))),
    Laid("phrase by phrase", "a b, c", (1, 1, 1), ((0, 400), (600, 1000)), ((0, 200), (200, 400), (600, 1000))),
    Laid("more pauses than marks", "a b c d", (1, 1, 1, 1), ((0, 200), (500, 700)),
         ((0, 100), (100, 200), (500, 600), (600, 700))),
    Laid("more marks than pauses", "a, b.", (1, 1), ((100, 300),), ((100, 200), (200, 300))),
    Laid("no sound", "a b", (1, 1), (), ((0, 0), (0, 0))),
)  # fmt: skip


@pytest.mark.parametrize("case", LAID, ids=lambda case: case.name)
def test_words_are_laid_into_the_sound(case: Laid) -> None:
    line = support.line(case.text)
    assert tuple((start, end) for _, start, end in laid(line, case.weights, case.voiced)) == case.expect


TIMES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5000), st.integers(0, 5000)), max_size=12)


@given(TIMES)
def test_words_never_leap_back_whatever_an_engine_tells(times: list[tuple[int, int, int]]) -> None:
    line = support.line("one two three four five six")
    found = spans(line, times)
    assert [word.text for word in found] == line.text.split()
    at = 0
    for word in found:
        assert at <= word.start_ms <= word.end_ms
        at = word.end_ms


@given(st.integers(1, 9), st.integers(1, 9))
def test_words_that_are_shown_take_the_times_of_those_that_are_said(said: int, seen: int) -> None:
    spoken = [Word(text="x", start_ms=at * 100, end_ms=at * 100 + 90) for at in range(said)]
    pieces = support.line(" ".join("abcdefghi"[:seen])).pieces
    found = shown(spoken, pieces)
    assert [word.text for word in found] == [piece.text for piece in pieces]
    assert found[0].start_ms == 0
    assert found[-1].end_ms == spoken[-1].end_ms
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(found))
    assert shown([], pieces) == ()


def test_flite_is_given_letters_it_knows() -> None:
    assert [plain(word) for word in ("naïve", "“O’Brien”", "日本", "€5")] == ["naive", '"O\'Brien"', "-", "euro 5"]


# ---------------------------------------------------------------- loudness


def test_s_064_the_gain_meets_the_target_and_peaks_are_held(tmp_path: Path) -> None:
    quiet, loud = loudness.Level(-30.0, -20.0), loudness.Level(-18.0, -1.0)
    source, target = tmp_path / "a.wav", tmp_path / "b.wav"
    first = loudness.levelling(source, target, rate=24_000, level=quiet, lufs=-16)
    second = loudness.levelling(source, target, rate=24_000, level=loud, lufs=-16, tempo_percent=110, semitones=12)
    assert loudness.chain(first) == (
        "aresample=48000,volume=14.0dB:precision=float,aformat=sample_fmts=s16:channel_layouts=mono"
    )
    assert loudness.chain(second) == (
        "asetrate=48000,aresample=24000,atempo=0.550000,aresample=48000,volume=2.0dB:precision=float,"
        "alimiter=limit=0.8414:level=disabled:latency=1:attack=2:release=60,aformat=sample_fmts=s16:channel_layouts=mono"
    )


@pytest.mark.parametrize("lufs", [-70.0, float("-inf"), -60.0])
def test_what_nobody_hears_is_silence(lufs: float) -> None:
    assert loudness.Level(lufs, -90.0).silent
    assert not loudness.Level(-40.0, -20.0).silent
