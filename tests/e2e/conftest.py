"""The whole product on a whole cluster: the chart installed, real pods, the CLI as a person calls it.

Nothing is faked here. The cluster is started if it does not run, and stopped again in that case.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from audit import Audit
from kube import ROOT, Kube

SYSTEM = "videojob-system"
_numbers = count(1)


def _hack(*args: str) -> str:
    """Run `python3 hack/...`; what it says goes to the terminal, what it prints is returned."""
    done = subprocess.run(
        [sys.executable, *args], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False, timeout=3000
    )
    assert done.returncode == 0, f"{' '.join(args)} ended with {done.returncode}"
    return done.stdout


@pytest.fixture(scope="session")
def kube() -> Iterator[Kube]:
    """A cluster with the chart installed."""
    ran = (
        subprocess.run(
            [sys.executable, "hack/cluster", "status"], cwd=ROOT, capture_output=True, check=False
        ).returncode
        == 0
    )
    _hack("hack/install.py")
    yield Kube(Path(_hack("hack/cluster", "kubeconfig").strip()), _hack("hack/cluster", "path", "kubectl").strip())
    if not ran:
        _hack("hack/cluster", "down")


@pytest.fixture
def audit(kube: Kube) -> Audit:
    """What the API server logs from here on."""
    path = next(
        line.split(None, 2)[2] for line in _hack("hack/cluster", "status").splitlines() if line.startswith("audit log")
    )
    return Audit(Path(path))


@pytest.fixture
def empty_namespace(kube: Kube) -> Iterator[Callable[[], str]]:
    """Makes namespaces under the restricted Pod Security profile, without a store."""
    made: list[str] = []

    def make() -> str:
        name = f"e2e-{next(_numbers)}"
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        made.append(name)
        return name

    yield make
    for name in made:
        kube.run("delete", "namespace", name, "--timeout=60s")


@pytest.fixture
def namespace(kube: Kube, empty_namespace: Callable[[], str]) -> str:
    """A namespace made ready by `videojob init`, created after the install."""
    name = empty_namespace()
    done = kube.cli("init", "-n", name, "--size", "2Gi")
    assert done.code == 0, done.err
    return name


@pytest.fixture
def submit(kube: Kube, namespace: str) -> Callable[..., str]:
    """Submits a file as a person would; returns the VideoJob's name."""

    def run(file: Path, name: str, **spec: object) -> str:
        """Extra fields of the spec are given as a manifest."""
        manifest = file.parent / f"{name}.json"
        transcode = spec.pop("transcode", {})
        body = {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": name},
            "spec": {**spec, "transcode": transcode},
        }
        manifest.write_text(json.dumps(body))
        done = kube.cli("submit", "-n", namespace, "-f", str(manifest), "--file", str(file))
        assert done.code == 0, done.out + done.err
        return name

    return run
