"""The programs of a host cluster as processes: known by number and start time, and stopped for good."""

from __future__ import annotations

import sys
from pathlib import Path

from cluster import processes


def test_a_process_is_known_by_its_start_time_and_stopped(tmp_path: Path) -> None:
    child = processes.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    impostor = processes.Process("impostor", child.pid, child.started + 1)
    assert child.alive()
    assert not impostor.alive()
    processes.stop([impostor])
    assert child.alive()
    processes.stop([child])
    assert not child.alive()


def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = processes.start("stubborn", [sys.executable, "-c", stubborn], log)
    assert processes.wait_until(lambda: "deaf" in log.read_text(), 20)
    processes.stop([child], seconds=0.2)
    assert not child.alive()
