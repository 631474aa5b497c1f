"""Locks between processes: whoever comes second says what it waits for, and waits."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster import say


@contextmanager
def exclusive(path: Path, holder: str) -> Iterator[None]:
    """Hold the lock file for the block; the kernel releases it when the process ends, however it ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say.line(f"waiting for {holder} to finish")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
