"""POST to a stranger's URL: vetted and pinned like a download, one answer, no redirects (case 60).

Messages name hosts, never paths or queries: webhooks keep keys there (case 62).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from videojob_api.contract import FetchPolicy

from .exchange import exchange
from .messages import Request
from .resolving import Lookup, lookup

ANSWER_BYTES = 1 << 20
"""A webhook whose answer is longer than this is no webhook."""


@dataclass(frozen=True)
class Answer:
    """What the other side said."""

    status: int
    retry_after_seconds: int | None = None


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    policy: FetchPolicy,
    *,
    seconds: float = 15.0,
    find: Lookup = lookup,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one body. Raises Permanent for an address that may not be talked to, External when nobody answers in time."""
    request = Request(url, headers=headers, body=body, seconds=seconds, max_bytes=ANSWER_BYTES)
    found = exchange(request, policy, find=find, tls=tls)
    return Answer(found.status, found.retry_after_seconds)
