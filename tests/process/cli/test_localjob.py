"""A Job's processes end with it, also its tools, which have sessions of their own (X-023)."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_cli.embedded import Embedded, Job
from videojob_cli.localjob import Folders, LocalJob
from videojob_operator.decide.world import CreateJob, VideoJobView

WORKER = """
import os, pathlib, signal, sys, threading
if "--when-told" in sys.argv and not sys.stdin.read(1):
    sys.exit()
from videojob_worker.base import process, watch

def die():
    pathlib.Path(os.environ["GO"]).read_text()
    os.kill(os.getpid(), signal.SIGKILL)

signal.signal(signal.SIGTERM, signal.SIG_IGN)
threading.Thread(target=die, daemon=True).start()
process.run(
    ["sh", "-c", "echo $$ > tool; exec sleep 300"], cwd=pathlib.Path(os.environ["GO"]).parent,
    stop=watch.Stop(), deadline=watch.Deadline(None),
)
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
        self.job = LocalJob(
            action(),
            Folders(folder / "store"),
            environ={**os.environ, "GO": str(self.go)},
            changed=lambda: None,
            log=self.log.append,
            command=(sys.executable, str(folder / "worker.py")),
            stop_seconds=0.2,
        )

    def tool(self) -> int:
        """Number of the tool's process, once it runs."""
        pipe = os.open(self._tool, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert select.select([pipe], [], [], 30)[0], self.log
            return int(os.read(pipe, 100))
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


@pytest.mark.parametrize("how", ["a worker that does not listen", "a worker that is killed"])
def test_a_tool_in_a_session_of_its_own_ends_with_the_job(how: str, tmp_path: Path) -> None:
    """The first is killed by us after its grace; of the second nobody knew before."""
    worker = Worker(tmp_path)
    tool = worker.tool()
    assert lives(tool)
    if "listen" in how:
        worker.job.stop()
    else:
        worker.go.write_text("")
    assert has_ended(tool)
    deadline = time.monotonic() + 20
    while worker.job.view().finished is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert worker.job.view().finished == "Failed"
    assert worker.job.view().pods[0].containers[0].exit_code == 137


SECOND = """
import os, pathlib, sys
name, folder = os.environ["VIDEOJOB_CONTAINER"], pathlib.Path(os.environ["FOLDER"])
if "--when-told" in sys.argv:
    if os.environ.get("GONE"):
        os.close(0)
        (folder / "ended").write_text("before its turn")
        sys.exit(9)
    (folder / "loaded").write_text(str(os.getpid()))
    (folder / "turn").write_text("yes" if sys.stdin.read(1) else "no")
elif name == "commit":
    (folder / "turn").write_text("started for it")
else:
    (folder / ("ended" if os.environ.get("GONE") else "loaded")).read_text()
    sys.exit(int(os.environ["ENDS"]))
"""
"""A first container that ends when the second one has loaded what it needs, and a second one that says whether its turn came."""


@pytest.mark.parametrize(
    ("how", "environ", "turn", "codes"),
    [
        ("its turn comes when the first one is done", {"ENDS": "0"}, "yes", [0, 0]),
        ("its turn never comes after a failure", {"ENDS": "1"}, None, [1, None]),
        ("one that is gone before its turn is started anew", {"ENDS": "0", "GONE": "1"}, "started for it", [0, 0]),
    ],
)
def test_the_second_container_loads_while_the_first_one_works(
    how: str, environ: dict[str, str], turn: str | None, codes: list[int | None], tmp_path: Path
) -> None:
    """And is seen as one that waits until then (X-023)."""
    (tmp_path / "worker.py").write_text(SECOND)
    os.mkfifo(tmp_path / ("ended" if "GONE" in environ else "loaded"))
    job = LocalJob(
        action(),
        Folders(tmp_path / "store"),
        environ={**os.environ, **environ, "FOLDER": str(tmp_path)},
        changed=lambda: None,
        command=(sys.executable, str(tmp_path / "worker.py")),
    )
    deadline = time.monotonic() + 30
    while job.view().finished is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [one.exit_code for one in job.view().pods[0].containers] == codes, how
    told = tmp_path / "turn"
    assert (told.read_text() if told.exists() else None) == turn
