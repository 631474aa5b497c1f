"""Processes with limits: what each end means, and that nothing is left running."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from starting import started
from videojob_api.exits import EXIT_CLASSES, ExitCode
from videojob_worker.base import errors, process
from videojob_worker.base.errors import Recoverable, Resource, Stalled, Stopped, WorkerError
from videojob_worker.base.process import Fences
from videojob_worker.base.watch import Deadline, Stop, Watchdog


class Hands:
    """A clock whose hands the test moves: it jumps by `step` at every look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def python(code: str, tmp_path: Path, **more: object) -> process.Finished:
    given = {"stop": Stop(), "deadline": Deadline(None), **more}
    return process.run([sys.executable, "-c", code], cwd=tmp_path, **given)  # type: ignore[arg-type]


def test_output_and_last_words_are_kept(tmp_path: Path) -> None:
    done = python("import sys; print('out'); sys.stderr.write('x' * 100000 + 'last'); sys.exit(3)", tmp_path)
    assert (done.code, done.stdout) == (3, b"out\n")
    assert done.stderr.endswith("last")
    assert len(done.stderr) == process.STDERR_BYTES


def test_lines_come_one_by_one(tmp_path: Path) -> None:
    lines: list[str] = []
    done = python("print('a=1'); print('b=2', end='')", tmp_path, on_line=lines.append)
    assert lines == ["a=1"]
    assert done.stdout == b""


def test_standard_input_is_closed(tmp_path: Path) -> None:
    assert python("import sys; print(repr(sys.stdin.read()))", tmp_path).stdout == b"''\n"


def test_the_environment_is_not_passed_on(tmp_path: Path) -> None:
    os.environ["VIDEOJOB_TEST_SECRET"] = "x"
    try:
        done = python("import os; print('VIDEOJOB_TEST_SECRET' in os.environ)", tmp_path)
    finally:
        del os.environ["VIDEOJOB_TEST_SECRET"]
    assert done.stdout == b"False\n"


def test_limits_hold(tmp_path: Path) -> None:
    # The limits are set right after the start: the child looks until they are there, or its deadline ends it.
    code = (
        "import resource as r\nwhile r.getrlimit(r.RLIMIT_NOFILE)[0] != 77: pass\nprint(r.getrlimit(r.RLIMIT_CORE)[1])"
    )
    assert python(code, tmp_path, fences=Fences(open_files=77), deadline=Deadline(30)).stdout == b"0\n"


def test_a_sigkill_that_is_not_ours_means_out_of_memory(tmp_path: Path) -> None:
    with pytest.raises(Resource) as raised:
        python("import os; os.kill(os.getpid(), 9)", tmp_path)
    assert raised.value.code == "OutOfMemory"


def test_a_file_above_its_fence_means_disk_full(tmp_path: Path) -> None:
    """Case 69."""
    code = (
        "import resource as r, signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "while r.getrlimit(r.RLIMIT_FSIZE)[0] != 1 << 20: pass\n"
        "with open('big', 'wb') as f:\n while True: f.write(b'x' * 65536)"
    )
    with pytest.raises(Resource) as raised:
        python(code, tmp_path, fences=Fences(file_bytes=1 << 20), deadline=Deadline(30))
    assert raised.value.code == "DiskFull"
    assert (tmp_path / "big").stat().st_size <= 1 << 20


def test_other_signals_are_the_caller_s_to_judge(tmp_path: Path) -> None:
    assert python("import os; os.abort()", tmp_path).code == -signal.SIGABRT


LIVES = "import subprocess, sys, time; subprocess.Popen(['sleep', '1000']); print('on', flush=True); time.sleep(1000)"


def _alive_in_group(folder: Path) -> list[str]:
    """Processes whose working folder is the test's and that do not end: a killed orphan takes a moment to be gone."""
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and _stays(entry, folder)]


def _stays(process: Path, folder: Path) -> bool:
    try:
        if (process / "cwd").readlink() != folder or b"\0" not in (process / "cmdline").read_bytes():
            return False
        end = os.pidfd_open(int(process.name))
    except OSError:
        return False
    ended = select.select([end], [], [], 5)[0]
    os.close(end)
    return not ended


def test_a_stop_ends_the_whole_group(tmp_path: Path) -> None:
    stop = Stop()
    with pytest.raises(Stopped):
        python(LIVES, tmp_path, stop=stop, on_line=lambda _: stop.request(), grace_seconds=1)
    assert _alive_in_group(tmp_path) == []


RUNNER = (
    "import sys; from pathlib import Path; from videojob_worker.base import process, watch\n"
    "done = process.run([sys.executable, '-c', sys.argv[1]], cwd=Path.cwd(), stop=watch.Stop(), deadline=watch.Deadline(60))\n"
    "print(done.code, done.stdout.decode(), done.stderr)"
)
"""A runner in a process of its own, which can be killed or have another PATH."""


def test_a_runner_that_is_killed_takes_its_tools_along(tmp_path: Path) -> None:
    """Outside a container nobody else would end them: the tool holds a pipe, and says so if it outlives its runner."""
    tool = "import time; f = open('pipe', 'w', 1); f.write('on\\n'); time.sleep(20); f.write('outlived\\n')"
    os.mkfifo(tmp_path / "pipe")
    argv = [sys.executable, "-c", RUNNER, tool]
    with started(argv, cwd=tmp_path) as runner, (tmp_path / "pipe").open() as pipe:
        first = pipe.readline()
        runner.kill()
        assert (first, pipe.read()) == ("on\n", "")


@pytest.mark.parametrize(
    ("name", "setpriv"),
    [("none", None), ("BusyBox's", "#!/bin/sh\necho 'Usage: setpriv [OPTIONS] PROG ARGS'\n"), ("no program", "\0")],
    ids=lambda value: value if value and "\n" not in value and "\0" not in value else "",
)
def test_where_no_wrapper_can_tie_a_tool_it_runs_all_the_same(name: str, setpriv: str | None, tmp_path: Path) -> None:
    if setpriv is not None:
        (tmp_path / "setpriv").write_text(setpriv)
        (tmp_path / "setpriv").chmod(0o755)
    argv = [sys.executable, "-c", RUNNER, "import sys; print('ran'); sys.exit(3)"]
    done = subprocess.run(argv, cwd=tmp_path, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.stdout == "3 ran\n \n", (name, done.stderr)


@pytest.mark.parametrize("program", ["absent-tool", "./absent-tool", "./plain-file"])
def test_a_missing_program_is_named(program: str, tmp_path: Path) -> None:
    """Not by the wrapper's exit code: by an error that says what to install."""
    (tmp_path / "plain-file").write_text("x")
    with pytest.raises(errors.BadConfig, match=rf"{Path(program).name} was not found or is not executable") as raised:
        process.run([program], cwd=tmp_path, stop=Stop(), deadline=Deadline(None))
    assert raised.value.code == "ToolMissing"
    assert raised.value.hint is not None
    assert program in raised.value.hint


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Case 42."""
    stop = Stop()
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print('on', flush=True); time.sleep(1000)"
    with pytest.raises(Stopped):
        python(code, tmp_path, stop=stop, on_line=lambda _: stop.request(), grace_seconds=0.2)
    assert _alive_in_group(tmp_path) == []


def test_a_stop_from_another_thread_wakes_the_wait(tmp_path: Path) -> None:
    stop = Stop()
    begun = threading.Event()
    thread = threading.Thread(target=lambda: (begun.wait(30), stop.request()))
    thread.start()
    with pytest.raises(Stopped):
        python(LIVES, tmp_path, stop=stop, on_line=lambda _: begun.set(), grace_seconds=1)
    thread.join()


def test_a_passed_deadline_is_a_timeout(tmp_path: Path) -> None:
    """T-021, case 41: the clock jumps, the test does not wait."""
    with pytest.raises(Stalled, match="timeout: not done after 60 s") as raised:
        python(LIVES, tmp_path, deadline=Deadline(60, Hands(step=40)), grace_seconds=1)
    assert raised.value.code == "Timeout"
    assert _alive_in_group(tmp_path) == []


def test_a_media_clock_that_stands_still_is_a_stall(tmp_path: Path) -> None:
    """Case 41 and 70: it lives, it prints, it gets nowhere."""
    clock = Hands()
    watchdog = Watchdog(120, clock)

    def heard(_: str) -> None:
        watchdog.advance(5.0)
        clock.now += 50

    code = "while True: print('frame=5', flush=True)"
    with pytest.raises(Stalled, match="made no progress for 120 s") as raised:
        python(code, tmp_path, watchdog=watchdog, on_line=heard, grace_seconds=1)
    assert raised.value.code == "Stalled"


def test_an_advancing_clock_is_left_alone() -> None:
    clock = Hands()
    watchdog = Watchdog(120, clock)
    for position in range(1, 10):
        clock.now += 100
        watchdog.advance(position)
        watchdog.check("ffmpeg")
    clock.now += 121
    with pytest.raises(Stalled):
        watchdog.check("ffmpeg")


def test_too_much_output_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Recoverable, match="printed more than"):
        python("print('x' * 100000)", tmp_path, max_stdout=1000)


@pytest.mark.parametrize("kind", WorkerError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_error_s_exit_code_means_its_class(kind: type[WorkerError]) -> None:
    assert EXIT_CLASSES[kind.exit_code] == kind.failure_class


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (OSError(28, "No space left on device"), "DiskFull", ExitCode.RESOURCE),
        (OSError(122, "Disk quota exceeded"), "DiskFull", ExitCode.RESOURCE),
        (OSError(12, "Cannot allocate memory"), "OutOfMemory", ExitCode.RESOURCE),
        (MemoryError(), "OutOfMemory", ExitCode.RESOURCE),
        (OSError(5, "Input/output error"), "InternalError", ExitCode.RECOVERABLE),
        (KeyError("x"), "InternalError", ExitCode.RECOVERABLE),
        (Stopped(), "Disrupted", ExitCode.STOPPED),
    ],
)
def test_whatever_escapes_a_stage_is_judged(error: Exception, code: str, exit_code: ExitCode) -> None:
    judged = errors.from_exception(error)
    assert (judged.code, judged.exit_code) == (code, exit_code)


def test_a_failure_travels_short_and_printable() -> None:
    error = Recoverable("FFmpegFailed", "m" * 900, hint="h", log_tail="\x1b[31m" + "y" * 5000 + "end")
    status = error.status("Transcode", 2)
    assert len(status.message) == errors.MAX_MESSAGE
    assert status.log_tail is not None
    assert len(status.log_tail) == errors.MAX_LOG_TAIL
    assert status.log_tail.endswith("end")
    assert "\x1b" not in errors.printable("\x1b[31mred")
