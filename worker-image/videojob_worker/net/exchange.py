"""One request and its whole answer: vetted and pinned like a download, no redirects, no cookies, no proxy (case 60).

For services that are asked something. Messages name hosts, never paths or queries, and nothing of what was sent (case 62).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

import aiohttp
from yarl import URL

from videojob_api.contract import FetchPolicy

from ..base.errors import External, Permanent
from . import addresses, answers
from .download import TICK_SECONDS, trust
from .messages import Reply, Request
from .resolving import Lookup, Resolver, lookup, parse, vet


def exchange(
    request: Request,
    policy: FetchPolicy,
    *,
    check: Callable[[], None] = lambda: None,
    find: Lookup = lookup,
    tls: ssl.SSLContext | None = None,
) -> Reply:
    """Ask, and wait for the whole answer; `check` is called several times a second and may raise.

    Raises Permanent for an address that may not be talked to, and External when there is no whole answer in time.
    """
    return asyncio.run(_watched(request, policy, check=check, find=find, tls=tls or trust()))


async def _watched(
    request: Request, policy: FetchPolicy, *, check: Callable[[], None], find: Lookup, tls: ssl.SSLContext
) -> Reply:
    work = asyncio.create_task(_exchange(request, policy, find=find, tls=tls))
    try:
        while True:
            check()
            done, _ = await asyncio.wait({work}, timeout=TICK_SECONDS)
            if done:
                return work.result()
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _exchange(request: Request, policy: FetchPolicy, *, find: Lookup, tls: ssl.SSLContext) -> Reply:
    url = parse(request.url)
    host = url.host or ""
    if not addresses.host_allowed(host, policy.allow_hosts):
        hint = "the administrator lists the hosts that may be talked to in the chart's value fetch.allowHosts"
        raise Permanent("HostRefused", f"{host[:200]} is not among the hosts that may be talked to", hint=hint)
    if addresses.literal(host):
        vet(host, host, policy)

    def opened(info: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
        family, kind, proto, _, address = info
        vet(str(address[0]), str(address[0]), policy)
        return socket.socket(family, kind, proto)

    connector = aiohttp.TCPConnector(
        resolver=Resolver(policy, find), use_dns_cache=False, force_close=True, ssl=tls, socket_factory=opened
    )
    with answers.explained(url):
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            asyncio.timeout(request.seconds),
            session.request(
                request.method, url, data=request.body or None, headers=dict(request.headers), allow_redirects=False
            ) as response,
        ):
            body = await _whole(response, url, request.max_bytes)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, body, headers, answers.retry_after(response))


async def _whole(response: aiohttp.ClientResponse, url: URL, limit: int) -> bytes:
    found = bytearray()
    async for piece in response.content.iter_any():
        found += piece
        if len(found) > limit:
            raise External("AnswerTooLarge", f"{url.host} answered with more than {limit} bytes")
    return bytes(found)
