"""Writes are bounded; logs are JSON (X-017)."""

from __future__ import annotations

import asyncio
import io
import json
import logging

import aiohttp
import pytest

from clock import Clock
from videojob_operator.runtime.budget import Budget
from videojob_operator.runtime.http import Server, health_app
from videojob_operator.runtime.logs import setup


async def test_a_burst_passes_then_the_rate_holds() -> None:
    clock = Clock()
    budget = Budget(50, clock=clock, sleep=clock.sleep)
    began = clock.now
    for _ in range(150):
        await budget.take()
    assert clock.now - began == pytest.approx(2.0, abs=0.05)


async def test_callers_that_come_together_are_served_in_turn() -> None:
    clock = Clock()
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    budget = Budget(10, burst=1, clock=clock, sleep=note)
    await asyncio.gather(*(budget.take() for _ in range(4)))
    assert waits == pytest.approx([0.1, 0.2, 0.3])


def test_progress_leaves_a_reserve_for_transitions() -> None:
    clock = Clock()
    budget = Budget(10, clock=clock)
    while budget.spare(reserve=5):
        assert budget.try_take()
    assert budget.spare()
    clock.now += 1
    assert budget.spare(reserve=5)


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above zero"):
        Budget(0)


def test_a_log_line_is_one_json_object_with_what_the_record_carries() -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    try:
        setup("info", stream)
        logging.getLogger("some.place").info("Job created", extra={"job": "trailer", "attempt": 2})
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    record = json.loads(stream.getvalue())
    assert (record["level"], record["logger"], record["message"]) == ("INFO", "some.place", "Job created")
    assert (record["job"], record["attempt"]) == ("trailer", 2)
    assert record["time"].startswith("20")


def test_an_unknown_log_level_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="DEBUG, INFO, WARNING, ERROR"):
        setup("loud")


async def test_the_probes_say_what_is_wrong() -> None:
    problems: list[str | None] = ["waiting for the CRDs"]
    server = Server(health_app(lambda: None, lambda: problems[0], lambda: b"metric 1\n"), "127.0.0.1", 0)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            async with session.get("/healthz") as answer:
                assert (answer.status, await answer.text()) == (200, "ok\n")
            async with session.get("/readyz") as answer:
                assert (answer.status, await answer.text()) == (503, "waiting for the CRDs\n")
            problems[0] = None
            async with session.get("/readyz") as answer:
                assert answer.status == 200
            async with session.get("/metrics") as answer:
                assert await answer.text() == "metric 1\n"
    finally:
        await server.stop()
