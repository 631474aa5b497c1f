"""The Debian packages that a node and its images need; only those that are missing are installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
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
MEDIA = (
    "ffmpeg", "libespeak-ng1", "espeak-ng-data", "fonts-liberation", "fonts-noto-core", "fonts-vlgothic",
    "fonts-droid-fallback", "fonts-nanum",
)  # fmt: skip
"""FFmpeg (which brings the voice flite), a voice for other languages, and letters for most scripts: what the worker's image
has too."""
_PROGRAMS = {"containerd": ("containerd", "ctr", "containerd-shim-runc-v2"), "runc": ("runc",)}
"""Programs that make up for the package: Docker's own package of containerd brings them, and the two exclude each other."""
_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = """#!/bin/sh
# Written by videojob's hack/cluster while it installs packages; remove this file if no such installation runs.
exit 101
"""
_LOCK = RUN_DIR / "packages.lock"
_HOLDER = "another installation of packages"
_APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3")


def parse_installed(text: str) -> set[str]:
    """Package names out of dpkg-query's lines of status, tab and name: those that are really installed."""
    rows = (line.partition("\t") for line in text.splitlines())
    return {name for status, _, name in rows if status.startswith("ii")}


def without_programs(wanted: Iterable[str], which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """Those of the packages whose programs are not all on PATH, whoever put them there."""
    return [name for name in wanted if name not in _PROGRAMS or not all(which(program) for program in _PROGRAMS[name])]


def missing(wanted: Iterable[str]) -> list[str]:
    """Those of the packages that this machine lacks."""
    wanted = without_programs(wanted)
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
    if os.geteuid() == 0 and _is_ours(_POLICY):
        with locks.exclusive(_LOCK, _HOLDER):
            remove_leftover()
    if not missing(wanted):
        return
    if os.geteuid() != 0:
        raise say.CannotRunError(
            f"The packages {', '.join(missing(wanted))} are missing and only root can install them."
        )
    with locks.exclusive(_LOCK, _HOLDER):
        absent = missing(wanted)
        if absent:
            _install(absent)


def install_command(absent: Iterable[str]) -> list[str]:
    """Install, and rather fail than remove what somebody else installed."""
    return [*_APT, "install", "--yes", "--no-install-recommends", "--no-remove", *absent]


def _install(absent: list[str]) -> None:
    with say.step(f"installed {' '.join(absent)}"), no_services():
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([*_APT, "update"], env=environ, capture_output=True, check=False)
        done = subprocess.run(install_command(absent), env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise say.CannotRunError(f"apt-get could not install {' '.join(absent)}: {lines[-1]}")
    if "containerd" in absent and Path("/run/systemd/system").is_dir():
        # The package enables a containerd of its own for the next boot; ours has its own folders and socket.
        subprocess.run(["systemctl", "disable", "--now", "containerd"], capture_output=True, check=False)


def _is_ours(policy: Path) -> bool:
    try:
        return policy.read_text() == _POLICY_TEXT
    except (OSError, ValueError):
        return False


def remove_leftover(policy: Path = _POLICY) -> None:
    """Remove what an installation that was killed left behind, for no service would ever start again on an upgrade."""
    if _is_ours(policy):
        policy.unlink()


@contextmanager
def no_services(policy: Path = _POLICY) -> Iterator[None]:
    """Packages start their services when installed unless this file forbids it; somebody else's file stays as it is."""
    remove_leftover(policy)
    if policy.exists():
        yield
        return
    policy.write_text(_POLICY_TEXT)
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)
