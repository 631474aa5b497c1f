"""What people ask of a VideoJob that exists, with real pods: cancel, retry, suspend, stop; and what retries do unasked.

All of them share a namespace and one upload. `test_retention` has the one that is deleted while it runs.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from audit import Audit
from kube import Kube

SYSTEM, DEAD = "videojob-system", "videojob.dev/dead-letter"
DEPTH = 2
SIGNAL = """
import os, pathlib, signal, sys, time
found = []
while not found:
    time.sleep(0.02)
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if (entry / "comm").read_text() == "ffmpeg\\n" and b"-i" in (entry / "cmdline").read_bytes().split(bytes(1)):
                found.append(int(entry.name))
        except (OSError, ValueError):
            pass
for pid in found:
    os.kill(pid, signal.Signals[sys.argv[1]])
"""
"""Runs in a worker's pod: ffmpeg, once it is there, gets a signal. SIGSEGV is a crash; SIGSTOP keeps it at work."""
RECORDS = """
import json, pathlib, sys
base = pathlib.Path(sys.argv[1])
found = {str(path.relative_to(base)): path.stat().st_mtime for path in base.rglob("stage.json")}
print(json.dumps(found | {str(path.relative_to(base)): 0 for path in base.glob("videos/*")}))
"""
"""Runs in a pod that sees the store: when each stage's record was written, and what was published."""


@pytest.fixture
def namespace(shared_namespace: str) -> str:
    """One for all."""
    return shared_namespace


@pytest.fixture(scope="module")
def half_a_minute(
    kube: Kube, shared_namespace: str, rotated_clip: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A clip that takes ffmpeg some seconds, uploaded; its URI."""
    clip = tmp_path_factory.mktemp("half") / "clip.mp4"
    quiet = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    subprocess.run([*quiet, "-i", str(rotated_clip), "-t", "30", "-c", "copy", str(clip)], check=True)
    done = kube.cli("upload", "-n", shared_namespace, "--file", str(clip))
    assert done.code == 0, done.out + done.err
    return done.out.split()[-1]


@pytest.fixture
def create(kube: Kube, namespace: str, half_a_minute: str) -> Callable[..., str]:
    """Creates a VideoJob that makes one small rendition, unless its spec says otherwise; returns its name."""

    def run(name: str, *, uri: str = half_a_minute, labels: dict[str, str] | None = None, **spec: Any) -> str:
        work = {"source": {"uri": uri, "filename": "clip.mp4"}, "profiles": ["360p"]}
        body = {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"transcode": work, "cache": {"mode": "Off"}, **spec},
        }
        kube.run("create", "-f", "-", stdin=json.dumps(body))
        return name

    return run


def _stage(job: dict[str, Any], name: str) -> dict[str, Any]:
    stages: list[dict[str, Any]] = job.get("status", {}).get("stages") or [{"name": name}]
    return next(stage for stage in stages if stage["name"] == name)


def _conditions(job: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {entry["type"]: (entry["status"], entry["reason"]) for entry in job["status"].get("conditions", ())}


def _works(pod: dict[str, Any]) -> bool:
    status = pod["status"]
    entries = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return any(entry["name"] == "work" and "running" in entry["state"] for entry in entries)


def _at_work(kube: Kube, name: str, namespace: str, attempt: int = 1, group: str = "transcode") -> str:
    """Wait until that attempt has a pod whose container runs; the pod's name."""
    labels = {"name": name, "group": group, "attempt": attempt}
    selector = ",".join(f"videojob.dev/{label}={value}" for label, value in labels.items())
    pod = kube.watch("pods", f"--selector={selector}", namespace, _works, 120)
    return str(pod["metadata"]["name"])


def _signal(kube: Kube, pod: str, namespace: str, signal: str) -> None:
    """Send ffmpeg in the pod a signal, as soon as it is there."""
    kube.run("exec", pod, "-n", namespace, "-c", "work", "--", "timeout", "60", "python3", "-c", SIGNAL, signal)


def _crash(kube: Kube, name: str, namespace: str, attempt: int, group: str = "transcode") -> dict[str, Any]:
    """Let ffmpeg crash in that attempt of Transcode; returns the VideoJob once that is accounted for."""
    _signal(kube, _at_work(kube, name, namespace, attempt, group), namespace, "SIGSEGV")

    def counted(seen: dict[str, Any]) -> bool:
        return bool(_stage(seen, "Transcode").get("failures", 0) >= attempt)

    return kube.watch("videojob", name, namespace, counted, 60)


def _created(audit: Audit, namespace: str, name: str) -> list[str]:
    """Group and attempt of the Jobs that were created for the VideoJob, in order."""
    jobs = [job for job in audit.created_jobs(namespace) if job.startswith(f"{name}-")]
    return [job.removeprefix(f"{name}-").rsplit("-", 1)[0] for job in jobs]


def test_what_fails_twice_succeeds_at_the_third_attempt(
    kube: Kube, namespace: str, create: Callable[..., str], audit: Audit
) -> None:
    """X-007, T-010, T-017: two crashes of ffmpeg, each shown with its reason while the next attempt waits; then the video.
    What it cost is in the status, and counted by namespace.
    """
    name = create("shaky", retry={"maxAttempts": 3, "backoffSeconds": 1}, execution={"mode": "Compact"})
    for attempt in (1, 2):
        job = _crash(kube, name, namespace, attempt, "main")
        status, failure = job["status"], job["status"]["failure"]
        assert status["phase"] in {"Queued", "Running"}
        assert (failure["class"], failure["code"], failure["attempt"]) == ("Recoverable", "FFmpegFailed", attempt)
        due, failed = (datetime.fromisoformat(time) for time in (status["nextRetryTime"], failure["time"]))
        assert attempt <= (due - failed).total_seconds() < attempt + 1, "the wait doubles"
    kube.wait("condition=Complete", "videojob", name, namespace, 120)
    status = kube.get("videojob", name, namespace)["status"]
    assert (status["attempts"], status["redrives"]) == (3, 0)
    assert [output["name"] for output in status["outputs"]] == ["360p"]
    assert _created(audit, namespace, name) == ["main-a1", "main-a2", "main-a3"]
    spent = _stage({"status": status}, "Transcode")["cpuSeconds"]
    assert spent > 0
    text = kube.run("get", "--raw", f"/api/v1/namespaces/{SYSTEM}/services/videojob-operator:8080/proxy/metrics").out
    counted = re.search(
        rf'^videojob_cpu_seconds_total{{namespace="{namespace}",stage="Transcode"}} (\S+)$', text, re.MULTILINE
    )
    assert counted is not None
    assert float(counted[1]) >= spent
    assert 'videojob_retries_total{class="Recoverable"}' in text
    assert 'video_jobs_processed_total{profile="360p",status="success"}' in text


def test_a_dead_letter_goes_on_where_it_failed_and_stops_while_it_is_suspended(
    kube: Kube, namespace: str, create: Callable[..., str], audit: Audit, on_volume: Callable[..., str]
) -> None:
    """T-005, T-010, X-008, case 53: Ingest had succeeded, Transcode crashed for good; a retry goes on at Transcode.

    Suspended meanwhile, it ends the stage that runs and starts none, until the resume; nothing is done twice.
    """
    name = create("crashing", retry={"maxAttempts": 1}, execution={"mode": "Spread"})
    _crash(kube, name, namespace, 1)
    kube.wait("condition=DeadLettered", "videojob", name, namespace, 60)
    dead = kube.get("videojob", name, namespace)
    assert dead["metadata"]["labels"][DEAD] == "true"
    listed = kube.cli("dlq", "list", "-n", namespace)
    assert (listed.code, name in listed.out, "FFmpegFailed" in listed.out) == (0, True, True), listed.out + listed.err

    done = kube.cli("retry", name, "-n", namespace)
    assert done.code == 0, done.err
    pod = _at_work(kube, name, namespace, 2)
    _signal(kube, pod, namespace, "SIGSTOP")
    done = kube.cli("suspend", name, "-n", namespace)
    assert done.code == 0, done.err
    _signal(kube, pod, namespace, "SIGCONT")
    job = kube.watch("videojob", name, namespace, lambda seen: seen["status"]["phase"] == "Suspended", 120)
    assert [stage["state"] for stage in job["status"]["stages"]] == ["Succeeded", "Succeeded", "Waiting", "Waiting"]
    assert (DEAD in job["metadata"].get("labels", {}), "Failed" in _conditions(job)) == (False, False)
    pods = kube.list("pods", namespace, f"videojob.dev/uid={job['metadata']['uid']}")
    assert [pod["metadata"]["name"] for pod in pods if _works(pod)] == []
    died = datetime.fromisoformat(dead["status"]["completionTime"]).timestamp()
    written = [(path.split("/")[1], time > died) for path, time in _records(on_volume, job).items()]
    assert sorted(written) == [("ingest", False), ("transcode", True)], "what Ingest left was taken up as it was"

    done = kube.cli("resume", name, "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Complete", "videojob", name, namespace, 120)
    status = kube.get("videojob", name, namespace)["status"]
    attempts = {stage["name"]: stage["attempt"] for stage in status["stages"]}
    assert attempts == {"Ingest": 1, "Transcode": 2, "Verify": 1, "Commit": 1}
    assert _created(audit, namespace, name) == ["ingest-a1", "transcode-a1", "transcode-a2", "verify-a1", "commit-a1"]


def _records(on_volume: Callable[..., str], job: dict[str, Any]) -> dict[str, float]:
    namespace, uid = job["metadata"]["namespace"], job["metadata"]["uid"]
    found: dict[str, float] = json.loads(on_volume(namespace, RECORDS, f"/store/{namespace}/jobs/{uid}"))
    return found


def test_a_cancelled_job_runs_anew_from_a_named_stage_and_stops_after_another(
    kube: Kube, namespace: str, create: Callable[..., str], audit: Audit, on_volume: Callable[..., str]
) -> None:
    """X-002, X-008, case 52: Cancelled while ffmpeg runs, pods and Jobs gone within a minute; `--from Ingest` repeats what
    had succeeded; after spec.stopAfter it has succeeded, and nothing is published.
    """
    name = create("unwanted", execution={"mode": "Spread"}, stopAfter="Transcode")
    _signal(kube, _at_work(kube, name, namespace), namespace, "SIGSTOP")
    job = kube.get("videojob", name, namespace)
    selector, began = f"videojob.dev/uid={job['metadata']['uid']}", time.monotonic()
    done = kube.cli("cancel", name, "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Finished", "videojob", name, namespace, 30)
    live = f"job-name={_stage(kube.get('videojob', name, namespace), 'Transcode')['job']}"
    kube.run("wait", "--for=delete", "pod", "-n", namespace, "-l", live, "--timeout=60s")
    assert time.monotonic() - began < 60
    assert (kube.list("pods", namespace, live), kube.list("jobs", namespace, live)) == ([], [])
    assert [pod for pod in kube.list("pods", namespace, selector) if _works(pod)] == []
    job = kube.get("videojob", name, namespace)
    assert (job["status"]["phase"], job["status"]["outputs"]) == ("Cancelled", [])
    assert {kind: status for kind, (status, _) in _conditions(job).items() if kind not in ("Accepted", "Degraded")} == {
        "Ready": "False", "Reconciling": "False", "Stalled": "True", "Finished": "True", "Complete": "False",
        "Failed": "False",
    }  # fmt: skip

    done = kube.cli("retry", name, "--from", "Ingest", "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Complete", "videojob", name, namespace, 120)
    ended = kube.get("videojob", name, namespace)
    attempts = {stage["name"]: (stage["state"], stage["attempt"]) for stage in ended["status"]["stages"]}
    assert attempts == {"Ingest": ("Succeeded", 2), "Transcode": ("Succeeded", 2)}
    assert (_conditions(ended)["Ready"], ended["status"]["outputs"]) == (("True", "StoppedAfter"), [])
    assert _created(audit, namespace, name) == ["ingest-a1", "transcode-a1", "ingest-a2", "transcode-a2"]
    cancelled = datetime.fromisoformat(job["status"]["completionTime"]).timestamp()
    found = [(path.split("/")[1], time > cancelled) for path, time in _records(on_volume, ended).items()]
    assert sorted(found) == [("ingest", False), ("ingest", True), ("transcode", True)], "and no video"


def test_the_second_videojob_with_an_idempotency_key_names_the_first(
    kube: Kube, namespace: str, create: Callable[..., str], audit: Audit
) -> None:
    """Refused at once and for good, without a Job; once the first is gone, a retry of it is taken up."""
    first = create("order", idempotencyKey="order-4711", suspend=True)
    kube.watch("videojob", first, namespace, lambda seen: seen.get("status", {}).get("phase") == "Suspended", 30)
    second = create("again", idempotencyKey="order-4711", suspend=True)
    kube.wait("condition=Failed", "videojob", second, namespace, 30)
    job = kube.get("videojob", second, namespace)
    assert _conditions(job)["Accepted"] == ("False", "Duplicate")
    assert job["status"]["failure"]["code"] == "Duplicate"
    assert f"VideoJob {first} of this namespace" in job["status"]["failure"]["message"]
    kube.run("delete", "videojob", first, "-n", namespace, "--timeout=30s")
    done = kube.cli("retry", second, "-n", namespace)
    assert done.code == 0, done.err
    job = kube.watch("videojob", second, namespace, lambda seen: seen["status"]["phase"] == "Suspended", 30)
    assert _conditions(job)["Accepted"][0] == "True"
    assert _created(audit, namespace, first) == _created(audit, namespace, second) == []


@pytest.fixture
def narrow(kube: Kube) -> Iterator[str]:
    """A queue of its own with four slots."""
    spec = {"slots": [{"name": "cpu", "capacity": 4}]}
    body = {"metadata": {"name": "narrow", "namespace": SYSTEM}, "spec": spec}
    kube.apply({"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoQueue", **body})
    yield "narrow"
    kube.run("delete", "videoqueue", "narrow", "-n", SYSTEM)


def test_dead_letters_with_a_label_are_driven_again_at_the_pace_of_their_queue(
    kube: Kube,
    namespace: str,
    create: Callable[..., str],
    put: Callable[[str, Path], str],
    narrow: str,
    small_clip: Path,
    audit: Audit,
    tmp_path: Path,
) -> None:
    """T-005, T-010, X-008, X-012, S-004: four lacked their upload; with it there, one command drives them again, and never do
    more than maxDepth wait in the queue. One without the label stays a dead letter.
    """
    clip = tmp_path / "clip.mp4"
    # A container of its own around the same streams: nobody has put these bytes there.
    quiet = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    subprocess.run([*quiet, "-i", str(small_clip), "-c", "copy", "-metadata", "title=late", str(clip)], check=True)
    uri = f"store://inbox/{hashlib.sha256(clip.read_bytes()).hexdigest()}"
    common = {"uri": uri, "queue": narrow, "stopAfter": "Ingest"}
    batch = [create(f"late-{number}", labels={"batch": "late"}, **common) for number in range(4)]
    create("apart", labels={"batch": "other"}, **common)
    for name in (*batch, "apart"):
        kube.wait("condition=DeadLettered", "videojob", name, namespace, 120)
    assert {kube.get("videojob", name, namespace)["status"]["failure"]["code"] for name in batch} == {"SourceNotFound"}

    _configure(kube, narrow, {"paused": True, "maxDepth": DEPTH})
    assert put(namespace, clip) == uri

    def known(queue: dict[str, Any]) -> bool:
        return bool(queue["status"]["observedGeneration"] == queue["metadata"]["generation"])

    kube.watch("videoqueue", narrow, SYSTEM, known, 60)
    with kube.recorded("videojobs", "batch=late", tmp_path / "videojobs.json") as states:
        done = kube.cli("dlq", "retry", "-l", "batch=late", "-n", namespace)
        assert done.code == 0, done.err
        wanted = {"queued": DEPTH, "pending": len(batch) - DEPTH, "failed": 1}
        kube.watch("videoqueue", narrow, SYSTEM, lambda queue: queue["status"]["jobsByStatus"] == wanted, 60)
        told = [_conditions(kube.get("videojob", name, namespace))["Accepted"] for name in batch]
        assert sorted(told) == [("False", "QueueFull")] * 2 + [("True", "Resolved")] * 2
        _configure(kube, narrow, {"paused": False})
        for name in batch:
            kube.wait("condition=Complete", "videojob", name, namespace, 120)
        phases: dict[str, str] = {}
        for job in states():
            if job["status"].get("redrives"):
                phases[job["metadata"]["name"]] = job["status"]["phase"]
                assert list(phases.values()).count("Queued") <= DEPTH
    assert phases == dict.fromkeys(batch, "Succeeded")
    for name in batch:
        assert _created(audit, namespace, name) == ["main-a1", "main-a2"]
        assert DEAD not in kube.get("videojob", name, namespace)["metadata"].get("labels", {})
    left = kube.get("videojob", "apart", namespace)
    assert (left["status"]["phase"], left["status"]["redrives"], left["metadata"]["labels"][DEAD]) == (
        "Failed",
        0,
        "true",
    )


def _configure(kube: Kube, queue: str, spec: dict[str, Any]) -> None:
    kube.run("patch", "videoqueue", queue, "-n", SYSTEM, "--type=merge", "-p", json.dumps({"spec": spec}))
