"""Around the run without a cluster: FFmpeg is found for every stage, output folders never mix (S-054, X-023)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from videojob_api.v1alpha1 import FailureStatus, OutputStatus, VideoJobSpec, VideoJobStatus
from videojob_cli.collecting import check_folder, collect
from videojob_cli.errors import CliError
from videojob_cli.localjob import Folders
from videojob_cli.run import find_ffmpeg, load
from videojob_operator.decide.world import VideoJobView

SPEC = VideoJobSpec.model_validate({"transcode": {"source": {"uri": "store://stock/a.mp4"}}})


def tool(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "environ",
    [{"FFMPEG_PATH": "./bin/ffm"}, {"FFMPEG_PATH": "ffm", "PATH": "bin"}, {"PATH": "bin/named"}],
    ids=["a relative path", "a name below a relative PATH", "only a relative PATH"],
)
def test_ffmpeg_is_found_from_every_folder(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-054: stages work in folders of their own."""
    tool(tmp_path / "bin/ffm")
    tool(tmp_path / "bin/named/ffmpeg")
    monkeypatch.chdir(tmp_path)
    found = find_ffmpeg(environ)["FFMPEG_PATH"]
    monkeypatch.chdir("/")
    assert os.access(found, os.X_OK)


def view(status: VideoJobStatus) -> VideoJobView:
    return VideoJobView("default", "trailer", "u1", 1, datetime.now(UTC), SPEC, status)


def succeeded(folders: Folders) -> VideoJobView:
    job = folders.job("default", "u1")
    (job / "videos").mkdir(parents=True, exist_ok=True)
    (job / "videos/360p.mp4").write_bytes(b"x")
    (job / "manifest.json").write_text("{}")
    made = OutputStatus(
        name="360p", profile="360p", path="videos/360p.mp4", uri="store://jobs/u1/videos/360p.mp4",
        media_type="video/mp4", size_bytes=1, sha256="a" * 64, width=2, height=2, video_codec="h264",
    )  # fmt: skip
    return view(VideoJobStatus(phase="Succeeded", outputs=(made,)))


def failed(folders: Folders) -> VideoJobView:
    debug = folders.job("default", "u1") / "debug"
    debug.mkdir(parents=True, exist_ok=True)
    failure = FailureStatus(failure_class="Permanent", code="CorruptMedia", message="it broke")
    return view(VideoJobStatus(phase="Failed", failure=failure))


def test_a_run_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    folders, output = Folders(tmp_path / "store"), tmp_path / "out"
    output.mkdir()
    good, bad = ["360p.mp4", "manifest.json", "status.json"], ["debug", "inputs.json", "status.json"]
    for each, names in ((succeeded, good), (failed, bad), (succeeded, good)):
        check_folder(output / "trailer")
        ended = collect(each(folders), folders, output)
        assert sorted(path.name for path in ended.folder.iterdir()) == names
    assert [path.name for path in output.iterdir()] == ["trailer"]


@dataclass(frozen=True)
class Case:
    name: str
    make: Any
    says: str | None


CASES = (
    Case("nothing there", Path.exists, None),
    Case("an empty folder", lambda path: path.mkdir(), None),
    Case("a file", lambda path: path.write_text("x"), "is in the way"),
    Case("a link to a folder", lambda path: path.symlink_to("/tmp"), "is in the way"),
    Case("a person's own folder", lambda path: tool(path / "notes.txt"), "notes.txt in it is not of an earlier run"),
    Case("a folder named as ours", lambda path: tool(path / "debug/tool"), "debug in it is not of an earlier run"),
    Case(
        "a status that is none", lambda path: tool(path / "status.json"), r"status\.json in it is not of an earlier run"
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_only_what_a_run_has_made_is_replaced(case: Case, tmp_path: Path) -> None:
    case.make(tmp_path / "trailer")
    if case.says is None:
        check_folder(tmp_path / "trailer")
        return
    with pytest.raises(CliError, match=f"{case.says}.*choose another --output"):
        check_folder(tmp_path / "trailer")


def test_a_file_put_beside_an_earlier_runs_outputs_is_not_lost(tmp_path: Path) -> None:
    folders, output = Folders(tmp_path / "store"), tmp_path / "out"
    output.mkdir()
    collect(succeeded(folders), folders, output)
    (output / "trailer/my-cut.mp4").write_text("x")
    with pytest.raises(CliError, match=r"my-cut\.mp4 in it is not of an earlier run"):
        check_folder(output / "trailer")


def test_one_name_in_two_namespaces_would_be_one_folder(tmp_path: Path) -> None:
    job = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "spec": SPEC.dump()}
    path = tmp_path / "jobs.yaml"
    path.write_text(
        yaml.safe_dump_all({**job, "metadata": {"name": "trailer", "namespace": each}} for each in ("b", "a"))
    )
    with pytest.raises(CliError, match=r"trailer stands in the manifests twice \(namespaces a, b\).*rename one"):
        load([path], None, tmp_path)


def test_a_run_on_this_machine_publishes_nothing(tmp_path: Path) -> None:
    """S-052: it is a rehearsal; what goes out goes out from a cluster, and nobody waits here for an approval."""
    spec = {"story": {"script": {"text": "A fig fell."}}, "publish": {"auto": True, "platforms": [{"name": "tiktok"}]}}
    body = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "fig"}, "spec": spec}
    (tmp_path / "fig.yaml").write_text(yaml.safe_dump(body))
    (job,), _ = load([tmp_path / "fig.yaml"], None, tmp_path)
    assert job.view.spec is not None
    assert job.view.spec.publish is None
    (job,), _ = load([tmp_path / "fig.yaml"], None, tmp_path, rehearsal=False)
    assert job.view.spec is not None
    assert job.view.spec.publish is not None, "`videojob plan` shows what a cluster would do"
