"""FFmpeg is found by one name for all: $FFMPEG_PATH, then PATH (S-054)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from videojob_worker.base.process import Finished
from videojob_worker.media import tools

FILES = ("both/ffmpeg-7", "both/ffprobe", "alone/ffmpeg", "usual/ffmpeg", "usual/ffprobe")


@pytest.mark.parametrize(
    ("named", "ffmpeg", "ffprobe"),
    [
        (None, "usual/ffmpeg", "usual/ffprobe"),
        ("", "usual/ffmpeg", "usual/ffprobe"),
        ("both/ffmpeg-7", "both/ffmpeg-7", "both/ffprobe"),
        ("alone/ffmpeg", "alone/ffmpeg", "usual/ffprobe"),
    ],
    ids=["by PATH", "an empty variable is none", "ffprobe lies beside it", "ffprobe is elsewhere"],
)
def test_where_the_tools_are(
    named: str | None, ffmpeg: str, ffprobe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in FILES:
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "usual"))
    monkeypatch.delenv("FFMPEG_PATH", raising=False)
    if named is not None:
        monkeypatch.setenv("FFMPEG_PATH", named and str(tmp_path / named))
    found = [tools.find(name) for name in ("ffmpeg", "ffprobe")]
    assert found == [str(tmp_path / ffmpeg), str(tmp_path / ffprobe)]


def test_a_program_is_asked_for_its_version_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By several stages of one container; another program, also one at the same path, is asked again."""
    program, asked = tmp_path / "ffmpeg", list[str]()
    said = ["ffmpeg version 7.1 Copyright", "no such thing", "ffmpeg version 8.0"]
    monkeypatch.setenv("FFMPEG_PATH", str(program))

    def run(argv: Sequence[str], _on_line: object = None) -> Finished:
        asked.append(argv[0])
        return Finished(tuple(argv), 0, said[len(asked) - 1].encode(), "")

    program.touch()
    assert [tools.version(run), tools.version(run)] == ["7.1", "7.1"]
    os.utime(program, ns=(1, 1))
    assert [tools.version(run), tools.version(run), tools.version(run)] == ["unknown", "8.0", "8.0"]
    assert asked == [str(program)] * 3
