"""A webhook in the cluster hears of the end, signed, from a pod of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kube import Kube

SYSTEM = "videojob-system"
SCRIPT = """
import http.server, json, threading
writing = threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status = 503 if self.path == "/broken" else 204
        with writing:  # posts come side by side, and a line and its end are two writes
            print(json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}), flush=True)
        self.send_response(status)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


@pytest.fixture
def receiver(kube: Kube, namespace: str) -> Callable[[], list[dict[str, Any]]]:
    """A pod behind a Service `receiver`; returns what it has heard."""
    deployment = kube.get("deployment", "videojob-operator", SYSTEM)
    env = {one["name"]: one.get("value") for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    locked = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "receiver",
        "image": env["VIDEOJOB_WORKER_IMAGE"],
        "command": ["python3", "-c", SCRIPT],
        "securityContext": locked,
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    meta = {"name": "receiver", "namespace": namespace, "labels": {"app": "receiver"}}
    kube.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": [container]}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": "receiver"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    kube.wait("condition=Ready", "pod", "receiver", namespace, 60)
    return lambda: [json.loads(line) for line in kube.run("logs", "receiver", "-n", namespace).out.splitlines()]


def delivered(job: dict[str, Any]) -> bool:
    rows = job.get("status", {}).get("notify", [])
    return bool(rows) and all(row["state"] != "Sending" for row in rows) and job["status"]["phase"] == "Succeeded"


def test_a_receiver_hears_of_the_end_with_a_signature_that_holds(
    kube: Kube,
    open_networks: None,
    namespace: str,
    receiver: Callable[[], list[dict[str, Any]]],
    submit: Callable[..., str],
    small_clip: Path,
) -> None:
    """S-015, A-013: processing_completed as a signed CloudEvent; a broken webhook beside it changes nothing but Degraded."""
    kube.run("create", "secret", "generic", "signing", "-n", namespace, "--from-literal=secret=hush")
    host = f"http://receiver.{namespace}.svc.cluster.local"
    notify = [
        {"url": f"{host}/events", "secretName": "signing"},
        {"url": f"{host}/seed", "format": "Seed", "events": ["progress_update", "processing_completed"]},
        {"url": f"{host}/broken"},
    ]
    name = submit(small_clip, "told", transcode={"profiles": ["360p"]}, notify=notify)
    job = kube.watch("videojob", name, namespace, delivered, 180)
    heard = receiver()

    (signed,) = [each for each in heard if each["path"] == "/events"]
    event = json.loads(signed["body"])
    assert event["type"] == "dev.videojob.processing_completed"
    assert event["data"]["uid"] == job["metadata"]["uid"]
    assert [output["uri"] for output in event["data"]["outputs"]] == [o["uri"] for o in job["status"]["outputs"]]
    parts = dict(part.split("=", 1) for part in signed["headers"]["Videojob-Signature"].split(","))
    assert parts["v1"] == hmac.new(b"hush", f"{parts['t']}.{signed['body']}".encode(), hashlib.sha256).hexdigest()

    seed = [json.loads(each["body"]) for each in heard if each["path"] == "/seed"]
    assert {message["task_id"] for message in seed} == {job["metadata"]["uid"]}
    assert [message["event_type"] for message in seed][-1] == "processing_completed"
    assert "stage_update" in [message["event_type"] for message in seed]

    assert [each["path"] for each in heard].count("/broken") == 3, "one Job tries three times"
    conditions = {each["type"]: each for each in job["status"]["conditions"]}
    assert conditions["Complete"]["status"] == "True"
    assert conditions["Degraded"]["reason"] == "NotifyFailed"
    assert "answered 503" in conditions["Degraded"]["message"]
    assert len({each["headers"]["Videojob-Event-Id"] for each in heard if each["path"] == "/broken"}) == 1


def test_the_pod_that_tells_sees_no_store_and_one_secret(kube: Kube, namespace: str) -> None:
    """Design section 8: egress, the key and the store never meet in one pod."""
    videojob = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "lost", "namespace": namespace},
        "spec": {
            "transcode": {"source": {"uri": "store://stock/nowhere.mp4"}},
            "notify": [{"url": "http://169.254.169.254/latest", "secretName": "signing"}],
        },
    }
    kube.run("create", "secret", "generic", "signing", "-n", namespace, "--from-literal=secret=hush")
    kube.apply(videojob)
    job = kube.watch(
        "videojob",
        "lost",
        namespace,
        lambda seen: any(row.get("failures") for row in seen.get("status", {}).get("notify", [])),
        120,
    )
    assert job["status"]["phase"] == "Failed"
    assert "link-local" in job["status"]["notify"][0]["message"]
    pods = kube.list("pods", namespace, "videojob.dev/egress=notify")
    for pod in pods:
        volumes = {kind for volume in pod["spec"]["volumes"] for kind in volume if kind != "name"}
        assert volumes == {"emptyDir", "downwardAPI", "projected", "secret"}
        (secret,) = [volume["secret"]["secretName"] for volume in pod["spec"]["volumes"] if "secret" in volume]
        assert secret == "signing"
    assert pods
    others = kube.list("pods", namespace, "videojob.dev/egress!=notify")
    assert not [pod for pod in others for volume in pod["spec"]["volumes"] if "secret" in volume]
