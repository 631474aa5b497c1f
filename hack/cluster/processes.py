"""Start long-lived processes that outlive the command, know them again later, and stop exactly those."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster import say

_PR_SET_PDEATHSIG = 1
STOP_SECONDS = 3.0
"""How long a process may take to end after SIGTERM before it is killed: an API server waits for its last watch, in vain."""


@dataclass(frozen=True)
class Process:
    """A process by its number and its start time in clock ticks since boot, since numbers are used again."""

    name: str
    pid: int
    started: int

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return start_time(self.pid) == self.started


def start_time(pid: int) -> int | None:
    """When the process started, None if it is gone or only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The command's name stands in brackets and may hold anything, so count from the last one.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def start(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    die_with_parent: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Process:
    """Start a process in a session of its own, its output in a log file.

    `die_with_parent` has the kernel end it with the thread that started it, so that a killed test run leaves nothing behind.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
            env=None if environ is None else {**os.environ, **environ},
            preexec_fn=_end_with_parent if die_with_parent else None,  # noqa: PLW1509  one prctl, no locks, no threads
        )
    _children[child.pid] = child
    return Process(name, child.pid, start_time(child.pid) or 0)


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Kept so that the interpreter neither warns about nor loses the children that it has to reap."""


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def stop(processes: Iterable[Process], *, seconds: float = STOP_SECONDS) -> None:
    """End the processes one after the other, politely at first; those that are gone are passed over."""
    for process in processes:
        if not process.alive():
            continue
        _signal(process, signal.SIGTERM)
        if not wait_until(lambda current=process: not _still(current), seconds):  # type: ignore[misc]
            _signal(process, signal.SIGKILL)
            wait_until(lambda current=process: not _still(current), seconds)  # type: ignore[misc]


def _still(process: Process) -> bool:
    child = _children.get(process.pid)
    if child is not None:
        child.poll()
    return process.alive()


def _signal(process: Process, number: signal.Signals) -> None:
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return


def wait_until(condition: Callable[[], bool], seconds: float, *, interval: float = 0.05) -> bool:
    """Ask again and again until the condition holds or the time is over; says which."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(interval)
    return True


def wait_ready(what: str, process: Process, log: Path, ready: Callable[[], bool], seconds: float) -> None:
    """Wait for readiness; CannotRunError quotes the log's last line if the process ends or never gets there."""
    if wait_until(lambda: ready() or not _still(process), seconds) and _still(process):
        return
    lines = log.read_text(errors="replace").strip().splitlines() or ["the log is empty"]
    state = f"was not ready after {seconds:.0f} s" if _still(process) else "ended at once"
    raise say.CannotRunError(f"{what} {state}; the last line of {log}: {lines[-1]}")
