"""Processes that tests start: with a state that is inherited, and never left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

PIPES: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
"""Options of a process whose both outputs are read."""
_EXEC = "import os, resource, signal, sys\n{}\nos.execvp(sys.argv[1], sys.argv[1:])"


def prepared(code: str, argv: Sequence[str]) -> list[str]:
    """A command in whose process `code` runs first, with `resource` and `signal` at hand: what it sets is inherited.

    In place of `preexec_fn`, which may wait for ever in a process that has threads.
    """
    return [sys.executable, "-c", _EXEC.format(code), *argv]


@contextmanager
def started(argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process; it is killed when the block ends, so that a failed test does not wait for it."""
    with subprocess.Popen(argv, **options) as process:
        try:
            yield process
        finally:
            process.kill()
