"""Avatars on real pods: the example as a person submits it, and a video in the place of the portrait."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import films
from kube import ROOT, Kube
from videojob_worker.compose import marks

EXAMPLE = ROOT / "crds/examples/avatar.yaml"
STAGES = ("Upload", "Detection", "BackgroundRemoval", "AvatarGeneration", "Finalizing", "Delivery")


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
    assert stages["Detection"]["job"] == stages["BackgroundRemoval"]["job"], (
        "one pod for both: nobody waits for either slot"
    )
    assert "degraded" not in stages["BackgroundRemoval"], "the image carries the models"
    assert {output["synthetic"] for output in status["outputs"]} == {"compositeSynthetic"}
    back = kube.cli("outputs", "greeter", "-n", namespace, "--download", str(tmp_path))
    assert back.code == 0, back.err
    assert marks.read(tmp_path / "video.mp4") == marks.COMPOSITE
    assert avatar["consent"]["subject"] == "nobody"


def test_a_video_in_the_place_of_the_portrait_is_cut_out_frame_by_frame(
    kube: Kube, namespace: str, tmp_path: Path
) -> None:
    """A-041: found, followed, put before a colour; as long as it was, with its own sound and motion, marked."""
    clip = films.astronaut(tmp_path / "clip.mp4", seconds=1)
    done = kube.cli("storage", "put", str(clip), "--to", "people", "-n", namespace)
    assert done.code == 0, done.out + done.err
    itself = {"uri": "store://stock/people/clip.mp4"}
    spec = {"avatar": {"image": itself, "audio": itself, "matting": {"color": "#00C040"}}}
    meta = {"name": "filmed", "namespace": namespace}
    kube.apply({"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": meta, "spec": spec})
    kube.wait("condition=Finished", "videojob", "filmed", namespace, 180)
    status = kube.get("videojob", "filmed", namespace)["status"]
    assert status["phase"] == "Succeeded", status.get("failure")
    stages = {stage["name"]: stage for stage in status["stages"]}
    assert stages["Upload"]["message"].startswith("a video of 400x400, 1.0 s")
    assert stages["Detection"]["notes"] == ["seen in 5 of 5 looks at 25 frames"]
    assert {output["synthetic"] for output in status["outputs"]} == {"compositeSynthetic"}
    video = status["outputs"][0]
    assert (video["width"], video["height"], video["frameRate"]) == (400, 400, "25")
    assert (video["videoCodec"], video["audioCodec"]) == ("h264", "aac")
    assert abs(video["durationMs"] - 1000) <= 40

    back = kube.cli("outputs", "filmed", "-n", namespace, "--download", str(tmp_path))
    assert back.code == 0, back.err
    shown, given = films.pictures(tmp_path / "video.mp4"), films.pictures(clip)
    assert len(shown) == len(given) == 25
    person = (slice(180, 260), slice(150, 230))
    for frame, before in zip(shown, given, strict=True):
        assert np.abs(frame[:30, :30].astype(int) - (0x00, 0xC0, 0x40)).mean() < 12, "the background is another"
        assert np.corrcoef(frame[person].ravel(), before[person].ravel())[0, 1] > 0.9, "the person moves as before"
    with Image.open(tmp_path / "video_thumb.jpg") as still:
        assert still.size == (400, 400)
