"""A node with faked GPUs under the real scheduler, a test that plays its kubelet, and the trace of who worked when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from cluster import binaries, gpus
from operated import Cluster, a_running, an_ended, free_port
from simavatar import delivered
from videojob_api.contract import RunResult, StageResult, TaskDocument
from videojob_operator.cluster.api import PODS, Raw, Resource

NODE = "cards"
SHARED = "nvidia.com/gpu.shared"
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
VOLUMES = ("VolumeBinding", "VolumeRestrictions", "VolumeZone", "NodeVolumeLimits")
"""What the scheduler is not to look at: there are no volumes here."""


@asynccontextmanager
async def scheduler(kubeconfig: Path, folder: Path) -> AsyncIterator[None]:
    """The real kube-scheduler, for the block, once it is ready."""
    port = free_port()
    plugins = {"multiPoint": {"disabled": [{"name": name} for name in VOLUMES]}}
    config = {
        "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False}, "clientConnection": {"kubeconfig": str(kubeconfig)},
        "profiles": [{"schedulerName": "default-scheduler", "plugins": plugins}],
    }  # fmt: skip
    file, log = folder / "scheduler.yaml", folder / "scheduler.log"
    file.write_text(yaml.safe_dump(config))
    argv = [
        str(binaries.path("kube-scheduler")), f"--config={file}", "--bind-address=127.0.0.1",
        f"--authentication-kubeconfig={kubeconfig}", f"--authorization-kubeconfig={kubeconfig}", f"--secure-port={port}",
    ]  # fmt: skip
    with log.open("wb") as out:
        running = await asyncio.create_subprocess_exec(*argv, stdout=out, stderr=out)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as session:
            while not await _ready(session, f"https://127.0.0.1:{port}/readyz"):
                assert running.returncode is None, f"the scheduler ended, see {log}"
                await asyncio.sleep(0.05)
        yield
    finally:
        running.kill()
        await running.wait()


async def _ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, ssl=False) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def a_node(cluster: Cluster, kubeconfig: Path, count: int) -> AsyncIterator[None]:
    """A node that is ready, with room for all, and with so many faked GPUs, for the block."""
    made = await cluster.ensure(NODES, None, {"metadata": {"name": NODE}})
    room = {"cpu": "64", "memory": "256Gi", "pods": "250", "ephemeral-storage": "500Gi"}
    ready = {"type": "Ready", "status": "True", "reason": "Played", "lastHeartbeatTime": "2100-01-01T00:00:00Z"}
    status = {"capacity": room, "allocatable": room, "conditions": [ready]}
    await cluster.api.patch_status(NODES, "", NODE, status, version=None)
    await cluster.api.patch(NODES, "", NODE, {"spec": {"taints": None}})  # the API server takes new nodes for not ready
    gpus.fake(kubeconfig, count, SHARED)
    try:
        yield
    finally:
        await cluster.api.delete(NODES, "", NODE, uid=made["metadata"]["uid"])


@dataclass(frozen=True)
class Row:
    """A pod came into being, or its work ended, as the API server orders it."""

    at: datetime
    what: str
    videojob: str
    group: str
    slots: tuple[str, ...]
    """Slot classes that it holds."""
    held: tuple[tuple[str, int], ...]
    """Slots that live pods hold from then on, by class."""
    cards: int
    """GPUs that live pods ask for from then on."""
    models: int
    """Live pods that hold a slot of a model from then on."""


@dataclass
class Kubelet:
    """Plays the kubelet of one namespace's pods: each works for a moment, once it has a node and nothing holds it back. Models
    that begin once the detectors are let go work until all GPUs are in use, which so is sure to happen.
    """

    cluster: Cluster
    namespace: str
    seconds: float = 0.15
    """How long a pod works."""
    rows: list[Row] = field(default_factory=list)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, detectors stay at work."""
    gpus: int = 3
    """So many are there."""
    crowded: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once all of them were in use."""
    uploads: dict[str, asyncio.Event] = field(default_factory=dict)
    """By VideoJob: set, its first stage ends."""
    _live: dict[str, Raw] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            async for kind, pod in self.cluster.watch(PODS, self.namespace):
                self._note(kind, pod)
                uid = pod["metadata"]["uid"]
                if pod["spec"].get("nodeName") and uid not in self._tasks:
                    self._tasks[uid] = asyncio.create_task(self._work(pod))
        finally:
            for task in self._tasks.values():
                task.cancel()

    def failed(self) -> list[BaseException]:
        """What went wrong while pods were played."""
        done = [task for task in self._tasks.values() if task.done() and not task.cancelled()]
        return [error for task in done if (error := task.exception()) is not None]

    def _note(self, kind: str, pod: Raw) -> None:
        uid = pod["metadata"]["uid"]
        over = kind == "DELETED" or _over(pod)
        if over == (uid not in self._live):
            return
        if over:
            del self._live[uid]
        else:
            self._live[uid] = pod
        each = [_slots(one) for one in self._live.values()]
        slots = [slot for one in each for slot in one]
        cards = sum(_cards(one) for one in self._live.values())
        if cards == self.gpus:
            self.crowded.set()
        held = tuple((slot, slots.count(slot)) for slot in sorted(set(slots)))
        self.rows.append(
            Row(
                datetime.now().astimezone(), "ends" if over else "begins", _label(pod, "name"), _label(pod, "group"),
                _slots(pod), held, cards,
                sum(not {"yolo", "birefnet"}.isdisjoint(one) for one in each),
            )
        )  # fmt: skip

    async def _work(self, pod: Raw) -> None:
        document = TaskDocument.model_validate_json(pod["metadata"]["annotations"]["videojob.dev/task"])
        later = self.held.is_set() and not {"yolo", "birefnet"}.isdisjoint(_slots(pod))
        done: list[Raw] = []
        for name in document.containers():
            await self.cluster.play(pod, "Running", *done, a_running(name))
            await asyncio.sleep(self.seconds)
            if document.group in ("speak", "upload"):
                await self.uploads.setdefault(document.job.name, asyncio.Event()).wait()
            if document.group == "detect":
                await self.held.wait()
            if later:
                await self.crowded.wait()
            done.append(an_ended(name, 0, _result(document, name)))
            await self.cluster.play(pod, "Running", *done)
        await self.cluster.play(pod, "Succeeded", *done)

    def table(self) -> str:
        """The trace, one line for each change."""
        first = self.rows[0].at if self.rows else datetime.now().astimezone()
        lines = [
            "| ms | VideoJob | stage | | yolo | birefnet | avatar | cpu | GPUs |",
            "|--:|---|---|---|--:|--:|--:|--:|--:|",
        ]
        for row in self.rows:
            held = dict(row.held)
            counts = " | ".join(str(held.get(slot, 0)) for slot in ("yolo", "birefnet", "avatar", "cpu"))
            passed = round((row.at - first).total_seconds() * 1000)
            lines.append(f"| {passed} | {row.videojob} | {row.group} | {row.what} | {counts} | {row.cards} |")
        return "\n".join(lines) + "\n"


def _label(pod: Raw, name: str) -> str:
    return str((pod["metadata"].get("labels") or {}).get(f"videojob.dev/{name}", ""))


def _slots(pod: Raw) -> tuple[str, ...]:
    return tuple(filter(None, (_label(pod, "slot"), *_label(pod, "also-slots").split("."))))


def _over(pod: Raw) -> bool:
    """Whether all its containers have terminated, which frees its slot."""
    status, spec = pod.get("status") or {}, pod["spec"]
    if status.get("phase") in ("Succeeded", "Failed"):
        return True
    told = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    wanted = len(spec.get("initContainers") or ()) + len(spec["containers"])
    return len(told) == wanted and all("terminated" in one["state"] for one in told)


def _cards(pod: Raw) -> int:
    """GPUs that it asks for: those of its largest container."""
    spec = pod["spec"]
    asked = (
        (one.get("resources") or {}).get("limits") or {}
        for one in (*(spec.get("initContainers") or ()), *spec["containers"])
    )
    return max(int(limits.get(SHARED, 0)) for limits in asked)


def _result(document: TaskDocument, container: str) -> RunResult:
    """What a container leaves that did its work; where it was given a GPU, its model computed on it."""
    found: list[StageResult] = []
    for task in document.stages:
        if task.container != container:
            continue
        used: dict[str, Any] = {} if task.accelerator is None else {
            "accelerator": "cpu" if task.accelerator == "Never" else "cuda"
        }  # fmt: skip
        plain = StageResult(kind=task.kind, seconds=0.2, cpu_seconds=0.1, **used)
        found.append(delivered(task, document.job.uid) if task.kind == "deliver" else plain)
    return RunResult(
        uid=document.job.uid, group=document.group, attempt=document.attempt, container=container, exit_code=0,
        stages=tuple(found),
    )  # fmt: skip
