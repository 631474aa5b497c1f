"""The program by the name it was started under."""

from __future__ import annotations

import subprocess
import sys


def test_it_is_called_what_people_typed() -> None:
    """Found through PATH as kubectl-videojob, the help says `kubectl videojob`."""
    program = "import sys; sys.argv[0] = '/usr/bin/kubectl-videojob'; from videojob_cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "-h"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "Usage: kubectl videojob" in done.stdout
