"""Ten avatars at once on real pods, their models on GPUs that a node only says that it has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import tinynets
import voices
from cluster import gpus
from crowds import Crowd
from kube import ROOT, Kube
from photographs import FOLDER

SYSTEM, QUEUE = "videojob-system", "cards"
CROWD = 10
CARDS = "nvidia.com/gpu.shared"
SLOTS = {"cpu": CROWD, "yolo": 2, "birefnet": 1, "avatar": 5}
LIGHT = {"resources": {"requests": {"cpu": "50m", "memory": "64Mi"}}}
"""A small node has room for all of them: a pod that waits for one keeps its slot from the others."""
TRACE = ROOT / "build" / "avatars-on-pods.md"


def _vision(*arguments: str) -> str:
    """The worker's image with ONNX Runtime for processors: built and loaded, or its name."""
    argv = [sys.executable, "hack/cluster", "images", "--only", "worker-vision", *arguments]
    env = {**os.environ, "EXTRA": "vision", "ACCELERATOR": "cpu"}
    return subprocess.run(argv, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout


@pytest.fixture(scope="module")
def cards(kube: Kube, configure: Callable[..., None]) -> Iterator[None]:
    """A node with three GPUs, and a worker class with them for the models that can use one."""
    _vision()
    image = dict(line.split("=", 1) for line in _vision("--print-refs").splitlines())["worker-vision"]
    classes = {
        "default": {**LIGHT, "gpuClass": "cards"},
        "cards": {**LIGHT, "image": image, "gpu": {"resource": CARDS}},
    }
    gpus.fake(kube.kubeconfig, 3, CARDS)
    configure("--set-json", f"workerClasses={json.dumps(classes)}")
    yield
    configure()
    gpus.fake(kube.kubeconfig, 0, CARDS)


@pytest.fixture
def queue(kube: Kube) -> Iterator[str]:
    """A paused queue, first come first served."""
    slots = [{"name": name, "capacity": capacity} for name, capacity in SLOTS.items()]
    meta = {"name": QUEUE, "namespace": SYSTEM}
    spec = {"paused": True, "agingSeconds": 0, "slots": slots}
    kube.apply({"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoQueue", "metadata": meta, "spec": spec})
    yield QUEUE
    kube.run("delete", "videoqueue", QUEUE, "-n", SYSTEM)


@pytest.fixture
def avatar(kube: Kube, namespace: str, tmp_path: Path) -> dict[str, Any]:
    """A small portrait, a short voice and two models in the namespace's stock; what an avatar of them asks for."""
    face, voice = tmp_path / "face.png", tmp_path / "voice.wav"
    with Image.open(FOLDER / "astronaut.png") as whole:
        whole.convert("RGB").resize((192, 192)).save(face)
    voice.write_bytes(voices.wav_file(voices.tone(1000, 16_000), 16_000))
    (sitter, found), (oval, cut) = tinynets.portrait(tmp_path)
    files = [str(path) for path in (face, voice, sitter, oval)]
    done = kube.cli("storage", "put", *files, "--to", "crowd", "-n", namespace)
    assert done.code == 0, done.out + done.err

    def weights(path: Path, sha256: str) -> dict[str, str]:
        return {"uri": f"store://stock/crowd/{path.name}", "sha256": sha256}

    return {
        "image": {"uri": "store://stock/crowd/face.png"},
        "audio": {"uri": "store://stock/crowd/voice.wav"},
        "detection": {"detector": "onnx", "weights": weights(sitter, found)},
        "matting": {"matter": "birefnet", "weights": weights(oval, cut), "color": "#00C040"},
    }


def test_ten_avatars_share_three_gpus_on_real_pods(
    kube: Kube, cards: None, namespace: str, queue: str, avatar: dict[str, Any], tmp_path: Path
) -> None:
    """A-005, A-006, A-007, A-020, A-042, A-043: never more than two pods that detect and one that cuts out, first come first
    served, one VideoJob detects while another one is cut out, all ten are made; build/avatars-on-pods.md has the trace.
    """
    spec = {"queue": queue, "avatar": avatar, "cache": {"mode": "Off"}, "accelerator": {"hopAfterSeconds": 600}}
    head = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "spec": spec}
    mark = {"e2e": "crowd"}
    names = [f"face-{number}" for number in range(CROWD)]
    crowd = [{**head, "metadata": {"name": name, "namespace": namespace, "labels": mark}} for name in names]
    with (
        kube.recorded("pods", f"videojob.dev/queue={queue}", tmp_path / "pods.json") as pods,
        kube.recorded("videojobs", "e2e=crowd", tmp_path / "videojobs.json") as videojobs,
    ):
        kube.apply({"apiVersion": "v1", "kind": "List", "items": crowd})
        for name in names:
            kube.wait("jsonpath={.status.phase}=Queued", "videojob", name, namespace, 60)
        assert not pods(), "a pod started though the queue is paused"
        going = json.dumps({"spec": {"paused": False}})
        kube.run("patch", "videoqueue", queue, "-n", SYSTEM, "--type=merge", "-p", going)
        kube.run(
            "wait", "--for=condition=Finished", "videojob", "--all", "-n", namespace, "--timeout=300s", timeout=330
        )
        seen = Crowd.of(pods(), videojobs(), CARDS)
    TRACE.parent.mkdir(exist_ok=True)
    TRACE.write_text(seen.text(), encoding="utf-8")
    sys.stdout.write(seen.picture())

    statuses = [raw["status"] for raw in kube.list("videojobs", namespace)]
    for status in statuses:
        assert status["phase"] == "Succeeded", status.get("failure")
        assert [output["name"] for output in status["outputs"]] == ["video", "thumbnail"]
        rows = {stage["name"]: stage for stage in status["stages"]}
        for stage in ("Detection", "BackgroundRemoval"):
            assert (rows[stage]["acceleratorRequested"], rows[stage]["accelerator"]) == ("Gpu", "cpu"), (
                "no card is there"
            )
    sums = {tuple(output["sha256"] for output in status["outputs"]) for status in statuses}
    assert len(sums) == 1, "the same portrait and voice give the same bytes"
    assert sorted(seen.begun("detect")) == sorted(seen.begun("matte")) == sorted(names)
    assert seen.most("yolo") == SLOTS["yolo"]
    assert seen.most("birefnet") == SLOTS["birefnet"]
    assert all(row.cards == sum(len(row.held[slot]) for slot in ("yolo", "birefnet")) for row in seen.apart())
    assert seen.most_cards() == 3, "all three are used at once"
    assert any(row.held["yolo"] - row.held["birefnet"] and row.held["birefnet"] for row in seen.rows)
    for slot in ("yolo", "birefnet"):
        assert seen.overtaken(slot)[0] == []
    assert seen.overtaken("yolo")[1] >= CROWD // 2, "there was a line"
    order = sorted(seen.line, key=seen.line.__getitem__)
    backwards = replace(seen, line=dict(zip(order, (seen.line[name] for name in reversed(order)), strict=True)))
    assert backwards.overtaken("yolo")[0], "who looks at the line from its end sees that it is not kept"
