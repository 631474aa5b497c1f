"""Avatars on real pods: the example as a person submits it, and two at once that share the model slots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kube import ROOT, Kube
from videojob_worker.compose import marks

EXAMPLE = ROOT / "crds/examples/avatar.yaml"
SLOT, GROUP, NAME = "videojob.dev/slot", "videojob.dev/group", "videojob.dev/name"
CAPACITY = {"yolo": 2, "birefnet": 1}
STAGES = ("Upload", "Detection", "BackgroundRemoval", "AvatarGeneration", "Finalizing", "Delivery")


def _running(pods: tuple[dict[str, Any], ...]) -> list[dict[str, set[str]]]:
    """Which VideoJobs hold a pod of each model slot, after each change that was seen. A slot is free when the container has
    ended; the pod says so a moment later.
    """
    held: dict[str, tuple[str, str]] = {}
    found = []
    for pod in pods:
        labels, uid = pod["metadata"]["labels"], pod["metadata"]["uid"]
        reports = pod["status"].get("containerStatuses", [])
        ended = bool(reports) and all("terminated" in report["state"] for report in reports)
        if ended or pod["status"].get("phase") in {"Succeeded", "Failed"} or "deletionTimestamp" in pod["metadata"]:
            held.pop(uid, None)
        else:
            held[uid] = (labels[SLOT], labels[NAME])
        found.append({slot: {name for of, name in held.values() if of == slot} for slot in CAPACITY})
    return found


@pytest.fixture
def variants(tmp_path: Path) -> Path:
    """The example three times, in pods of their own for every stage; with its files beside it."""
    body = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    (tmp_path / "media").symlink_to(EXAMPLE.parent / "media")
    path = tmp_path / "avatars.yaml"
    spec = {**body["spec"], "execution": {"mode": "Spread"}}
    path.write_text(yaml.safe_dump_all({**body, "metadata": {"name": f"face-{n}"}, "spec": spec} for n in range(3)))
    return path


def test_the_example_becomes_a_marked_video_of_a_talking_person(kube: Kube, namespace: str, tmp_path: Path) -> None:
    """A-001, A-002, A-014, A-035, C16: portrait and voice go up with the manifest; what comes back says that it is synthetic."""
    done = kube.cli("submit", "-n", namespace, "-f", str(EXAMPLE), "--wait", "--timeout", "240")
    assert done.code == 0, done.out + done.err
    status = kube.get("videojob", "greeter", namespace)["status"]
    avatar = status["avatar"]
    assert (avatar["personDetection"]["totalPersons"], avatar["personDetection"]["selectedPersonId"]) == (1, 1)
    assert avatar["provider"] == "builtin"
    stages = {stage["name"]: stage for stage in status["stages"]}
    assert tuple(stages) == STAGES
    assert stages["Detection"]["message"] == "Detected 1 person, selected person #1"
    assert [stages[name]["slot"] for name in STAGES[1:4]] == ["yolo", "birefnet", "avatar"]
    assert stages["Upload"]["slot"] == stages["Finalizing"]["slot"] == "cpu"
    assert "degraded" not in stages["BackgroundRemoval"], "the image carries the models"
    assert {output["synthetic"] for output in status["outputs"]} == {"compositeSynthetic"}
    back = kube.cli("outputs", "greeter", "-n", namespace, "--download", str(tmp_path))
    assert back.code == 0, back.err
    assert marks.read(tmp_path / "video.mp4") == marks.COMPOSITE
    assert avatar["consent"]["subject"] == "nobody"


def test_avatars_at_once_share_two_detectors_and_one_that_cuts_out(
    kube: Kube, namespace: str, variants: Path, tmp_path: Path
) -> None:
    """A-005, A-006, A-007: never more pods of a model than it has slots, one detects while another is cut out, all are made."""
    with kube.recorded("pods", f"{SLOT} in (yolo,birefnet)", tmp_path / "pods.json") as seen:
        done = kube.cli("submit", "-n", namespace, "-f", str(variants), "--wait", "--timeout", "400")
        assert done.code == 0, done.out + done.err
        held = _running(seen())
    most = {slot: max(len(each[slot]) for each in held) for slot in CAPACITY}
    assert all(most[slot] <= CAPACITY[slot] for slot in CAPACITY), most
    assert any(each["yolo"] - each["birefnet"] and each["birefnet"] for each in held)
    queue = {job["metadata"]["name"]: job["status"] for job in kube.list("videojobs", namespace)}
    assert {status["phase"] for status in queue.values()} == {"Succeeded"}
    sums = {tuple(output["sha256"] for output in status["outputs"]) for status in queue.values()}
    assert len(sums) == 1, "the same portrait and voice give the same bytes"
