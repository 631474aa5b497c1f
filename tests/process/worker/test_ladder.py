"""FFmpeg's arguments from one interpreter to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "unit" / "worker"
"""Where the module lies that builds the arguments."""


def test_the_arguments_do_not_depend_on_the_run() -> None:
    """The same document gives the same command whatever the interpreter's hash seed is."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_ladder as t; "
        "print(t.arguments(t.FULL_HD, tuple(t.plan(n) for n in t.FIVE)))"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, str(FOLDER)],
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }  # fmt: skip
    assert len(seen) == 1
