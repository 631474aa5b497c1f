"""What the demo's avatar is held against: every promise that is broken is told, none that is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from demo import face
from demo.probe import Facts
from videojob_cli import sources

VIDEO = Facts(size=1, codec="h264", width=480, height=600, seconds=3.44, frame_rate=25.0, video_kbps=1, audio="aac")
GOOD = face.Shown(files={"video.mp4": VIDEO, "video_thumb.jpg": VIDEO}, together=0.9, synthetic=True)


@dataclass(frozen=True)
class Case:
    """What is different, and what is said."""

    name: str
    given: dict[str, Any]
    expect: str


CASES = (
    Case("another codec", {"files": {"video.mp4": replace(VIDEO, codec="vp9")}}, "is vp9 and aac"),
    Case("no sound", {"files": {"video.mp4": replace(VIDEO, audio=None)}}, "is h264 and None"),
    Case("another size", {"files": {"video.mp4": replace(VIDEO, width=600)}}, "is 600x600, not as its portrait"),
    Case("too short", {"files": {"video.mp4": replace(VIDEO, seconds=1.0)}}, "lasts 1.0 s"),
    Case("a mouth of its own will", {"together": 0.3}, "r = 0.30 only"),
    Case("no mark", {"synthetic": False}, "does not say that it is synthetic"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_promise_is_told(case: Case) -> None:
    (told,) = face.judge(replace(GOOD, **case.given))
    assert case.expect in told


def test_kept_promises_are_not_told() -> None:
    assert face.judge(GOOD) == []


def test_a_mouth_that_follows_the_voice_is_told_from_one_that_does_not() -> None:
    """The measure itself: one for the same course, nothing for noise; silence is where nothing is heard."""
    level = np.concatenate([np.linspace(-20, -40, 25), np.full(20, -90.0), np.linspace(-40, -20, 25)])
    follows = (np.clip(level, -55, None) + 55) / 700
    assert face.Speaking(follows, level).together() > 0.99
    assert face.Speaking(-follows, level).together() < 0
    noise = np.random.default_rng(3).random(len(level))
    assert abs(face.Speaking(noise, level).together()) < 0.4
    assert list(np.flatnonzero(face.Speaking(follows, level).silent())) == list(range(28, 42))


def test_the_example_is_what_is_submitted(tmp_path: Path) -> None:
    assert face.manifest(tmp_path, None) == face.manifest(tmp_path, "") == Path(face.EXAMPLE)


def test_a_photograph_of_ones_own_takes_the_portraits_place(tmp_path: Path) -> None:
    """With the example's voice, as the CLI finds both: beside the manifest, by name and digest."""
    (tmp_path / "me.jpg").write_bytes(b"a photograph")
    (tmp_path / "there").mkdir()
    path = face.manifest(tmp_path / "there", str(tmp_path / "me.jpg"))
    complete, files = sources.completed(path, yaml.safe_load(path.read_text()), None, tmp_path)
    asked = sources.job_spec(path, complete).avatar
    assert asked is not None
    assert [file.path.name for file in files] == ["me.jpg", "voice.wav"]
    assert asked.consent is not None
    assert asked.consent.subject == "the person in me.jpg"


def test_a_photograph_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"PORTRAIT=none\.jpg: there is no such file"):
        face.manifest(tmp_path, "none.jpg")
