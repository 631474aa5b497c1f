"""A Job's processes end with it, also its tools, which have sessions of their own (X-023)."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from starting import started
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli.embedded import Embedded, Job
from videojob_cli.forked import ForkServer
from videojob_cli.localjob import Folders, LocalJob
from videojob_operator.decide.world import CreateJob, JobView, VideoJobView

WORKER = """
import os, pathlib, signal, socket, threading
from videojob_worker import forkserver
from videojob_worker.base import process, watch

def die():
    pathlib.Path(os.environ["GO"]).read_text()
    os.kill(os.getpid(), signal.SIGKILL)

def main(argv):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=die, daemon=True).start()
    process.run(
        ["sh", "-c", "echo $$ > tool; exec sleep 300"], cwd=pathlib.Path(os.environ["GO"]).parent,
        stop=watch.Stop(), deadline=watch.Deadline(None),
    )
    return 0

forkserver.ForkServer(socket.socket(fileno=os.dup(0)), main, lambda argv: None).serve()
"""
"""Runs a tool as the real one does, does not listen to SIGTERM, and is killed when told to."""


class Captured(Exception):
    """The planner wants a Job."""


def action() -> CreateJob:
    """What the planner wants first of a VideoJob."""
    found: list[CreateJob] = []

    def launch(wanted: CreateJob, _news: Callable[[], None]) -> Job:
        found.append(wanted)
        raise Captured

    transcode = {"source": {"uri": "store://stock/a.mp4"}, "profiles": ["720p"]}
    spec = VideoJobSpec.model_validate({"transcode": transcode})
    embedded = Embedded(launch, capacity={"cpu": 1})
    embedded.add(VideoJobView("default", "one", "uid-one", 1, datetime.now(UTC), spec, VideoJobStatus()))
    with pytest.raises(Captured):
        embedded.run()
    return found[0]


class Worker:
    """A Job whose worker is a program of the test."""

    def __init__(self, folder: Path) -> None:
        (folder / "worker.py").write_text(WORKER)
        self.go, self._tool = folder / "go", folder / "tool"
        os.mkfifo(self.go)
        os.mkfifo(self._tool)
        self.log: list[str] = []
        self.server = ForkServer((sys.executable, str(folder / "worker.py")))
        self.job = LocalJob(
            action(),
            Folders(folder / "store"),
            server=self.server,
            environ={**os.environ, "GO": str(self.go)},
            changed=lambda: None,
            log=self.log.append,
            stop_seconds=0.2,
        )

    def tool(self) -> int:
        """Number of the tool's process, once it runs."""
        return int(first_line(self._tool))


def first_line(fifo: Path) -> bytes:
    """What is written into it within half a minute."""
    pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert select.select([pipe], [], [], 30)[0]
        return os.read(pipe, 100)
    finally:
        os.close(pipe)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def has_ended(pid: int) -> bool:
    """Whether it ends within ten seconds: a killed process needs a moment."""
    deadline = time.monotonic() + 10
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not lives(pid)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    made = Worker(tmp_path)
    yield made
    made.server.close()


def ended(job: LocalJob) -> JobView:
    """How it ended, within twenty seconds."""
    deadline = time.monotonic() + 20
    while job.view().finished is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return job.view()


@pytest.mark.parametrize(
    "how", ["a worker that does not listen", "a worker that is killed", "the one that started it is killed"]
)
def test_a_tool_in_a_session_of_its_own_ends_with_the_job(how: str, worker: Worker) -> None:
    """The first is killed by us after its grace; of the others nobody knew before."""
    tool = worker.tool()
    assert lives(tool)
    if "listen" in how:
        worker.job.stop()
    elif "started" in how:
        os.kill(worker.server.pid, signal.SIGKILL)
    else:
        worker.go.write_text("")
    assert has_ended(tool)
    assert ended(worker.job).finished == "Failed"
    assert worker.job.view().pods[0].containers[0].exit_code == 137


def test_a_tool_ends_when_the_command_is_killed(tmp_path: Path) -> None:
    """SIGKILL of `videojob run` itself: nobody is left who could end anything, and nothing is left."""
    (tmp_path / "worker.py").write_text(WORKER)
    for name in ("go", "tool"):
        os.mkfifo(tmp_path / name)
    code = f"""
import os, sys
from videojob_cli.forked import ForkServer
server = ForkServer((sys.executable, {str(tmp_path / "worker.py")!r}))
server.start([], {{**os.environ, "GO": {str(tmp_path / "go")!r}}}).wait()
"""
    with started([sys.executable, "-c", code]) as command:
        tool = int(first_line(tmp_path / "tool"))
        assert lives(tool)
        command.kill()
    assert has_ended(tool)


def test_without_a_server_the_container_has_failed_and_says_why(tmp_path: Path) -> None:
    server = ForkServer((sys.executable, "-c", "pass"))
    server.close()
    job = LocalJob(action(), Folders(tmp_path / "store"), server=server, environ=dict(os.environ), changed=lambda: None)
    (container, *_) = ended(job).pods[0].containers
    assert container.exit_code == 1
    assert "starts workers is gone" in (container.message or "")
