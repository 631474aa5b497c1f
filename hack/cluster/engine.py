"""Which container engine answers on this machine: having the client installed is not enough."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable

ENGINES = ("docker", "podman")
_SECONDS = 20


def answers(name: str) -> bool:
    """Whether the client is on PATH and its engine responds to `info`."""
    client = shutil.which(name)
    if client is None:
        return False
    # `docker info` ends with 0 without a daemon unless a field of the server is asked for.
    field = "{{.ServerVersion}}" if name == "docker" else "{{.Version.Version}}"
    try:
        done = subprocess.run(
            [client, "info", "--format", field], capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and bool(done.stdout.strip())


def detect(names: Iterable[str] = ENGINES) -> str | None:
    """The first engine that answers, None without one."""
    return next((name for name in names if answers(name)), None)
