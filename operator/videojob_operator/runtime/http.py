"""Small HTTP servers with hard limits: bodies are bounded, clients that dawdle are cut off."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import cast

from aiohttp import web

log = logging.getLogger(__name__)

Check = Callable[[], str | None]
"""None when all is well, else the sentence that says what is wrong."""


def health_app(live: Check, ready: Check, metrics: Callable[[], bytes]) -> web.Application:
    """`/healthz` (is the process stuck?), `/readyz` (does it do its work?) and `/metrics` (Prometheus text)."""

    def probe(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(_: web.Request) -> web.Response:
            problem = check()
            return web.Response(
                text="ok\n" if problem is None else f"{problem}\n", status=200 if problem is None else 503
            )

        return answer

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application(client_max_size=1024)
    app.router.add_get("/healthz", probe(live))
    app.router.add_get("/readyz", probe(ready))
    app.router.add_get("/metrics", exposition)
    return app


def refusal(status: int, message: str, **headers: str) -> web.Response:
    """A short answer in JSON that says what was wrong."""
    return web.Response(
        status=status, text=json.dumps({"error": message}), content_type="application/json", headers=headers
    )


@web.middleware
async def recover(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """One bad request never hurts the server: an unexpected error becomes a 500 and a line in the log."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except TimeoutError:
        return refusal(408, "the body did not arrive in time")
    except Exception:
        log.exception("request failed", extra={"path": request.path})
        return refusal(500, "internal error; see the operator's log")


async def read_body(request: web.Request, limit: int, seconds: float = 10.0) -> bytes | None:
    """The whole body, None when it is longer than `limit` bytes. Raises TimeoutError when it dawdles."""
    if request.content_length is not None and request.content_length > limit:
        return None
    body = bytearray()
    async with asyncio.timeout(seconds):
        async for chunk in request.content.iter_chunked(16 * 1024):
            body += chunk
            if len(body) > limit:
                return None
    return bytes(body)


class Server:
    """One listening application.

    Args:
        app: what to serve.
        host: address to listen on.
        port: TCP port; 0 takes a free one, see `port`.
        max_connections: connections open at once; a further one is told 503 and closed before it has said anything.
        max_seconds: age at which a connection is cut, whatever it does: one that never sends a whole request would stay
            for ever. None leaves them be.
    """

    def __init__(
        self,
        app: web.Application,
        host: str,
        port: int,
        *,
        max_connections: int = 200,
        max_seconds: float | None = None,
    ) -> None:
        self._runner = web.AppRunner(
            app,
            access_log=None,
            keepalive_timeout=120.0,
            lingering_time=2.0,
            handle_signals=False,
            shutdown_timeout=1.0,
        )
        self._host = host
        self.port = port
        self._max_connections = max_connections
        self._max_seconds = max_seconds
        self._listener: asyncio.Server | None = None
        self._cutter: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises OSError naming the address when it is taken."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._accept, self._host, self.port, backlog=128)
        self.port = int(self._listener.sockets[0].getsockname()[1])
        if self._max_seconds is not None:
            self._cutter = loop.create_task(self._cut(self._max_seconds), name=f"connections of port {self.port}")

    async def stop(self) -> None:
        """Stop listening and cut what is still open after a second."""
        if self._cutter is not None:
            self._cutter.cancel()
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._server.connections)

    @property
    def _server(self) -> web.Server:
        if self._runner.server is None:
            raise RuntimeError("the server has not been started")
        return self._runner.server

    def _accept(self) -> asyncio.BaseProtocol:
        return self._server() if self.connections < self._max_connections else _Full()

    async def _cut(self, seconds: float) -> None:
        """Cut connections that are older than that; looked at four times within it."""
        loop = asyncio.get_running_loop()
        since: dict[web.RequestHandler, float] = {}
        while True:
            now = loop.time()
            since = {connection: since.get(connection, now) for connection in self._server.connections}
            for connection, began in since.items():
                if now - began >= seconds and connection.transport is not None:
                    connection.transport.abort()
            await asyncio.sleep(seconds / 4)


class _Full(asyncio.Protocol):
    """Says so to a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer at once and close: nothing is read."""
        stream = cast("asyncio.Transport", transport)
        stream.write(
            b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        stream.close()
