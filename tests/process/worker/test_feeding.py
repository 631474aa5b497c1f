"""Programs that are fed while they run: all ends are the right ones, and nobody waits for ever."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from videojob_worker.base import process
from videojob_worker.base.errors import Stalled
from videojob_worker.base.feeding import Sink, run_fed
from videojob_worker.base.process import Finished
from videojob_worker.base.watch import Deadline, Stop


def python(code: str, folder: Path, stdin: int, seconds: float | None = None) -> Finished:
    return process.run(
        [sys.executable, "-c", code],
        cwd=folder,
        stop=Stop(),
        deadline=Deadline(seconds),
        stdin=stdin,
        grace_seconds=0.1,
    )


COUNT = "import sys; print(len(sys.stdin.buffer.read()))"


def test_all_bytes_arrive(tmp_path: Path) -> None:
    def feed(sink: Sink) -> None:
        for _ in range(40):
            sink.write(memoryview(bytes(100_000)))

    assert run_fed(lambda stdin: python(COUNT, tmp_path, stdin), feed).stdout == b"4000000\n"


def test_a_program_that_ends_early_ends_the_feed(tmp_path: Path) -> None:
    def feed(sink: Sink) -> None:
        while True:
            sink.write(memoryview(bytes(100_000)))

    assert run_fed(lambda stdin: python("raise SystemExit(3)", tmp_path, stdin), feed).code == 3


def test_an_error_of_the_feed_is_raised_when_the_program_has_ended(tmp_path: Path) -> None:
    def feed(sink: Sink) -> None:
        sink.write(memoryview(b"x"))
        raise ValueError("no more frames")

    with pytest.raises(ValueError, match="no more frames"):
        run_fed(lambda stdin: python(COUNT, tmp_path, stdin), feed)


def test_a_program_that_does_not_read_is_ended_by_its_deadline(tmp_path: Path) -> None:
    def feed(sink: Sink) -> None:
        while True:
            sink.write(memoryview(bytes(100_000)))

    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(Stalled):
        run_fed(lambda stdin: python("import time; time.sleep(60)", tmp_path, stdin, 0.5), feed)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 3  # Stop's own pipe
