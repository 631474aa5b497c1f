"""An HTTP server on loopback that behaves as badly as it is told: it speaks bytes, not HTTP, so that it can lie."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Answer = Callable[["Request", socket.socket], None]
"""Writes whatever it likes to a connection."""


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    path: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


@dataclass
class WebServer:
    """Listens on 127.0.0.1; `pages` says how each path answers."""

    port: int
    pages: dict[str, Answer]
    seen: list[Request] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the test is over: answers that never end look at it."""
    scheme: str = "http"
    name: str = "127.0.0.1"
    """What clients call it."""

    def url(self, path: str, host: str | None = None) -> str:
        """A URL of this server."""
        return f"{self.scheme}://{host or self.name}:{self.port}{path}"


def reply(body: bytes = b"", status: str = "200 OK", headers: Iterable[str] = (), length: int | None = None) -> Answer:
    """A plain answer; `length` is what it claims to be long."""

    def answer(_: Request, connection: socket.socket) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    return answer


def raw(data: bytes) -> Answer:
    """Bytes as they are."""
    return lambda _, connection: connection.sendall(data)


def redirect(location: str, status: str = "302 Found") -> Answer:
    """Go elsewhere."""
    return reply(status=status, headers=(f"Location: {location}",))


@contextmanager
def serve(
    pages: dict[str, Answer], tls: ssl.SSLContext | None = None, *, listen: tuple[str, int] = ("127.0.0.1", 0),
    name: str = "127.0.0.1",
) -> Iterator[WebServer]:  # fmt: skip
    """Start a server; it is gone at the end, with every connection."""
    listener = socket.create_server(listen)
    server = WebServer(listener.getsockname()[1], pages, scheme="http" if tls is None else "https", name=name)
    threads: list[threading.Thread] = []

    def handle(plain: socket.socket) -> None:
        with suppress(OSError), plain:
            connection = plain if tls is None else tls.wrap_socket(plain, server_side=True)
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                first, *rest = data.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}
                body = data.partition(b"\r\n\r\n")[2]
                while len(body) < int(headers.get("content-length", "0")):
                    body += connection.recv(65536)
                request = Request(first.split(" ")[1], headers, first.split(" ")[0], body)
                server.seen.append(request)
                page = server.pages.get(request.path.partition("?")[0], reply(status="404 Not Found"))
                page(request, connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=handle, args=(connection,), daemon=True))
            threads[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.ended.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join(5)
        for thread in threads:
            thread.join(5)
