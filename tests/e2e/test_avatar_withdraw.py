"""Avatars that are cancelled while D-ID makes them: what was paid comes home, and nothing of it stays there."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import avatars
import didserver
from kube import Kube
from photographs import FOLDER

SUPPORT = Path(didserver.__file__).parent
SYSTEM, GROUP = "videojob-system", "videojob.dev/group"
PORT = 8000
SERVER = f"""
import json, sys, threading
sys.path.insert(0, "/srv")
import didserver

listed, told, writing = threading.Event(), [], threading.Lock()

def hear(name):
    with writing:  # a line and its end are two writes
        told.append(name)
        state = {{"talks": len(server.talks), "files": len(server.files), "billed": server.billed}}
        print(json.dumps({{"asked": name, **state}}), flush=True)
    if name == "list":
        listed.set()
    if name == "talk done" and told.count(name) == 1:
        listed.wait()  # its answer is on its way until somebody looks for a talk whose id is not known

with didserver.did(listen=("", {PORT}), name=sys.argv[1], states=("created", "started"), hear=hear) as server:
    plain = server.answer
    def answer(request, connection):
        if request.path != "/made":
            return plain(request, connection)
        server.states = ("done",)
        didserver.reply()(request, connection)
    server.server.pages = didserver.Everywhere(answer)
    threading.Event().wait()
"""
"""D-ID, whose talks are done as soon as /made is asked for; the first one's answer does not arrive."""
MADE = f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{PORT}/made').read()"


@pytest.fixture
def did(kube: Kube, namespace: str) -> Callable[[], list[dict[str, Any]]]:
    """D-ID in a pod behind a Service `did`; returns what it was asked."""
    deployment = kube.get("deployment", "videojob-operator", SYSTEM)
    env = {one["name"]: one.get("value") for one in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    locked = {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True, "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    sources = {name: (SUPPORT / name).read_text() for name in ("didserver.py", "voices.py", "webserver.py")}
    meta = {"name": "did", "namespace": namespace, "labels": {"app": "did"}}
    container = {
        "name": "did", "image": env["VIDEOJOB_WORKER_IMAGE"], "securityContext": locked,
        "command": ["python3", "-c", SERVER, f"did.{namespace}.svc"],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "sources", "mountPath": "/srv"}],
    }  # fmt: skip
    volumes = [{"name": "sources", "configMap": {"name": "did"}}]
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}
    service = {"clusterIP": "None", "selector": {"app": "did"}}
    secret = {"D_ID_API_KEY": didserver.KEY}
    kube.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": sources},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": secret},
        {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": service},
        {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod},
    )
    kube.wait("condition=Ready", "pod", "did", namespace, 60)
    return lambda: [json.loads(line) for line in kube.run("logs", "did", "-n", namespace).out.splitlines()]


def _heard(kube: Kube, namespace: str, wanted: Callable[[Counter[str]], bool]) -> None:
    """Read what D-ID says until it has been asked what is wanted."""
    argv = ["timeout", "120", kube.kubectl, "logs", "-f", "did", "-n", namespace]
    counts = Counter[str]()
    with subprocess.Popen(argv, env={**os.environ, **kube.env}, stdout=subprocess.PIPE, text=True) as log:
        assert log.stdout is not None
        for line in log.stdout:
            counts[json.loads(line)["asked"]] += 1
            if wanted(counts):
                break
        log.terminate()
    assert wanted(counts), counts


def test_cancelled_avatars_leave_nothing_at_their_provider(
    kube: Kube,
    open_networks: None,
    namespace: str,
    did: Callable[[], list[dict[str, Any]]],
    files: Callable[[str, str], list[str]],
    tmp_path: Path,
) -> None:
    """A-004, A-046, C16: one whose POST is in flight, so that only the list tells its talk, and one whose talk is being made.
    Both are paid, brought home, and deleted there, by a Job that holds no slot, after the pods have ended.
    """
    face = tmp_path / "face.png"
    with Image.open(FOLDER / "astronaut.png") as whole:
        whole.convert("RGB").resize((192, 192)).save(face)
    done = kube.cli(
        "storage", "put", str(face), str(avatars.speech(tmp_path / "voice.wav")), "--to", "d", "-n", namespace
    )
    assert done.code == 0, done.out + done.err
    provider = {"name": "did", "endpoint": f"http://did.{namespace}.svc:{PORT}", "secretName": "did", "pollSeconds": 1}
    avatar = {
        "image": {"uri": "store://stock/d/face.png"}, "audio": {"uri": "store://stock/d/voice.wav"},
        "matting": {"matter": "none"}, "provider": provider,
    }  # fmt: skip
    head = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "spec": {"avatar": avatar, "cache": {"mode": "Off"}},
    }
    names = ("one", "other")
    kube.apply(*({**head, "metadata": {"name": name, "namespace": namespace}} for name in names))
    _heard(kube, namespace, lambda asked: asked["talk done"] == len(names) and asked["look"] > 0)
    kube.run("annotate", "videojob", *names, "-n", namespace, "videojob.dev/cancel=now")
    for name in names:
        kube.wait("jsonpath={.status.phase}=Cancelled", "videojob", name, namespace, 60)
    kube.run("wait", "--for=delete", "pod", "-l", f"{GROUP}=animate", "-n", namespace, "--timeout=90s")
    asked = Counter(row["asked"] for row in did())
    assert not [what for what in asked if what.startswith("delete")], "a worker that is stopped removes nothing"
    last = did()[-1]
    assert (last["talks"], last["billed"]) == (2, 2)
    kube.run("exec", "did", "-n", namespace, "--", "python3", "-c", MADE)

    for name in names:
        job = kube.watch("videojob", name, namespace, _removed, 120)
        withdrawal = job["status"]["withdrawal"]
        assert (withdrawal["attempt"], withdrawal.get("failures", 0), withdrawal.get("message")) == (1, 0, None)
        kept = files(namespace, f"jobs/{job['metadata']['uid']}/paid")
        assert [path for path in kept if path.endswith(".mp4")], "what was paid is here"
    jobs = kube.list("jobs", namespace, f"{GROUP}=withdraw")
    assert sorted(job["metadata"]["labels"]["videojob.dev/name"] for job in jobs) == sorted(names)
    assert all("videojob.dev/slot" not in job["metadata"]["labels"] for job in jobs)
    last = did()[-1]
    assert (last["talks"], last["files"], last["billed"]) == (0, 0, 2)
    asked = Counter(row["asked"] for row in did())
    assert (asked["talk"], asked["image"], asked["audio"], asked["video"]) == (2, 2, 2, 2)
    assert (asked["delete talk"], asked["delete image"], asked["delete audio"]) == (2, 2, 2)


def _removed(raw: dict[str, Any]) -> bool:
    return ((raw.get("status") or {}).get("withdrawal") or {}).get("state") == "Removed"
