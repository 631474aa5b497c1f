"""What people ask of a VideoJob that exists, with real pods: cancel, retry, suspend, delete; and what retries do unasked."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit import Audit
from kube import Kube

DEAD = "videojob.dev/dead-letter"
CRASH = """
import os, pathlib, signal, time
found = []
while not found:
    time.sleep(0.02)
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdecimal() and (entry / "comm").read_text().strip() == "ffmpeg":
                found.append(int(entry.name))
        except OSError:
            pass
os.kill(found[0], signal.SIGSEGV)
"""
"""Runs in a worker's pod: ffmpeg, once it is there, crashes."""


def _stage(job: dict[str, Any], name: str) -> dict[str, Any]:
    stages: list[dict[str, Any]] = job.get("status", {}).get("stages") or [{"name": name}]
    return next(stage for stage in stages if stage["name"] == name)


def _works(pod: dict[str, Any]) -> bool:
    status = pod["status"]
    entries = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    return any(entry["name"] == "work" and "running" in entry["state"] for entry in entries)


def _crash(kube: Kube, name: str, namespace: str, attempt: int) -> dict[str, Any]:
    """Let ffmpeg crash in that attempt of Transcode; returns the VideoJob once that is accounted for."""
    kube.watch(
        "videojob", name, namespace,
        lambda seen: seen.get("status", {}).get("stage") == "Transcode"
        and (_stage(seen, "Transcode").get("attempt"), _stage(seen, "Transcode").get("state")) == (attempt, "Running"),
        180,
    )  # fmt: skip
    job = kube.get("videojob", name, namespace)
    selector = f"videojob.dev/attempt={attempt},batch.kubernetes.io/job-name={_stage(job, 'Transcode')['job']}"
    pod = kube.list("pods", namespace, selector)[0]["metadata"]["name"]
    kube.watch("pod", pod, namespace, _works, 60)
    kube.run("exec", pod, "-n", namespace, "-c", "work", "--", "timeout", "60", "python3", "-c", CRASH)
    return kube.watch(
        "videojob", name, namespace, lambda seen: _stage(seen, "Transcode").get("failures", 0) >= attempt, 60
    )


def test_what_fails_twice_succeeds_at_the_third_attempt(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path, audit: Audit
) -> None:
    """X-007: two crashes of ffmpeg, each shown with its reason while the next attempt waits; then the videos."""
    retry = {"maxAttempts": 3, "backoffSeconds": 1}
    name = submit(rotated_clip, "shaky", retry=retry, execution={"mode": "Compact"})
    for attempt in (1, 2):
        job = _crash(kube, name, namespace, attempt)
        assert job["status"]["phase"] in {"Queued", "Running"}
        assert job["status"]["failure"]["code"] == "FFmpegFailed"
        assert job["status"]["failure"]["attempt"] == attempt
    kube.wait("condition=Complete", "videojob", name, namespace, 240)
    status = kube.get("videojob", name, namespace)["status"]
    assert (status["attempts"], status["redrives"]) == (3, 0)
    assert status["outputs"]
    created = [job for job in audit.created_jobs(namespace) if "-report-" not in job]
    assert len(created) == len(set(created)) == 3


def test_a_dead_letter_is_driven_again_and_earlier_stages_are_not_repeated(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path, audit: Audit
) -> None:
    """T-005, T-010, X-008, case 53: Ingest succeeded, Transcode crashed for good; once it does not crash any more, a retry
    goes on at Transcode, and every Job was made once.
    """
    name = submit(rotated_clip, "crashing", retry={"maxAttempts": 1}, execution={"mode": "Spread"})
    _crash(kube, name, namespace, 1)
    kube.wait("condition=DeadLettered", "videojob", name, namespace, 60)
    done = kube.cli("dlq", "retry", "--all", "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Complete", "videojob", name, namespace, 240)
    status = kube.get("videojob", name, namespace)["status"]
    attempts = {stage["name"]: stage["attempt"] for stage in status["stages"]}
    assert attempts == {"Ingest": 1, "Transcode": 2, "Verify": 1, "Commit": 1}
    created = sorted(job.rsplit("-", 1)[0] for job in audit.created_jobs(namespace) if "-report-" not in job)
    groups = ("commit-a1", "ingest-a1", "transcode-a1", "transcode-a2", "verify-a1")
    assert created == [f"{name}-{group}" for group in groups]


def test_a_suspended_job_ends_its_stage_and_goes_on_when_it_is_resumed(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path, audit: Audit
) -> None:
    """What runs ends first; then nothing starts and no pod is left at work, until the resume; nothing is repeated."""
    name = submit(rotated_clip, "patient", execution={"mode": "Spread"})
    job = kube.watch("videojob", name, namespace, lambda seen: seen.get("status", {}).get("stage") == "Transcode", 120)
    done = kube.cli("suspend", name, "-n", namespace)
    assert done.code == 0, done.err
    seen = kube.watch("videojob", name, namespace, lambda seen: seen["status"]["phase"] == "Suspended", 240)
    assert [stage["state"] for stage in seen["status"]["stages"]] == ["Succeeded", "Succeeded", "Waiting", "Waiting"]
    selector = f"videojob.dev/uid={job['metadata']['uid']}"
    active = [pod for pod in kube.list("pods", namespace, selector) if pod["status"]["phase"] in {"Pending", "Running"}]
    assert [pod["metadata"]["name"] for pod in active if _works(pod)] == []
    assert len([one for one in audit.created_jobs(namespace) if one.startswith("patient-")]) == 2
    done = kube.cli("resume", name, "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Complete", "videojob", name, namespace, 180)
    created = [one for one in audit.created_jobs(namespace) if "-report-" not in one]
    assert len(created) == len(set(created)) == 4


def test_a_delete_while_running_takes_its_pods_along_within_a_minute(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path
) -> None:
    """Case 48: no finalizer holds it, no Job and no pod of it stays."""
    name = submit(rotated_clip, "deleted")
    job = kube.watch("videojob", name, namespace, lambda seen: seen.get("status", {}).get("stage") == "Transcode", 120)
    selector = f"videojob.dev/uid={job['metadata']['uid']}"
    assert kube.list("pods", namespace, selector), "it has a pod at work"
    began = time.monotonic()
    kube.run("delete", "videojob", name, "-n", namespace, "--timeout=10s")
    kube.run("wait", "--for=delete", "pod", "-n", namespace, "-l", selector, "--timeout=60s")
    assert time.monotonic() - began < 60
    assert kube.list("pods", namespace, selector) == []
    assert kube.list("jobs", namespace, selector) == []


def test_a_cancel_while_running_stops_its_pods_within_a_minute(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path, files: Callable[[str, str], list[str]]
) -> None:
    """X-002, case 52: Cancelled, nothing published, the pod and the Job gone; the second cancel is refused."""
    name = submit(rotated_clip, "unwanted")
    job = kube.watch("videojob", name, namespace, lambda seen: seen.get("status", {}).get("stage") == "Transcode", 120)
    began = time.monotonic()
    done = kube.cli("cancel", name, "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Finished", "videojob", name, namespace, 30)
    selector = f"videojob.dev/uid={job['metadata']['uid']}"
    kube.run("wait", "--for=delete", "pod", "-n", namespace, "-l", selector, "--timeout=60s")
    assert time.monotonic() - began < 60
    assert kube.list("pods", namespace, selector) == []
    assert kube.list("jobs", namespace, selector) == []
    status = kube.get("videojob", name, namespace)["status"]
    assert status["phase"] == "Cancelled"
    assert status["outputs"] == []
    held = {entry["type"]: entry["status"] for entry in status["conditions"]}
    assert (held["Complete"], held["Failed"], held["Stalled"], held["Ready"]) == ("False", "False", "False", "False")
    left = files(namespace, f"jobs/{job['metadata']['uid']}")
    assert [path for path in left if path.startswith("videos/") or path == "manifest.json"] == []
    again = kube.cli("cancel", name, "-n", namespace)
    assert again.code == 1
    assert "has ended as Cancelled" in again.err


def test_a_dead_letter_succeeds_when_its_upload_has_been_put_there(
    kube: Kube, namespace: str, put: Callable[[str, Path], str], small_clip: Path, tmp_path: Path, audit: Audit
) -> None:
    """T-005, T-010, X-008, case 53: SourceNotFound, then the upload, then a retry: Succeeded at the second attempt."""
    clip = tmp_path / "late.mp4"
    # A container of its own around the same streams: no other test has put these bytes there.
    quiet = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    subprocess.run([*quiet, "-i", str(small_clip), "-c", "copy", "-metadata", "title=late", str(clip)], check=True)
    uri = f"store://inbox/{hashlib.sha256(clip.read_bytes()).hexdigest()}"
    spec = {"transcode": {"source": {"uri": uri, "filename": clip.name}, "profiles": ["360p"]}}
    metadata = {"name": "late", "namespace": namespace}
    body = {"apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": metadata, "spec": spec}
    kube.run("create", "-f", "-", stdin=json.dumps(body))
    kube.wait("condition=DeadLettered", "videojob", "late", namespace, 120)
    dead = kube.get("videojob", "late", namespace)
    assert dead["status"]["failure"]["code"] == "SourceNotFound"
    assert dead["metadata"]["labels"][DEAD] == "true"
    listed = kube.cli("dlq", "list", "-n", namespace)
    assert listed.code == 0, listed.err
    assert "late" in listed.out
    assert "SourceNotFound" in listed.out
    assert put(namespace, clip) == uri
    done = kube.cli("dlq", "retry", "late", "-n", namespace)
    assert done.code == 0, done.err
    kube.wait("condition=Complete", "videojob", "late", namespace, 180)
    job = kube.get("videojob", "late", namespace)
    status = job["status"]
    assert [output["name"] for output in status["outputs"]] == ["360p"]
    assert (status["redrives"], status["attempts"]) == (1, 2)
    assert {stage["attemptBase"] for stage in status["stages"]} == {1}
    assert DEAD not in job["metadata"].get("labels", {})
    assert not {"Failed", "DeadLettered"} & {entry["type"] for entry in status["conditions"]}
    created = [job for job in audit.created_jobs(namespace) if "-report-" not in job]
    assert len(created) == len(set(created)) == 2
