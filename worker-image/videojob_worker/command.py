"""`run`: the command that runs the stages of one container; what it does stands in `runner`."""

from __future__ import annotations

import argparse
import signal

from . import runner
from .base.watch import Stop


def command(arguments: argparse.Namespace) -> int:
    """`run`: the exit code; the result is the termination message."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    return runner.run(_settings(arguments), stop)


def load(argv: list[str]) -> None:
    """Load what the process of this command line will need, and those of the Job's other containers."""
    parser = argparse.ArgumentParser()
    add_subcommands(parser.add_subparsers())
    runner.load(_settings(parser.parse_args(argv)))


def _settings(arguments: argparse.Namespace) -> runner.Settings:
    return runner.from_environment(arguments.task, arguments.container, arguments.termination, arguments.token)


def add_subcommands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `run` to the worker's command line; its `func` goes from the parsed arguments to the exit code."""
    parser = subparsers.add_parser("run", help="run the stages of one container of a task document")
    parser.add_argument("--task", help="the task document (default: where the downward API puts it)")
    parser.add_argument("--container", help="which container this is (default: $VIDEOJOB_CONTAINER)")
    parser.add_argument("--termination", help="where the result is written last (default: /dev/termination-log)")
    parser.add_argument("--token", help="the token for the operator (default: the projected one)")
    parser.set_defaults(func=command)
