"""A source that is a URL, on real pods: fetched from where the administrator lets it, and from nowhere inside."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kube import Kube

SYSTEM, WEB = "videojob-system", "e2e-web"
SERVER = """
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/away"):
            self.send_response(302)
            self.send_header("Location", "https://kubernetes.default.svc/version")
            self.end_headers()
        else:
            super().do_GET()

ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def web(kube: Kube, configure: Callable[..., None], small_clip: Path) -> Iterator[str]:
    """A web server in a pod of its own namespace, and an operator that may fetch from its address; the server's URL."""
    deployment = kube.get("deployment", "videojob-operator", SYSTEM)
    env = {one["name"]: one.get("value") for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    locked = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": WEB}})
    clips = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "clips", "namespace": WEB},
        "binaryData": {"clip.mp4": base64.b64encode(small_clip.read_bytes()).decode()},
    }
    kube.run("create", "-f", "-", stdin=json.dumps(clips))  # an apply keeps a copy in an annotation, which is too small
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "media", "namespace": WEB},
            "spec": {"clusterIP": "None", "selector": {"app": "media"}},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "media", "namespace": WEB, "labels": {"app": "media"}},
            "spec": {
                "terminationGracePeriodSeconds": 1,
                "containers": [
                    {
                        "name": "media",
                        "image": env["VIDEOJOB_WORKER_IMAGE"],
                        "command": ["python3", "-c", SERVER],
                        "workingDir": "/www",
                        "securityContext": locked,
                        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
                        "volumeMounts": [{"name": "clips", "mountPath": "/www"}],
                    }
                ],
                "volumes": [{"name": "clips", "configMap": {"name": "clips"}}],
            },
        },
    )
    kube.wait("condition=Ready", "pod", "media", WEB, 60)
    address = kube.get("pod", "media", WEB)["status"]["podIP"]
    configure("--set", f"fetch.allowNetworks={{{address}/{128 if ':' in address else 32}}}")
    yield f"http://media.{WEB}.svc:8000"
    kube.run("delete", "namespace", WEB, "--wait=false")
    configure()


@pytest.fixture
def fetch(kube: Kube, namespace: str) -> Callable[..., dict[str, Any]]:
    """Runs a VideoJob with this source to its end."""

    def run(uri: str, **source: Any) -> dict[str, Any]:
        transcode = {"source": {"uri": uri, "filename": "clip.mp4", **source}, "profiles": ["360p", "thumbnail"]}
        kube.apply(
            {
                "apiVersion": "videojob.dev/v1alpha1",
                "kind": "VideoJob",
                "metadata": {"name": "by-url", "namespace": namespace},
                "spec": {"transcode": transcode, "retry": {"maxAttempts": 1}},
            }
        )
        kube.wait("condition=Finished", "videojob", "by-url", namespace, 180)
        return kube.get("videojob", "by-url", namespace)

    return run


def test_a_url_inside_an_opened_network_becomes_renditions(
    web: str, kube: Kube, namespace: str, fetch: Callable[..., dict[str, Any]], files: Any, small_clip: Path
) -> None:
    """T-001, case 62: two pods, of which one has the network; the query is told nowhere."""
    sha = hashlib.sha256(small_clip.read_bytes()).hexdigest()
    seen = fetch(f"{web}/clip.mp4?X-Sig=geheim", sha256=sha)
    status = seen["status"]
    assert status["phase"] == "Succeeded", status.get("failure")
    assert [output["name"] for output in status["outputs"]] == ["360p", "thumbnail"]
    assert status["input"]["sha256"] == status["plan"]["fetched"]["sha256"] == sha
    jobs = {job["metadata"]["labels"]["videojob.dev/group"]: job for job in kube.list("jobs", namespace)}
    assert {group: job["metadata"]["labels"].get("videojob.dev/egress") for group, job in jobs.items()} == {
        "fetch": "fetch",
        "main": None,
    }
    log = kube.run("logs", f"job/{jobs['fetch']['metadata']['name']}", "-n", namespace).out
    assert "/clip.mp4?***" in log
    events = kube.list("events", namespace)
    assert "geheim" not in log + json.dumps(status) + json.dumps(events)
    assert f"uploads/{sha}" in files(namespace, f"jobs/{seen['metadata']['uid']}")


@dataclass(frozen=True)
class Case:
    """A URL that leads inside, and what is said of it."""

    name: str
    uri: str
    text: str


CASES = (
    Case("the metadata", "http://169.254.169.254/latest/meta-data/", "169.254.169.254 is an address that may not be"),
    Case("the API server", "https://kubernetes.default.svc/version", "kubernetes.default.svc resolves to an address"),
    Case("a redirect to the API server", "WEB/away", "kubernetes.default.svc resolves to an address that may not be"),
    Case("loopback", "http://127.0.0.1:8080/metrics", "loopback"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_url_that_leads_inside_is_refused(
    case: Case, web: str, kube: Kube, namespace: str, fetch: Callable[..., dict[str, Any]]
) -> None:
    """Case 60, A-044: at once, with what helps; nothing is left but evidence."""
    status = fetch(case.uri.replace("WEB", web))["status"]
    failure = status["failure"]
    assert (status["phase"], failure["class"], failure["code"]) == ("Failed", "Permanent", "AddressRefused"), failure
    assert case.text in failure["message"]
    assert "fetch.allowNetworks" in failure["hint"]
    assert [job["metadata"]["labels"]["videojob.dev/group"] for job in kube.list("jobs", namespace)] == ["fetch"]


def test_a_secret_reaches_the_fetch_or_is_said_to_be_missing(
    web: str, kube: Kube, namespace: str, fetch: Callable[..., dict[str, Any]]
) -> None:
    """The pod starts without it and says so; with it, the fetch goes on to the (here unencrypted) server."""
    url = web.replace("http://", "https://") + "/clip.mp4"
    failure = fetch(url, secretName="media-key")["status"]["failure"]
    assert (failure["code"], "media-key" in failure["message"]) == ("SecretNotFound", True)
    kube.run("delete", "videojob", "by-url", "-n", namespace)
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "media-key", "namespace": namespace},
            "stringData": {"authorization": "Bearer geheim"},
        }
    )
    failure = fetch(url, secretName="media-key")["status"]["failure"]
    assert (failure["class"], failure["code"]) == ("External", "SourceUnreachable")
