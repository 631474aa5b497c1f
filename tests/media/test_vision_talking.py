"""A photograph that speaks, judged by the model of face landmarks that looks at the frames it made."""

from __future__ import annotations

import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from clips import make
from photographs import photograph
from videojob_worker.base.errors import Permanent
from videojob_worker.vision import backgrounds, faces, framing
from videojob_worker.vision.boxes import Box
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.matting import CutOut, cut_out, open_matter, refine
from videojob_worker.vision.moves import Move, Samples, loudness
from videojob_worker.vision.people import find, upper_body
from videojob_worker.vision.talking import TalkingHead, talk

SIZE = (640, 480)
FPS = 25
SAYS = "Good morning everybody. This picture speaks. It rests whenever nobody says a word, and then it goes on."


@pytest.fixture(scope="module")
def person() -> CutOut:
    """The portrait, cut out and framed."""
    picture = photograph("astronaut.png")
    found = find(open_detector(), picture).persons[0]
    alpha = refine(picture, open_matter().matte(picture, found.box))
    part = upper_body(found, (picture.shape[1], picture.shape[0]))
    return framing.framed(cut_out(picture, alpha), part, SIZE)


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> tuple[Samples, int]:
    """A sentence by flite, with a second and a half of silence in it."""
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    make(path, ["-f", "lavfi", "-i", f"flite=text='{SAYS}':voice=slt", "-ac", "1", "-ar", "16000"])
    samples, rate = read(path)
    half = len(samples) // 2
    quiet = half + int(np.argmin(np.convolve(np.abs(samples[half:]), np.ones(rate // 10), "valid"))) + rate // 20
    return np.concatenate([samples[:quiet], np.zeros(3 * rate // 2, np.float32), samples[quiet:]]), rate


def read(path: Path) -> tuple[Samples, int]:
    with wave.open(str(path)) as opened:
        data = np.frombuffer(opened.readframes(opened.getnframes()), np.int16)
        return (data / 32768).astype(np.float32), opened.getframerate()


def test_the_mouth_moves_with_the_speech_and_rests_in_silence(
    person: CutOut, speech: tuple[Samples, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Correlation of loudness and the opening of the mouth, which a landmark model measures in the frames."""
    samples, rate = speech
    background = backgrounds.plain("#30506A", SIZE)
    mesh = faces.portrait_face(np.ascontiguousarray(person[..., :3]))
    start = time.perf_counter()
    frames = list(talk(person, background, samples, rate, fps=FPS, seed=3))
    drawn = (time.perf_counter() - start) / len(frames)
    assert len(frames) == round(len(samples) / rate * FPS)
    openings = []
    for frame in frames:
        mesh = faces.again(frame, mesh)
        assert mesh.confidence > 0.9, "the face is a face in every frame"
        openings.append(faces.mouth_opening(mesh))
    opening = np.array(openings)
    level = loudness(samples, rate, np.arange(len(frames)) / FPS)
    heard = np.clip(level, level.max() - 35, None)
    together = float(np.corrcoef(heard, opening)[0, 1])
    silent = np.convolve(level < level.max() - 45, np.ones(7), "same") > 6
    spoken = np.percentile(opening[level > np.percentile(level, 60)], 75)
    with capsys.disabled():
        rest = f"at rest {opening[silent].mean():.3f}, speaking {spoken:.3f}"
        sys.stdout.write(f"\ntalking face: r = {together:.2f}, {rest}, {drawn * 1000:.1f} ms a frame of 640x480\n")
    assert together > 0.75
    assert silent.sum() > 20
    assert opening[silent].std() < 0.006
    assert spoken - opening[silent].mean() > 0.025


def test_eyes_close_when_they_blink(person: CutOut) -> None:
    mesh = faces.portrait_face(np.ascontiguousarray(person[..., :3]))
    head = TalkingHead(person, mesh, backgrounds.plain("#30506A", SIZE))
    opened, shut = (faces.eyes_opening(faces.again(head.frame(Move(blink=blink)), mesh)) for blink in (0.0, 1.0))
    assert shut < 0.7 * opened


def test_the_same_seed_draws_the_same_frames_to_the_byte(person: CutOut, speech: tuple[Samples, int]) -> None:
    samples, rate = speech[0][: speech[1]], speech[1]
    background = backgrounds.plain("#FFFFFF", SIZE)
    first, same = (np.stack(list(talk(person, background, samples, rate, fps=10, seed=2))) for _ in range(2))
    assert np.array_equal(first, same)
    assert np.ptp(first.astype(np.int16), axis=0).max() > 60, "something moves"


def test_a_resting_face_is_the_picture_but_for_its_mouth(person: CutOut) -> None:
    """Nothing is drawn where nothing moves: hair, clothes and background are the picture's own."""
    mesh = faces.portrait_face(np.ascontiguousarray(person[..., :3]))
    background = backgrounds.plain("#FFFFFF", SIZE)
    made = TalkingHead(person, mesh, background).frame(Move()).astype(int)
    wanted = backgrounds.place(person, background).astype(int)
    top = round(mesh.points[:, 1].min())
    assert np.abs(made - wanted)[:top].max() <= 2
    assert np.abs(made - wanted)[-40:].max() <= 2


def test_the_shoulders_stay_while_the_head_moves(person: CutOut) -> None:
    mesh = faces.portrait_face(np.ascontiguousarray(person[..., :3]))
    head = TalkingHead(person, mesh, backgrounds.plain("#FFFFFF", SIZE))
    moved = faces.again(head.frame(Move(across=0.1)), mesh)
    assert moved.points[:, 0].mean() - mesh.points[:, 0].mean() == pytest.approx(0.1 * mesh.height, rel=0.25)
    change = np.abs(head.frame(Move(across=0.1)).astype(int) - head.frame(Move()))
    low, high = round(mesh.points[:, 1].min()), round(mesh.points[:, 1].max())
    assert change[-20:].mean() < change[low:high].mean() / 3


def test_who_shows_no_face_cannot_speak() -> None:
    """A-034: the reason, and what to give instead."""
    nobody = np.dstack([np.full((200, 200, 3), 90, np.uint8), np.full((200, 200), 255, np.uint8)])
    with pytest.raises(Permanent, match="no face was found") as caught:
        talk(nobody, nobody[..., :3], np.zeros(100, np.float32), 16000)
    assert caught.value.code == "NoFace"


def test_a_face_is_looked_for_within_the_persons_box() -> None:
    picture = photograph("zidane.jpg")
    found = faces.portrait_face(picture, Box(715, 45, 1181, 720))
    assert 900 < found.points[:, 0].mean() < 1100
    assert found.confidence > 0.9
