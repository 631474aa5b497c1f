"""`python3 -m videojob_worker COMMAND`: what runs in the worker image's containers."""

from __future__ import annotations

import argparse
import signal
import sys

if __name__ == "__main__":
    # What follows takes a second to load, and process 1 of a container never gets a signal that it has no handler for: it
    # would work on until its grace period ends. 143 is contract.ExitCode.STOPPED, not loaded yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

from . import runner, sweep, transfer
from .base.watch import Stop


def _run(arguments: argparse.Namespace) -> int:
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    settings = runner.from_environment(arguments.task, arguments.container, arguments.termination, arguments.token)
    return runner.run(settings, stop)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videojob_worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the stages of one container of a task document")
    run.add_argument("--task", help="the task document (default: where the downward API puts it)")
    run.add_argument("--container", help="which container this is (default: $VIDEOJOB_CONTAINER)")
    run.add_argument("--termination", help="where the result is written last (default: /dev/termination-log)")
    run.add_argument("--token", help="the token for the operator (default: the projected one)")
    run.set_defaults(func=_run)
    transfer.add_subcommands(commands)
    sweep.add_subcommand(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run the command; its exit code."""
    arguments = _parser().parse_args(argv)
    return int(arguments.func(arguments))


if __name__ == "__main__":
    sys.exit(main())
