"""Queues on a real API server: order, limits and numbers, with a test that plays the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from audit import Audit
from controlplane import ControlPlane
from operated import SYSTEM, Cluster, OperatorProcess, finished, phase_is
from videojob_cli.kube import connect
from videojob_cli.stats import statistics
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, VIDEOQUEUES, Raw

Operators = Callable[..., OperatorProcess]
PRIORITIES = ("Low", "Normal", "High")


@dataclass(frozen=True)
class Entry:
    """One VideoJob of the crowd."""

    namespace: str
    name: str
    uid: str
    priority: int
    since: str


async def make_queue(cluster: Cluster, name: str, **spec: Any) -> str:
    await cluster.ensure(VIDEOQUEUES, SYSTEM, {"metadata": {"name": name}, "spec": spec})
    return name


def accepted(raw: Raw) -> tuple[str, str]:
    """Status and reason of the condition Accepted."""
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return next(((one["status"], one["reason"]) for one in conditions if one["type"] == "Accepted"), ("", ""))


async def numbers(cluster: Cluster, queue: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """VideoQueue.status once it is as wanted; that takes at most ten seconds."""
    found = await cluster.until(
        VIDEOQUEUES, SYSTEM, lambda raw: wanted.items() <= (raw.get("status") or {}).items(), name=queue, seconds=30
    )
    status: dict[str, Any] = found["status"]
    return status


async def test_thirty_videojobs_of_three_priorities_and_two_namespaces_go_through_two_slots(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit, plane: ControlPlane
) -> None:
    """T-004, T-016, X-003, X-004, X-012, A-006, C10, cases 76 and 77: never more than two, in the right order, true numbers."""
    operator = await operators().start().ready()
    homes = [await cluster.namespace(f"{namespace}-{part}") for part in "ab"]
    queue = await make_queue(
        cluster, f"pair-{namespace}", paused=True, agingSeconds=0, slots=[{"name": "cpu", "capacity": 2}]
    )
    crowd: list[Entry] = []
    for number in range(30):
        home, priority = homes[number % 2], PRIORITIES[number // 2 % 3]
        raw = await cluster.submit(home, f"job-{number:02d}", queue=queue, priority=priority)
        name = raw["metadata"]["name"]
        raw = await cluster.until(VIDEOJOBS, home, phase_is("Queued"), name=name, because=operator.said)
        since = raw["status"]["queuedTime"]
        crowd.append(Entry(home, name, raw["metadata"]["uid"], 2 - PRIORITIES.index(priority), since))

    status = await numbers(cluster, queue, {"queueDepth": 30, "jobsByStatus": {"queued": 30}})
    assert status["slots"] == [{"name": "cpu", "used": 0, "capacity": 2, "waiting": 30}]
    assert status["positions"] == [entry.uid for entry in turns(crowd, homes)][:20]
    await cluster.until(
        VIDEOJOBS, homes[0], lambda raw: raw["status"]["queue"].get("message") == f"queue {queue} is paused"
    )

    await cluster.api.patch(VIDEOQUEUES, SYSTEM, queue, {"spec": {"paused": False}})
    started: list[str] = []
    for number in range(len(crowd)):
        while len(started) < min(len(crowd), number + 2):
            job = await cluster.until(
                JOBS,
                "",
                lambda raw: label(raw, "queue") == queue and label(raw, "uid") not in started,
                because=operator.said,
            )
            started.append(label(job, "uid"))
        await end(cluster, by_uid(crowd, started[number]))
    for entry in crowd:
        ended = await cluster.until(VIDEOJOBS, entry.namespace, finished, name=entry.name, because=operator.said)
        assert ended["status"]["phase"] == "Succeeded"

    assert sum(len(audit.created_jobs(home)) for home in homes) == len(crowd), "each started once"
    assert_order(crowd, [by_uid(crowd, uid) for uid in started])
    status = await numbers(cluster, queue, {"queueDepth": 0, "jobsByStatus": {"completed": 30}, "totalJobs": 30})
    assert status["slots"] == [{"name": "cpu", "used": 0, "capacity": 2, "waiting": 0}]
    assert "positions" not in status or status["positions"] == []
    assert await asyncio.to_thread(statistics, connect(plane.kubeconfig), queue) == {
        "queue_depth": 0,
        "dlq_depth": 0,
        "total_jobs": 30,
        "jobs_by_status": {"completed": 30},
        "processing_rate_per_minute": 6.0,
    }
    await operator.exports("videojob_queue_wait_seconds_count")


def label(raw: Raw, name: str) -> str:
    """One of our labels; empty when there is none."""
    return str((raw["metadata"].get("labels") or {}).get(f"videojob.dev/{name}", ""))


def by_uid(crowd: list[Entry], uid: str) -> Entry:
    return next(entry for entry in crowd if entry.uid == uid)


def turns(crowd: list[Entry], homes: list[str]) -> list[Entry]:
    """The order of a queue in which nothing runs: by priority, the namespaces in pairs, each in its own order."""
    found: list[Entry] = []
    for priority in range(3):
        lines = [
            sorted((e for e in crowd if e.priority == priority and e.namespace == home), key=lambda e: (e.since, e.uid))
            for home in homes
        ]
        for pair in zip(*lines, strict=True):
            found += sorted(pair, key=lambda e: (e.since, e.uid))
    return found


def assert_order(crowd: list[Entry], started: list[Entry]) -> None:
    """By priority; within it each namespace in the order of acceptance, and neither ahead of the other by two."""
    assert len(started) == len(crowd)
    assert [entry.priority for entry in started] == sorted(entry.priority for entry in crowd)
    homes = sorted({entry.namespace for entry in crowd})
    for priority in range(3):
        mine = [entry for entry in started if entry.priority == priority]
        for home in homes:
            line = [entry for entry in mine if entry.namespace == home]
            assert line == sorted(line, key=lambda entry: (entry.since, entry.uid))
        for length in range(len(mine) + 1):
            counts = [sum(entry.namespace == home for entry in mine[:length]) for home in homes]
            assert abs(counts[0] - counts[1]) <= 1


async def end(cluster: Cluster, entry: Entry) -> None:
    """Its pod does its work. Just before, no more Jobs of the queue are at work than there are slots."""
    videojob = await cluster.api.get(VIDEOJOBS, entry.namespace, entry.name)
    queue = videojob["spec"]["queue"]
    working = [
        job["metadata"]["name"]
        for job in await cluster.all(JOBS, "")
        if label(job, "queue") == queue and not job["status"].get("conditions")
    ]
    ended = [
        pod["metadata"]["labels"]["job-name"]
        for pod in await cluster.all(PODS, "")
        if label(pod, "queue") == queue and pod["status"].get("phase") == "Succeeded"
    ]
    assert len(set(working) - set(ended)) <= 2
    await cluster.succeed(videojob, await cluster.pod_of(entry.namespace, entry.name))


async def test_a_full_queue_and_a_limited_namespace_let_in_one_after_the_other(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    """S-004, X-012: Pending with the reason while it is full; in by itself when there is room; a priority needs a person."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    queue = await make_queue(
        cluster,
        f"narrow-{namespace}",
        paused=True,
        maxDepth=1,
        limits=[{"namespace": namespace, "allowedPriorities": ["Normal", "Low"]}],
    )
    await cluster.submit(namespace, "first", queue=queue)
    await cluster.until(VIDEOJOBS, namespace, phase_is("Queued"), name="first", because=operator.said)
    await cluster.submit(namespace, "second", queue=queue)
    await cluster.until(VIDEOJOBS, namespace, lambda raw: accepted(raw) == ("False", "QueueFull"), name="second")
    await cluster.submit(namespace, "urgent", queue=queue, priority="High")
    await cluster.until(
        VIDEOJOBS, namespace, lambda raw: accepted(raw) == ("False", "PriorityNotAllowed"), name="urgent"
    )
    await operator.exports(f'videojob_queue_held_back{{queue="{queue}"}} 1.0')
    await operator.exports(f'videojob_queue_videojobs{{phase="Queued",queue="{queue}"}} 1.0')
    await operator.exports(f'videojob_slots_capacity{{queue="{queue}",slot="birefnet"}} 1.0')
    first = await cluster.api.get(VIDEOJOBS, namespace, "first")
    await cluster.api.delete(VIDEOJOBS, namespace, "first", uid=first["metadata"]["uid"])
    await cluster.until(VIDEOJOBS, namespace, phase_is("Queued"), name="second", because=operator.said)
    await cluster.api.patch(VIDEOJOBS, namespace, "urgent", {"spec": {"priority": "Low"}})
    await cluster.until(VIDEOJOBS, namespace, lambda raw: accepted(raw) == ("False", "QueueFull"), name="urgent")
    await cluster.api.patch(VIDEOQUEUES, SYSTEM, queue, {"spec": {"maxDepth": 2}})
    await cluster.until(VIDEOJOBS, namespace, phase_is("Queued"), name="urgent", because=operator.said)
    status = await numbers(cluster, queue, {"queueDepth": 2, "totalJobs": 2})
    assert status["jobsByStatus"] == {"queued": 2}
