"""Ten avatars at once on a node with three faked GPUs: a real API server and scheduler, and a test that plays the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from builders import SHA
from cards import NODE, Kubelet, Row, a_node, scheduler
from controlplane import ControlPlane
from operated import ROOT, SYSTEM, Cluster, OperatorProcess, finished, phase_is
from videojob_operator.cluster.api import PODS, VIDEOJOBS, VIDEOQUEUES, Raw

CROWD = 10
CLASSES = """
default: {gpuClass: cards}
cards: {image: "worker:cuda", gpu: {resource: nvidia.com/gpu.shared}}
"""
WEIGHTS = {"uri": "store://stock/models/model.onnx", "sha256": SHA}
AVATAR = {
    "image": {"uri": f"store://inbox/{SHA}"},
    "audio": {"uri": "store://stock/voice.wav"},
    "detection": {"detector": "onnx", "weights": WEIGHTS},
    "matting": {"matter": "birefnet", "weights": WEIGHTS},
}
SLOTS = {"cpu": 10, "yolo": 2, "birefnet": 1, "avatar": 5}


def waits(raw: Raw) -> bool:
    """Whether the queue has told it to wait for its detection."""
    queue = (raw.get("status") or {}).get("queue") or {}
    return queue.get("reason") == "WaitingForSlot" and "slot yolo" in (queue.get("message") or "")


async def test_ten_avatars_share_three_gpus(
    cluster: Cluster,
    operators: Callable[..., OperatorProcess],
    namespace: str,
    plane: ControlPlane,
    tmp_path: Path,
) -> None:
    """A-005, A-006, A-007, A-042, A-043: never more than two detectors and one that cuts out, first come first served, one
    VideoJob found while another one is cut out; build/avatars-on-gpus.md has the trace.
    """
    (tmp_path / "classes.yaml").write_text(CLASSES)
    operator = await operators(worker_classes_file=str(tmp_path / "classes.yaml")).start().ready()
    await cluster.namespace(namespace)
    queue = f"cards-{namespace}"
    slots = [{"name": name, "capacity": capacity} for name, capacity in SLOTS.items()]
    body = {"metadata": {"name": queue}, "spec": {"slots": slots, "agingSeconds": 0}}
    await cluster.ensure(VIDEOQUEUES, SYSTEM, body)
    names = [f"face-{number}" for number in range(CROWD)]
    kubelet = Kubelet(cluster, namespace)
    async with a_node(cluster, plane.kubeconfig, 3), scheduler(plane.kubeconfig, tmp_path):
        playing = asyncio.create_task(kubelet.run())
        for name in names:  # one after the other, so that the order of the queue is theirs
            await cluster.submit(namespace, name, transcode=None, avatar=AVATAR, queue=queue)
            await cluster.until(VIDEOJOBS, namespace, phase_is("Queued", "Running"), name=name, seconds=60)
        for name in reversed(names):  # the last comer is the first to ask for a detector; the first one asks last
            kubelet.uploads.setdefault(name, asyncio.Event()).set()
            ready = phase_is("Running") if name in names[-2:] else waits
            await cluster.until(
                VIDEOJOBS,
                namespace,
                lambda raw, ready=ready: ready(raw) and raw["status"]["stages"][0]["state"] == "Succeeded",
                name=name,
                seconds=60,
                because=operator.said,
            )
        kubelet.held.set()
        done = [
            await cluster.until(VIDEOJOBS, namespace, finished, name=name, seconds=180, because=operator.said)
            for name in names
        ]
        pods = await cluster.all(PODS, namespace)
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "avatars-on-gpus.md").write_text(kubelet.table(), encoding="utf-8")
    assert kubelet.failed() == []
    assert [raw["status"]["phase"] for raw in done] == ["Succeeded"] * CROWD, operator.said()
    assert_trace(kubelet.rows, names)
    assert {pod["spec"]["nodeName"] for pod in pods} == {NODE}
    for raw in done:
        rows = {stage["name"]: stage for stage in raw["status"]["stages"]}
        for stage in ("Detection", "BackgroundRemoval"):
            assert (rows[stage]["acceleratorRequested"], rows[stage]["accelerator"]) == ("Gpu", "cuda")
        assert "acceleratorRequested" not in rows["AvatarGeneration"]


def assert_trace(rows: list[Row], names: list[str]) -> None:
    """What is promised of slots and GPUs, in the order of the API server."""
    for row in rows:
        held = dict(row.held)
        assert all(count <= SLOTS[slot] for slot, count in held.items()), row
        assert row.cards == row.models, row
    assert max(dict(row.held).get("yolo", 0) for row in rows) == 2
    assert any({"yolo", "birefnet"} <= dict(row.held).keys() for row in rows), "one is found while another is cut out"
    assert max(row.cards for row in rows) == 3, "all three are used"
    begun = [row.videojob for row in rows if (row.what, row.group) == ("begins", "detect")]
    line = [*reversed(names[-2:]), *names[:-2]]
    assert sorted(begun) == names
    # Who came first is first among those who wait; pods of two that start together may come into being in either order.
    assert all(abs(begun.index(name) - line.index(name)) < SLOTS["yolo"] for name in names), begun
    both = [row.videojob for row in rows if (row.what, row.slots) == ("begins", ("yolo", "birefnet"))]
    assert set(both) <= {*line[:2], *line[-2:]}, "while others wait, nobody holds both slots"
    for group in ("detect", "matte", "animate", "finish"):
        found = [row.videojob for row in rows if (row.what, row.group) == ("begins", group)]
        assert sorted([*found, *(both if group == "matte" else ())]) == names
