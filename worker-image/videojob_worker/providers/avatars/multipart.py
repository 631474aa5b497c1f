"""Files in a form (multipart/form-data), as services take them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """One file of a form."""

    field: str
    filename: str
    media_type: str
    data: bytes


def form(parts: Sequence[Part], fields: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """Content-Type and body. Names are our own, so that nothing in them needs escaping; the boundary is in no part."""
    boundary = secrets.token_hex(16)
    while any(boundary.encode() in part.data for part in parts):
        boundary = secrets.token_hex(16)
    lines: list[bytes] = []
    for name, value in (fields or {}).items():
        lines += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()]
    for part in parts:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{part.field}"; filename="{part.filename}"\r\n'
            f"Content-Type: {part.media_type}\r\n\r\n"
        )
        lines += [head.encode(), part.data, b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", b"".join([*lines, f"--{boundary}--\r\n".encode()])
