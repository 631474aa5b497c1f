"""The whole product on a whole cluster: the chart installed, real pods, the CLI as a person calls it.

Nothing is faked here. The cluster is started if it does not run, and stopped again in that case.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@pytest.fixture(scope="session")
def configure(kube: Kube) -> Callable[..., None]:
    """Upgrades the release with further settings for helm; without any it is as it was."""

    def run(*settings: str) -> None:
        _hack("hack/install.py", *settings)

    return run


@pytest.fixture(scope="module")
def open_networks(kube: Kube, configure: Callable[..., None]) -> Iterator[None]:
    """The administrator lets URLs and webhooks reach the cluster's own pods and Services."""
    pods = kube.list("nodes")[0]["spec"].get("podCIDR") or "10.244.0.0/16"
    service = kube.get("service", "kubernetes", "default")["spec"]["clusterIP"]
    networks = f"{pods},{'.'.join(service.split('.')[:2])}.0.0/16"
    configure("--set", f"fetch.allowNetworks={{{networks}}}")
    yield
    configure()


@pytest.fixture
def audit(kube: Kube) -> Audit:
    """What the API server logs from here on."""
    path = next(
        line.split(None, 2)[2] for line in _hack("hack/cluster", "status").splitlines() if line.startswith("audit log")
    )
    return Audit(Path(path))


@contextmanager
def _namespaces(kube: Kube) -> Iterator[Callable[[], str]]:
    """Makes namespaces under the restricted Pod Security profile; they go with the block."""
    made: list[str] = []

    def make() -> str:
        _hack("hack/cluster", "up")  # volumes of namespaces that are gone go back to the pool
        name = f"e2e-{next(_numbers)}"
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        made.append(name)
        return name

    yield make
    for name in made:
        kube.run("delete", "namespace", name, "--ignore-not-found", "--wait=false")


def _init(kube: Kube, name: str) -> str:
    """Make it ready for VideoJobs as a person would."""
    done = kube.cli("init", "-n", name, "--size", "2Gi")
    assert done.code == 0, done.err
    return name


@pytest.fixture
def empty_namespace(kube: Kube) -> Iterator[Callable[[], str]]:
    """Makes namespaces under the restricted Pod Security profile, without a store."""
    with _namespaces(kube) as make:
        yield make


@pytest.fixture
def ready_namespace(kube: Kube, empty_namespace: Callable[[], str]) -> Callable[[], str]:
    """Makes namespaces ready by `videojob init`, created after the install."""
    return lambda: _init(kube, empty_namespace())


@pytest.fixture(scope="module")
def shared_namespace(kube: Kube) -> Iterator[str]:
    """A ready namespace for all tests of a module that do not get into each other's way."""
    with _namespaces(kube) as make:
        yield _init(kube, make())


@pytest.fixture
def namespace(ready_namespace: Callable[[], str]) -> str:
    """One of them."""
    return ready_namespace()


@pytest.fixture
def submit(kube: Kube, namespace: str, tmp_path: Path) -> Callable[..., str]:
    """Submits a file as a person would; returns the VideoJob's name."""

    def run(file: Path, name: str, **spec: object) -> str:
        """Extra fields of the spec are given as a manifest. What was made before is made again, unless `cache` says so."""
        spec.setdefault("cache", {"mode": "Off"})
        manifest = tmp_path / f"{name}.json"
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


@pytest.fixture
def put(kube: Kube) -> Callable[[str, Path], str]:
    """Uploads a file into a namespace's inbox; returns its URI."""

    def run(namespace: str, file: Path) -> str:
        done = kube.cli("upload", "-n", namespace, "--file", str(file))
        assert done.code == 0, done.out + done.err
        return done.out.split()[-1]

    return run


@pytest.fixture
def on_volume(kube: Kube) -> Callable[..., str]:
    """Runs a script in a pod that sees the volume of a namespace's store at /store; returns what it prints."""

    def run(namespace: str, script: str, *args: str, write: bool = False) -> str:
        claim = kube.get("mediastore", "default", namespace)["spec"]["pvc"]["claimName"]
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
            "name": "look",
            "image": env["VIDEOJOB_WORKER_IMAGE"],
            "command": ["python3", "-c", script, *args],
            "securityContext": locked,
            "volumeMounts": [{"name": "store", "mountPath": "/store", "readOnly": not write}],
        }
        name = f"look-{next(_numbers)}"
        kube.apply(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [container],
                    "volumes": [{"name": "store", "persistentVolumeClaim": {"claimName": claim}}],
                },
            }
        )
        kube.wait("jsonpath={.status.phase}=Succeeded", "pod", name, namespace, 60)
        found = kube.run("logs", name, "-n", namespace).out
        kube.run("delete", "pod", name, "-n", namespace)
        return found

    return run


@pytest.fixture
def files(on_volume: Callable[..., str]) -> Callable[[str, str], list[str]]:
    """Lists the files below a folder of the namespace's part of its volume, as a pod sees them."""
    script = (
        "import os,sys; base=sys.argv[1]; "
        "print(*(os.path.relpath(os.path.join(d, f), base) for d, _, fs in os.walk(base) for f in fs), sep=chr(10))"
    )

    def run(namespace: str, folder: str) -> list[str]:
        return sorted(on_volume(namespace, script, f"/store/{namespace}/{folder}").split())

    return run


@pytest.fixture(scope="session")
def small_clip() -> Path:
    """The example clip: a few seconds with picture and speech."""
    return ROOT / "crds/examples/media/clip.mp4"


@pytest.fixture(scope="session")
def rotated_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute as from a telephone held upright: stored lying with a rotation mark, frames at uneven distances."""
    folder = tmp_path_factory.mktemp("clips")
    flat, turned = folder / "flat.mp4", folder / "telephone.mp4"
    source = "mandelbrot=size=640x360:rate=30:end_pts=1800,noise=alls=10:allf=t,select='mod(n,5)*mod(n,7)'"
    encode = ["-t", "60", "-fps_mode", "vfr", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-c:a", "aac"]
    quiet = ["ffmpeg", "-nostdin", "-v", "error", "-y"]
    sound = ["-f", "lavfi", "-i", "sine=frequency=220:duration=60"]
    subprocess.run([*quiet, "-f", "lavfi", "-i", source, *sound, *encode, str(flat)], check=True)
    subprocess.run([*quiet, "-i", str(flat), "-c", "copy", "-metadata:s:v:0", "rotate=90", str(turned)], check=True)
    return turned
