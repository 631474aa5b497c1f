"""`python3 -m videojob_worker COMMAND`: what runs in the worker image's containers."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

_MODULES = {
    "run": "command", "forkserver": "forkserver", "hold": "transfer", "receive": "transfer", "send": "transfer", "sweep": "sweep",
}  # fmt: skip
"""The module behind each command. Only that one is loaded: a process that moves one small file is to be gone in a moment."""


def _parser(wanted: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="videojob_worker", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in [_MODULES[wanted]] if wanted in _MODULES else dict.fromkeys(_MODULES.values()):
        importlib.import_module(f"videojob_worker.{module}").add_subcommands(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Parse the command line and run the command; its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    arguments = _parser(argv[0] if argv else None).parse_args(argv)
    return int(arguments.func(arguments))


if __name__ == "__main__":
    # Loading takes a while, and process 1 of a container never gets a signal that it has no handler for: it would work on
    # until its grace period ends. 143 is exits.ExitCode.STOPPED, not loaded yet.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
