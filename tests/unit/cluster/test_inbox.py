"""The port for workers: who may say what, how often and how much (cases 71 to 75)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from builders import a_result
from clock import Clock
from fakeapi import Call, FakeApi
from videojob_api.contract import MAX_PROGRESS_BYTES, MAX_RESULT_BYTES, PROGRESS_ROUTE, RESULT_ROUTE, Progress
from videojob_api.names import audience, store_audience
from videojob_api.sweeping import MAX_QUESTION_BYTES, SWEEP_ROUTE, FolderVerdict, SweepAnswer, SweepQuestion
from videojob_operator.cluster.api import ApiError, Identity
from videojob_operator.cluster.endpoint import Endpoint
from videojob_operator.cluster.inbox import Inbox, Sender
from videojob_operator.cluster.metrics import Metrics
from videojob_operator.cluster.reviews import MAX_TOKENS, REVIEWS_PER_SECOND, BusyError, Reviews
from videojob_operator.runtime.http import Server

POD = Identity("system:serviceaccount:team-a:videojob-worker", "pod-1", "pod-uid-1")

GOOD = "good"


class Port:
    """A listening inbox and a pod that speaks to it."""

    def __init__(self, session: aiohttp.ClientSession, api: FakeApi, inbox: Inbox, clock: Clock) -> None:
        self.session, self.api, self.inbox, self.clock = session, api, inbox, clock
        self.taken: list[tuple[str, bool]] = []
        self.number = 0
        self.metrics = Metrics()

    async def post(
        self, body: bytes | str, *, token: str | None = GOOD, route: str = PROGRESS_ROUTE
    ) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        async with self.session.post(route, data=body, headers=headers) as answer:
            return answer.status, await answer.text()


class Answers:
    """Knows one sweep, and that one folder is gone."""

    def is_sweep(self, uid: str, pod_uid: str) -> bool:
        return (uid, pod_uid) == ("store-1", "pod-uid-1")

    def answer(self, question: SweepQuestion) -> SweepAnswer:
        return SweepAnswer(folders=tuple(FolderVerdict(uid=uid, state="Gone") for uid in question.folders))


@asynccontextmanager
async def a_port() -> AsyncIterator[Port]:
    api, inbox, clock = FakeApi(), Inbox(), Clock()
    api.tokens["good", audience("uid-1")] = POD
    api.tokens["bare", audience("uid-1")] = Identity("somebody")
    api.tokens["other", audience("uid-1")] = Identity("sa", "pod-9", "pod-uid-9")
    taken: list[tuple[str, bool]] = []
    metrics = Metrics()
    endpoint = Endpoint(
        api,
        inbox,
        sender=lambda uid, pod: Sender("main", 2) if (uid, pod) == ("uid-1", "pod-uid-1") else None,
        taken=lambda uid, urgent: taken.append((uid, urgent)),
        sweeps=Answers(),
        metrics=metrics,
        clock=clock,
    )
    server = Server(endpoint.app(), "127.0.0.1", 0)
    await server.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
            port = Port(session, api, inbox, clock)
            port.taken, port.number, port.metrics = taken, server.port, metrics
            yield port
    finally:
        await server.stop()


def sample(**fields: Any) -> str:
    body = {"uid": "uid-1", "group": "main", "attempt": 2, "stage": "transcode", "percent": 40} | fields
    return Progress.model_construct(**body).model_dump_json(by_alias=True)


async def test_news_is_taken_and_the_token_reviewed_once_a_minute() -> None:
    """A-012, case 74"""
    async with a_port() as port:
        assert (await port.post(sample()))[0] == 204
        port.clock.now += 30
        assert (await port.post(sample(percent=50)))[0] == 204
        assert port.api.reviews == 1
        port.clock.now += 31
        assert (await port.post(sample(percent=60)))[0] == 204
        assert port.api.reviews == 2
        found = port.inbox.progress("uid-1")
        assert found is not None
        assert found.percent == 60
        assert port.taken == [("uid-1", False)] * 3


async def test_the_load_of_gpus_is_counted_by_stage() -> None:
    """A-027: as workers sample it; a stage that nobody knows is `other`, and one without a GPU is not counted."""
    async with a_port() as port:
        for stage, load in (("matte", 92), ("matte", 40), ("guess", 7), ("matte", None)):
            assert (await port.post(sample(stage=stage, gpu_percent=load)))[0] == 204
        printed = port.metrics.exposition().decode()
        assert 'videojob_gpu_load_percent_sum{stage="BackgroundRemoval"} 132.0' in printed
        assert 'videojob_gpu_load_percent_count{stage="BackgroundRemoval"} 2.0' in printed
        assert 'videojob_gpu_load_percent_count{stage="other"} 1.0' in printed


REFUSED = (
    pytest.param(sample(), None, 401, "Bearer", id="no token"),
    pytest.param(sample(), "forged", 401, "audience", id="a forged token"),
    pytest.param(sample(uid="uid-2"), "good", 401, "videojob.dev/jobs/uid-2", id="another job's token"),
    pytest.param(sample(), "bare", 403, "not bound to a pod", id="a token without a pod"),
    pytest.param(sample(), "other", 403, "no pod of that VideoJob", id="a pod of somebody else"),
    pytest.param(sample(attempt=1), "good", 409, "attempt 2 of main", id="an old attempt"),
    pytest.param(sample(group="commit"), "good", 409, "not 2 of commit", id="another group"),
    pytest.param(sample(), "x" * 5000, 401, "Bearer", id="a token of five kilobytes"),
    pytest.param(sample(percent=101), "good", 422, "percent", id="101 percent"),
    pytest.param(sample(gpu_percent=101), "good", 422, "gpuPercent", id="a GPU that works more than it can"),
    pytest.param(sample(percent=-1), "good", 422, "percent", id="minus one percent"),
    pytest.param(sample(eta_seconds=10**12), "good", 422, "etaSeconds", id="an endless estimate"),
    pytest.param('{"percent": NaN}', "good", 422, "", id="NaN"),
    pytest.param("not json", "good", 422, "", id="no JSON"),
    pytest.param(b"\xff\xfe", "good", 422, "", id="no text"),
    pytest.param("x" * (MAX_PROGRESS_BYTES + 1), "good", 413, "8192", id="too long"),
)


@pytest.mark.parametrize(("body", "token", "status", "text"), REFUSED)
async def test_what_is_not_taken(body: bytes | str, token: str | None, status: int, text: str) -> None:
    """Cases 72, 73, 75: refused with a reason, nothing kept, nobody told"""
    async with a_port() as port:
        found = await port.post(body, token=token)
        assert found[0] == status, found
        assert text in found[1]
        assert port.inbox.progress("uid-1") is None
        assert port.taken == []


async def test_a_body_without_a_length_is_cut_at_the_limit() -> None:
    """Case 73"""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 1024
            await asyncio.sleep(0)

    async with a_port() as port:
        # The server answers and closes while the client still sends: the client sees the answer or a broken pipe.
        with contextlib.suppress(aiohttp.ClientError):
            headers = {"Authorization": f"Bearer {GOOD}"}
            async with port.session.post(PROGRESS_ROUTE, data=endless(), headers=headers) as answer:
                assert answer.status == 413
        assert port.inbox.progress("uid-1") is None
        assert port.api.reviews == 0


async def test_a_flood_is_turned_away() -> None:
    """Case 73"""
    async with a_port() as port:
        found = [(await port.post(sample(percent=n)))[0] for n in range(20)]
        assert found == [204] * 5 + [429] * 15
        port.clock.now += 1
        assert (await port.post(sample(percent=90)))[0] == 204


async def test_without_a_token_no_body_is_read() -> None:
    """Case 73: the header decides, before a byte of the body has come"""
    async with a_port() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port.number)
        writer.write(f"POST {RESULT_ROUTE} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n".encode())
        async with asyncio.timeout(10):
            assert b"401" in await reader.readline()
        writer.close()


async def test_unknown_tokens_cost_the_api_server_twenty_questions_a_second() -> None:
    """Case 73: the rest is told to come again; whoever is known is not held up, nor forgotten"""
    async with a_port() as port:
        assert (await port.post(sample()))[0] == 204
        found = [(await port.post(sample(), token=f"junk-{n}"))[0] for n in range(30)]
        assert found == [401] * 19 + [503] * 11
        assert port.api.reviews == REVIEWS_PER_SECOND
        assert (await port.post(sample(percent=50)))[0] == 204
        assert (await port.post(sample(), token="junk-0"))[0] == 401
        port.clock.now += 61
        await asyncio.gather(*(port.post(sample(), token=f"more-{n}") for n in range(40)))
        assert (await port.post(sample(percent=60)))[0] == 204
        assert port.api.reviews == 2 * REVIEWS_PER_SECOND + 1
        assert (await port.post(sample(), token="new"))[0] == 503


async def test_refusals_are_bounded_and_push_out_no_valid_token() -> None:
    """Case 73: five minutes of made-up tokens; a pod that was known before need not stand in line with them"""
    api, clock = FakeApi(), Clock()
    api.tokens["good", "a"] = POD
    reviews = Reviews(api, clock=clock)
    assert await reviews.identity("good", "a") == POD
    for number in range(MAX_TOKENS + 1000):
        clock.now += 1 / REVIEWS_PER_SECOND
        assert await reviews.identity(f"junk-{number}", "a") is None
    assert len(reviews) == MAX_TOKENS + 1
    for number in range(int(REVIEWS_PER_SECOND)):
        with contextlib.suppress(BusyError):
            await reviews.identity(f"more-{number}", "a")
    with pytest.raises(BusyError):
        await reviews.identity("one more", "a")
    assert await reviews.identity("good", "a") == POD


async def test_posts_that_wait_for_the_same_review_ask_once() -> None:
    """Case 74: and one that hangs up does not take the answer from the others"""

    class Slow(FakeApi):
        async def token_review(self, token: str, audience: str) -> Identity | None:
            await asyncio.sleep(0)
            return await super().token_review(token, audience)

    api = Slow()
    api.tokens["good", "a"] = POD
    reviews = Reviews(api)
    waiting = [asyncio.ensure_future(reviews.identity("good", "a")) for _ in range(5)]
    asyncio.get_running_loop().call_soon(waiting[0].cancel)
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [POD] * 4
    assert api.reviews == 1


async def test_progress_never_goes_back() -> None:
    """I10"""
    async with a_port() as port:
        await port.post(sample(percent=50))
        assert (await port.post(sample(percent=40)))[0] == 204
        found = port.inbox.progress("uid-1")
        assert found is not None
        assert found.percent == 50


async def test_a_review_that_fails_asks_for_patience() -> None:
    """Case 74"""

    def down(_: Call) -> None:
        raise ApiError(0, "Unreachable", "no answer")

    async with a_port() as port:
        port.api.fault = down
        assert (await port.post(sample()))[0] == 503


async def test_a_result_is_kept_under_the_digest_of_its_bytes() -> None:
    """Case 44: the stub in the termination message names the digest, so a lie matches nothing"""
    body = a_result("work", ["ingest"], attempt=2, uid="uid-1", sha256="f" * 64).model_dump_json(by_alias=True).encode()
    async with a_port() as port:
        assert (await port.post(body, route=RESULT_ROUTE))[0] == 204
        assert [result.sha256 for result in port.inbox.results("uid-1")] == [hashlib.sha256(body).hexdigest()]
        assert port.taken == [("uid-1", True)]
        assert (await port.post(b"x" * (MAX_RESULT_BYTES + 1), route=RESULT_ROUTE))[0] == 413


def test_results_do_not_pile_up() -> None:
    inbox = Inbox()
    for number in range(50):
        inbox.put_result(a_result("work", uid="u", sha256=str(number)))
    assert len(inbox.results("u")) == 8
    inbox.forget("u")
    assert inbox.results("u") == ()


# ---------------------------------------------------------------- sweeps


def question(**fields: Any) -> str:
    return SweepQuestion.model_validate({"uid": "store-1", "cutoff": "2026-11-21T12:00:00Z"} | fields).model_dump_json(
        by_alias=True
    )


async def test_a_sweep_is_answered_and_nobody_else() -> None:
    """Cases 72 and 78: the token is bound to one MediaStore and the pod must be one of its sweeps."""
    async with a_port() as port:
        port.api.tokens["sweep", store_audience("store-1")] = POD
        port.api.tokens["other", store_audience("store-1")] = Identity("sa", "pod-9", "pod-uid-9")
        status, body = await port.post(question(folders=["aaaa-1"]), token="sweep", route=SWEEP_ROUTE)
        assert status == 200
        assert SweepAnswer.model_validate_json(body).folders[0].state == "Gone"
        assert (await port.post(question(), token="other", route=SWEEP_ROUTE))[0] == 403
        assert (await port.post(question(), route=SWEEP_ROUTE))[
            0
        ] == 401  # a stage's token speaks for its VideoJob only
        assert (await port.post(question(), token=None, route=SWEEP_ROUTE))[0] == 401
        assert (await port.post("{}", token="sweep", route=SWEEP_ROUTE))[0] == 422
        assert (await port.post(b"x" * (MAX_QUESTION_BYTES + 1), token="sweep", route=SWEEP_ROUTE))[0] == 413
