"""GPUs that are none: a node says that it has some, so that Jobs which ask for them are scheduled and counted like anywhere.

The kubelet keeps what it is told in its node's status and hands out no device. `nvidia.com/gpu.shared` is what NVIDIA's device
plugin calls the slices of a card that is shared by time.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster import binaries, say

RESOURCE = "nvidia.com/gpu"
COUNT = 3
"""As many as the default queue's slots of classes that use one: yolo 2, birefnet 1."""
_NAME = re.compile(r"[a-z0-9.-]+/[A-Za-z0-9][A-Za-z0-9._-]*")


def fake(kubeconfig: Path, count: int = COUNT, resource: str = RESOURCE) -> str:
    """Give the first node that runs pods so many; 0 takes them away. Answers the node's name; CannotRunError if there is none."""
    if _NAME.fullmatch(resource) is None:
        raise say.CannotRunError(
            f"{resource} is no name of a resource; give one such as {RESOURCE} or {RESOURCE}.shared."
        )
    if not 0 <= count <= 100:
        raise say.CannotRunError(f"A node gets 0 to 100 faked GPUs, not {count}.")
    nodes = json.loads(_kubectl(kubeconfig, "get", "nodes", "-o", "json"))["items"]
    names = sorted(node["metadata"]["name"] for node in nodes if _runs_pods(node))
    if not names:
        raise say.CannotRunError("No node of the cluster runs pods: start it with `python3 hack/cluster up`.")
    amount = str(count) if count else None
    change = {"status": {"capacity": {resource: amount}, "allocatable": {resource: amount}}}
    _kubectl(kubeconfig, "patch", "node", names[0], "--subresource=status", "--type=merge", "-p", json.dumps(change))
    return str(names[0])


def _runs_pods(node: dict[str, Any]) -> bool:
    taints = node.get("spec", {}).get("taints", [])
    return not any(taint["effect"] == "NoSchedule" and "control-plane" in taint["key"] for taint in taints)


def _kubectl(kubeconfig: Path, *arguments: str) -> str:
    binaries.ensure(("kubectl",))
    command: Sequence[str] = [str(binaries.path("kubectl")), f"--kubeconfig={kubeconfig}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise say.CannotRunError((done.stderr.strip().splitlines() or ["kubectl failed"])[-1])
    return done.stdout
