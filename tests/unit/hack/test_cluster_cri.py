"""The question to containerd's CRI plugin, against stand-ins that answer as gRPC servers do."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster import cri

SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
HEADERS = bytes((0, 0, 1, 1, 4, 0, 0, 0, 1)) + b"\x88"
MESSAGE = bytes((0, 0, 7, 0, 0, 0, 0, 0, 1)) + bytes((0, 0, 0, 0, 2)) + b"\x0a\x00"
REFUSAL = bytes((0, 0, 1, 1, 5, 0, 0, 0, 1)) + b"\x88"
GOAWAY = bytes((0, 0, 8, 7, 0, 0, 0, 0, 0)) + bytes(8)


@dataclass(frozen=True)
class Case:
    name: str
    answer: bytes
    expect: bool


CASES = (
    Case("a message", SETTINGS + HEADERS + MESSAGE, True),
    Case("trailers alone: not initialized yet", SETTINGS + REFUSAL, False),
    Case("a server that goes away", SETTINGS + GOAWAY, False),
    Case("half a frame, then nothing", SETTINGS + MESSAGE[:12], False),
    Case("nothing", b"", False),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_runtime_service_is_ready_if_it_answers_with_a_message(case: Case, tmp_path: Path) -> None:
    asked = bytearray()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            while not asked.endswith(bytes((0, 0, 5, 0, 1, 0, 0, 0, 1)) + bytes(5)):
                asked.extend(connection.recv(4096))
            connection.sendall(case.answer)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        assert cri.answers(tmp_path / "s") is case.expect
        thread.join()
    assert bytes(asked).startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/runtime.v1.RuntimeService/Version" in asked


def test_without_a_socket_nothing_answers(tmp_path: Path) -> None:
    assert not cri.answers(tmp_path / "absent")
