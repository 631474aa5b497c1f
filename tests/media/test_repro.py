"""A failed attempt once more on this machine: the same exit code and the same last line of FFmpeg's stderr."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from cli_api import HandApi
from clips import Clips
from videojob_api.names import DEFAULT_STORE, WORKER_SERVICE_ACCOUNT
from videojob_cli import repro, run
from videojob_cli.client import VideoJobs
from videojob_cli.kube import objects
from videojob_cli.main import app
from videojob_cli.sources import local_file


@pytest.fixture
def broken(clips: Clips, tmp_path: Path) -> Path:
    """A Matroska file of unknown length whose second half is gone: it probes well, FFmpeg stops in the middle."""
    data = bytearray(clips("half-gone").read_bytes())
    at = data.index(b"\x18S\x80g") + 4
    data[at : at + 8] = b"\x01\xff\xff\xff\xff\xff\xff\xff"
    path = tmp_path / "broken.mkv"
    path.write_bytes(bytes(data[: len(data) // 2]))
    return path


def failed(tmp_path: Path, file: Path, mode: str = "Compact", store: Path | None = None) -> run.Ended:
    """A run without a cluster that fails."""
    body = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "trailer"},
        "spec": {"transcode": {"profiles": ["360p"]}, "execution": {"mode": mode}},
    }
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump(body))
    (ended,) = run.run([path], file=file, output=tmp_path / "out", store=store)
    assert ended.view.status.failure is not None
    return ended


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_a_failed_run_ends_the_same_again(mode: str, broken: Path, tmp_path: Path) -> None:
    """X-023: without any cluster; in Spread the stages before the failed one are done again."""
    ended = failed(tmp_path, broken, mode)
    verdict = repro.from_folder(ended.folder, tmp_path / "again")
    assert verdict.agrees, verdict
    assert (verdict.now.exit_code, verdict.now.code, verdict.now.stage) == (65, "CorruptMedia", "Transcode")
    assert verdict.now.last_line == "[matroska,webm @ 0x…] File ended prematurely"
    assert verdict.now.ffmpeg
    kept = json.loads(next(ended.folder.glob("debug/*/work.evidence.json")).read_text())
    assert [each["sha256"] for each in kept["inputs"]] == [local_file(broken).sha256]


def test_another_ffmpeg_differs_and_the_command_says_so(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5, and both sides are printed."""
    ended = failed(tmp_path, broken)
    other = tmp_path / "bin/ffmpeg"
    other.parent.mkdir()
    real = shutil.which("ffmpeg")
    other.write_text(f'#!/bin/sh\ncase "$*" in *libx264*) echo "an old fault" >&2; exit 1;; esac\nexec {real} "$@"\n')
    other.chmod(0o755)
    shutil.copy(str(shutil.which("ffprobe")), other.parent / "ffprobe")
    monkeypatch.setenv("FFMPEG_PATH", str(other))
    done = CliRunner().invoke(app, ["repro", f"{ended.folder}{os.sep}", "--folder", str(tmp_path / "again")])
    assert "an old fault" in done.output
    assert "File ended prematurely" in done.output
    assert "They differ" in done.output
    assert getattr(done.exception, "code", None) == 5


def test_an_attempt_of_a_cluster(broken: Path, tmp_path: Path) -> None:
    """The store is read through a transfer pod; the uid, paths and name of the pod differ here and do not count."""
    store = tmp_path / "volume"
    ended = failed(tmp_path, broken, store=store)
    (store / "default").rename(store / "team")
    shutil.rmtree(ended.folder)
    api = HandApi(store, "team")
    made = api.put(
        objects("team", "videojobs", "trailer"), **{k: v for k, v in ended.as_object().items() if k != "metadata"}
    )
    made["metadata"]["uid"] = ended.view.uid
    api.put(objects("team", "mediastores", DEFAULT_STORE), spec={"pvc": {"claimName": "c"}})
    api.put(objects("team", "serviceaccounts", WORKER_SERVICE_ACCOUNT, group="v1"))
    verdict = repro.from_cluster(VideoJobs(api), "trailer", tmp_path / "again", image="w")
    assert verdict.agrees, verdict
    assert verdict.then.exit_code == 65
    assert verdict.now.last_line == "[matroska,webm @ 0x…] File ended prematurely"
    assert api.pods() == []
