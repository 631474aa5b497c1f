"""Frames of an exec connection: channels kept apart, exit codes read, broken connections told (protocol v4 and v5)."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from videojob_cli.errors import ApiError
from videojob_cli.exec_channel import WebSocketChannel

BINARY, CLOSE = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_CLOSE
Frame = tuple[int, bytes]


class Socket:
    """A WebSocket that shows prepared frames; readable as long as there are any."""

    def __init__(self, frames: list[Frame | Exception], subprotocol: str = "v5.channel.k8s.io") -> None:
        self.frames = frames
        self.subprotocol = subprotocol
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
    opened.append(Socket(list(frames), **options))
    return WebSocketChannel(opened[-1])


def status(**body: Any) -> bytes:
    return b"\x03" + json.dumps(body).encode()


def test_outputs_errors_and_status_are_kept_apart(opened: list[Socket]) -> None:
    end = status(status="Failure", details={"causes": [{"reason": "ExitCode", "message": "65"}]})
    frames = [(BINARY, b"\x01one"), (BINARY, b"\x02oh"), (BINARY, b"\x01two"), (BINARY, end), (CLOSE, b"")]
    running = channel(opened, *frames)
    assert running.exit_code is None
    assert [running.read(wait=True) for _ in range(3)] == [b"one", b"two", b""]
    assert running.errors == "oh"
    assert running.exit_code == 65
    assert running.read(wait=True) == b""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"status": "Success"}, 0),
        ({"status": "Failure", "message": "container not found"}, 1),
        ({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "73"}]}}, 73),
    ],
)
def test_exit_codes(opened: list[Socket], end: dict[str, Any], code: int) -> None:
    running = channel(opened, (BINARY, status(**end)), (CLOSE, b""))
    assert running.read(wait=True) == b""
    assert running.exit_code == code


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
    assert running.exit_code is None


def test_silence_is_an_error_and_not_an_end(opened: list[Socket]) -> None:
    running = channel(opened, websocket.WebSocketTimeoutException("slow"))
    with pytest.raises(ApiError, match="Nothing came from the pod for 60 s"):
        running.read(wait=True)


@pytest.mark.parametrize(
    ("protocol", "sent"), [("v5.channel.k8s.io", [b"\x00in", b"\xff\x00"]), ("v4.channel.k8s.io", [b"\x00in"])]
)
def test_only_the_newer_protocol_can_end_the_input(opened: list[Socket], protocol: str, sent: list[bytes]) -> None:
    running = channel(opened, subprotocol=protocol)
    running.write(b"in")
    running.end_input()
    assert opened[-1].sent == sent
