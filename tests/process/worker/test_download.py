"""A download from servers that lie, dawdle, redirect and swell (cases 60 and 62, T-014, A-044)."""

from __future__ import annotations

import gzip
import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from downloads import LIMIT, fetch
from videojob_api.contract import FetchPolicy
from videojob_worker.base.errors import External, Permanent, Stopped, WorkerError
from videojob_worker.base.watch import Stop
from videojob_worker.net.download import Downloaded
from webserver import Answer, Request, WebServer, raw, redirect, reply, serve

CLIP = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 400


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def drip(before: bytes, pause: float = 0.2) -> Callable[[WebServer], Answer]:
    """A byte now and then, for ever."""

    def make(server: WebServer) -> Answer:
        def answer(_: Request, connection: socket.socket) -> None:
            connection.sendall(before)
            while not server.ended.wait(pause):
                connection.sendall(b"x")

        return answer

    return make


def endless(server: WebServer) -> Answer:
    """A body without end, as fast as it goes."""

    def answer(_: Request, connection: socket.socket) -> None:
        connection.sendall(CHUNKED)
        while not server.ended.is_set():
            connection.sendall(chunk(CLIP))

    return answer


def always(answer: Answer) -> Callable[[WebServer], Answer]:
    """The same whatever the server."""
    return lambda _: answer


@dataclass(frozen=True)
class Case:
    """A behaviour of a server, and what is said of it."""

    name: str
    given: Callable[[WebServer], Answer]
    kind: type[WorkerError]
    code: str
    text: str
    retry_after: int | None = None
    others: dict[str, Answer] = field(default_factory=dict)


CASES = (
    Case("not there", always(reply(status="404 Not Found")), Permanent, "SourceNotFound", "127.0.0.1 answered 404"),
    Case("gone", always(reply(status="410 Gone")), Permanent, "SourceNotFound", "answered 410"),
    Case("an expired signed URL", always(reply(status="403 Forbidden")), Permanent, "SourceForbidden", "answered 403"),
    Case("a password wanted", always(reply(status="401 No")), Permanent, "SourceForbidden", "answered 401"),
    Case("a bad request", always(reply(status="400 No")), Permanent, "SourceRefused", "answered 400"),
    Case("a part of the file", always(reply(CLIP, "206 Partial")), Permanent, "SourceRefused", "answered 206"),
    Case("a broken server", always(reply(status="500 Oh")), External, "SourceUnavailable", "answered 500"),
    Case(
        "too many requests",
        always(reply(status="429 Slow", headers=("Retry-After: 17",))),
        External,
        "SourceUnavailable",
        "answered 429",
        17,
    ),
    Case(
        "a wait of years",
        always(reply(status="503 Later", headers=("Retry-After: 99999999999999",))),
        External,
        "SourceUnavailable",
        "answered 503",
        86400,
    ),
    Case(
        "a wait until a date that has passed",
        always(reply(status="503 Later", headers=("Retry-After: Sat, 21 Nov 2020 12:00:00 GMT",))),
        External,
        "SourceUnavailable",
        "answered 503",
        0,
    ),
    Case(
        "a wait that is nonsense",
        always(reply(status="503 Later", headers=("Retry-After: soon",))),
        External,
        "SourceUnavailable",
        "answered 503",
    ),
    Case("nothing in it", always(reply()), Permanent, "EmptyFile", "0 bytes"),
    Case("announced too large", always(reply(length=LIMIT + 1)), Permanent, "FileTooLarge", "File too large: 200001"),
    Case("an endless body", endless, Permanent, "FileTooLarge", "File too large: more than 200000 bytes came"),
    Case("less than announced", always(reply(CLIP, length=150_000)), External, "SourceIncomplete", "ended before"),
    Case("a chunk cut off", always(raw(CHUNKED + b"ffff\r\nabc")), External, "SourceIncomplete", "ended before"),
    Case("a chunk without a length", always(raw(CHUNKED + b"zz\r\n")), External, "Source", "127.0.0.1"),
    Case("no HTTP", always(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")), External, "SourceUnavailable", "no HTTP"),
    Case("a negative length", always(reply(length=-5)), External, "SourceUnavailable", "no HTTP"),
    Case("headers without end", always(raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99999)), External, "Source", "127.0.0.1"),
    Case("hung up at once", always(raw(b"")), External, "SourceUnreachable", "broke"),
    Case("headers drop by drop", drip(b"HTTP/1.1 200 OK\r\nX: "), External, "SourceTooSlow", "did not answer in time"),
    Case("silence", drip(b"", pause=60), External, "SourceTooSlow", "did not answer in time"),
    Case(
        "a body drop by drop",
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"),
        External,
        "SourceTooSlow",
        "less than 1000 bytes a second",
    ),
    Case(
        "a body that stops",
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 400, pause=60),
        External,
        "SourceTooSlow",
        "less than 1000 bytes a second",
    ),
    Case(
        "a gzip bomb",
        always(reply(gzip.compress(bytes(50_000_000)), headers=("Content-Encoding: gzip",))),
        Permanent,
        "SourceRefused",
        "compressed (gzip)",
    ),
    Case("a redirect to nowhere", always(reply(status="302 Found")), Permanent, "SourceRefused", "to nowhere"),
    Case("a redirect to itself", always(redirect("/page")), Permanent, "TooManyRedirects", "more than 5 times"),
    Case("a redirect to a file", always(redirect("file:///etc/passwd")), Permanent, "UnsafeUrl", "its scheme is file"),
    Case("a redirect to gopher", always(redirect("gopher://127.0.0.1/")), Permanent, "UnsafeUrl", "scheme is gopher"),
    Case("a redirect with a password", always(redirect("http://a:b@127.0.0.1/")), Permanent, "UnsafeUrl", "password"),
    Case("a redirect that is no URL", always(redirect("http://[::1")), Permanent, "UnsafeUrl", "no URL"),
    Case(
        "a redirect to the metadata",
        always(redirect("http://169.254.169.254/latest/meta-data/")),
        Permanent,
        "AddressRefused",
        "169.254.169.254 is an address that may not be fetched from: link-local",
    ),
    Case(
        "a redirect to a private host",
        always(redirect("//10.96.0.1/version", "307 Temporary")),
        Permanent,
        "AddressRefused",
        "10.96.0.1 is an address that may not be fetched from: private",
    ),
    Case(
        "a redirect to a mapped address",
        always(redirect("http://[::ffff:192.168.0.1]/", "308 Permanent")),
        Permanent,
        "AddressRefused",
        "private",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_server_that_misbehaves_is_told_apart(case: Case, tmp_path: Path) -> None:
    """Case 60: each ends within its limits, with its class; nobody waits for what never comes."""
    with serve({}) as server:
        server.pages["/page"] = case.given(server)
        began = time.monotonic()
        with pytest.raises(case.kind) as caught:
            fetch(server.url("/page?token=geheim"), tmp_path / "part")
    assert time.monotonic() - began < 5
    assert caught.value.code.startswith(case.code)
    assert case.text in caught.value.message
    assert caught.value.retry_after_seconds == case.retry_after
    assert "geheim" not in f"{caught.value.message} {caught.value.hint} {caught.value.__cause__}"
    assert (tmp_path / "part").stat().st_size <= LIMIT + (1 << 18)


@pytest.mark.parametrize(
    "answer",
    [
        reply(CLIP),
        raw(CHUNKED + chunk(CLIP[:70_000]) + chunk(CLIP[70_000:]) + b"0\r\n\r\n"),
        raw(b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n" + CLIP),
    ],
    ids=["with a length", "in chunks", "until the end"],
)
def test_a_file_comes_whole(answer: Answer, tmp_path: Path) -> None:
    heads: list[bytes] = []
    with serve({"/a/clip.mp4": answer}) as server:
        found = fetch(server.url("/a/clip.mp4?X-Sig=a%2Fb+c%20d"), tmp_path / "part", head=heads.append)
    assert (tmp_path / "part").read_bytes() == CLIP
    assert found == Downloaded(hashlib.sha256(CLIP).hexdigest(), len(CLIP), "127.0.0.1")
    assert heads == [CLIP[: len(heads[0])]]
    (asked,) = server.seen
    assert asked.path == "/a/clip.mp4?X-Sig=a%2Fb+c%20d", "a signature is sent as it was given"
    assert asked.headers["accept-encoding"] == "identity"
    assert "authorization" not in asked.headers


def test_the_first_bytes_can_end_it(tmp_path: Path) -> None:
    """Nobody waits for the rest of a page that is no video."""

    def refuse(head: bytes) -> None:
        assert head.startswith(b"<html>")
        raise Permanent("InvalidFileType", "no video")

    page = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n<html>" + b"x" * 5000
    with serve({}) as server:
        server.pages["/"] = drip(page)(server)
        with pytest.raises(Permanent, match="no video"):
            fetch(server.url("/"), tmp_path / "part", head=refuse)


def test_a_stop_ends_it_at_once(tmp_path: Path) -> None:
    stop = Stop()
    with serve({}) as server:

        def answer(_: Request, connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
            stop.request()
            server.ended.wait(10)

        server.pages["/"] = answer
        began = time.monotonic()
        with pytest.raises(Stopped):
            fetch(server.url("/"), tmp_path / "part", check=stop.check)
        assert time.monotonic() - began < 0.9, "before its patience is over"


def test_a_name_that_changes_its_mind_is_looked_up_once(tmp_path: Path) -> None:
    """Case 60, DNS rebinding: what was vetted is what is connected to."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with serve({"/": reply(CLIP)}) as server:
        fetch(server.url("/", "media.test"), tmp_path / "part", find=rebinding)
        assert server.seen[0].headers["host"] == f"media.test:{server.port}"
    assert asked == ["media.test"]


def test_every_redirect_is_looked_up_and_vetted_anew(tmp_path: Path) -> None:
    answers = {"good.test": ["127.0.0.1"], "bad.test": ["100.64.0.9"]}
    with serve({}) as server:
        server.pages["/"] = redirect(server.url("/x", "bad.test"))
        with pytest.raises(Permanent, match=r"bad\.test resolves to .*: shared between customers"):
            fetch(server.url("/", "good.test"), tmp_path / "part", find=lambda host, _: answers[host])
        assert [request.path for request in server.seen] == ["/"], "no byte went to the other one"


def test_a_look_up_that_hangs_holds_nobody_up(tmp_path: Path) -> None:
    with serve({}) as server:

        def hang(*_: object) -> list[str]:
            server.ended.wait(30)
            return []

        began = time.monotonic()
        with pytest.raises(External, match="did not answer in time"):
            fetch("http://media.test/", tmp_path / "part", find=hang)
        assert time.monotonic() - began < 3


def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    with serve({}) as server:
        pass
    with pytest.raises(External, match=r"127\.0\.0\.1 cannot be reached: Connect") as caught:
        fetch(server.url("/"), tmp_path / "part")
    assert caught.value.code == "SourceUnreachable"


def test_only_listed_hosts_where_there_is_a_list(tmp_path: Path) -> None:
    policy = FetchPolicy(allow_networks=("127.0.0.0/8",), allow_hosts=("good.test",))
    with serve({"/x": reply(CLIP)}) as server:
        server.pages["/"] = redirect(server.url("/x", "other.test"))
        fetch(server.url("/x", "good.test"), tmp_path / "a", policy, find=lambda *_: ["127.0.0.1"])
        for url in (server.url("/", "good.test"), server.url("/x", "other.test")):
            with pytest.raises(Permanent, match=r"other\.test is not among the hosts") as caught:
                fetch(url, tmp_path / hashlib.sha256(url.encode()).hexdigest(), policy, find=lambda *_: ["127.0.0.1"])
            assert caught.value.code == "HostRefused"


# ---------------------------------------------------------------- encrypted


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_the_certificate_is_that_of_the_name_not_of_the_address(authority: trustme.CA, tmp_path: Path) -> None:
    with serve({"/": reply(CLIP)}, serving(authority, "media.test")) as server:
        find = lambda *_: ["127.0.0.1"]  # noqa: E731
        fetch(server.url("/", "media.test"), tmp_path / "a", find=find, tls=trusting(authority))
        with pytest.raises(Permanent, match=r"certificate of other\.test is not trusted: .*other\.test") as caught:
            fetch(server.url("/", "other.test"), tmp_path / "b", find=find, tls=trusting(authority))
        assert caught.value.code == "CertificateInvalid"
        with pytest.raises(Permanent, match="is not trusted"):
            fetch(server.url("/", "media.test"), tmp_path / "c", find=find)


def test_a_redirect_never_leaves_the_encrypted_line(authority: trustme.CA, tmp_path: Path) -> None:
    with serve({"/x": reply(CLIP)}) as plain, serve({}, serving(authority, "127.0.0.1")) as server:
        server.pages["/"] = redirect(plain.url("/x"))
        with pytest.raises(Permanent, match="redirects from https to http"):
            fetch(server.url("/"), tmp_path / "part", tls=trusting(authority))
        assert plain.seen == []


def test_a_secret_goes_to_its_own_origin_alone(authority: trustme.CA, tmp_path: Path) -> None:
    """Not to another host, port or scheme, and not back home by way of a stranger."""
    find = lambda *_: ["127.0.0.1"]  # noqa: E731
    tls = trusting(authority)
    names = serving(authority, "home.test", "away.test")
    with serve({"/x": reply(CLIP)}, names) as home, serve({}, names) as away:
        home.pages["/near"] = redirect("/x")
        home.pages["/far"] = redirect(away.url("/back", "away.test"))
        away.pages["/back"] = redirect(home.url("/x", "home.test"))
        fetch(home.url("/near", "home.test"), tmp_path / "a", authorization="Bearer geheim", find=find, tls=tls)
        assert [request.headers.get("authorization") for request in home.seen] == ["Bearer geheim"] * 2
        home.seen.clear()
        fetch(home.url("/far", "home.test"), tmp_path / "b", authorization="Bearer geheim", find=find, tls=tls)
        assert [request.headers.get("authorization") for request in home.seen] == ["Bearer geheim", None]
        assert [request.headers.get("authorization") for request in away.seen] == [None]
