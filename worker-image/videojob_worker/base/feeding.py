"""Programs that are given their input while they run: a thread of ours writes what they read, such as raw frames."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from .process import Finished

PIPE_BYTES = 1 << 20
"""What an ordinary user may make of a pipe: fewer switches between the two ends."""
_SET_SIZE = getattr(fcntl, "F_SETPIPE_SZ", 1031)


class Sink:
    """The writing end. It refuses quietly once the reader has gone: the reader's own end says why."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: memoryview) -> None:
        """Write all of it. Raises BrokenPipeError when nobody reads any more."""
        while data:
            data = data[os.write(self._descriptor, data) :]


class RunFed(Protocol):
    """Runs a program that reads from a descriptor."""

    def __call__(self, stdin: int) -> Finished:
        """Run it to its end."""


def run_fed(run: RunFed, feed: Callable[[Sink], None]) -> Finished:
    """Run a program while `feed` writes its input; the input ends when `feed` returns.

    Raises what `run` raises, else what `feed` raises. A program that ends early ends `feed` too.
    """
    reader, writer = os.pipe()
    with suppress(OSError):  # a bound of the machine's; the usual size works as well
        fcntl.fcntl(writer, _SET_SIZE, PIPE_BYTES)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            feed(Sink(writer))
        except BrokenPipeError:
            return  # judged by the exit of the program
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            failures.append(error)
        finally:
            os.close(writer)

    thread = threading.Thread(target=work, name="feed", daemon=True)
    thread.start()
    try:
        finished = run(reader)
    finally:
        os.close(reader)  # a feed that still writes now gets BrokenPipeError
        thread.join()
    if failures:
        raise failures[0]
    return finished
