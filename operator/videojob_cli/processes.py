"""The processes that another one has started, as /proc shows them, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """One process; its start keeps it apart from a later one with the same number."""

    pid: int
    start: int
    """Clock ticks since the machine started."""


class _Seen(NamedTuple):
    process: Process
    parent: int
    session: int


def _look(pid: int) -> _Seen | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None  # it has ended
    # The name in parentheses may hold anything, so count from its end: state, parent, group, session, ..., start.
    fields = text.rpartition(")")[2].split()
    return _Seen(Process(pid, int(fields[19])), int(fields[1]), int(fields[3]))


def family(root: int) -> set[Process]:
    """Everything that the process has started, also in other sessions, and everything in those sessions; not itself."""
    looked = (_look(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    everybody = [seen for seen in looked if seen is not None]
    ours = {root}
    while True:
        # A session is named by the process that began it; one of ours began it, so whoever is in it descends from ours.
        more = {seen.process.pid for seen in everybody if seen.parent in ours or seen.session in ours} - ours
        if not more:
            return {seen.process for seen in everybody if seen.process.pid in ours and seen.process.pid != root}
        ours |= more


def kill(found: Iterable[Process]) -> None:
    """SIGKILL to those that still live."""
    for process in found:
        seen = _look(process.pid)
        if seen is not None and seen.process == process:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, signal.SIGKILL)
