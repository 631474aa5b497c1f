"""Workers' processes on this machine, forked by one that has loaded what they need (X-023).

`begin()` starts that one before this command has loaded its own modules: they load side by side.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

COMMAND = (sys.executable, "-m", "videojob_worker", "forkserver")
KILLED = -int(signal.SIGKILL)
CODE_BYTES = 16
KINDS = ("story", "avatar", "transcode")
GUESS_BYTES = 1 << 16


class Forked:
    """A container's process. `stdout` is its log, to be read to the end and closed by whoever has it."""

    def __init__(self, line: socket.socket, stdout: IO[bytes]) -> None:
        self.stdout = stdout
        self._line = line.detach()
        weakref.finalize(self, os.close, self._line)  # not earlier: several threads may wait on it
        self._lock = threading.Lock()
        self._code: int | None = None

    def send_signal(self, number: int) -> None:
        """Send it a signal, SIGKILL to its whole group. One that has ended gets none."""
        with contextlib.suppress(OSError):
            os.write(self._line, bytes([number]))

    def wait(self, seconds: float | None = None) -> int | None:
        """Its exit code when it ended, negative for a signal's number; None when it goes on after so many seconds. From any
        thread.
        """
        with self._lock:
            if self._code is not None:
                return self._code
        if not select.select([self._line], [], [], seconds)[0]:
            return None
        with self._lock:
            if self._code is None:
                try:
                    told = os.read(self._line, CODE_BYTES)
                except OSError:
                    told = b""
                self._code = int(told) if told else KILLED  # who could have told is gone, and took it along
            return self._code


class ForkServer:
    """The process that starts workers. What it started ends with it, and it ends with us."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                command, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, env=self._environ, start_new_session=True
            )

    @property
    def pid(self) -> int:
        """Number of the server's own process."""
        return self._process.pid

    def start(self, argv: Sequence[str], environ: Mapping[str, str]) -> Forked:
        """Start a worker with these arguments and this environment.

        Raises RuntimeError when the server is gone.
        """
        # Only what differs: a message holds less than an environment may.
        changed = {name: value for name, value in environ.items() if self._environ.get(name) != value}
        gone = dict.fromkeys(name for name in self._environ if name not in environ)
        request = json.dumps({"argv": list(argv), "environ": {**gone, **changed}}).encode()
        line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        log, told = os.pipe()
        try:
            with theirs, self._lock:
                socket.send_fds(self._control, [request], [told, theirs.fileno()])
        except OSError as error:
            line.close()
            os.close(log)
            raise RuntimeError(f"the process that starts workers is gone: {error}") from error
        finally:
            os.close(told)
        return Forked(line, os.fdopen(log, "rb"))

    def close(self) -> None:
        """End it, and all that it started and that has not ended."""
        self._control.close()
        self._process.wait()


_begun: list[ForkServer] = []


def begin(arguments: Sequence[str]) -> None:
    """Start the server that `server()` hands out first. It ends by itself when this process ends.

    It loads what the manifests among the arguments seem to want, by their text: a wrong guess costs what it loads.
    """
    texts = [_beginning(Path(argument)) for argument in arguments]
    found = [kind for kind in KINDS if any(kind.encode() in text for text in texts)]
    _begun.append(ForkServer((*COMMAND, *(f"--soon={kind}" for kind in found))))


def _beginning(path: Path) -> bytes:
    """Of a manifest, and of a film that stands among the arguments; nothing of what cannot be read, as the command will say."""
    with contextlib.suppress(OSError):
        if path.is_file():  # a pipe would be waited for
            with path.open("rb") as file:
                return file.read(GUESS_BYTES)
    return b""


@contextlib.contextmanager
def server(command: Sequence[str] = COMMAND) -> Iterator[ForkServer]:
    """A server for a while."""
    found = _begun.pop() if _begun and command == COMMAND else ForkServer(command)
    try:
        yield found
    finally:
        found.close()
