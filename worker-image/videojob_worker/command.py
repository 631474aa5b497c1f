"""`run`: the command that runs the stages of one container; what it does stands in `runner`."""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys

from videojob_api.exits import ExitCode

from . import runner
from .base.watch import Stop


def command(arguments: argparse.Namespace) -> int:
    """`run`: the exit code; the result is the termination message."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    settings = runner.from_environment(arguments.task, arguments.container, arguments.termination, arguments.token)
    if arguments.when_told:
        runner.load(settings)
        if not _told(stop):
            return int(ExitCode.STOPPED)
    return runner.run(settings, stop)


def _told(stop: Stop) -> bool:
    """Wait for standard input; whether something comes before it ends, and before a signal does."""
    given = sys.stdin.fileno()
    select.select([given, stop], [], [])
    return not stop.requested and os.read(given, 1) != b""


def add_subcommands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run` to the worker's command line; its `func` goes from the parsed arguments to the exit code."""
    parser = subparsers.add_parser("run", help="run the stages of one container of a task document")
    parser.add_argument("--task", help="the task document (default: where the downward API puts it)")
    parser.add_argument("--container", help="which container this is (default: $VIDEOJOB_CONTAINER)")
    parser.add_argument("--termination", help="where the result is written last (default: /dev/termination-log)")
    parser.add_argument("--token", help="the token for the operator (default: the projected one)")
    parser.add_argument(
        "--when-told", action="store_true", help="load everything, then wait until a byte comes on standard input"
    )
    parser.set_defaults(func=command)
