"""What the demo's story is held against: every promise that is broken is told, none that is kept (S-042, S-047)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from demo import tale
from demo.probe import Facts, cues

VIDEO = Facts(size=1, codec="h264", width=1920, height=1080, seconds=64.0, frame_rate=30.0, video_kbps=1, audio="aac")
STILL = replace(VIDEO, codec="mjpeg", seconds=None, audio=None)
GOOD = tale.Told(
    files={"video.mp4": VIDEO, "video_thumb.jpg": STILL},
    lufs=-16.1,
    captions=22,
    words=206,
    pictures=8,
    title="The Paper Boat",
)


def video(**changed: Any) -> dict[str, Any]:
    """The files, with another video."""
    return {"files": {**GOOD.files, "video.mp4": replace(VIDEO, **changed)}}


@dataclass(frozen=True)
class Case:
    """What is different, and what is said."""

    name: str
    given: dict[str, Any]
    expect: str


CASES = (
    Case("another codec", video(codec="vp9"), "is vp9 and aac"),
    Case("no sound", video(audio=None), "is h264 and None"),
    Case("upright", video(width=1080, height=1920), "is 1080x1920"),
    Case("too short", video(seconds=59.9), "lasts 59.9 s"),
    Case("no thumbnail's size", {"files": {**GOOD.files, "video_thumb.jpg": replace(STILL, width=320)}}, "320x1080"),
    Case("silence", {"lufs": float("-inf")}, "-inf LUFS"),
    Case("too loud", {"lufs": -9.0}, "-9.0 LUFS"),
    Case("no captions", {"captions": 0, "words": 0}, "0 captions"),
    Case("one picture", {"pictures": 1}, "1 different pictures"),
    Case("no title", {"title": "Untitled Story"}, "Untitled Story"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_promise_is_told(case: Case) -> None:
    (told,) = tale.judge(replace(GOOD, **case.given))
    assert case.expect in told


def test_kept_promises_are_not_told() -> None:
    assert tale.judge(GOOD) == []


def test_captions_are_read_with_their_times(tmp_path: Path) -> None:
    path = tmp_path / "video.srt"
    path.write_text(
        "1\n00:00:00,000 --> 00:00:02,878\nHigh up,\nfar away\n\n2\n01:02:03,500 --> 01:02:04,000\nthe end\n\n"
    )
    assert cues(path) == [(0.0, 2.878, "High up, far away"), (3723.5, 3724.0, "the end")]
