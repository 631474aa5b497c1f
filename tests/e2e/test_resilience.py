"""The operator goes away at the worst moments; the outcome is the same and no Job is made twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from audit import Audit
from kube import Kube, facts

SYSTEM = "videojob-system"
OPERATOR = "videojob-operator"
KILLS = 10
STAGES = ("ingest", "transcode", "verify", "commit")


def _scale(kube: Kube, replicas: int) -> None:
    kube.run("scale", "deployment", OPERATOR, "-n", SYSTEM, f"--replicas={replicas}")
    if replicas:
        kube.run("rollout", "status", f"deployment/{OPERATOR}", "-n", SYSTEM, "--timeout=120s")
    else:
        kube.run(
            "wait", "--for=delete", "pod", "-n", SYSTEM, "-l", "app.kubernetes.io/component=operator", "--timeout=60s"
        )


def test_operator_away_while_the_pod_ends_and_goes(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path, audit: Audit, tmp_path: Path
) -> None:
    """Cases 1 and 4: nobody saw the pod end and its object is gone; the report Job reads what it left.

    The clip is rotated and has a variable frame rate; the facts are those of `videojob run`.
    """
    name = submit(rotated_clip, "away")
    kube.watch("videojob", name, namespace, lambda job: job.get("status", {}).get("stage") == "Transcode", 120)
    _scale(kube, 0)
    try:
        pod = kube.list("pods", namespace, "videojob.dev/group")[0]["metadata"]["name"]
        kube.watch("pod", pod, namespace, lambda seen: seen["status"]["phase"] == "Succeeded", 240)
        job = kube.list("jobs", namespace)[0]["metadata"]["name"]
        kube.wait("condition=Complete", "job", job, namespace, 60)
        kube.run("delete", "pod", pod, "-n", namespace, "--wait=true")
    finally:
        _scale(kube, 1)
    kube.wait("condition=Complete", "videojob", name, namespace, 120)
    created = audit.created_jobs(namespace)
    reports = [job for job in created if "-report-" in job]
    assert len(created) - len(reports) == 1, created
    assert len(reports) <= 1, created
    status = kube.get("videojob", name, namespace)["status"]
    manifest = tmp_path / "away.json"
    manifest.write_text(
        json.dumps(
            {
                "apiVersion": "videojob.dev/v1alpha1",
                "kind": "VideoJob",
                "metadata": {"name": "away"},
                "spec": {"transcode": kube.get("videojob", name, namespace)["spec"]["transcode"]},
            }
        )
    )
    ran = kube.cli("run", str(manifest), "--file", str(rotated_clip), "--output", str(tmp_path / "out"))
    assert ran.code == 0, ran.out + ran.err
    local = json.loads((tmp_path / "out" / "away" / "manifest.json").read_text())
    assert facts(status["outputs"]) == facts(local["outputs"])
    assert (status["input"]["width"], status["input"]["height"]) == (360, 640)
    assert status["input"]["variableFrameRate"]


@contextmanager
def _operator_process(kube: Kube, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """The operator as a process of this machine with the rights of its own ServiceAccount; yields what kills it."""
    token = kube.run("create", "token", OPERATOR, "-n", SYSTEM, "--duration=1h").out.strip()
    config = tmp_path / "operator.kubeconfig"
    shown = json.loads(kube.run("config", "view", "--raw", "--minify", "-o", "json").out)
    shown["users"] = [{"name": "operator", "user": {"token": token}}]
    shown["contexts"][0]["context"]["user"] = "operator"
    config.write_text(json.dumps(shown))
    image = kube.get("deployment", OPERATOR, SYSTEM)["spec"]["template"]["spec"]["containers"][0]["env"]
    settings = {entry["name"]: entry["value"] for entry in image if "value" in entry}
    env = {**os.environ, **settings, "KUBECONFIG": str(config), "VIDEOJOB_HTTP_PORT": "0", "VIDEOJOB_WORKER_PORT": "0"}
    env.pop("VIDEOJOB_DEFAULTS_FILE", None)
    current: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        log = (tmp_path / f"operator-{len(current)}.log").open("wb")
        current.append(subprocess.Popen([sys.executable, "-m", "videojob_operator"], env=env, stdout=log, stderr=log))

    def kill() -> None:
        current[-1].send_signal(signal.SIGKILL)
        current[-1].wait()
        start()

    start()
    try:
        yield kill
    finally:
        current[-1].terminate()
        current[-1].wait(30)


@pytest.mark.parametrize("seed", [20261121])
def test_sigkill_at_ten_random_moments(
    kube: Kube, namespace: str, submit: Callable[..., str], rotated_clip: Path, audit: Audit, tmp_path: Path, seed: int
) -> None:
    """Case 1: the same end, and each stage's Job was created once."""
    chance = random.Random(seed)
    names: list[str] = []
    kills = 0
    _scale(kube, 0)
    try:
        with _operator_process(kube, tmp_path) as kill:
            while kills < KILLS:  # one job is enough, unless the machine is very fast
                names.append(submit(rotated_clip, f"killed-{len(names)}", execution={"mode": "Spread"}))
                with _finishing(kube, namespace, names[-1]) as finished:
                    while kills < KILLS and not finished.wait(chance.uniform(0.3, 3.0)):
                        kill()
                        kills += 1
    finally:
        _scale(kube, 1)
    assert [kube.get("videojob", name, namespace)["status"]["phase"] for name in names] == ["Succeeded"] * len(names)
    launched = Counter(job.rsplit("-", 1)[0] for job in audit.created_jobs(namespace) if "-report-" not in job)
    assert launched == Counter({f"{name}-{stage}-a1": 1 for name in names for stage in STAGES}), f"seed {seed}"


@contextmanager
def _finishing(kube: Kube, namespace: str, name: str) -> Iterator[threading.Event]:
    """An event that is set when the VideoJob has finished; the block ends with it."""
    finished = threading.Event()
    problems: list[AssertionError] = []

    def follow() -> None:
        try:
            kube.wait("condition=Finished", "videojob", name, namespace, 300)
        except AssertionError as problem:
            problems.append(problem)
        finished.set()

    follower = threading.Thread(target=follow)
    follower.start()
    try:
        yield finished
    finally:
        follower.join()
    if problems:
        raise problems[0]


def test_deleting_the_release_and_the_namespace(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path, tmp_path: Path
) -> None:
    """Case 51: no finalizer wedges anything, whatever goes first."""
    submit(small_clip, "left-behind")
    values = tmp_path / "values.json"
    values.write_text(kube_helm(kube, "get", "values", "videojob", "-o", "json"))
    began = time.monotonic()
    try:
        kube_helm(kube, "uninstall", "videojob", "--wait", "--timeout", "60s")
        kube.run("delete", "namespace", namespace, "--timeout=60s")
        assert time.monotonic() - began < 60
    finally:
        kube_helm(
            kube, "install", "videojob", "charts/videojob-operator", "-f", str(values), "--wait", "--timeout", "120s"
        )


def kube_helm(kube: Kube, *args: str) -> str:
    """Helm against the cluster, in the operator's namespace."""
    helm = subprocess.run([sys.executable, "hack/cluster", "path", "helm"], capture_output=True, text=True, check=True)
    argv = [helm.stdout.strip(), *args, "--namespace", SYSTEM]
    done = subprocess.run(argv, env={**os.environ, **kube.env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
