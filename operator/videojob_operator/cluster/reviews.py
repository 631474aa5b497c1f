"""Whose token is it? The API server's answers, remembered, and asked for no more often than it can bear (cases 73, 74).

Anybody who reaches the port can make up tokens: unknown ones share a budget, and no flood of them pushes a valid one out.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import TypeVar

from ..runtime.budget import Budget
from .api import Api, Identity

REVIEW_SECONDS = 60.0
"""An answer is believed for this long."""
REVIEWS_PER_SECOND = 20.0
"""Unknown tokens that the API server is asked about. One that was valid a minute ago is asked about in any case."""
MAX_TOKENS = 5000
"""Valid tokens and refused ones that are remembered, each."""

V = TypeVar("V")


class BusyError(Exception):
    """Too many unknown tokens came within the last second: this one is not looked at now."""


class Reviews:
    """Reviews tokens.

    Args:
        api: knows them.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, api: Api, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._clock = clock
        self._valid: dict[str, tuple[float, Identity]] = {}
        self._refused: dict[str, float] = {}
        self._under_way: dict[str, asyncio.Task[Identity | None]] = {}
        self._budget = Budget(REVIEWS_PER_SECOND, clock=clock)

    def __len__(self) -> int:
        """Answers that are remembered."""
        return len(self._valid) + len(self._refused)

    async def identity(self, token: str, audience: str) -> Identity | None:
        """Whose token it is, None when it is refused. There is one question at a time about a token.

        Raises:
            BusyError: it is unknown, and too many of those came.
            ApiError: the API server does not answer.
        """
        digest = hashlib.sha256(f"{audience}\n{token}".encode()).hexdigest()
        now = self._clock()
        known = self._valid.get(digest)
        if known is not None and now - known[0] < REVIEW_SECONDS:
            return known[1]
        refused = self._refused.get(digest)
        if refused is not None and now - refused < REVIEW_SECONDS:
            return None
        task = self._under_way.get(digest)
        if task is None:
            if known is None and not self._budget.try_take():
                raise BusyError
            task = asyncio.get_running_loop().create_task(self._ask(digest, token, audience))
            self._under_way[digest] = task
        return await asyncio.shield(task)  # a client that hangs up takes nothing from the others who wait

    async def _ask(self, digest: str, token: str, audience: str) -> Identity | None:
        try:
            identity = await self._api.token_review(token, audience)
        finally:
            del self._under_way[digest]
        if identity is None:
            self._valid.pop(digest, None)
            remember(self._refused, digest, self._clock(), MAX_TOKENS)
        else:
            remember(self._valid, digest, (self._clock(), identity), MAX_TOKENS)
        return identity


def remember(memory: dict[str, V], key: str, value: V, most: int) -> None:
    """Put it at the end; the front, which was silent longest, goes when there are too many."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > most:
        del memory[next(iter(memory))]
