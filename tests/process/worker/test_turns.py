"""A worker that is started before its turn: it loads what it needs, and does nothing until it is told (X-023)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from starting import started
from videojob_api.exits import ExitCode
from workbench import Workbench

TELLING = """
import sys
from videojob_worker import __main__, runner
load = runner.load
def told(settings):
    load(settings)
    print("commit is loaded:", "videojob_worker.stages.commit" in sys.modules, flush=True)
runner.load = told
sys.exit(__main__.main())
"""
"""The worker's own main, which says when it has loaded what it needs."""


@contextmanager
def waiting(bench: Workbench) -> Iterator[subprocess.Popen[bytes]]:
    """The commit of a job of which nothing has been worked, as it waits for its turn."""
    argv = [sys.executable, "-c", TELLING, *bench.command("commit", bench.document())[3:], "--when-told"]
    with started(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"commit is loaded: True\n"
        yield worker


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "store").put_bytes(b"no clip")


def test_a_worker_that_is_told_does_its_work(bench: Workbench) -> None:
    """Nothing was made before, which it says in its result, written when it was told and not earlier."""
    with waiting(bench) as worker:
        assert not (bench.root / "message").exists()
        worker.communicate(b"\n", timeout=30)
        assert worker.returncode == ExitCode.RECOVERABLE
    assert b"found no outputs of verify" in (bench.root / "message").read_bytes()


@pytest.mark.parametrize("how", ["a signal", "the end of its input: whoever started it is gone"])
def test_a_worker_whose_turn_never_comes_leaves_nothing(how: str, bench: Workbench) -> None:
    with waiting(bench) as worker:
        assert worker.stdin is not None
        if how == "a signal":
            worker.send_signal(signal.SIGTERM)
        else:
            worker.stdin.close()
        assert worker.wait(30) == ExitCode.STOPPED
    assert not (bench.root / "message").exists()
    assert list(bench.job.iterdir()) == []
