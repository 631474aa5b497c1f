"""Programs that stand in for real ones."""

from __future__ import annotations

from pathlib import Path


def program(path: Path, script: str) -> Path:
    """An executable that does what the script says, in place of the real one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
