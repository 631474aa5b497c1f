"""A Job's processes end with it, also those that began a session of their own or lost their parent (X-023)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli import processes
from videojob_cli.embedded import Embedded, Job
from videojob_cli.localjob import Folders, LocalJob
from videojob_operator.decide.world import CreateJob, VideoJobView

TOOL = (
    "import subprocess,sys; p = subprocess.Popen(['sleep', '300'], start_new_session=True, stdout=subprocess.DEVNULL)"
)
STUBBORN = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
{TOOL}
print(p.pid, flush=True)
time.sleep(300)
"""
DIES = f"""
import os, pathlib, signal, time
{TOOL}
print(p.pid, flush=True)
while not pathlib.Path(os.environ["GO"]).exists():
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGKILL)
"""


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
    """A Job whose worker is a program of the test, which prints the number of the tool it has started."""

    def __init__(self, folder: Path, program: str) -> None:
        script = folder / "worker.py"
        script.write_text(program)
        self.go = folder / "go"
        self.tool: int | None = None
        self.heard = threading.Event()
        self.job = LocalJob(
            action(),
            Folders(folder / "store"),
            environ={**os.environ, "GO": str(self.go)},
            changed=lambda: None,
            log=self._hear,
            command=(sys.executable, str(script)),
            stop_seconds=0.2,
        )

    def _hear(self, line: str) -> None:
        self.tool = int(line)
        self.heard.set()


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


@pytest.mark.parametrize("how", ["a worker that does not listen", "a worker that is killed"])
def test_a_tool_in_a_session_of_its_own_ends_with_the_job(how: str, tmp_path: Path) -> None:
    """The first is ended by us after its grace; from the second, once it is dead, nothing leads to its tool."""
    worker = Worker(tmp_path, STUBBORN if "listen" in how else DIES)
    assert worker.heard.wait(30)
    assert worker.tool is not None
    assert lives(worker.tool)
    worker.go.touch()
    if "listen" in how:
        worker.job.stop()
    assert has_ended(worker.tool)
    deadline = time.monotonic() + 20
    while worker.job.view().finished is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker.job.view().finished == "Failed"
    assert worker.job.view().pods[0].containers[0].exit_code == 137


def test_family_is_our_descendants_and_nobody_else() -> None:
    """A bystander of ours, started the same way, is not touched."""
    sleep = ["sleep", "300"]
    with (
        subprocess.Popen(["sh", "-c", "setsid sleep 300 & echo $!; wait"], stdout=subprocess.PIPE) as parent,
        subprocess.Popen(sleep, start_new_session=True) as bystander,
    ):
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        found = processes.family(parent.pid)
        assert {each.pid for each in found} == {child}
        processes.kill(found)
        assert has_ended(child)
        assert parent.wait(10) == 0
        assert bystander.poll() is None
        bystander.kill()


def test_a_number_that_belongs_to_somebody_else_by_now_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "300"]) as other:
        processes.kill([processes.Process(other.pid, start=1)])
        other.send_signal(signal.SIGTERM)
        assert other.wait(10) == -signal.SIGTERM, "ended by this test's signal, not before"
