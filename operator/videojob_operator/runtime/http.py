"""Small HTTP servers with hard limits: bodies are bounded, clients that dawdle are cut off."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

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
    """

    def __init__(self, app: web.Application, host: str, port: int) -> None:
        self._runner = web.AppRunner(
            app, access_log=None, keepalive_timeout=120.0, handle_signals=False, shutdown_timeout=1.0
        )
        self._host = host
        self.port = port

    async def start(self) -> None:
        """Listen. Raises OSError naming the address when it is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        await site.start()
        for address in self._runner.addresses:
            self.port = int(address[1])

    async def stop(self) -> None:
        """Stop listening and cut what is still open after a second."""
        await self._runner.cleanup()
