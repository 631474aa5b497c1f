"""A failed attempt of the cluster once more on this machine, as a person would ask for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kube import Kube


@pytest.fixture
def cut_short(tmp_path: Path) -> Path:
    """A Matroska file of unknown length whose second half is gone: it probes well, FFmpeg stops in the middle."""
    whole, path = tmp_path / "whole.mkv", tmp_path / "cut.mkv"
    picture = ["-f", "lavfi", "-i", "mandelbrot=s=320x180:r=30", "-t", "4", "-pix_fmt", "yuv420p"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "10"]
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *picture, *encode, str(whole)], check=True)
    data = bytearray(whole.read_bytes())
    at = data.index(b"\x18S\x80g") + 4
    data[at : at + 8] = b"\x01\xff\xff\xff\xff\xff\xff\xff"
    path.write_bytes(bytes(data[: len(data) // 2]))
    return path


def test_a_failed_attempt_of_the_cluster_ends_the_same_here(
    kube: Kube, namespace: str, submit: Callable[..., str], cut_short: Path, tmp_path: Path
) -> None:
    """The same exit code, the same last line of FFmpeg's stderr; once its input is gone, a sentence that helps."""
    name = submit(cut_short, "broken", transcode={"profiles": ["360p"]})
    kube.wait("condition=Failed", "videojob", name, namespace, 180)
    failure = kube.get("videojob", name, namespace)["status"]["failure"]
    done = kube.cli("repro", "-n", namespace, name, "--folder", str(tmp_path / "again"), "-o", "json")
    assert done.code == 0, done.out + done.err
    verdict = json.loads(done.out)
    assert verdict["agrees"] is True
    assert (verdict["then"]["exitCode"], verdict["then"]["code"]) == (failure["exitCode"], failure["code"])
    assert verdict["now"] | {"ffmpeg": None} == verdict["then"] | {"ffmpeg": None}
    assert "File ended prematurely" in verdict["now"]["lastLine"]
    left = kube.run("get", "pods", "-n", namespace, "-l", "app.kubernetes.io/component=transfer", "-o", "name").out
    assert not [line for line in left.split() if "transfer" in line and not _going(kube, namespace, line)]


def _going(kube: Kube, namespace: str, name: str) -> bool:
    """Whether a pod is being deleted, or is gone."""
    found = kube.run(
        "get", name, "-n", namespace, "--ignore-not-found", "-o", "jsonpath={.metadata.deletionTimestamp}."
    ).out
    return found.strip() != "."
