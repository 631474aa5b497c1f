"""From a voice to movement: loud opens, silence shuts, sounds shape, a seed decides the rest."""

from __future__ import annotations

import numpy as np
import pytest

from videojob_api.story.scenes import Phoneme
from videojob_worker.vision.moves import Samples, loudness, moves

RATE, FPS = 16000, 25


def voice(*parts: tuple[float, float]) -> Samples:
    """A hum with these (seconds, loudness)."""
    pieces = [size * np.sin(2 * np.pi * 180 * np.arange(round(seconds * RATE)) / RATE) for seconds, size in parts]
    return np.concatenate(pieces).astype(np.float32)


def test_there_is_a_move_for_each_frame_of_the_speech() -> None:
    assert len(moves(voice((2.0, 0.3)), RATE, FPS)) == 50
    assert len(moves(voice((2.0, 0.3)), RATE, 30)) == 60
    assert len(moves(np.zeros(0, np.float32), RATE, FPS)) == 1


def test_the_mouth_opens_with_the_voice_and_rests_in_silence() -> None:
    track = moves(voice((1, 0), (1, 0.3), (1, 0.0001), (1, 0.3)), RATE, FPS)
    mouth = np.array([move.mouth for move in track])
    assert mouth[4:20].max() == 0
    assert mouth[30:45].min() > 0.5
    assert mouth[56:70].max() == 0
    assert mouth.max() <= 1


def test_a_quiet_recording_opens_the_mouth_as_far_as_a_loud_one() -> None:
    parts = ((0.5, 0.1), (0.5, 0.5), (0.5, 0.02))
    loud, quiet = (moves(voice(*((s, v * gain) for s, v in parts)), RATE, FPS) for gain in (1, 0.1))
    assert [move.mouth for move in loud] == pytest.approx([move.mouth for move in quiet], abs=0.02)


@pytest.mark.parametrize("samples", [np.zeros(RATE, np.float32), voice((1, 0.0005))], ids=["silence", "hiss"])
def test_in_silence_nothing_speaks(samples: Samples) -> None:
    assert {move.mouth for move in moves(samples, RATE, FPS)} == {0.0}


def test_lips_meet_in_an_m_and_round_in_an_oo_though_all_is_as_loud() -> None:
    sounds = [
        Phoneme(symbol=symbol, start_ms=400 * at, end_ms=400 * (at + 1))
        for at, symbol in enumerate(("aa", "m", "uw", "iy"))
    ]
    track = moves(voice((1.6, 0.3)), RATE, FPS, sounds=sounds)
    a, m, oo, ee = (track[5 + 10 * at] for at in range(4))
    assert a.mouth > 0.8
    assert m.mouth < 0.1
    assert oo.width < -0.5 < 0.4 < ee.width


def test_sounds_of_the_other_voice_are_known_by_their_signs() -> None:
    """espeak-ng names its sounds by other signs, with stress marks."""
    sounds = [Phoneme(symbol="'a", start_ms=0, end_ms=500), Phoneme(symbol="b", start_ms=500, end_ms=1000)]
    track = moves(voice((1, 0.3)), RATE, FPS, sounds=sounds)
    assert track[6].mouth > 0.8
    assert track[18].mouth < 0.1


def test_the_same_seed_moves_in_the_same_way_and_another_in_another() -> None:
    speech = voice((12, 0.3))
    first, same, other = (moves(speech, RATE, FPS, seed=seed) for seed in (4, 4, 5))
    assert first == same
    assert first != other
    assert [move.mouth for move in first] == [move.mouth for move in other]


@pytest.mark.parametrize("seed", range(5))
def test_eyes_blink_now_and_then_and_the_head_sways_a_little(seed: int) -> None:
    track = moves(voice((20, 0.3)), RATE, FPS, seed=seed)
    shut = np.array([move.blink for move in track]) > 0.7
    starts = int((shut[1:] & ~shut[:-1]).sum())
    assert 3 <= starts <= 10
    assert shut.mean() < 0.1
    assert 0.01 < max(abs(move.across) for move in track) < 0.05
    assert max(abs(move.turn) for move in track) < 0.04
    steps = np.abs(np.diff([[move.across, move.down, move.turn] for move in track], axis=0))
    assert steps.max() < 0.01, "a head that jerks"


def test_loudness_is_told_in_decibels_below_full_scale() -> None:
    level = loudness(voice((1, 1.0)), RATE, np.array([0.5]))
    assert level[0] == pytest.approx(-3.01, abs=0.1)
