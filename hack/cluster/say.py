"""What the person at the terminal reads: one line per finished step with its seconds, and one sentence per refusal."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
"""Steps run in threads; without it their lines would mix."""


class CannotRunError(Exception):
    """The cluster cannot be had here; the message is the one sentence that says what is missing and what to do."""


def line(text: str) -> None:
    """Print one progress line on standard error, where it never mixes with what a command answers."""
    with _lock:
        print(f"[cluster] {text}", file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announce nothing, run the block, then print what was done and how many seconds it took."""
    started = time.monotonic()
    yield
    line(f"{text} ({time.monotonic() - started:.1f} s)")
