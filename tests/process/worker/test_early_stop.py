"""A worker that is told to stop before it has begun (cases 28, 52)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from starting import started
from videojob_api.exits import ExitCode

SLOW = """
import time
print("loading", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(("command", "needs"), [("run", "pydantic"), ("sweep", "pydantic"), ("hold", "secrets")])
def test_a_worker_that_still_loads_what_it_needs_can_be_stopped(command: str, needs: str, tmp_path: Path) -> None:
    """Process 1 of a container gets no signal that it has no handler for: there is one before anything large is loaded, and
    it ends as what stops on request does.
    """
    (tmp_path / f"{needs}.py").write_text(SLOW)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    argv = [sys.executable, "-m", "videojob_worker", command]
    with started(argv, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"loading\n"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == ExitCode.STOPPED
