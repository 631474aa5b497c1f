"""The HTTP servers' hard limits: how many connections, and for how long (case 73)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from videojob_operator.runtime.http import Server, health_app

ASK = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def a_server(*, max_connections: int = 200, max_seconds: float | None = None) -> AsyncIterator[Server]:
    app = health_app(lambda: None, lambda: None, lambda: b"")
    server = Server(app, "127.0.0.1", 0, max_connections=max_connections, max_seconds=max_seconds)
    await server.start()
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await server.stop()


async def answer(server: Server, *, words: bytes = ASK) -> tuple[asyncio.StreamWriter, bytes]:
    """Connect, say that, and hear the first line, empty when the server cuts the connection; else it stays open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(words)
    try:
        return writer, await reader.readline()
    except ConnectionResetError:
        return writer, b""


async def test_a_connection_too_many_is_turned_away_until_another_one_ends() -> None:
    async with a_server(max_connections=2) as server:
        held = [await answer(server) for _ in range(2)]
        assert [line for _, line in held] == [b"HTTP/1.1 200 OK\r\n"] * 2
        assert (await answer(server, words=b""))[1] == b"HTTP/1.1 503 Service Unavailable\r\n"
        held[0][0].close()
        while b"200" not in (await answer(server))[1]:
            assert server.connections <= 2


async def test_a_connection_that_never_finishes_its_request_is_cut() -> None:
    async with a_server(max_seconds=0.05) as server:
        for words in (b"", b"GET /healthz HTTP/1.1\r\nX-Slow: "):
            assert (await answer(server, words=words))[1] == b""
