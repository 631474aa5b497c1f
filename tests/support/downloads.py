"""Downloads with little patience, from servers on the loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from videojob_api.contract import FetchPolicy
from videojob_worker.net.download import Downloaded, Hooks, Order, Patience, download

LOOPBACK = FetchPolicy(allow_networks=("127.0.0.0/8",))
LIMIT = 200_000
"""Most bytes of one."""
HASTE = Patience(connect_seconds=2, answer_seconds=1, window_seconds=0.5, bytes_per_second=1000)


def fetch(
    url: str, target: Path, policy: FetchPolicy = LOOPBACK, *, authorization: str | None = None, **more: Any
) -> Downloaded:
    """One download with little patience."""
    hooks = Hooks(more.pop("check", lambda: None), more.pop("head", lambda _: None), lambda *_: None)
    return download(Order(url, LIMIT, policy, authorization), target, hooks, patience=HASTE, **more)
