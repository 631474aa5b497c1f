"""The only place where a process starts: argv lists, its own group, no stdin, fences, deadline, watchdog, stop.

Limits are set with prlimit right after exec, not in a hook between fork and exec: the runner has threads, and Python
code between fork and exec can deadlock on a lock that another thread held. The child has not opened its input by then.
"""

from __future__ import annotations

import os
import resource
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from .errors import BadConfig, Recoverable, Stalled, WorkerError, disk_full, out_of_memory, printable
from .watch import Clock, Deadline, Stop, Watchdog

GIB = 1 << 30
TICK_SECONDS = 0.25
"""How often deadline and watchdog are looked at while a process is silent."""
GRACE_SECONDS = 5.0
"""Time between SIGTERM and SIGKILL."""
STDERR_BYTES = 32 * 1024
"""Last bytes of stderr that are kept."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")


@dataclass(frozen=True)
class Fences:
    """Resource limits of one process. None leaves what the runner itself has."""

    address_space: int | None = 8 * GIB
    """Bytes of address space. A container's memory limit is the true fence; this one also holds without a container. It
    is wide on purpose: every thread's stack and heap arena reserve addresses that never become memory."""
    file_bytes: int | None = None
    """Largest file it may write."""
    cpu_seconds: int | None = None
    """CPU time; for short tools only, the watchdog judges the long ones."""
    open_files: int = 256
    """Open descriptors."""


@dataclass(frozen=True)
class Finished:
    """A process that ended by itself."""

    argv: tuple[str, ...]
    code: int
    """Exit code; negative for a signal."""
    stdout: bytes
    """Whole standard output; empty when it was read line by line."""
    stderr: str
    """Last part of standard error, printable."""

    @property
    def tool(self) -> str:
        """Name of the program."""
        return Path(self.argv[0]).name


class _Tail:
    """The last bytes of a stream."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()

    def feed(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * self._limit:
            del self._data[: -self._limit]

    def text(self) -> str:
        return printable(bytes(self._data[-self._limit :]).decode("utf-8", "replace").replace("\r", "\n"))


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    stop: Stop,
    deadline: Deadline,
    watchdog: Watchdog | None = None,
    on_line: Callable[[str], None] | None = None,
    fences: Fences = Fences(),
    env: Mapping[str, str] | None = None,
    max_stdout: int = 4 << 20,
    grace_seconds: float = GRACE_SECONDS,
    clock: Clock = time.monotonic,
    stdin: int | None = None,
) -> Finished:
    """Run a program to its end.

    `stdin` is a descriptor it reads; without one there is nothing to read. The caller closes it.
    `on_line` gets standard output line by line; without it the output is kept whole, up to `max_stdout` bytes.
    Raises BadConfig (ToolMissing), Stopped, Stalled (deadline or watchdog), Resource for a SIGKILL that was not ours or
    a file above its fence; every other end, good or bad, is returned for the caller to judge.
    """
    # Asked before the start: behind a wrapper a missing program would only be its exit code 127.
    program = shutil.which(argv[0])
    if program is None:
        raise BadConfig(
            "ToolMissing",
            f"{Path(argv[0]).name} was not found or is not executable",
            hint=f"install it, or correct the path {argv[0]}",
        )
    process = subprocess.Popen(
        [*_tied(), str(Path(program).absolute()), *argv[1:]],
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env={"LC_ALL": "C", **{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **(env or {})},
        start_new_session=True,
        close_fds=True,
    )
    stderr = _Tail(STDERR_BYTES)
    try:
        _fence(process.pid, fences)
        stdout = _pump(
            process,
            tool=Path(argv[0]).name,
            stop=stop,
            deadline=deadline,
            watchdog=watchdog,
            on_line=on_line,
            max_stdout=max_stdout,
            stderr=stderr,
            clock=clock,
        )
    except WorkerError as error:
        _end_group(process, grace_seconds)
        error.log_tail = error.log_tail or stderr.text()
        raise
    except BaseException:
        _end_group(process, 0)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
    _end_group(process, 0)  # whatever the tool itself started
    finished = Finished(tuple(argv), process.returncode, stdout, stderr.text())
    if finished.code == -signal.SIGKILL:
        raise out_of_memory(finished.tool, finished.stderr)
    if finished.code == -signal.SIGXFSZ:
        raise disk_full(finished.tool, finished.stderr)
    if finished.code == -signal.SIGXCPU:
        raise Stalled("Timeout", f"{finished.tool} timeout: its CPU time is spent", log_tail=finished.stderr)
    return finished


def command_line(argv: Sequence[str]) -> str:
    """A command, quoted, ready to paste into a shell."""
    return shlex.join(argv)


def _tied() -> tuple[str, ...]:
    """What stands before a command so that the kernel ends it with the runner, whose own SIGKILL nobody can catch.

    A wrapper that execs, since no Python may run between fork and exec; the process keeps its id. The tie is to the
    thread that starts it, and `run` holds that thread until the process has ended. Without a wrapper the command runs as
    well; in a pod the container's end does the same.
    """
    wrapper = shutil.which("setpriv")
    return (wrapper, "--pdeathsig", "KILL", "--") if wrapper is not None and _can_tie(wrapper) else ()


@cache
def _can_tie(wrapper: str) -> bool:
    """Whether this setpriv knows the option: that of util-linux does since 2.33, that of BusyBox does not."""
    try:
        return b"--pdeathsig" in subprocess.run([wrapper, "--help"], capture_output=True, check=False, timeout=5).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False


def _fence(pid: int, fences: Fences) -> None:
    """Lower the child's limits; never above what the runner itself was given."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: fences.open_files,
        resource.RLIMIT_AS: fences.address_space,
        resource.RLIMIT_FSIZE: fences.file_bytes,
        resource.RLIMIT_CPU: fences.cpu_seconds,
    }
    with suppress(ProcessLookupError):  # it has ended already
        for kind, value in wanted.items():
            if value is None:
                continue
            soft, hard = resource.getrlimit(kind)
            limit = min([value] + [bound for bound in (soft, hard) if bound != resource.RLIM_INFINITY])
            resource.prlimit(pid, kind, (limit, limit))


def _pump(
    process: subprocess.Popen[bytes],
    *,
    tool: str,
    stop: Stop,
    deadline: Deadline,
    watchdog: Watchdog | None,
    on_line: Callable[[str], None] | None,
    max_stdout: int,
    stderr: _Tail,
    clock: Clock,
) -> bytes:
    """Read both pipes until the process has ended, looking at stop, deadline and watchdog all the time."""
    name = {"ffmpeg": "FFmpeg"}.get(tool, tool)
    kept, line = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        open_pipes: set[IO[bytes]] = set()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, selectors.EVENT_READ)
                open_pipes.add(pipe)
        selector.register(stop, selectors.EVENT_READ)
        ended_at: float | None = None
        while True:
            stop.check()
            if process.poll() is not None:
                # Pipes may stay open in a child of the tool: one more second, then the group is ended.
                ended_at = clock() if ended_at is None else ended_at
                if not open_pipes or clock() - ended_at > 1:
                    return bytes(kept)
            else:
                deadline.check(name)
                if watchdog is not None:
                    watchdog.check(name)
            for key, _ in selector.select(0.02 if ended_at is not None or not open_pipes else TICK_SECONDS):
                if key.fileobj is stop:
                    continue
                pipe = key.fileobj  # type: ignore[assignment]  # only pipes are registered beside it
                assert pipe is not None  # noqa: S101 - for the type checker
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    selector.unregister(pipe)
                    open_pipes.discard(pipe)
                elif pipe is process.stderr:
                    stderr.feed(data)
                elif on_line is None:
                    kept += data
                    if len(kept) > max_stdout:
                        raise Recoverable("OutputTooLarge", f"{name} printed more than {max_stdout} bytes")
                else:
                    line += data
                    *whole, rest = bytes(line).split(b"\n")
                    line = bytearray(rest[-65536:])
                    for item in whole:
                        on_line(item.decode("utf-8", "replace").strip())


def _end_group(process: subprocess.Popen[bytes], grace_seconds: float) -> None:
    """End the process and everything it started: SIGTERM, then SIGKILL; no zombie stays."""
    if process.poll() is None and grace_seconds > 0:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace_seconds)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
