"""The console scripts `videojob` and `kubectl-videojob`, and `python3 -m videojob_cli`."""

from __future__ import annotations

import gc
import importlib
import sys

from . import forked


def main() -> None:
    """Run the command line. What a run here needs is started first, then loads beside us."""
    if sys.argv[1:2] == ["run"]:
        forked.begin(sys.argv[2:])
    gc.disable()  # what is loaded stays: there is nothing to find in it
    program = importlib.import_module("videojob_cli.main")
    gc.freeze()
    gc.enable()
    program.main()


if __name__ == "__main__":
    main()
