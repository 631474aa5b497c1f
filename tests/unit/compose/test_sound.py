"""Sound: positions to the sample, ducking, what a measurement says."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stories import manifest, plain, scene, spoken
from videojob_api.story.looks import Music
from videojob_api.story.scenes import SceneManifest
from videojob_worker.base.errors import Recoverable
from videojob_worker.compose import sound

RATE = 48_000


def write(path: Path, samples: NDArray[np.int16], channels: int = 1, rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path), "rb") as file:
        assert (file.getnchannels(), file.getframerate()) == (2, RATE)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)


def story() -> SceneManifest:
    """Three scenes; the second is silent, the third begins to speak after 100 ms."""
    return manifest(
        [
            scene("one two", 31, speech=spoken("one two", word_ms=250)),
            scene("", 17),
            scene("three", 30, speech=spoken("three", word_ms=500, offset_ms=100)),
        ]
    )


def test_speech_begins_at_its_scenes_first_sample(tmp_path: Path) -> None:
    """S-065: to the sample, through block borders; the whole is exactly as long as the picture."""
    tone = write(tmp_path / "a.wav", np.full(24_000, 10_000))
    found = sound.passages(story(), lambda _: tone)
    assert [(each.start, each.end) for each in found] == [(0, 24_000), (48 * 1600 + 4800, 48 * 1600 + 28_800)]
    sound.lay(story(), found, tmp_path / "out.wav", None)
    laid = read(tmp_path / "out.wav")
    assert len(laid) == 78 * 1600
    loud = np.flatnonzero(laid[:, 0])
    edges = [loud[0], *loud[np.flatnonzero(np.diff(loud) > 1)], *loud[np.flatnonzero(np.diff(loud) > 1) + 1], loud[-1]]
    assert edges == [0, 23_999, 81_600, 105_599]
    assert set(laid[:24_000].ravel()) == {round(10_000 * 0.5**0.5)}


def test_speech_that_is_not_as_announced_is_made_anew(tmp_path: Path) -> None:
    for name, samples, rate in (("short", 1000, RATE), ("slow", 24_000, 16_000)):
        path = write(tmp_path / f"{name}.wav", np.zeros(samples, np.int16), rate=rate)
        with pytest.raises(Recoverable, match=f"speech {name}.wav is not what its manifest says"):
            sound.lay(story(), sound.passages(story(), lambda _, path=path: path), tmp_path / "out.wav", None)


def test_music_steps_back_under_speech_and_fades_at_both_ends(tmp_path: Path) -> None:
    """Ducking by duck_db, at gain_db under the narration where nobody speaks."""
    one = manifest([scene("", 90), scene("word", 60, speech=spoken("word", word_ms=500)), scene("", 150)])
    silence = write(tmp_path / "s.wav", np.zeros(24_000, np.int16))
    tune = write(tmp_path / "m.wav", np.full((300 * 1600, 2), 8000), channels=2)
    look = Music(uri="store://stock/m.mp3", gain_db=-12, duck_db=-6, fade_ms=1000)
    sound.lay(one, sound.passages(one, lambda _: silence), tmp_path / "out.wav", sound.Bed(tune, -20.0, look, -16.0))
    left = read(tmp_path / "out.wav")[:, 0] / 8000
    level = 10 ** ((-16 - 12 + 20) / 20)
    assert left[0] == 0
    assert left[24_000] == pytest.approx(level / 2, abs=0.01)
    assert left[2 * RATE] == pytest.approx(level, abs=0.01)
    assert left[3 * RATE + 100] == pytest.approx(level * 10 ** (-6 / 20), abs=0.01)
    assert left[6 * RATE] == pytest.approx(level, abs=0.01)
    assert abs(left[-1]) < 0.01


def test_music_that_ends_early_leaves_silence(tmp_path: Path) -> None:
    one = manifest([scene("", 60)])
    tune = write(tmp_path / "m.wav", np.full((RATE, 2), 8000), channels=2)
    bed = sound.Bed(tune, -90.0, Music(uri="store://stock/m.mp3", fade_ms=0), -16.0)
    sound.lay(one, (), tmp_path / "out.wav", bed)
    assert set(read(tmp_path / "out.wav")[RATE:].ravel()) == {0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Summary:\n\n  Integrated loudness:\n    I:         -16.3 LUFS\n    Threshold: -26.4 LUFS\n", -16.3),
        ("    I:         -70.0 LUFS\n", -70.0),
        ("    I:         -inf LUFS\n", -70.0),
        ("nothing", -70.0),
    ],
)
def test_loudness_is_read_from_the_summary(text: str, value: float) -> None:
    assert sound.integrated(text) == value


def test_another_picture_leaves_the_sound_as_it_is_and_another_word_does_not() -> None:
    """M2: the sound's key says what is heard when, and nothing of what is seen."""
    one, scenes = story(), list(story().scenes)
    scenes[0] = scenes[0].model_copy(update={"background": plain("#000000"), "effects": ("ken_burns",)})
    seen = one.model_copy(update={"scenes": tuple(scenes)})
    assert sound.key(seen, -16, None) == sound.key(one, -16, None)
    later = scene("one two", 31, speech=spoken("one two", word_ms=250, offset_ms=10))
    others = {
        sound.key(manifest([later, *scenes[1:]]), -16, None), sound.key(one, -14, None), sound.key(one, -16, "0" * 64),
        sound.key(one.model_copy(update={"music": Music(uri="store://stock/m.mp3")}), -16, None),
    }  # fmt: skip
    assert len(others | {sound.key(one, -16, None)}) == 5
