"""From a URL to addresses that were vetted: parsed once, looked up once, connected to as vetted (case 60)."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable

from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from videojob_api.contract import FetchPolicy

from ..base.errors import Permanent
from . import addresses

OPEN_HINT = (
    "upload the file (videojob submit --file), or let the administrator open the network in the chart's value "
    "fetch.allowNetworks"
)

Lookup = Callable[[str, int], list[str]]
"""Addresses of a host and port; OSError when there are none."""


def lookup(host: str, port: int) -> list[str]:
    """Every address of a name, A and AAAA."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def parse(text: str) -> URL:
    """A URL as it will be asked for, byte by byte. Raises Permanent: UnsafeUrl."""
    problem = None
    try:
        url = URL(text, encoded=True)  # requoting would break a signature in the query
        if not text.isascii() or not text.isprintable() or "\\" in text or " " in text:
            problem = "it holds blanks, backslashes or other than ASCII characters"
        elif url.scheme not in ("http", "https"):
            problem = f"its scheme is {url.scheme[:20] or 'missing'}, not https or http"
        elif not url.host or not url.port:
            problem = "it has no host"
        elif "@" in url.raw_authority:
            problem = "it carries a user or password"
    except ValueError:
        problem = "it cannot be read"
    if problem is not None:
        hint = "give an https:// or http:// URL; a password goes into a Secret, see the field secretName beside the URL"
        raise Permanent("UnsafeUrl", f"the URL cannot be fetched: {problem}", hint=hint)
    return url.with_fragment(None)


class Resolver(AbstractResolver):
    """Vets every address of a name and hands over exactly these."""

    def __init__(self, policy: FetchPolicy, find: Lookup) -> None:
        self._policy = policy
        self._find = find

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - both families are vetted, whatever is asked
    ) -> list[ResolveResult]:
        """Addresses of a host, all vetted."""
        found = await _in_thread(lambda: self._find(host, port))
        for address in found:
            vet(host, address, self._policy)
        return [_result(host, port, address) for address in found]

    async def close(self) -> None:
        """Nothing is kept open."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=socket.IPPROTO_TCP, flags=socket.AI_NUMERICHOST
    )


def vet(host: str, address: str, policy: FetchPolicy) -> None:
    """Raise Permanent (AddressRefused) for an address that may not be fetched from; one bad address condemns its name."""
    words = addresses.problem(address, policy)
    if words is not None:
        verb = "is" if addresses.literal(host) else "resolves to"
        text = f"{host[:200]} {verb} an address that may not be fetched from: {words}"
        raise Permanent("AddressRefused", text, hint=OPEN_HINT)


async def _in_thread(find: Callable[[], list[str]]) -> list[str]:
    """A look-up in a thread nobody waits for at the end: the system's resolver may take minutes and cannot be stopped."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[list[str]] = loop.create_future()

    def tell(result: list[str] | OSError) -> None:
        if done.done():
            return
        if isinstance(result, OSError):
            done.set_exception(result)
        else:
            done.set_result(result)

    def work() -> None:
        result: list[str] | OSError
        try:
            result = find()
        except OSError as error:
            result = error
        except UnicodeError:
            result = OSError("it is no host name")
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=work, name="lookup", daemon=True).start()
    return await done
