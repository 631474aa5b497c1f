"""`forkserver`: containers' processes on a machine without a cluster, forked from one that has loaded what they need (X-023).

Loading takes a process longer than most stages work; a forked one has it behind it. The socket is standard input: each message
asks for one process and brings two descriptors: where its log goes, and a line of its own. On that line come signals, a byte
each, and on it goes how it ended. At the socket's end whoever asked is gone, and so is everything that was started for it.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from videojob_api.exits import ExitCode

from . import command as running

MESSAGE_BYTES = 64 * 1024
"""Most bytes of a request."""
_PDEATHSIG = 1
"""prctl(2): a signal for us when our parent dies."""

SOON: dict[str, tuple[str, ...]] = {
    "story": ("scenes", "audio", "images", "layout", "compose", "join", "thumbnail", "finalize"),
    "avatar": ("upload", "speak", "detect", "matte", "animate", "finish", "deliver"),
    "transcode": ("ingest", "transcode", "verify", "commit"),
}
"""Stages of each kind of work whose modules can be loaded before its document is there."""

Main = Callable[[list[str]], int]
"""What a process runs: from its arguments to its exit code."""
Load = Callable[[list[str]], None]
"""Loads what a process with these arguments will need."""


@dataclass(frozen=True)
class _Child:
    pid: int
    line: socket.socket


class ForkServer:
    """Starts processes for whoever holds the other end of `control`, until that is closed."""

    def __init__(self, control: socket.socket, main: Main, load: Load) -> None:
        self._control, self._main, self._load = control, main, load
        self._children: dict[int, _Child] = {}
        self._selector = selectors.DefaultSelector()
        self._heard, told = socket.socketpair()
        for end in (self._heard, told):
            end.setblocking(False)
        self._told = told
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        self._selector.register(control, selectors.EVENT_READ, self._asked)
        self._selector.register(self._heard, selectors.EVENT_READ, self._ended)

    def serve(self) -> None:
        """Work until nobody asks any more; what still runs then is killed."""
        going = True
        while going:
            for key, _ in self._selector.select():
                going = key.data() is not False and going
        for child in self._children.values():
            _kill(child.pid)

    def _asked(self) -> bool:
        """Start a process, and load what it needs for those after it; False at the end of the socket."""
        message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_BYTES, 2)
        if not message:
            return False
        log, line = descriptors
        request = json.loads(message)
        gc.freeze()  # else each collection in a child would copy what it shares with us
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid == 0:
            self._become(request["argv"], request["environ"], log, line)
        os.close(log)
        child = _Child(pid, socket.socket(fileno=line))
        self._children[pid] = child
        self._selector.register(child.line, selectors.EVENT_READ, lambda: self._signalled(child))
        self._load(request["argv"])
        return True

    def _become(self, argv: list[str], environ: Mapping[str, str | None], log: int, line: int) -> None:
        """In the new process: shed what is the server's, and work as if the command line had started it. Does not return."""
        code = 1
        try:
            os.setsid()
            with suppress(AttributeError):  # where the kernel is another one, only we end what is left
                ctypes.CDLL(None).prctl(_PDEATHSIG, signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # Until its own handlers are there; 143 is what the shell makes of SIGTERM.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(ExitCode.STOPPED)))
            nothing = os.open(os.devnull, os.O_RDONLY)
            for descriptor, place in ((nothing, 0), (log, 1), (log, 2)):
                os.dup2(descriptor, place)
            for end in (self._selector, self._control, self._heard, self._told):
                end.close()
            for child in self._children.values():
                child.line.close()
            for descriptor in (nothing, log, line):
                os.close(descriptor)
            for name, value in environ.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
            tempfile.tempdir = None
            gc.enable()
            # What we have not loaded yet is loaded while its first stages work.
            threading.Thread(target=self._load, args=(argv,), name="load", daemon=True).start()
            code = self._main(argv)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001 - as the interpreter would: nothing may go on in the server's place
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(code)

    def _signalled(self, child: _Child) -> None:
        """Pass signals on; a process that nobody waits for is killed."""
        try:
            wanted = child.line.recv(16)
        except OSError:
            wanted = b""
        if not wanted:
            self._selector.unregister(child.line)
            _kill(child.pid)
        for number in wanted:
            if number == signal.SIGKILL:
                _kill(child.pid)
            else:
                os.kill(child.pid, number)

    def _ended(self) -> None:
        """Tell of the processes that have ended."""
        with suppress(BlockingIOError):
            while self._heard.recv(4096):
                pass
        for child in list(self._children.values()):
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            # Nothing it started outlives it. While it is not reaped its number is nobody else's.
            _kill(child.pid)
            _, status = os.waitpid(child.pid, 0)
            del self._children[child.pid]
            with suppress(KeyError):
                self._selector.unregister(child.line)
            with suppress(OSError):
                child.line.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
            child.line.close()


def _kill(pid: int) -> None:
    """A process and its group; it may not have made its group yet."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def command(arguments: argparse.Namespace) -> int:
    """`forkserver`: its exit code."""
    control = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - a device
        os.dup2(nothing.fileno(), sys.stdin.fileno())
    gc.disable()  # what is loaded stays: there is nothing to find in it
    worker = importlib.import_module("videojob_worker.__main__")
    for kind in (kind for name in arguments.soon for kind in SOON[name]):
        if select.select([control], [], [], 0)[0]:
            break  # somebody asks already; the rest is loaded beside the work
        with suppress(ImportError):  # whose stage it is will tell
            importlib.import_module(f"videojob_worker.stages.{kind}")
    ForkServer(control, worker.main, running.load).serve()
    return int(ExitCode.OK)


def add_subcommands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `forkserver` to the worker's command line; its `func` goes from the parsed arguments to the exit code."""
    parser = subparsers.add_parser(
        "forkserver", help="start containers' processes for whoever holds the socket that is stdin"
    )
    parser.add_argument(
        "--soon",
        action="append",
        choices=SOON,
        default=[],
        help="kind of work that will be asked for: load its stages now",
    )
    parser.set_defaults(func=command)
