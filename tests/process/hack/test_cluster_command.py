"""`hack/cluster` as a command: its help, and how it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_help_names_every_command_and_a_refusal_is_one_line(root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "hack/cluster", "--help"], cwd=root, capture_output=True, text=True, check=True
    )
    assert all(
        f"\n    {name}" in done.stdout
        for name in ("up", "down", "status", "kubeconfig", "images", "load", "gpus", "build", "path")
    )
    refused = subprocess.run(
        [sys.executable, "hack/cluster", "load", "absent.tar"], cwd=root, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr) == (1, "[cluster] There is no image archive absent.tar.\n")
