"""The Debian packages that a node and its images need; only those that are missing are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import locks, say
from cluster.paths import RUN_DIR

NODE = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "socat",
    "iproute2",
)
IMAGES = ("buildah", "mmdebstrap")
MEDIA = ("ffmpeg", "fonts-liberation")
_POLICY = Path("/usr/sbin/policy-rc.d")
_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3")


def parse_installed(text: str) -> set[str]:
    """Package names out of dpkg-query's lines of status, tab and name: those that are really installed."""
    rows = (line.partition("\t") for line in text.splitlines())
    return {name for status, _, name in rows if status.startswith("ii")}


def missing(wanted: Iterable[str]) -> list[str]:
    """Those of the packages that this machine lacks."""
    query = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\\t${Package}\\n", *wanted]
    installed = parse_installed(subprocess.run(query, capture_output=True, text=True, check=False).stdout)
    return [name for name in wanted if name not in installed]


def ensure(wanted: Iterable[str]) -> None:
    """Install what is missing.

    Raises CannotRunError with one sentence where there is no dpkg, no root, or apt-get fails.
    """
    wanted = tuple(wanted)
    if shutil.which("dpkg-query") is None or shutil.which("apt-get") is None:
        raise say.CannotRunError(
            "Without a Docker or Podman engine the cluster needs a Debian-like machine with apt-get: start an engine, or use one."
        )
    if not missing(wanted):
        return
    if os.geteuid() != 0:
        raise say.CannotRunError(
            f"The packages {', '.join(missing(wanted))} are missing and only root can install them."
        )
    with locks.exclusive(RUN_DIR / "packages.lock", "another installation of packages"):
        absent = missing(wanted)
        if absent:
            _install(absent)


def _install(absent: list[str]) -> None:
    with say.step(f"installed {' '.join(absent)}"), _no_services():
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*_APT, "update"], env=environ, capture_output=True, check=False)
        command = [*_APT, "install", "--yes", "--no-install-recommends", *absent]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise say.CannotRunError(f"apt-get could not install {' '.join(absent)}: {lines[-1]}")
    if "containerd" in absent and Path("/run/systemd/system").is_dir():
        # The package enables a containerd of its own for the next boot; ours has its own folders and socket.
        subprocess.run(["systemctl", "disable", "--now", "containerd"], capture_output=True, check=False)


@contextmanager
def _no_services() -> Iterator[None]:
    """Packages start their services when installed unless this file forbids it; somebody else's file stays as it is."""
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
