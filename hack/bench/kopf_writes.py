"""`make figures-kopf`: what kopf's own features would write for one object from its creation to its deletion.

Each variant is a kopf operator in a process of its own on a bare control plane (etcd, API server, controller manager on
loopback). Five VideoJobs are created and deleted; the writes of that process are counted from the audit log.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")
sys.path.insert(1, str(ROOT / "tests/support"))

from cluster import binaries  # noqa: E402 - found by the lines above
from controlplane import ControlPlane, control_plane  # noqa: E402

OBJECTS = 5
AGENT = "kopf/"
WRITES = frozenset({"create", "update", "patch", "delete"})
HEAD = "import kopf\nK = ('videojob.dev', 'v1alpha1', 'videojobs')\n"
QUIET = """
@kopf.on.startup()
def configure(settings, **_):
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
"""
EVENT = "@kopf.on.event(*K)\nasync def seen(**_): pass\n"
VARIANTS = (
    ("on.event (ours)", EVENT),
    ("on.event and an index", EVENT + "@kopf.index(*K)\nasync def known(name, **_): return {name: 1}\n"),
    ("on.create", "@kopf.on.create(*K)\nasync def made(**_): pass\n"),
    (
        "on.create, update, delete, resume",
        "@kopf.on.create(*K)\n@kopf.on.update(*K)\n@kopf.on.delete(*K)\n@kopf.on.resume(*K)\nasync def all(**_): pass\n",
    ),
    (
        "the same, and a status patch",
        (
            "@kopf.on.create(*K)\nasync def made(patch, **_): patch.status['phase'] = 'Queued'\n"
            "@kopf.on.update(*K)\n@kopf.on.delete(*K)\n@kopf.on.resume(*K)\nasync def rest(**_): pass\n"
        ),
    ),
    (
        "on.create that is tried three times",
        (
            "@kopf.on.create(*K)\nasync def made(retry, **_):\n"
            "    if retry < 2: raise kopf.TemporaryError('not yet', delay=0.1)\n"
        ),
    ),
    ("a timer", "@kopf.timer(*K, interval=60)\nasync def tick(**_): pass\n"),
)


def kubectl(plane: ControlPlane, *args: str, stdin: str | None = None) -> str:
    """Kubectl on the bare control plane."""
    argv = [str(binaries.path("kubectl")), "--kubeconfig", str(plane.kubeconfig), *args]
    return subprocess.run(argv, input=stdin, check=True, capture_output=True, text=True).stdout


@contextmanager
def operator(plane: ControlPlane, folder: Path, code: str) -> Iterator[None]:
    """A kopf operator with these handlers; the block starts when it watches."""
    path = folder / "handlers.py"
    path.write_text(HEAD + code + QUIET)
    env = {**os.environ, "KUBECONFIG": str(plane.kubeconfig), "PYTHONUNBUFFERED": "1"}
    argv = [sys.executable, "-m", "kopf", "run", str(path), "-n", "default", "--verbose"]
    process = subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        for line in process.stdout:
            if "Starting the watch-stream for videojobs" in line:
                break
        drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
        yield
        process.terminate()
        process.wait(30)
        drain.wait(30)
    finally:
        process.kill()


def writes(log: Path, start: int) -> int:
    """Writes by kopf since this offset of the audit log."""
    found = 0
    with log.open("rb") as lines:
        lines.seek(start)
        for line in lines:
            entry = json.loads(line)
            by_kopf = entry.get("userAgent", "").startswith(AGENT) or "kopf" in entry.get("userAgent", "")
            found += by_kopf and entry["verb"] in WRITES and entry["stage"] == "ResponseComplete"
    return found


def main() -> None:
    """Print the table."""
    binaries.ensure(("kubectl",))
    manifest = (ROOT / "crds/examples/transcode-minimal.yaml").read_text()
    print(f"{'handlers':<38}{'writes per object':>18}")
    with control_plane() as plane, tempfile.TemporaryDirectory() as folder:
        kubectl(plane, "apply", "-f", str(ROOT / "crds"))
        kubectl(plane, "wait", "--for=condition=Established", "crd/videojobs.videojob.dev", "--timeout=30s")
        for name, code in VARIANTS:
            start = plane.audit_log.stat().st_size
            with operator(plane, Path(folder), code):
                for number in range(OBJECTS):
                    kubectl(plane, "create", "-f", "-", stdin=manifest.replace("trailer-minimal", f"o-{number}"))
                for number in range(OBJECTS):
                    settled(plane, f"o-{number}")
                kubectl(plane, "delete", "videojobs", "--all", "--wait=true")
            print(f"{name:<38}{writes(plane.audit_log, start) / OBJECTS:>18.1f}")


def settled(plane: ControlPlane, name: str) -> None:
    """Wait, by a watch, until nobody has changed the object for two seconds."""
    argv = [str(binaries.path("kubectl")), "--kubeconfig", str(plane.kubeconfig), "get", "videojob", name, "--watch"]
    with subprocess.Popen(["timeout", "2", *argv], stdout=subprocess.DEVNULL) as watch:
        watch.wait()


if __name__ == "__main__":
    main()
