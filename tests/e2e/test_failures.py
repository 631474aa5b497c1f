"""Attempts that a real kernel, eviction and scheduler take away: what follows, and what people are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import gpus
from kube import Kube

MARK = "videojob.dev/e2e-failures"
CLASSES: dict[str, Any] = {
    # The example's ladder needs some 220 MiB: the kernel ends the encoder twice, then 288 MiB do.
    "tight": {"resources": {"requests": {"memory": "64Mi"}, "limits": {"memory": "128Mi"}}, "maxMemory": "1Gi"},
    "nowhere": {"nodeSelector": {MARK: "yes"}},
    "gpu": {"gpu": {"resource": "nvidia.com/gpu", "count": 1}},
}
LADDER = ["128Mi", "192Mi", "288Mi", "432Mi", "648Mi"]


def _settings(classes: dict[str, Any]) -> tuple[str, str]:
    return "--set-json", f"workerClasses={json.dumps(classes)}"


@pytest.fixture(scope="module", autouse=True)
def classes(configure: Callable[..., None]) -> Iterator[None]:
    """The chart with these worker classes."""
    configure(*_settings(CLASSES))
    yield
    configure()


def _pods(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    """Worker pods of a namespace by attempt."""
    found = kube.list("pods", namespace, "videojob.dev/group=main")
    return sorted(found, key=lambda pod: int(pod["metadata"]["labels"]["videojob.dev/attempt"]))


def _work(pod: dict[str, Any]) -> dict[str, Any]:
    """The container that decodes and encodes."""
    found: dict[str, Any] = next(each for each in pod["spec"]["initContainers"] if each["name"] == "work")
    return found


def _pending(kube: Kube, name: str, namespace: str) -> str:
    """What the status says, within a minute, of a pod that cannot start."""
    seen = kube.watch(
        "videojob",
        name,
        namespace,
        lambda job: (
            job.get("status", {}).get("queue", {}).get("reason") == "PodPending"
            and bool(job["status"]["queue"].get("message"))
        ),
        60,
    )
    conditions = {each["type"]: each for each in seen["status"]["conditions"]}
    assert (conditions["Reconciling"]["status"], conditions["Reconciling"]["reason"]) == ("True", "PodPending")
    message: str = seen["status"]["queue"]["message"]
    assert conditions["Reconciling"]["message"] == message
    return message


def test_killed_by_the_kernel_for_memory_and_retried_with_more(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path
) -> None:
    """Case 30, X-006: each attempt gets half as much again, as the status shows, until it is enough."""
    name = submit(small_clip, "hungry", workerClass="tight", retry={"maxAttempts": 5, "backoffSeconds": 0})
    kube.wait("condition=Complete", "videojob", name, namespace, 240)
    status = kube.get("videojob", name, namespace)["status"]
    stage = next(each for each in status["stages"] if each["name"] == "Transcode")
    ran_out = stage["outOfMemory"]
    assert 1 <= ran_out < len(LADDER)
    assert (stage["failures"], stage["attempt"], stage["memory"]) == (ran_out, ran_out + 1, LADDER[ran_out])
    pods = _pods(kube, namespace)
    assert [_work(pod)["resources"]["limits"]["memory"] for pod in pods] == LADDER[: ran_out + 1]
    for pod in pods[:-1]:
        ended = pod["status"]["initContainerStatuses"][0]["state"]["terminated"]
        assert ended["reason"] == "OOMKilled", ended
        assert ended["exitCode"] != 0
    assert status["plan"]["workerClass"] == "tight"
    assert "failure" not in status
    assert {output["name"] for output in status["outputs"]} == {"720p", "480p", "thumbnail"}


def test_evicted_and_not_counted_as_an_attempt(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path
) -> None:
    """Case 28, design section 4: a drained node's pod is replaced at once, on a budget of its own."""
    name = submit(rotated_clip, "drained", retry={"maxAttempts": 1})
    kube.watch("videojob", name, namespace, lambda job: job.get("status", {}).get("stage") == "Transcode", 120)
    (pod,) = _pods(kube, namespace)
    marks = pod["metadata"]["annotations"]
    assert marks["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    assert marks["karpenter.sh/do-not-disrupt"] == "true"
    meta = {"name": pod["metadata"]["name"], "namespace": namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    path = f"/api/v1/namespaces/{namespace}/pods/{meta['name']}/eviction"
    kube.run("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))
    kube.wait("condition=Finished", "videojob", name, namespace, 240)
    status = kube.get("videojob", name, namespace)["status"]
    assert status["phase"] == "Succeeded", status
    stage = next(each for each in status["stages"] if each["name"] == "Transcode")
    assert (stage["failures"], stage["disruptions"], stage["attempt"]) == (0, 1, 2)
    told = kube.list("events", namespace)
    said = [each["message"] for each in told if each["reason"] == "Retrying"]
    assert len(said) == 1
    assert "EvictionByEvictionAPI" in said[0]
    assert said[0].endswith("replaced at once")


def test_unschedulable_is_said_within_a_minute_and_goes_on_when_mended(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path
) -> None:
    """Case 34: the scheduler's own words and what helps; one is mended, the other cancelled."""
    mended = submit(small_clip, "mended", workerClass="nowhere")
    cancelled = submit(small_clip, "cancelled", workerClass="nowhere")
    for name in (mended, cancelled):
        message = _pending(kube, name, namespace)
        assert "didn't match Pod's node affinity/selector" in message
        assert message.endswith("; label a node as the worker class wants, or cancel and use another class")
    assert kube.cli("cancel", cancelled, "-n", namespace).code == 0
    kube.wait("jsonpath={.status.phase}=Cancelled", "videojob", cancelled, namespace, 60)
    node = kube.list("nodes")[0]["metadata"]["name"]
    kube.run("label", "node", node, f"{MARK}=yes")
    try:
        kube.wait("condition=Complete", "videojob", mended, namespace, 120)
    finally:
        kube.run("label", "node", node, f"{MARK}-")
    status = kube.get("videojob", mended, namespace)["status"]
    assert "queue" not in status
    assert status["attempts"] == 1


def test_work_for_a_gpu_waits_until_a_node_has_one(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path
) -> None:
    """Case 34, A-042: GPUs are counted by the scheduler; here a node only says that it has one."""
    name = submit(small_clip, "drawn", workerClass="gpu")
    assert "Insufficient nvidia.com/gpu" in _pending(kube, name, namespace)
    gpus.fake(kube.kubeconfig, 1)
    try:
        kube.wait("condition=Complete", "videojob", name, namespace, 120)
        (pod,) = _pods(kube, namespace)
        assert _work(pod)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    finally:
        gpus.fake(kube.kubeconfig, 0)


def test_a_quota_is_said_within_a_minute_and_goes_on_when_raised(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path
) -> None:
    """Case 35: the Job controller tells it in events alone."""
    submit(small_clip, "before")
    kube.wait("condition=Complete", "videojob", "before", namespace, 120)
    meta = {"name": "no-pods", "namespace": namespace}
    kube.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "0"}}})
    kube.watch("resourcequota", "no-pods", namespace, lambda quota: bool(quota.get("status", {}).get("hard")), 30)
    uri = kube.get("videojob", "before", namespace)["spec"]["transcode"]["source"]["uri"]
    work = {"source": {"uri": uri, "filename": "clip.mp4"}, "profiles": ["thumbnail"]}
    body = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "held", "namespace": namespace},
        "spec": {"cache": {"mode": "Off"}, "transcode": work},
    }
    kube.apply(body)
    message = _pending(kube, "held", namespace)
    assert "exceeded quota: no-pods" in message
    assert message.endswith("raise the namespace's ResourceQuota, or use a worker class that asks for less")
    kube.run("delete", "resourcequota", "no-pods", "-n", namespace)
    kube.wait("condition=Complete", "videojob", "held", namespace, 240)


def test_a_class_that_is_declared_later_is_waited_for(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path, configure: Callable[..., None]
) -> None:
    """Design section 3: what is missing waits as Pending, and is looked at again when it changes."""
    name = submit(small_clip, "early", workerClass="later")
    kube.wait("condition=Accepted=false", "videojob", name, namespace, 30)
    status = kube.get("videojob", name, namespace)["status"]
    (accepted,) = [each for each in status["conditions"] if each["type"] == "Accepted"]
    assert (status["phase"], accepted["reason"]) == ("Pending", "UnknownWorkerClass")
    assert "known: default, gpu, nowhere, tight" in accepted["message"]
    configure(*_settings({**CLASSES, "later": {"namespaces": [namespace], "spot": "Avoid"}}))
    kube.wait("condition=Complete", "videojob", name, namespace, 120)
    assert kube.get("videojob", name, namespace)["status"]["plan"]["workerClass"] == "later"
