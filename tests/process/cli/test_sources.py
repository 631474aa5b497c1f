"""Manifests and the local files they mean, submitted to a cluster in the hand."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli_api import HandApi
from videojob_cli.client import VideoJobs
from videojob_cli.errors import CliError
from videojob_cli.main import from_manifests

BODY = b"pretend that this is a video" * 100
SHA = hashlib.sha256(BODY).hexdigest()
PROFILE = {
    "apiVersion": "videojob.dev/v1alpha1",
    "kind": "VideoProfile",
    "metadata": {"name": "tiny"},
    "spec": {"thumbnail": {}},
}


def job(name: str, uri: str = f"store://inbox/{SHA}", **spec: Any) -> dict[str, Any]:
    transcode = {"source": {"uri": uri, "filename": "clip.mp4"}, **spec.pop("transcode", {})}
    return {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": name},
        "spec": {"transcode": transcode, **spec},
    }


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandApi:
    monkeypatch.delenv("VIDEOJOB_WORKER_IMAGE", raising=False)
    made = HandApi(tmp_path / "volume", "team")
    for store in ("default", "other"):
        made.put(
            f"/apis/videojob.dev/v1alpha1/namespaces/team/mediastores/{store}",
            spec={"pvc": {"claimName": f"c-{store}"}},
        )
    account = made.put("/api/v1/namespaces/team/serviceaccounts/videojob-worker")
    account["metadata"]["annotations"] = {"videojob.dev/worker-image": "worker:1"}
    made.put("/apis/videojob.dev/v1alpha1/namespaces/team/videoprofiles/tiny", spec={})
    return made


def written(folder: Path, *documents: Any) -> list[Path]:
    path = folder / "jobs.yaml"
    path.write_text("---\n".join(yaml.safe_dump(each) for each in documents))
    return [path]


@pytest.mark.parametrize("where", [".", "media"])
def test_the_file_a_manifest_means_is_uploaded_once(api: HandApi, tmp_path: Path, where: str) -> None:
    """S-068: two VideoJobs of one file, one pod, one upload."""
    (tmp_path / where).mkdir(exist_ok=True)
    (tmp_path / where / "clip.mp4").write_bytes(BODY)
    documents = from_manifests(VideoJobs(api), written(tmp_path, job("a"), job("b"), PROFILE), None, None)
    assert [each["metadata"]["name"] for each in documents] == ["a", "b"]
    assert (api.store / "team/inbox" / SHA).read_bytes() == BODY
    assert sum(api.sent) == len(BODY)
    assert (
        len([path for method, path in api.requests if (method, path) == ("POST", "/api/v1/namespaces/team/pods")]) == 1
    )
    assert api.objects["/apis/videojob.dev/v1alpha1/namespaces/team/videoprofiles/tiny"]["spec"] == {"thumbnail": {}}


def test_an_upload_that_lies_nowhere_here_is_trusted_to_be_in_the_store(api: HandApi, tmp_path: Path) -> None:
    from_manifests(VideoJobs(api), written(tmp_path, job("a"), job("b", "store://stock/b.mp4")), None, None)
    assert api.commands == []


def test_a_file_given_by_hand_becomes_the_source(api: HandApi, tmp_path: Path) -> None:
    clip = tmp_path / "other name.mp4"
    clip.write_bytes(BODY)
    document = job("a")
    del document["spec"]["transcode"]["source"]
    (complete,) = from_manifests(VideoJobs(api), written(tmp_path, document), clip, None)
    assert complete["spec"]["transcode"]["source"] == {"uri": f"store://inbox/{SHA}", "filename": "other name.mp4"}
    assert (api.store / "team/inbox" / SHA).exists()


def test_each_store_gets_its_own_files(api: HandApi, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(BODY)
    from_manifests(VideoJobs(api), written(tmp_path, job("a"), job("b", store="other")), None, None)
    assert (
        len([path for method, path in api.requests if (method, path) == ("POST", "/api/v1/namespaces/team/pods")]) == 2
    )


def test_the_manifests_own_limit_is_the_uploads(api: HandApi, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(BODY)
    small = job("a", transcode={"limits": {"maxInputSize": "1Ki"}})
    with pytest.raises(CliError, match=r"File too large: .*limits.maxInputSize allows 1024 .1Ki."):
        from_manifests(VideoJobs(api), written(tmp_path, small), None, None)
    assert api.requests == []


def test_a_fault_in_any_object_is_found_before_anything_moves(api: HandApi, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(BODY)
    bad = {**PROFILE, "spec": {}}
    with pytest.raises(CliError, match="VideoProfile tiny: a VideoProfile describes exactly one thing"):
        from_manifests(VideoJobs(api), written(tmp_path, job("a"), bad), None, None)
    assert api.requests == []
