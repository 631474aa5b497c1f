"""Queues on real pods: two slots for fifty VideoJobs, and numbers that are true."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audit import Audit
from clips import Clips
from kube import Kube
from podstates import at_work

SYSTEM = "videojob-system"
PRIORITIES = ("High", "Normal", "Low")
CROWD = 50
SLOTS = 2


@dataclass(frozen=True)
class Entry:
    """One VideoJob of the crowd; its key is its place in the line of its namespace."""

    uid: str
    namespace: str
    priority: int
    since: str

    @property
    def key(self) -> tuple[int, str, str]:
        """Priority, time of acceptance, UID."""
        return self.priority, self.since, self.uid


@pytest.fixture
def pair(kube: Kube) -> Iterator[str]:
    """A paused queue with two slots, first come first served within a priority."""
    spec = {"paused": True, "agingSeconds": 0, "slots": [{"name": "cpu", "capacity": SLOTS}]}
    kube.apply(_queue("pair", spec))
    yield "pair"
    kube.run("delete", "videoqueue", "pair", "-n", SYSTEM)


def _queue(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": SYSTEM}
    return {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoQueue", "metadata": meta, "spec": spec}


def _videojob(namespace: str, name: str, uri: str, **spec: Any) -> dict[str, Any]:
    work = {"source": {"uri": uri, "filename": "clip.mp4"}, "profiles": ["thumbnail"]}
    meta = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": meta,
        "spec": {"cache": {"mode": "Off"}, **spec, "transcode": work},
    }


def test_fifty_videojobs_of_three_priorities_and_two_namespaces_go_through_two_slots(
    kube: Kube,
    ready_namespace: Callable[[], str],
    put: Callable[[str, Path], str],
    pair: str,
    audit: Audit,
    tmp_path: Path,
) -> None:
    """T-004, T-016, X-003, X-004, A-006, C10, cases 76 and 77: never more than two, in the right order, each once."""
    homes = [ready_namespace(), ready_namespace()]
    clip = Clips(tmp_path)("small")
    uris = {home: put(home, clip) for home in homes}
    crowd = [
        _videojob(homes[n % 2], f"job-{n:02d}", uris[homes[n % 2]], queue=pair, priority=PRIORITIES[2 - n // 2 % 3])
        for n in range(CROWD)
    ]
    with kube.recorded("pods", f"videojob.dev/queue={pair}", tmp_path / "pods.json") as states:
        kube.apply({"apiVersion": "v1", "kind": "List", "items": crowd})
        waiting = {"cpu": {"name": "cpu", "used": 0, "capacity": SLOTS, "waiting": CROWD}}
        full = kube.watch("videoqueue", pair, SYSTEM, lambda raw: _slots(raw) == waiting, 60)["status"]
        entries = [_entry(raw) for home in homes for raw in kube.list("videojobs", home)]
        assert (full["queueDepth"], full["jobsByStatus"]) == (CROWD, {"queued": CROWD})
        assert full["positions"] == [entry.uid for entry in _turns(entries, homes)][:20]
        assert not states(), "a pod started though the queue is paused"

        kube.run(
            "patch", "videoqueue", pair, "-n", SYSTEM, "--type=merge", "-p", json.dumps({"spec": {"paused": False}})
        )
        for home in homes:
            kube.run(
                "wait", "--for=condition=Complete", "videojob", "--all", "-n", home, "--timeout=900s", timeout=1800
            )
        started = _started({entry.uid: entry for entry in entries}, states())
    assert sum(len(audit.created_jobs(home)) for home in homes) == CROWD, "each VideoJob has one Job"
    _assert_order(entries, started)

    done = kube.watch("videoqueue", pair, SYSTEM, lambda raw: raw["status"]["jobsByStatus"] == {"completed": CROWD}, 60)
    assert _slots(done) == {"cpu": {"name": "cpu", "used": 0, "capacity": SLOTS, "waiting": 0}}
    shown = json.loads(kube.cli("stats", "--queue", pair).out)
    assert shown.pop("processing_rate_per_minute") > 0
    assert shown == {"queue_depth": 0, "dlq_depth": 0, "total_jobs": CROWD, "jobs_by_status": {"completed": CROWD}}


def _slots(queue: dict[str, Any]) -> dict[str, Any]:
    return {slot["name"]: slot for slot in (queue.get("status") or {}).get("slots") or ()}


def _entry(raw: dict[str, Any]) -> Entry:
    meta = raw["metadata"]
    priority = PRIORITIES.index(raw["spec"]["priority"])
    return Entry(meta["uid"], meta["namespace"], priority, raw["status"]["queuedTime"])


def _turns(crowd: list[Entry], homes: list[str]) -> list[Entry]:
    """The order of a queue in which nothing runs yet: by priority, there one of each namespace in turn."""
    found: list[Entry] = []
    for priority in range(len(PRIORITIES)):
        lines = [
            sorted((e for e in crowd if e.priority == priority and e.namespace == home), key=lambda e: e.key)
            for home in homes
        ]
        while any(lines):
            heads = [line[0] for line in lines if line]
            counts = Counter(entry.namespace for entry in found)
            first = min(heads, key=lambda e: (counts[e.namespace], e.key))
            found.append(first)
            next(line for line in lines if line and line[0] is first).pop(0)
    return found


def _started(known: dict[str, Entry], states: tuple[dict[str, Any], ...]) -> list[tuple[Entry, str]]:
    """The VideoJobs in the order in which their pods appeared, each with its Job's second.

    Fails when there are ever more pods at work than slots, or when a namespace holds both while the other one waits.
    """
    order: list[tuple[Entry, str]] = []
    owners: dict[str, Entry] = {}
    for pod, working in at_work(states):
        meta = pod["metadata"]
        entry = owners[meta["uid"]] = known[meta["labels"]["videojob.dev/uid"]]
        if entry not in (seen for seen, _ in order):
            order.append((entry, meta["creationTimestamp"]))
            assert len(working) <= SLOTS, f"{len(working)} pods at work"
            begun = {seen.uid for seen, _ in order}
            left_out = {e.namespace for e in known.values() if e.uid not in begun and e.priority == entry.priority}
            homes = {owners[uid].namespace for uid in working}
            assert len(working) < SLOTS or len(homes) == SLOTS or left_out <= homes, "unfair"
    return order


def _assert_order(crowd: list[Entry], started: list[tuple[Entry, str]]) -> None:
    """By priority, and within it each namespace in the order of acceptance. What started in one second was granted
    together: the order of its pods is the Job controller's.
    """
    order = [entry for entry, _ in sorted(started, key=lambda pair: (pair[1], pair[0].key))]
    assert sorted(entry.uid for entry in order) == sorted(entry.uid for entry in crowd)
    assert [entry.priority for entry in order] == sorted(entry.priority for entry in crowd)
    for home in {entry.namespace for entry in crowd}:
        line = [entry.key for entry in order if entry.namespace == home]
        assert line == sorted(line)


def test_the_default_queue_tells_true_numbers(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path, tmp_path: Path
) -> None:
    """T-004: `kubectl get videoqueue default` and `videojob stats` agree with a count of the VideoJobs themselves."""
    text = tmp_path / "text.mp4"
    text.write_text("this is no video\n" * 400)
    submit(small_clip, "good", transcode={"profiles": ["thumbnail"]})
    submit(text, "bad", transcode={"profiles": ["thumbnail"]})
    submit(small_clip, "held", suspend=True, transcode={"profiles": ["thumbnail"]})
    kube.wait("condition=Complete", "videojob", "good", namespace, 120)
    kube.wait("condition=Failed", "videojob", "bad", namespace, 120)

    def true(queue: dict[str, Any]) -> bool:
        words = {"Succeeded": "completed", "Running": "processing"}
        phases = Counter(job["status"]["phase"] for job in kube.list("videojobs") if job["spec"]["queue"] == "default")
        counts = {words.get(phase, phase.lower()): count for phase, count in phases.items()}
        status = queue["status"]
        return (
            status["jobsByStatus"] == counts
            and status["totalJobs"] == phases.total()
            and status["dlqDepth"] == phases["Failed"]
            and status["queueDepth"] == phases["Queued"]
            and _slots(queue)["cpu"]["used"] == phases["Running"]
        )

    status = kube.watch("videoqueue", "default", SYSTEM, true, 60)["status"]
    assert status["jobsByStatus"]["suspended"] >= 1
    assert status["dlqDepth"] >= 1
    assert status["processingRatePerMinute"] > 0
    shown = json.loads(kube.cli("stats").out)
    assert (shown["total_jobs"], shown["jobs_by_status"]) == (status["totalJobs"], status["jobsByStatus"])
    sys.stdout.write(kube.run("get", "videoqueue", "default", "-n", SYSTEM, "-o", "yaml").out)
    dead = kube.list("videojobs", selector="videojob.dev/dead-letter=true")
    assert len([job for job in dead if job["spec"]["queue"] == "default"]) == status["dlqDepth"]
