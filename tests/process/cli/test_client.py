"""submit and outputs against a cluster in the hand; files go through the worker's real commands as processes (X-026)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cli_api import JOBS, HandApi, a_team
from videojob_cli.client import VideoJobs
from videojob_cli.errors import CliError
from videojob_cli.sources import local_file

BODY = bytes(range(251)) * 9000
SHA = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandApi:
    monkeypatch.delenv("VIDEOJOB_WORKER_IMAGE", raising=False)
    return a_team(tmp_path / "volume")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "My Clip (1).mp4"
    path.write_bytes(BODY)
    return path


def test_submit_uploads_then_creates(api: HandApi, clip: Path) -> None:
    """T-001, T-002: the file lies under its digest before the VideoJob exists; the pod is gone afterwards."""
    moved: list[int] = []
    name = VideoJobs(api).submit_file(clip, profiles=["720p"], priority="High", moved=moved.append)
    assert (api.store / "team/inbox" / SHA).read_bytes() == BODY
    job = api.objects[f"{JOBS}/{name}"]
    assert name.startswith("my-clip-1-")
    assert job["spec"] == {
        "transcode": {"source": {"uri": f"store://inbox/{SHA}", "filename": clip.name}, "profiles": ["720p"]},
        "priority": "High",
    }
    assert sum(moved) == len(BODY)
    assert api.pods() == []
    methods = [request for request in api.requests if request[0] in {"POST", "DELETE"}]
    assert [(method, path.split("/")[-1] if method == "POST" else "") for method, path in methods] == [
        ("POST", "pods"),
        ("DELETE", ""),
        ("POST", "videojobs"),
    ]


def test_a_pod_whose_making_was_interrupted_does_not_stay(api: HandApi, clip: Path) -> None:
    """The server has made it, and before its answer was read a signal came."""

    class Cut(HandApi):
        def _create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
            made = super()._create(path, body)
            if body["kind"] == "Pod":
                raise SystemExit(143)
            return made

    cut = Cut(api.store, "team", api.objects)
    with pytest.raises(SystemExit):
        VideoJobs(cut).upload([local_file(clip)])
    assert cut.pods() == []


def test_what_is_there_already_is_not_sent_again(api: HandApi, clip: Path) -> None:
    VideoJobs(api).submit_file(clip)
    moved: list[int] = []
    VideoJobs(api).submit_file(clip, moved=moved.append)
    assert moved == []
    assert [command[:2] for command in api.commands] == [("receive", "--length")] * 2


def test_the_store_refuses_too_much_even_if_the_client_does_not(api: HandApi, clip: Path) -> None:
    """T-014: the cap holds at the receiving end, whatever the sending end thinks of the file."""

    def smaller(argv: Sequence[str]) -> Sequence[str]:
        return ["1000" if before == "--max-bytes" else each for before, each in zip(("", *argv), argv, strict=False)]

    api.touch = smaller
    with pytest.raises(CliError, match=r"File too large: 2.2 MiB were announced, at most 1000 bytes"):
        VideoJobs(api).upload([local_file(clip)])
    assert list((api.store / "team/inbox").iterdir()) == []
    assert api.pods() == []


def test_a_file_that_changes_on_the_way_is_not_taken(api: HandApi, clip: Path) -> None:
    file = local_file(clip)
    clip.write_bytes(BODY[::-1])
    with pytest.raises(CliError, match="announced was"):
        VideoJobs(api).upload([file])
    clip.write_bytes(BODY[:1000])
    with pytest.raises(CliError, match="sha256"):
        VideoJobs(api).upload([file])
    assert list((api.store / "team/inbox").iterdir()) == []


def test_a_name_that_is_taken(api: HandApi, clip: Path) -> None:
    VideoJobs(api).submit_file(clip, name="trailer")
    with pytest.raises(
        CliError, match="VideoJob team/trailer exists: look at it with `videojob status trailer -n team`"
    ):
        VideoJobs(api).submit_file(clip, name="trailer")


# ---------------------------------------------------------------- outputs


def output(path: str = "videos/720p.mp4", sha: str = SHA) -> dict[str, Any]:
    return {"name": "720p", "path": path, "sizeBytes": len(BODY), "sha256": sha}


@pytest.fixture
def finished(api: HandApi) -> HandApi:
    job = api.put(f"{JOBS}/trailer", spec={}, status={"phase": "Succeeded", "outputs": [output()]})
    job["metadata"]["uid"] = "u1"
    folder = api.store / "team/jobs/u1/videos"
    folder.mkdir(parents=True)
    (folder / "720p.mp4").write_bytes(BODY)
    return api


def test_outputs_come_verified_and_good_ones_stay(finished: HandApi, tmp_path: Path) -> None:
    """T-003, S-066: what is there already and whole is not fetched again."""
    target = tmp_path / "out"
    (file,) = VideoJobs(finished).download("trailer", target)
    assert file == target / "720p.mp4"
    assert file.read_bytes() == BODY
    assert [path.name for path in target.iterdir()] == ["720p.mp4"]
    commands = len(finished.commands)
    VideoJobs(finished).download("trailer", target)
    assert len(finished.commands) == commands
    file.write_bytes(BODY[:-1])
    VideoJobs(finished).download("trailer", target)
    assert file.read_bytes() == BODY
    assert finished.pods() == []


def test_a_damaged_copy_in_the_store_is_noticed(finished: HandApi, tmp_path: Path) -> None:
    (finished.store / "team/jobs/u1/videos/720p.mp4").write_bytes(BODY[:-1] + b"!")
    with pytest.raises(CliError, match="the stored copy is damaged"):
        VideoJobs(finished).download("trailer", tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    assert finished.pods() == []


def test_an_output_that_is_gone_is_told_in_the_stores_words(finished: HandApi, tmp_path: Path) -> None:
    (finished.store / "team/jobs/u1/videos/720p.mp4").unlink()
    with pytest.raises(CliError, match=r"videos/720p.mp4: No such file"):
        VideoJobs(finished).download("trailer", tmp_path / "out")


def test_a_path_in_status_never_leaves_the_target_folder(finished: HandApi, tmp_path: Path) -> None:
    finished.objects[f"{JOBS}/trailer"]["status"]["outputs"] = [output("../../../../etc/cron.d/x")]
    with pytest.raises(CliError, match="is not a path below"):
        VideoJobs(finished).download("trailer", tmp_path / "out")
    finished.objects[f"{JOBS}/trailer"]["status"]["outputs"] = [output("videos/..")]
    with pytest.raises(CliError, match="no usable file name"):
        VideoJobs(finished).download("trailer", tmp_path / "out")
