"""Frames of an exec connection: channels kept apart, silence and broken connections told (protocol v4 and v5)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import websocket

from videojob_cli.errors import ApiError
from videojob_cli.exec_channel import WebSocketChannel

BINARY, CLOSE = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_CLOSE
Frame = tuple[int, bytes]


class Socket:
    """A WebSocket that shows prepared frames; readable as long as there are any."""

    def __init__(self, frames: list[Frame | Exception]) -> None:
        self.frames = frames
        self.sent: list[bytes] = []
        self.sock, self._other = socket.socketpair()
        if frames:
            self._other.send(b"x")

    def settimeout(self, seconds: float) -> None: ...

    def recv_data(self, *, control_frame: bool) -> Frame:
        frame = self.frames.pop(0)
        if not self.frames:
            self.sock.recv(1)
        if isinstance(frame, Exception):
            raise frame
        return frame

    def send_binary(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self, timeout: float) -> None:
        self.sock.close()
        self._other.close()


@pytest.fixture
def opened() -> Iterator[list[Socket]]:
    made: list[Socket] = []
    yield made
    for each in made:
        each.close(0)


def channel(opened: list[Socket], *frames: Frame | Exception, **options: Any) -> WebSocketChannel:
    opened.append(Socket(list(frames)))
    return WebSocketChannel(opened[-1], **options)


def test_outputs_errors_and_status_are_kept_apart(opened: list[Socket]) -> None:
    end = b'\x03{"status": "Success"}'
    frames = [(BINARY, b"\x01one"), (BINARY, b"\x02oh"), (BINARY, b"\x01two"), (BINARY, end), (CLOSE, b"")]
    running = channel(opened, *frames)
    assert [running.read(wait=True) for _ in range(3)] == [b"one", b"two", b""]
    assert running.errors == "oh"
    assert running.read(wait=True) == b""


def test_without_waiting_nothing_blocks(opened: list[Socket]) -> None:
    assert channel(opened).read(wait=False) == b""
    assert channel(opened, (BINARY, b"\x01x")).read(wait=False) == b"x"


def test_empty_frames_at_the_start_are_no_end(opened: list[Socket]) -> None:
    """The server opens every channel with an empty frame."""
    frames = [(BINARY, b"\x01"), (BINARY, b"\x02"), (BINARY, b"\x03"), (BINARY, b"\x01x"), (CLOSE, b"")]
    assert channel(opened, *frames).read(wait=True) == b"x"


def test_a_connection_that_breaks_ends_the_output(opened: list[Socket]) -> None:
    running = channel(opened, (BINARY, b"\x01x"), websocket.WebSocketConnectionClosedException("gone"))
    assert [running.read(wait=True), running.read(wait=True)] == [b"x", b""]


def test_silence_is_an_error_and_not_an_end(opened: list[Socket]) -> None:
    running = channel(opened, websocket.WebSocketTimeoutException("slow"))
    with pytest.raises(ApiError, match="Nothing came from the pod for 60 s"):
        running.read(wait=True)


PING = websocket.ABNF.OPCODE_PING


@pytest.mark.parametrize(
    ("silent", "dead"),
    [((BINARY, b"\x02\n"), False), ((PING, b""), True), ((BINARY, b"\x02"), True)],
    ids=["the worker says that it lives", "only the connection lives", "an empty frame says nothing"],
)
def test_a_worker_that_computes_for_long_is_waited_for(opened: list[Socket], silent: Frame, dead: bool) -> None:
    """T-001: checking 6 GB takes longer than a dead connection is waited for."""
    clock = count(0, 25).__next__
    running = channel(opened, *[silent] * 20, (BINARY, b'\x01{"ok": true}\n'), clock=clock)
    if dead:
        with pytest.raises(ApiError, match="Nothing came from the pod for 60 s"):
            running.read(wait=True)
    else:
        assert running.read(wait=True) == b'{"ok": true}\n'


def test_input_goes_to_the_commands_standard_input(opened: list[Socket]) -> None:
    channel(opened).write(b"in")
    assert opened[-1].sent == [b"\x00in"]
