"""POST to a stranger's URL: vetted and pinned like a download, one answer, no redirects (case 60).

Messages name hosts, never paths or queries: webhooks keep keys there (case 62).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from videojob_api.contract import FetchPolicy

from ..base.errors import Permanent
from . import addresses, answers
from .download import trust
from .resolving import Lookup, Resolver, lookup, parse, vet

ANSWER_BYTES = 2000
"""So much of an answer is read, and thrown away."""


@dataclass(frozen=True)
class Answer:
    """What the other side said."""

    status: int
    retry_after_seconds: int | None = None


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    policy: FetchPolicy,
    *,
    seconds: float = 15.0,
    find: Lookup = lookup,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one body. Raises Permanent for an address that may not be talked to, External when nobody answers in time."""
    return asyncio.run(_post(parse(url), body, headers, policy=policy, seconds=seconds, find=find, tls=tls or trust()))


async def _post(
    url: URL, body: bytes, headers: Mapping[str, str], *, policy: FetchPolicy, seconds: float, find: Lookup,
    tls: ssl.SSLContext,
) -> Answer:  # fmt: skip
    host = url.host or ""
    if not addresses.host_allowed(host, policy.allow_hosts):
        hint = "the administrator lists the hosts that may be talked to in the chart's value fetch.allowHosts"
        raise Permanent("HostRefused", f"{host[:200]} is not among the hosts that may be talked to", hint=hint)
    if addresses.literal(host):
        vet(host, host, policy)
    connector = aiohttp.TCPConnector(resolver=Resolver(policy, find), use_dns_cache=False, force_close=True, ssl=tls)
    with answers.explained(url):
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            asyncio.timeout(seconds),
            session.post(url, data=body, headers=dict(headers), allow_redirects=False) as response,
        ):
            await response.content.read(ANSWER_BYTES)
            return Answer(response.status, answers.retry_after(response))
