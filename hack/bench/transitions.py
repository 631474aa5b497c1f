"""`make figures`: how long it takes from one stage's end to the next one's start, and who writes how much.

Runs small VideoJobs one after another on the real cluster, each stage its own Job (Spread) and all in one (Compact), watches
pods with a clock of its own, and reads the API server's audit log: nothing is taken from what the operator says of itself.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")

from bench import oncluster  # noqa: E402 - found by the line above
from bench.oncluster import NAMESPACE  # noqa: E402
from videojob_cli.client import VideoJobs  # noqa: E402
from videojob_cli.connection import Kube  # noqa: E402
from videojob_cli.errors import CliError  # noqa: E402
from videojob_cli.kube import objects  # noqa: E402
from videojob_cli.sources import local_file  # noqa: E402

CLIP = ROOT / "crds/examples/media/clip.mp4"
RUNS = 5
SETTLE_SECONDS = 6.0
"""After a VideoJob's end, the Job controller still writes its conditions."""
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
CONTROL = ("videojob-operator", "kube-controller-manager")
"""Writers that a design can spare; kubelet and scheduler write for every pod whoever made it."""
APART = ("events", "tokenreviews")
"""Counted in lines of their own, and not in the sums."""


@dataclass
class Seen:
    """When this program saw a container change, in seconds of the machine's clock."""

    created: float
    running: dict[str, float] = field(default_factory=dict)
    terminated: dict[str, float] = field(default_factory=dict)
    containers: tuple[str, ...] = ()


class PodWatch:
    """Follows all pods of the namespace in the background."""

    def __init__(self, api: Kube) -> None:
        self._api = api
        self._end = threading.Event()
        self.pods: dict[str, Seen] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._end.is_set():
            for event in self._api.watch(objects(NAMESPACE, "pods", group="v1"), {}, 200):
                self._note(event["object"])
                if self._end.is_set():
                    return

    def _note(self, pod: dict[str, Any]) -> None:
        now = time.time()
        job = pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name")
        if job is None:
            return
        spec, status = pod["spec"], pod.get("status", {})
        seen = self.pods.setdefault(job, Seen(now))
        seen.containers = tuple(c["name"] for c in (*spec.get("initContainers", ()), *spec["containers"]))
        for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
            state, name = container.get("state", {}), container["name"]
            if "running" in state:
                seen.running.setdefault(name, now)
            if "terminated" in state:
                # One that is over within a second is never seen running: its end is the latest moment of its start.
                seen.running.setdefault(name, now)
                seen.terminated.setdefault(name, now)

    def stop(self) -> None:
        """End with the next event or the watch's own end."""
        self._end.set()


@dataclass(frozen=True)
class Write:
    """One write that the API server answered with success."""

    time: float
    agent: str
    verb: str
    resource: str
    namespace: str
    name: str


def writes(log: Path, start: int) -> Iterator[Write]:
    """Successful writes since a place in the audit log."""
    with log.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            entry = json.loads(line) if line.endswith(b"\n") else {}
            where = entry.get("objectRef") or {}
            code = (entry.get("responseStatus") or {}).get("code", 0)
            if entry.get("verb") not in WRITES or entry.get("stage") != "ResponseComplete" or not 200 <= code < 300:
                continue
            resource = where.get("resource", "")
            if where.get("subresource"):
                resource += "/" + where["subresource"]
            yield Write(
                datetime.fromisoformat(entry["requestReceivedTimestamp"]).timestamp(),
                entry.get("userAgent", "").split("/", 1)[0].split(" ", 1)[0],
                entry["verb"],
                resource,
                where.get("namespace", ""),
                where.get("name", ""),
            )


@dataclass
class Measured:
    """What came of one kind of execution."""

    to_next_job: list[float] = field(default_factory=list)
    to_next_container: list[float] = field(default_factory=list)
    counts: list[Counter[tuple[str, str]]] = field(default_factory=list)


def one(jobs: VideoJobs, watch: PodWatch, log: Path, mode: str, *, number: int, into: Measured) -> None:
    """Run one VideoJob to its end and account for it."""
    place = log.stat().st_size
    source = {"uri": local_file(CLIP).uri, "filename": CLIP.name}
    work = {"source": source, "profiles": ["360p", "thumbnail"]}
    spec = {"transcode": work, "execution": {"mode": mode}, "cache": {"mode": "Off"}}
    name = f"{mode.lower()}-{number}"
    jobs.create({"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": name}, "spec": spec})
    job = jobs.wait(name, seconds=300)
    if job["status"]["phase"] != "Succeeded":
        raise CliError(f"VideoJob {name} ended as {job['status']['phase']}: {job['status'].get('failure')}")
    time.sleep(SETTLE_SECONDS)
    found = [write for write in writes(log, place) if write.namespace == NAMESPACE or write.resource == "tokenreviews"]
    created = {write.name: write.time for write in found if write.resource == "jobs" and write.verb == "create"}
    order = sorted((name for name in watch.pods if name in created), key=lambda name: created[name])
    ends = {name: watch.pods[name].terminated[watch.pods[name].containers[-1]] for name in order}
    for earlier, later in pairwise(order):
        into.to_next_job.append(created[later] - ends[earlier])
        into.to_next_container.append(watch.pods[later].running[watch.pods[later].containers[0]] - ends[earlier])
    for seen in (watch.pods[name] for name in order):
        for before, after in pairwise(seen.containers):
            if after in seen.running:
                into.to_next_container.append(seen.running[after] - seen.terminated[before])
    into.counts.append(
        Counter((write.agent, f"{write.verb} {write.resource}") for write in found if write.agent != "videojob-cli")
    )


def spread_of(values: Sequence[float], unit: Callable[[float], str]) -> str:
    """Median and extremes."""
    if not values:
        return "none"
    return f"p50 {unit(statistics.median(values))}, least {unit(min(values))}, most {unit(max(values))} ({len(values)} times)"


def milliseconds(value: float) -> str:
    """For people."""
    return f"{value * 1000:.0f} ms"


def show(mode: str, found: Measured) -> None:
    """One table for each mode."""
    print(f"\n{mode}")
    lines = (
        ("container terminated (as a watch sees it) to the next Job's creation", found.to_next_job),
        ("container terminated to the next container running (both as seen)", found.to_next_container),
    )
    for text, values in lines:
        if values:
            print(f"  {text:<70}  {spread_of(values, milliseconds)}")
    middle = sorted(found.counts, key=lambda counts: sum(counts.values()))[len(found.counts) // 2]
    total = 0
    print(f"  API writes of one VideoJob (the median of {len(found.counts)}), by writer:")
    for (agent, what), count in sorted(middle.items()):
        apart = what.split(" ", 1)[1] in APART
        total += 0 if apart else count
        print(f"    {agent:<28}{what:<28}{count:>4}{'   (not in the sum)' if apart else ''}")
    print(f"    {'sum':<56}{total:>4}")
    ours = sum(n for (who, what), n in middle.items() if who in CONTROL and what.split(" ", 1)[1] not in APART)
    print(f"    {'of these by ' + ' and '.join(CONTROL):<56}{ours:>4}")


def main() -> None:
    """Measure and print."""
    oncluster.installed()
    status = subprocess.run(
        [sys.executable, "hack/cluster", "status"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    log = next(Path(line.split(None, 2)[2]) for line in status.splitlines() if line.startswith("audit log"))
    measure(log)


def measure(log: Path, runs: int = RUNS) -> None:
    """Measure on the cluster that $KUBECONFIG names."""
    api, jobs = oncluster.emptied()
    jobs.upload([local_file(CLIP)])
    watch = PodWatch(api)
    for mode in ("Spread", "Compact"):
        found = Measured()
        for number in range(runs):
            one(jobs, watch, log, mode, number=number, into=found)
        show(mode, found)
    watch.stop()


if __name__ == "__main__":
    oncluster.told("figures", main)
