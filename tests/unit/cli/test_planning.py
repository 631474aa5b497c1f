"""`videojob plan`: what would happen, by the operator's own planner, and nothing is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from builders import NOW, Scene
from cli_api import HandApi
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_cli.client import VideoJobs
from videojob_cli.embedded import builtin_profiles
from videojob_cli.init import OPERATOR_NAMESPACE
from videojob_cli.kube import objects
from videojob_cli.planning import Planned, forecast, learnt, visible_profiles
from videojob_operator.decide.rates import Rates


def manifest(folder: Path, **spec: Any) -> Path:
    transcode = {"source": {"uri": "store://stock/a.mp4"}, **spec.pop("transcode", {})}
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "trailer"},
        "spec": {"transcode": transcode, **spec},
    }  # fmt: skip
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def planned(path: Path, rates: Rates | None = None, file: Path | None = None) -> Planned:
    (found,) = forecast([path], file, rates=rates or Rates(), known=builtin_profiles(), now=NOW)
    return found


def test_jobs_slots_and_outputs(tmp_path: Path) -> None:
    found = planned(manifest(tmp_path, execution={"mode": "Spread"}, priority="High"))
    body = found.dump()
    assert [(group["name"], group.get("slot")) for group in body["groups"]] == [
        ("ingest", "cpu"),
        ("transcode", "cpu"),
        ("verify", "cpu"),
        ("commit", None),
    ]
    assert [one["name"] for one in body["outputs"]] == ["720p", "480p", "thumbnail"]
    assert body["estimate"] is None
    assert "VideoJob trailer: Transcode, queue default, priority High" in str(found)
    assert "no VideoJob of this kind has succeeded yet" in str(found)


def test_what_would_not_be_accepted_is_said(tmp_path: Path) -> None:
    found = planned(manifest(tmp_path, transcode={"profiles": ["8k"]}))
    assert found.problem is not None
    assert "no VideoProfile 8k" in found.problem
    assert "no VideoProfile 8k" in str(found)


def test_an_input_that_would_be_refused_is_said(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_text("this is no video\n" * 99)
    found = planned(manifest(tmp_path), file=clip)
    assert found.problem is not None
    assert found.problem.startswith("Its input would be refused: InvalidFileType")


def test_experience_and_profiles_come_from_the_cluster(tmp_path: Path) -> None:
    """The namespace's finished VideoJobs teach; its own VideoProfiles come before the shared ones."""
    status = Scene.of().settle().succeed("main-a1").settle().status
    api = HandApi(tmp_path / "volume", "team")
    api.put(objects("team", "videojobs", "old"), status=status.dump())
    api.put(objects("team", "videojobs", "new"))
    spec = BUILTIN_PROFILES["720p"].dump()
    api.put(objects(OPERATOR_NAMESPACE, "videoprofiles", "720p"), spec=spec)
    api.put(objects("team", "videoprofiles", "mine"), spec=spec)
    jobs = VideoJobs(api)
    assert [(one.namespace, one.name) for one in visible_profiles(jobs)] == [
        ("team", "mine"),
        (OPERATOR_NAMESPACE, "720p"),
    ]
    found = planned(manifest(tmp_path), learnt(jobs))
    assert found.seconds is not None
    assert found.dump()["estimate"]["seconds"] == (status.execution_time_ms or 0) / 1000
    assert "its input is not here to be probed" in str(found)
    assert not [request for request in api.requests if request[0] != "GET"]
