"""The main job on real pods: a file goes in, verified renditions come out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from audit import Audit
from kube import ROOT, Kube, facts
from podstates import most_at_work

SYSTEM = "videojob-system"


def test_every_rendition_of_the_example_comes_out(kube: Kube, namespace: str, tmp_path: Path) -> None:
    """T-001 to T-007: five profiles, probed again after the download."""
    done = kube.cli("submit", "-n", namespace, "-f", "crds/examples/transcode.yaml", "--wait")
    assert done.code == 0, done.out + done.err
    name = kube.list("videojobs", namespace)[0]["metadata"]["name"]
    done = kube.cli("outputs", "-n", namespace, name, "--download", str(tmp_path))
    assert done.code == 0, done.out + done.err
    job = kube.get("videojob", name, namespace)
    files = {output["name"]: tmp_path / Path(output["path"]).name for output in job["status"]["outputs"]}
    assert {path.name: path.stat().st_size for path in files.values()} == {
        Path(output["path"]).name: output["sizeBytes"] for output in job["status"]["outputs"]
    }
    seen = {name: _probe(path) for name, path in files.items()}
    assert seen == {
        "720p": ("h264", 1280, 720),
        "480p": ("h264", 854, 480),
        "360p": ("h264", 640, 360),
        "webm_720p": ("vp9", 1280, 720),
        "thumbnail": ("mjpeg", 320, 180),
    }


def _probe(path: Path) -> tuple[str, int, int]:
    argv = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=codec_name,width,height"]
    done = subprocess.run([*argv, "-of", "json", str(path)], capture_output=True, text=True, check=True)
    stream = json.loads(done.stdout)["streams"][0]
    return stream["codec_name"], stream["width"], stream["height"]


def test_the_same_manifest_without_a_cluster_gives_the_same_outputs(kube: Kube, namespace: str, tmp_path: Path) -> None:
    """X-023: `videojob run` is the same planner and the same stages."""
    done = kube.cli("submit", "-n", namespace, "-f", "crds/examples/transcode.yaml", "--wait")
    assert done.code == 0, done.out + done.err
    job = kube.list("videojobs", namespace)[0]
    ran = kube.cli("run", "crds/examples/transcode.yaml", "--output", str(tmp_path))
    assert ran.code == 0, ran.out + ran.err
    manifest = json.loads((tmp_path / job["metadata"]["name"] / "manifest.json").read_text())
    assert facts(manifest["outputs"]) == facts(job["status"]["outputs"])
    for here, there in zip(manifest["outputs"], job["status"]["outputs"], strict=True):
        assert here["sizeBytes"] == pytest.approx(there["sizeBytes"], rel=0.1)


def test_what_kubectl_shows(kube: Kube, namespace: str) -> None:
    """T-003, X-025: columns, describe, wait, field selectors."""
    assert kube.cli("submit", "-n", namespace, "-f", "crds/examples/transcode-minimal.yaml").code == 0
    name = kube.list("videojobs", namespace)[0]["metadata"]["name"]
    kube.wait("condition=Finished", "videojob", name, namespace, 180)
    header, row = kube.run("get", "videojobs", "-n", namespace).out.splitlines()
    assert header.split() == ["NAME", "TYPE", "PHASE", "STAGE", "PROGRESS", "ATTEMPTS", "AGE"]
    assert row.split()[:6] == [name, "Transcode", "Succeeded", "Commit", "100%", "1"]
    assert "processing_completed" in kube.run("describe", "videojob", name, "-n", namespace).out
    by_phase = kube.run("get", "vj", "-n", namespace, "--field-selector", "status.phase=Succeeded", "-o", "name").out
    assert by_phase.strip() == f"videojob.videojob.dev/{name}"
    kube.wait("condition=Complete", "videojob", name, namespace, 5)
    kube.wait("condition=Ready", "videojob", name, namespace, 5)


def test_spread_runs_one_job_for_each_stage(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path, audit: Audit
) -> None:
    """Each stage its own Job and pod; the outputs are the same as those of one pod."""
    spread = submit(small_clip, "spread", execution={"mode": "Spread"})
    kube.wait("condition=Complete", "videojob", spread, namespace, 240)
    created = audit.created_jobs(namespace)
    assert len(created) == 4, created
    compact = submit(small_clip, "compact", execution={"mode": "Compact"})
    kube.wait("condition=Complete", "videojob", compact, namespace, 240)
    assert len(audit.created_jobs(namespace)) == 5
    outputs = [kube.get("videojob", name, namespace)["status"]["outputs"] for name in (spread, compact)]
    assert facts(outputs[0]) == facts(outputs[1])


def test_slots_hold(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path, tmp_path: Path, one_slot: None
) -> None:
    """X-004, C9, C10: with one slot, pods run one after another in the order in which their VideoJobs came."""
    with kube.recorded("pods", "videojob.dev/queue=default", tmp_path / "pods.json") as states:
        names = [submit(small_clip, f"turn-{number}") for number in range(3)]
        for name in names:
            kube.wait("condition=Complete", "videojob", name, namespace, 240)
        seen = [pod for pod in states() if pod["metadata"]["namespace"] == namespace]
    assert most_at_work(seen) == 1
    assert list(dict.fromkeys(pod["metadata"]["labels"]["videojob.dev/name"] for pod in seen)) == names


@pytest.fixture
def one_slot(kube: Kube) -> Iterator[None]:
    """The default queue with one slot, which it knows."""
    _slots(kube, 1)
    yield
    _slots(kube, 4)


def _slots(kube: Kube, capacity: int) -> None:
    slots = json.dumps({"spec": {"slots": [{"name": "cpu", "capacity": capacity}]}})
    kube.run("patch", "videoqueue", "default", "-n", SYSTEM, "--type=merge", "-p", slots)
    kube.watch(
        "videoqueue", "default", SYSTEM, lambda raw: [slot["capacity"] for slot in raw["status"]["slots"]] == [capacity], 60
    )  # fmt: skip


@pytest.mark.parametrize("example", sorted((ROOT / "crds/examples").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_taken_as_it_stands(kube: Kube, empty_namespace: Callable[[], str], example: Path) -> None:
    """Each manifest of crds/examples, by plain kubectl."""
    done = kube.run("apply", "--dry-run=server", "-n", empty_namespace(), "-f", str(example))
    assert {line.split()[1] for line in done.out.splitlines()} <= {"created", "configured", "unchanged"}
