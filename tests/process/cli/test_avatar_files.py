"""An avatar's portrait, voice and background: found beside the manifest, brought into the store together (A-001, A-044)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli_api import ACCOUNT, STORE, HandApi
from videojob_api.avatar.tasks import AUDIO_BYTES, FILM_BYTES
from videojob_cli.client import VideoJobs
from videojob_cli.collecting import collect
from videojob_cli.errors import CliError
from videojob_cli.localjob import Folders
from videojob_cli.main import from_manifests
from videojob_cli.planning import forecast
from videojob_cli.run import load
from videojob_operator.decide.rates import Rates

FILES = {"face.jpg": b"pretend that this is a face", "voice.wav": b"a voice", "wall.png": b"a wall"}


def uri_of(name: str) -> str:
    return f"store://inbox/{hashlib.sha256(FILES[name]).hexdigest()}"


def named(name: str, **fields: Any) -> dict[str, Any]:
    return {"uri": uri_of(name), "filename": name, **fields}


def manifest(folder: Path, **fields: Any) -> Path:
    """An avatar of all three files, laid beside the manifest and in `media/`."""
    (folder / "media").mkdir(exist_ok=True)
    for name, body in FILES.items():
        (folder / ("." if name == "face.jpg" else "media") / name).write_bytes(body)
    asked = {
        "image": named("face.jpg"), "audio": named("voice.wav"), "matting": {"image": named("wall.png")}, **fields,
    }  # fmt: skip
    path = folder / "avatar.yaml"
    spec = {"avatar": {key: value for key, value in asked.items() if value is not None}}
    body = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "face"}, "spec": spec}
    path.write_text(yaml.safe_dump(body))
    return path


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandApi:
    monkeypatch.delenv("VIDEOJOB_WORKER_IMAGE", raising=False)
    made = HandApi(tmp_path / "volume", "team")
    made.put(STORE, spec={"pvc": {"claimName": "claim"}})
    made.put(ACCOUNT)["metadata"]["annotations"] = {"videojob.dev/worker-image": "worker:1"}
    return made


def test_portrait_voice_and_background_go_up_together(api: HandApi, tmp_path: Path) -> None:
    """S-068: all three by one pod, the spec as it was written."""
    path = manifest(tmp_path)
    (document,) = from_manifests(VideoJobs(api, "team"), [path], None, None)
    assert document["spec"] == yaml.safe_load(path.read_text())["spec"]
    inbox = api.store / "team/inbox"
    assert {file.read_bytes() for file in inbox.iterdir()} == set(FILES.values())
    assert len([each for each in api.requests if each[0] == "POST" and each[1].endswith("/pods")]) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"audio": named("voice.wav", uri=uri_of("face.jpg"))},
            r"voice\.wav is not the file meant.*uri of spec\.avatar\.audio",
        ),
        ({"audio": None}, r"an avatar has one voice"),
    ],
    ids=["another file of that name", "no voice"],
)
def test_what_is_not_meant_is_found_before_anything_moves(
    api: HandApi, tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(CliError, match=said):
        from_manifests(VideoJobs(api, "team"), [manifest(tmp_path, **fields)], None, None)
    assert api.requests == []


@pytest.mark.parametrize(
    ("name", "field", "most"), [("face.jpg", "image", FILM_BYTES), ("voice.wav", "audio", AUDIO_BYTES)]
)
def test_a_file_beyond_its_limit_is_refused_by_name(tmp_path: Path, name: str, field: str, most: int) -> None:
    """A-044: the worker's limits, before an upload."""
    body = bytes(most + 1)
    path = manifest(tmp_path, **{field: {"uri": f"store://inbox/{hashlib.sha256(body).hexdigest()}", "filename": name}})
    (tmp_path / name).write_bytes(body)
    (tmp_path / "media" / name).unlink(missing_ok=True)
    with pytest.raises(
        CliError, match=rf"File too large: .*{name} has {most + 1} bytes, {most} .*spec\.avatar\.{field}"
    ):
        load([path], None, tmp_path)


def test_a_run_on_this_machine_asks_for_what_is_not_there(tmp_path: Path) -> None:
    path = manifest(tmp_path)
    ((job,), _) = load([path], None, tmp_path)
    assert [file.field for file in job.files] == ["avatar.image", "avatar.matting.image", "avatar.audio"]
    (tmp_path / "media/voice.wav").unlink()
    with pytest.raises(CliError, match=r"spec\.avatar\.audio is an upload, and voice\.wav is neither beside"):
        load([path], None, tmp_path)


@pytest.mark.parametrize(
    ("select", "names"), [("Largest", ["video", "thumbnail"]), ("All", ["video-1", "thumbnail-1"])]
)
def test_a_plan_names_jobs_and_outputs(tmp_path: Path, select: str, names: list[str]) -> None:
    """A-039: of everybody the first pair is named; how many there are only the picture knows."""
    path = manifest(tmp_path, detection={"select": select})
    (found,) = forecast([path], None, rates=Rates(), known=[], now=datetime(2026, 11, 1, tzinfo=UTC))
    body = found.dump()
    assert [one["name"] for one in body["outputs"]] == names
    assert [(group["name"], group["slot"]) for group in body["groups"]][1:4] == [
        ("detect", "yolo"), ("matte", "birefnet"), ("animate", "avatar"),
    ]  # fmt: skip


def test_what_failed_can_be_repeated_with_all_its_files(tmp_path: Path) -> None:
    """`videojob repro` finds every input of a run on this machine: those given, and those of the kept stock."""
    path = manifest(tmp_path, matting={"image": {"uri": "store://stock/wall.png"}})
    ((job,), _) = load([path], None, tmp_path)
    folders = Folders(tmp_path / "store")
    debug = folders.job(job.view.namespace, job.view.uid) / "debug"
    debug.mkdir(parents=True)
    (tmp_path / "out").mkdir()
    ended = collect(job.view, folders, tmp_path / "out", job.files)
    found = yaml.safe_load((ended.folder / "inputs.json").read_text())
    assert found == {
        uri_of("face.jpg"): str(tmp_path / "face.jpg"),
        uri_of("voice.wav"): str(tmp_path / "media/voice.wav"),
        "store://stock/wall.png": str((folders.stock(job.view.namespace) / "wall.png").absolute()),
    }
