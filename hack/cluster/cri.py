"""One question to containerd's CRI plugin, which answers later than containerd itself: a kubelet that meets a refusal ends.

gRPC is HTTP/2, and of HTTP/2 one unary call needs four frames (RFC 9113, RFC 7541): less than a library would bring along.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path

_VERSION = "/runtime.v1.RuntimeService/Version"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS = 1, 4
_STREAM = 1
_SECONDS = 2.0


def answers(path: Path) -> bool:
    """Whether the runtime service on this socket answers `Version`; a refusal has no message, only trailers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            connection.connect(str(path))
            connection.sendall(_request())
            return _has_message(connection)
    except OSError:
        return False


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _request() -> bytes:
    def text(value: str) -> bytes:
        return bytes((len(value),)) + value.encode()

    # Indexed fields of the static table: `:method POST`, `:scheme http`; the others are literals that are not indexed.
    fields = b"\x83\x86\x04" + text(_VERSION) + b"\x01" + text("localhost")
    fields += b"\x0f\x10" + text("application/grpc") + b"\x00" + text("te") + text("trailers")
    empty_message = bytes(5)
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, _STREAM, fields)
        + _frame(_DATA, _END_STREAM, _STREAM, empty_message)
    )


def _has_message(connection: socket.socket) -> bool:
    while True:
        head = _read(connection, 9)
        kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
        payload = _read(connection, int.from_bytes(head[:3], "big"))
        if kind == _DATA and stream == _STREAM and payload:
            return True
        if kind in (_RST_STREAM, _GOAWAY) or (kind == _HEADERS and stream == _STREAM and flags & _END_STREAM):
            return False


def _read(connection: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        block = connection.recv(size - len(found))
        if not block:
            raise ConnectionError("the runtime service closed the connection")
        found += block
    return found
