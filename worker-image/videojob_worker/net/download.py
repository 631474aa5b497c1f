"""Bring a stranger's URL into a file, and nothing else: not a cluster's inside, not more bytes than allowed (case 60).

Every address is vetted and the connection goes to exactly that address, so that a name that changes its mind in between
leads nowhere. Redirects are followed here, each vetted like the first URL. Nothing is decompressed, no proxy, cookie or
netrc is used. Messages name hosts, never paths or queries (case 62).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

import aiohttp
import certifi
from yarl import URL

from videojob_api.contract import FetchPolicy

from ..base.errors import External, Permanent
from . import addresses, answers
from .resolving import Lookup, Resolver, lookup, parse, vet

MAX_REDIRECTS = 5
HEAD_BYTES = 4096
TICK_SECONDS = 0.2
HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "videojob-fetch"}


@dataclass(frozen=True)
class Patience:
    """How slow the other side may be."""

    connect_seconds: float = 15
    """Until a connection stands, for each address."""
    answer_seconds: float = 60
    """From the look-up of the name to the last header, for each redirect anew."""
    window_seconds: float = 30
    """The body's rate is judged over so long."""
    bytes_per_second: int = 16 * 1024
    """Least rate of a body over a window."""


@dataclass(frozen=True)
class Order:
    """What to bring."""

    url: str
    max_bytes: int
    policy: FetchPolicy
    authorization: str | None = None
    """Header for the URL's own origin; nobody else ever gets it."""


@dataclass(frozen=True)
class Hooks:
    """What the caller hears. Each may raise, which ends the download."""

    check: Callable[[], None]
    """Called several times a second, whether anything comes or not."""
    head: Callable[[bytes], object]
    """The first bytes of the body, once, before the rest is waited for."""
    arrived: Callable[[int, int | None], None]
    """Bytes so far, and how many the other side announces."""


@dataclass(frozen=True)
class Downloaded:
    """A whole file."""

    sha256: str
    size_bytes: int
    host: str
    """Where the bytes came from in the end."""


def download(
    order: Order,
    target: Path,
    hooks: Hooks,
    *,
    patience: Patience | None = None,
    find: Lookup = lookup,
    tls: ssl.SSLContext | None = None,
) -> Downloaded:
    """Fetch into a new file `target`. Raises Permanent or External (with Retry-After), or what a hook raises."""
    client = _Client(order, hooks, patience or Patience(), find, tls or trust())
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o664)
    with os.fdopen(descriptor, "wb") as file:
        found = asyncio.run(client.run(file))
        file.flush()
        os.fsync(file.fileno())
    return found


def trust() -> ssl.SSLContext:
    """The public certificate authorities, or those of $SSL_CERT_FILE."""
    return _context(os.environ.get("SSL_CERT_FILE") or certifi.where())


@cache
def _context(authorities: str) -> ssl.SSLContext:
    """Reading some hundred certificates takes longer than many a request."""
    return ssl.create_default_context(cafile=authorities)


class _Client:
    """One download."""

    def __init__(self, order: Order, hooks: Hooks, patience: Patience, find: Lookup, tls: ssl.SSLContext) -> None:
        self.order, self.hooks, self.patience, self.find, self.tls = order, hooks, patience, find, tls

    async def run(self, file: IO[bytes]) -> Downloaded:
        """Download while somebody checks the clock and the stop signal."""
        work = asyncio.create_task(self._download(file))
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else watch.result()
        finally:
            work.cancel()
            watch.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _watch(self) -> Downloaded:
        while True:
            self.hooks.check()
            await asyncio.sleep(TICK_SECONDS)

    def _socket(self, info: tuple[int, int, int, str, tuple[str | int, ...]]) -> socket.socket:
        """The last word before a connection: whoever looked the address up, it is vetted here once more."""
        family, kind, proto, _, address = info
        vet(str(address[0]), str(address[0]), self.order.policy)
        return socket.socket(family, kind, proto)

    async def _download(self, file: IO[bytes]) -> Downloaded:
        connector = aiohttp.TCPConnector(
            resolver=Resolver(self.order.policy, self.find), use_dns_cache=False, force_close=True, ssl=self.tls,
            socket_factory=self._socket,
        )  # fmt: skip
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self.patience.connect_seconds)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), headers=HEADERS,
            auto_decompress=False, trust_env=False, raise_for_status=False,
        ) as session:  # fmt: skip
            first = url = parse(self.order.url)
            at_home = True
            for _ in range(MAX_REDIRECTS + 1):
                at_home = at_home and url.origin() == first.origin()
                with answers.explained(url):
                    response = await self._ask(session, url, credentials=at_home)
                    try:
                        onward = answers.redirect(response, url)
                        if onward is None:
                            return await self._body(response, url, file)
                    finally:
                        response.close()
                url = self._next(url, onward)
        raise Permanent(
            "TooManyRedirects", f"{first.host} redirects more than {MAX_REDIRECTS} times", hint="give the final URL"
        )

    def _next(self, url: URL, onward: str) -> URL:
        """The URL a redirect leads to. Raises Permanent for one that leaves https."""
        try:
            found = parse(str(url.join(URL(onward, encoded=onward.isascii() and " " not in onward))))
        except ValueError:
            raise Permanent("UnsafeUrl", f"{url.host} redirects to what is no URL") from None
        if url.scheme == "https" and found.scheme != "https":
            text = f"{url.host} redirects from https to http"
            raise Permanent("UnsafeUrl", text, hint="give an https:// URL that stays encrypted")
        return found

    async def _ask(self, session: aiohttp.ClientSession, url: URL, *, credentials: bool) -> aiohttp.ClientResponse:
        host = url.host or ""
        if not addresses.host_allowed(host, self.order.policy.allow_hosts):
            hint = "the administrator lists the hosts that may be fetched from in the chart's value fetch.allowHosts"
            raise Permanent("HostRefused", f"{host[:200]} is not among the hosts that may be fetched from", hint=hint)
        if addresses.literal(host):
            vet(host, host, self.order.policy)
        secret = self.order.authorization
        headers = {"Authorization": secret} if credentials and secret is not None else {}
        async with asyncio.timeout(self.patience.answer_seconds):
            return await session.get(url, headers=headers, allow_redirects=False)

    async def _body(self, response: aiohttp.ClientResponse, url: URL, file: IO[bytes]) -> Downloaded:
        announced = answers.announced(response, url, self.order.max_bytes)
        digest, size, head = hashlib.sha256(), 0, bytearray()
        sniffed = False
        loop, patience = asyncio.get_running_loop(), self.patience
        since, before = loop.time(), 0
        while True:
            piece: bytes | None = None
            try:
                async with asyncio.timeout_at(since + patience.window_seconds):
                    piece = await response.content.readany()
            except TimeoutError:
                piece = None  # judged below, with what the window did bring
            if piece:
                size += len(piece)
                if size > self.order.max_bytes:
                    raise answers.too_large(f"more than {self.order.max_bytes} bytes came", self.order.max_bytes)
                digest.update(piece)
                file.write(piece)
                self.hooks.arrived(size, announced)
            if not sniffed:
                head += piece or b""
                if head and (len(head) >= HEAD_BYTES or piece == b""):
                    self.hooks.head(bytes(head[:HEAD_BYTES]))
                    sniffed = True
            if piece == b"":
                break
            if loop.time() >= since + patience.window_seconds:
                if size - before < patience.window_seconds * patience.bytes_per_second:
                    raise External(
                        "SourceTooSlow",
                        f"{url.host} sent less than {patience.bytes_per_second} bytes a second for "
                        f"{patience.window_seconds:.0f} s",
                        hint="try again later, or upload the file: videojob submit --file",
                    )
                since, before = loop.time(), size
        if size == 0:
            raise Permanent("EmptyFile", f"{url.host} sent a file of 0 bytes", hint="check what the URL leads to")
        return Downloaded(digest.hexdigest(), size, url.host or "")
