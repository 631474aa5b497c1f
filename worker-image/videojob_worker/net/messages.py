"""What is asked over HTTP, and what is answered; without the client, which takes long to load and offline work never needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What is asked."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 30.0
    """From the look-up of the name to the answer's last byte."""
    max_bytes: int = 64 << 20
    """Longest answer."""


@dataclass(frozen=True)
class Reply:
    """What the other side said, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in small letters."""
    retry_after_seconds: int | None = None

    @property
    def media_type(self) -> str:
        """Its Content-Type without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()
