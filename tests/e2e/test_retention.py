"""What has expired goes, what is held stays, and the store's numbers are those of its volume."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from kube import Kube

COUNT = (
    "import json,os; base='/store/'+__import__('sys').argv[1]; "
    "paths=[os.path.join(d,f) for d,_,fs in os.walk(base) for f in fs]; disk=os.statvfs(base); "
    "print(json.dumps({'files': len(paths), 'bytes': sum(os.lstat(p).st_size for p in paths), "
    "'capacity': disk.f_blocks*disk.f_frsize, 'free': disk.f_bavail*disk.f_frsize}))"
)
AGE = """
import os, sys, time
folder, then = sys.argv[1], time.time() - 7200
os.rename(folder, folder + "-aside")  # a kubelet made it: only a folder of one's own can be given another time
os.mkdir(folder)
for name in os.listdir(folder + "-aside"):
    os.rename(f"{folder}-aside/{name}", f"{folder}/{name}")
os.rmdir(folder + "-aside")
for place, _, names in os.walk(folder):
    for name in (".", *names):
        os.utime(os.path.join(place, name), (then, then))
"""


def a_sweep(kube: Kube, namespace: str, seconds: float, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for the store's record of a sweep; its status."""

    def there(store: dict[str, Any]) -> bool:
        status = store.get("status", {})
        return "lastSweepTime" in status and wanted(status)

    status: dict[str, Any] = kube.watch("mediastore", "default", namespace, there, seconds)["status"]
    return status


def test_outputs_are_swept_after_a_few_seconds_and_the_videojob_stays(
    kube: Kube,
    namespace: str,
    submit: Callable[..., str],
    files: Callable[[str, str], list[str]],
    on_volume: Callable[..., str],
    small_clip: Path,
) -> None:
    """A-015, A-016, A-018: the held one keeps its bytes; `kubectl get mediastore` tells what a count of the volume does."""
    kept = submit(small_clip, "kept", retention={"videosSeconds": 5, "hold": True})
    kube.wait("condition=Complete", "videojob", kept, namespace, 180)
    brief = submit(small_clip, "brief", retention={"videosSeconds": 5})
    kube.wait("condition=Complete", "videojob", brief, namespace, 180)
    uid = kube.get("videojob", brief, namespace)["metadata"]["uid"]

    def expired(job: dict[str, Any]) -> bool:
        return all(output["state"] == "Expired" for output in job["status"]["outputs"])

    job = kube.watch("videojob", brief, namespace, expired, 120)
    assert job["status"]["phase"] == "Succeeded"
    ready = next(one for one in job["status"]["conditions"] if one["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Expired")
    left = files(namespace, f"jobs/{uid}")
    assert {"manifest.json", "retention.json"} <= set(left)
    assert not [path for path in left if path.startswith("videos/")]
    assert any(path.startswith("debug/") for path in left)
    held = kube.get("videojob", kept, namespace)
    assert [output["state"] for output in held["status"]["outputs"]] == ["Available"] * 3
    assert (
        len([path for path in files(namespace, f"jobs/{held['metadata']['uid']}") if path.startswith("videos/")]) == 3
    )

    status = a_sweep(kube, namespace, 60, lambda status: status["sweep"]["deletedFiles"] >= 3)
    counted = json.loads(on_volume(namespace, COUNT, namespace))
    assert (status["totalFiles"], status["totalSizeBytes"]) == (counted["files"], counted["bytes"])
    disk = status["disk"]
    assert disk["capacityBytes"] == counted["capacity"]
    assert abs(disk["freeBytes"] - counted["free"]) < counted["capacity"] / 20, "others write to that disk meanwhile"
    assert abs(disk["percentUsed"] - 100 * (1 - disk["freeBytes"] / disk["capacityBytes"])) < 0.1
    assert {tier["name"]: tier["files"] for tier in status["tiers"]}["uploads"] == 1
    sys.stdout.write(kube.run("get", "mediastore", "default", "-n", namespace, "-o", "yaml").out)


def test_deleted_while_running_its_pods_go_and_its_bytes_are_swept(
    kube: Kube,
    namespace: str,
    submit: Callable[..., str],
    files: Callable[[str, str], list[str]],
    on_volume: Callable[..., str],
    rotated_clip: Path,
    small_clip: Path,
) -> None:
    """Cases 48 and 78, A-017: a folder an hour old whose VideoJob is gone goes with the next sweep, here one on low space;
    one that is younger stays.
    """
    name = submit(rotated_clip, "deleted", execution={"mode": "Spread"})
    kube.watch("mediastore", "default", namespace, lambda store: "disk" in store.get("status", {}), 180)
    job = kube.watch("videojob", name, namespace, lambda seen: seen["status"].get("stage") == "Transcode", 180)
    uid, began = job["metadata"]["uid"], time.monotonic()
    kube.run("delete", "videojob", name, "-n", namespace, "--wait=true")
    kube.run("wait", "--for=delete", "pod", "-n", namespace, "-l", f"videojob.dev/uid={uid}", "--timeout=60s")
    assert time.monotonic() - began < 60
    assert files(namespace, f"jobs/{uid}"), "nobody has swept yet"
    low = {"spec": {"minFreeSpace": "900Ti"}}
    kube.run("patch", "mediastore", "default", "-n", namespace, "--type=merge", "-p", json.dumps(low))
    first = a_sweep(kube, namespace, 90, lambda _: True)
    assert {c["type"]: c["status"] for c in first["conditions"]} == {"LowSpace": "True", "Swept": "True"}
    assert first["sweep"].get("deletedFolders", 0) == 0
    assert files(namespace, f"jobs/{uid}"), "it was written to a minute ago"
    on_volume(namespace, AGE, f"/store/{namespace}/jobs/{uid}", write=True)
    # Something that expires brings the next sweep before ten minutes have passed.
    brief = submit(small_clip, "brief", retention={"videosSeconds": 1})
    kube.wait("condition=Finished", "videojob", brief, namespace, 180)
    then = datetime.fromisoformat(first["lastSweepTime"])
    second = a_sweep(
        kube,
        namespace,
        90,
        lambda seen: datetime.fromisoformat(seen["lastSweepTime"]) > then and seen["sweep"]["deletedFolders"] == 1,
    )
    assert second["sweep"]["succeeded"]
    assert files(namespace, f"jobs/{uid}") == []
