"""A command running in a container, seen through exec: bytes in, bytes out; how it ended it says itself at the end.

The frames are read by hand: the client library's reader joins everything that waits into one growing string, which a video
would blow up.
"""

from __future__ import annotations

import contextlib
import select
import ssl
import time
from collections.abc import Callable
from typing import Any, Protocol

import websocket

from .errors import ApiError

STDIN, STDOUT, STDERR = 0, 1, 2
STALL_SECONDS = 60.0
"""Without a byte moving for so long, the connection counts as dead. A worker that computes or waits for its disk says so
on standard error more often than that."""


class Channel(Protocol):
    """One running command."""

    def write(self, block: bytes) -> None:
        """Give it input."""

    def read(self, *, wait: bool) -> bytes:
        """What it wrote to standard output since; without `wait` empty when nothing is there, with it empty at the end."""

    @property
    def errors(self) -> str:
        """What it wrote to standard error so far."""

    def close(self) -> None:
        """Leave."""


class WebSocketChannel:
    """Channels multiplexed over one WebSocket, protocol v4 or v5."""

    def __init__(self, socket: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._socket = socket
        self._clock = clock
        self._socket.settimeout(STALL_SECONDS)
        self._errors = bytearray()
        self._ended = False

    @property
    def errors(self) -> str:
        """What it wrote to standard error so far."""
        return self._errors.decode("utf-8", "replace")

    def write(self, block: bytes) -> None:
        """Give it input."""
        try:
            self._socket.send_binary(bytes((STDIN,)) + block)
        except (websocket.WebSocketException, OSError) as error:
            self._ended = True
            raise ApiError(f"The connection broke while sending: {error}. Try again.", 0) from error

    def _waiting(self) -> bool:
        raw = self._socket.sock
        if isinstance(raw, ssl.SSLSocket) and raw.pending():
            return True
        poll = select.poll()
        poll.register(raw, select.POLLIN)
        return bool(poll.poll(0))

    def read(self, *, wait: bool) -> bytes:
        """What it wrote to standard output since; without `wait` empty when nothing is there, with it empty at the end."""
        deadline = self._clock() + STALL_SECONDS
        while not self._ended and (wait or self._waiting()):
            try:
                kind, data = self._socket.recv_data(control_frame=True)
            except (websocket.WebSocketTimeoutException, TimeoutError) as error:
                raise ApiError(f"Nothing came from the pod for {STALL_SECONDS:.0f} s. Try again.", 0) from error
            except (websocket.WebSocketException, OSError):
                self._ended = True
                break
            if kind == websocket.ABNF.OPCODE_CLOSE:
                self._ended = True
            elif kind in {websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT} and data:
                channel, rest = data[0], data[1:]
                if channel == STDOUT and rest:
                    return bytes(rest)
                if channel == STDERR and rest:
                    self._errors += rest[: max(0, 65536 - len(self._errors))]
                    deadline = self._clock() + STALL_SECONDS
            if self._clock() > deadline:
                raise ApiError(f"Nothing came from the pod for {STALL_SECONDS:.0f} s. Try again.", 0)
        return b""

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(websocket.WebSocketException, OSError):
            self._socket.close(timeout=2)
