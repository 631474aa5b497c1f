"""The same request twice in a namespace: the second one is served from the cache, past a queue that has no slot left."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from kube import Kube, facts

WANTED = {"transcode": {"profiles": ["360p", "thumbnail"]}, "cache": {"mode": "ReadWrite"}}
SYSTEM = "videojob-system"


def slots(kube: Kube, count: int) -> None:
    """Slots of class cpu in the default queue."""
    patch = json.dumps({"spec": {"slots": [{"name": "cpu", "capacity": count}]}})
    kube.run("patch", "videoqueue", "default", "-n", SYSTEM, "--type=merge", "-p", patch)


def test_the_second_of_the_same_request_encodes_nothing_and_waits_for_nobody(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path, files: Callable[[str, str], list[str]]
) -> None:
    """S-056, A-037: no slot of class cpu is left at all, and it is done within seconds, to the same bytes."""
    first = submit(small_clip, "first", **WANTED)
    kube.wait("condition=Complete", "videojob", first, namespace, 180)
    slots(kube, 0)
    try:
        again = submit(small_clip, "again", **WANTED)
        anew = submit(small_clip, "anew", **{**WANTED, "cache": {"mode": "Off"}})
        kube.wait("condition=Complete", "videojob", again, namespace, 60)
        status = kube.get("videojob", again, namespace)["status"]
        assert kube.get("videojob", anew, namespace)["status"]["phase"] == "Queued", "without the cache it waits"
    finally:
        slots(kube, 4)
    assert {stage["name"]: stage["state"] for stage in status["stages"]} == {
        "Ingest": "Cached", "Transcode": "Cached", "Verify": "Cached", "Commit": "Succeeded",
    }  # fmt: skip
    before = kube.get("videojob", first, namespace)["status"]
    assert facts(status["outputs"]) == facts(before["outputs"])
    assert [output["sha256"] for output in status["outputs"]] == [output["sha256"] for output in before["outputs"]]
    took = datetime.fromisoformat(status["completionTime"]) - datetime.fromisoformat(status["queuedTime"])
    assert took.total_seconds() < 20
    uid = kube.get("videojob", again, namespace)["metadata"]["uid"]
    left = files(namespace, f"jobs/{uid}")
    assert "manifest.json" in left
    assert not [name for name in left if name.endswith("commands.txt")], "a tool ran"
    kube.wait("condition=Complete", "videojob", anew, namespace, 180)
