"""SIGKILL of whoever asks D-ID, at any instant: never two billable talks, and every job finishes or says "maybe billed"."""

from __future__ import annotations

import random
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

import avatars
from didserver import KEY, SLOW, DidServer, did

MOMENTS = [
    f"{step}{when}"
    for step in ("credits", "image", "audio", "talk", "look", "video", "delete talk", "delete image", "delete audio")
    for when in ("", " done", " told")
]
"""When a request has come; when it was done and nothing was answered; when the answer is on its way."""
PACE_SECONDS = 0.02
"""Every answer takes so long, that a random instant lands anywhere."""


def start(folder: Path, server: DidServer) -> BaseProcess:
    """An attempt in a process of its own."""
    return avatars.start(folder, {"name": "did", "endpoint": server.url, "pollSeconds": 1}, KEY)


def killed_at(folder: Path, server: DidServer, moment: str) -> None:
    """An attempt that is killed at that moment; the server waits for the death, so that the moment is exact."""
    process: list[BaseProcess] = []
    begun, hit, dead = threading.Event(), threading.Event(), threading.Event()

    def hear(heard: str) -> None:
        if heard == moment and not hit.is_set():
            hit.set()
            begun.wait(20)
            process[0].kill()
            dead.wait(20)

    server.hear = hear
    process.append(start(folder, server))
    begun.set()
    process[0].join()
    dead.set()
    server.hear = lambda _: None
    # Of an answer that is on its way the attempt may make something before it dies.
    assert hit.is_set() or moment.endswith("told"), f"the attempt ended before {moment}: {server.asked}"


def finished(folder: Path, server: DidServer) -> str | None:
    """What a later attempt, which nobody disturbs, ends with."""
    start(folder, server).join()
    return avatars.ended(folder)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_a_moment_it_goes_on_and_pays_once(tmp_path: Path, moment: str) -> None:
    """Also where D-ID has accepted the talk and its answer is not read (`talk done`, `talk told`)."""
    with did() as server:
        killed_at(tmp_path, server, moment)
        end = finished(tmp_path, server)
        # The one moment at which D-ID knows of no talk, and nobody can know that: the request was on its way.
        lost = moment == "talk" and server.billed == 0
        assert end == ("MaybeBilled" if lost else "done")
        assert server.billed == (0 if lost else 1)
        assert server.asked.count("talk") == 1
        if not lost:
            assert server.talks == {}
            assert server.asked.count("image") <= (2 if moment.startswith("image") else 1)


def test_killed_while_the_answer_of_a_slow_talk_is_looked_for(tmp_path: Path) -> None:
    with did(lost=[("talk", SLOW)], unlisted=1) as server:
        killed_at(tmp_path, server, "list done")
        assert (finished(tmp_path, server), server.billed, server.asked.count("talk")) == ("done", 1, 1)


@pytest.mark.parametrize("seed", range(20))
def test_killed_again_and_again_at_random_instants_it_pays_once(tmp_path: Path, seed: int) -> None:
    """Attempts are killed some time after their first request, until one is faster than its death."""
    chance = random.Random(seed)
    with did() as server:
        end, seconds = None, 0.0
        while end is None:
            first = threading.Event()

            def hear(_: str, first: threading.Event = first) -> None:
                first.set()
                time.sleep(PACE_SECONDS)

            server.hear = hear
            process = start(tmp_path, server)
            first.wait(20)
            seconds += chance.uniform(0, 0.4)
            process.join(seconds)
            process.kill()
            process.join()
            end = avatars.ended(tmp_path)
        assert end in {"done", "MaybeBilled"}
        assert (server.billed, server.asked.count("talk")) in {(1, 1), (0, 0), (0, 1)}
        assert server.billed == 1 or end == "MaybeBilled"
