"""Workers forked from one that has loaded what they need: as if each had been started by its command line (X-023)."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from videojob_api.exits import ExitCode
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli import forked
from videojob_cli.embedded import Embedded
from videojob_cli.forked import Forked, ForkServer
from videojob_operator.decide.world import VideoJobView
from videojob_worker.forkserver import SOON
from workbench import Workbench

TELLING = """
import json, os, signal, socket, sys, threading, time
from videojob_worker import __main__, forkserver

def main(argv):
    match argv:
        case ["tell", *names]:
            there = [f"/proc/self/fd/{n}" for n in os.listdir("/proc/self/fd")]
            ends = [os.readlink(path).partition(":")[0] for path in there if os.path.lexists(path)]
            print(json.dumps({
                "environ": {name: os.environ.get(name) for name in names}, "ends": ends, "leads": os.getpgrp() == os.getpid(),
                "input": os.readlink("/proc/self/fd/0"), "sigchld": signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL,
            }))
        case ["loaded"]:
            print(json.dumps(os.getppid() in loaded))
        case ["end", "by", "raising"]:
            raise LookupError("of the test")
        case ["end", "by", "exiting"]:
            sys.exit(7)
        case ["end", "by", "a signal"]:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        case ["end", "by", "SIGKILL"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["wait"]:
            print("waiting", flush=True)
            time.sleep(300)
        case _:
            return __main__.main(argv)
    return 0

loaded = []

def load(argv):
    loaded.append(os.getpid())

forkserver.ForkServer(socket.socket(fileno=os.dup(0)), main, load).serve()
"""


@pytest.fixture
def server() -> Iterator[ForkServer]:
    made = ForkServer((sys.executable, "-c", TELLING))
    yield made
    made.close()


def told(process: Forked) -> Any:
    with process.stdout as lines:
        text = lines.read()
    assert process.wait(30) == 0, text
    return json.loads(text)


def test_a_process_has_its_own_environment_and_nothing_of_the_server(server: ForkServer) -> None:
    """It leads its group, reads nothing, and holds no socket: neither the server's nor another process's."""
    other = server.start(["wait"], os.environ)
    assert other.stdout.readline() == b"waiting\n"
    environ = {**os.environ, "OF_THE_TEST": "yes"}
    del environ["PATH"]
    found = told(server.start(["tell", "OF_THE_TEST", "PATH", "HOME"], environ))
    assert found["environ"] == {"OF_THE_TEST": "yes", "PATH": None, "HOME": os.environ["HOME"]}
    assert (found["leads"], found["input"], found["sigchld"]) == (True, os.devnull, True)
    assert [end for end in found["ends"] if end.startswith(("socket", "anon_inode"))] == []
    again = told(server.start(["tell", "OF_THE_TEST", "PATH"], os.environ))
    assert again["environ"] == {"OF_THE_TEST": None, "PATH": os.environ["PATH"]}
    other.stdout.close()


def test_what_one_process_needs_is_loaded_for_those_after_it(server: ForkServer) -> None:
    """The first one is not kept waiting: it loads beside its own work."""
    assert [told(server.start(["loaded"], os.environ)) for _ in range(2)] == [False, True]


@pytest.mark.parametrize(
    ("how", "code", "says"),
    [
        ("raising", 1, b"LookupError: of the test"), ("exiting", 7, b""), ("a signal", ExitCode.STOPPED, b""),
        ("SIGKILL", -signal.SIGKILL, b""),
    ],
)  # fmt: skip
def test_how_it_ends_is_told_as_of_a_process_of_ones_own(how: str, code: int, says: bytes, server: ForkServer) -> None:
    process = server.start(["end", "by", how], os.environ)
    with process.stdout as lines:
        assert says in lines.read()
    assert (process.wait(30), process.wait(0)) == (code, code)
    assert told(server.start(["tell"], os.environ))["leads"], "the server goes on"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, ExitCode.STOPPED), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_signal_reaches_it(number: signal.Signals, code: int, server: ForkServer) -> None:
    process = server.start(["wait"], os.environ)
    assert process.stdout.readline() == b"waiting\n"
    assert process.wait(0) is None
    process.send_signal(number)
    assert process.wait(30) == code
    process.send_signal(number)  # nobody is there any more
    process.stdout.close()


def test_the_server_ends_what_still_runs(server: ForkServer) -> None:
    process = server.start(["wait"], os.environ)
    assert process.stdout.readline() == b"waiting\n"
    server.close()
    assert process.stdout.read() == b""
    assert process.wait(30) == -signal.SIGKILL
    process.stdout.close()


def test_a_container_is_worked_as_by_its_command_line(tmp_path: Path) -> None:
    """The real command: the same result, and the modules of its stages were there before it began."""
    bench = Workbench(tmp_path / "store").put_bytes(b"no clip")
    argv = bench.command("commit", bench.document())[3:]
    server = ForkServer()
    try:
        process = server.start(argv, os.environ)
        with process.stdout as lines:
            lines.read()
        assert process.wait(30) == ExitCode.RECOVERABLE
    finally:
        server.close()
    assert b"found no outputs of verify" in (bench.root / "message").read_bytes()


SPECS: dict[str, dict[str, Any]] = {
    "story": {"scenes": [{"text": "One night."}]},
    "avatar": {"image": {"uri": "store://stock/p.png"}, "speech": {"text": "Good evening."}},
    "transcode": {"source": {"uri": "store://stock/a.mp4"}},
}


@pytest.mark.parametrize("kind", SPECS)
def test_what_is_loaded_ahead_is_what_such_work_runs(kind: str) -> None:
    """No more and no less than what is planned."""
    view = VideoJobView(
        "default",
        "one",
        "uid-1",
        1,
        datetime.now(UTC),
        VideoJobSpec.model_validate({kind: SPECS[kind]}),
        VideoJobStatus(),
    )
    seen: list[VideoJobView] = []

    def launch(_wanted: Any, _news: Any) -> Any:
        raise InterruptedError

    embedded = Embedded(launch, capacity=dict.fromkeys(("cpu", "yolo", "birefnet", "avatar"), 1), changed=seen.append)
    embedded.add(view)
    with pytest.raises(InterruptedError):
        embedded.run()
    plan = seen[-1].status.plan
    assert plan is not None
    assert {KINDS[name].stage for name in SOON[kind]} == {stage for group in plan.groups for stage in group.stages}


def test_the_server_loads_what_the_manifest_seems_to_want(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a word elsewhere misleads it; a manifest that is not there is the command's to complain of."""
    (tmp_path / "job.yaml").write_text("spec:\n  transcode: {}  # not a story\n")
    with (tmp_path / "film.mp4").open("wb") as film:  # more than any memory holds
        film.truncate(1 << 40)
    began: list[tuple[str, ...]] = []
    monkeypatch.setattr(forked, "ForkServer", began.append)
    monkeypatch.setattr(forked, "_begun", [])
    forked.begin(
        [str(tmp_path / "job.yaml"), str(tmp_path / "none.yaml"), "--file", str(tmp_path / "film.mp4"), "x" * 5000]
    )
    assert began == [(*forked.COMMAND, "--soon=story", "--soon=transcode")]
