"""News to the operator over HTTP: advisory, in the background, never in the way of a stage (cases 71 and 72)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http import client
from pathlib import Path
from urllib.parse import urlsplit

from videojob_api import contract
from videojob_api.contract import Progress

from .errors import BadConfig
from .watch import Clock

TIMEOUT_SECONDS = 5.0


class Channel:
    """Posts to one operator with the pod's projected token."""

    def __init__(self, url: str | None, token_path: Path, timeout: float = TIMEOUT_SECONDS) -> None:
        self._token_path = token_path
        self._timeout = timeout
        self._parts = urlsplit(url) if url else None
        if self._parts is not None and (self._parts.scheme not in ("http", "https") or not self._parts.hostname):
            raise BadConfig("BadDocument", f"operatorUrl {url!r} is not an http or https address with a host")

    @property
    def open(self) -> bool:
        """Whether there is anybody to post to."""
        return self._parts is not None

    def post(self, route: str, body: bytes) -> int | None:
        """Send one JSON body; the answer's status, or None when nobody answered. Never raises.

        The token is read for every post, since the kubelet renews it; redirects and proxies are not followed.
        """
        answer = self.ask(route, body, 0)
        return answer[0] if answer is not None else None

    def ask(self, route: str, body: bytes, most: int) -> tuple[int, bytes] | None:
        """Send one JSON body; status and content of the answer (at most so many bytes), or None when nobody answered."""
        if self._parts is None or self._parts.hostname is None:
            return None
        kind = client.HTTPSConnection if self._parts.scheme == "https" else client.HTTPConnection
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token()}"}
            connection = kind(self._parts.hostname, self._parts.port, timeout=self._timeout)
            try:
                connection.request("POST", self._parts.path.rstrip("/") + route, body, headers)
                answer = connection.getresponse()
                return answer.status, answer.read(most) if most else b""
            finally:
                connection.close()
        except (OSError, ValueError, client.HTTPException):
            return None

    def _token(self) -> str:
        return self._token_path.read_text(encoding="ascii").strip()


class Pacer:
    """When to speak: news at most every `interval`, a sign of life at least every `heartbeat` seconds."""

    def __init__(self, interval: float, heartbeat: float) -> None:
        self._interval = interval
        self._heartbeat = heartbeat
        self._last: float | None = None

    def wait(self, now: float, *, news: bool) -> float:
        """Seconds until the next post is due; 0 means now."""
        if self._last is None:
            return 0.0 if news else self._heartbeat
        return max(0.0, self._last + (self._interval if news else self._heartbeat) - now)

    def sent(self, now: float) -> None:
        """Note that something was sent."""
        self._last = now


class Reporter:
    """A background thread that sends the latest progress; older news that was not sent in time is dropped."""

    def __init__(
        self,
        send: Callable[[Progress], object],
        *,
        interval: float = contract.PROGRESS_INTERVAL_SECONDS,
        heartbeat: float = contract.HEARTBEAT_SECONDS,
        clock: Clock = time.monotonic,
    ) -> None:
        self._send = send
        self._pacer = Pacer(interval, heartbeat)
        self._clock = clock
        self._latest: Progress | None = None
        self._news = False
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="progress", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def update(self, progress: Progress) -> None:
        """Replace what is to be sent next; returns at once."""
        with self._changed:
            self._news = self._news or progress != self._latest
            self._latest = progress
            self._changed.notify()

    def close(self) -> None:
        """Stop sending; a post under way is not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._closed:
                    wait = self._pacer.wait(self._clock(), news=self._news)
                    if wait <= 0 and self._latest is not None:
                        break
                    self._changed.wait(wait or None)
                if self._closed or self._latest is None:
                    return
                progress, self._news = self._latest, False
                self._pacer.sent(self._clock())
            self._send(progress)
