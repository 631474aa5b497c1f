"""FFmpeg is found by one name for all: $FFMPEG_PATH, then PATH (S-054)."""

from __future__ import annotations

from pathlib import Path

import pytest

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
