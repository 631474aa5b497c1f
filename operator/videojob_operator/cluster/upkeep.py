"""Keeping what is known true for as long as the process lives: the periodic list, and the list of watched namespaces."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from ..runtime.resync import Health
from .api import ApiError
from .listing import Lister

log = logging.getLogger(__name__)

FIRST_RESYNC_SECONDS = 20.0
"""The first repair comes soon: what was deleted between our list and kopf's first one is told by nobody. The same holds
whenever the watches start again."""
REOPEN_SECONDS = 30.0
"""So often a namespace that refused is asked again."""
ASK_AGAIN_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Waits before each question to a server that refuses everything."""


class Upkeep:
    """Lists everything every so often, lets go of namespaces that refuse, and takes them back when they do no more.

    Args:
        lister: lists, and knows the namespaces.
        health: is told how the lists went.
        period: seconds between two lists.
        die: ends the process, with the reason.
        clock: seconds on a clock that never goes back.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        lister: Lister,
        health: Health,
        *,
        period: float,
        die: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._lister = lister
        self._health = health
        self._period = period
        self._die = die
        self._clock = clock
        self._sleep = sleep
        self._first = True
        self._next = clock() + min(FIRST_RESYNC_SECONDS, period)
        self.regroup = asyncio.Event()
        """Set when the namespaces to watch are others than before: the watches have to start again."""

    async def run(self) -> None:
        """For ever."""
        while True:
            wait = max(0.0, self._next - self._clock())
            await self._sleep(min(wait, REOPEN_SECONDS) if self._lister.closed else wait)
            await self.round()

    async def round(self) -> None:
        """Ask the closed namespaces again; list everything if it is time."""
        before = self._lister.namespaces
        try:
            await self._lister.reopen()
            if self._clock() >= self._next:
                await self._resync()
        except ApiError as error:
            log.warning("a closed namespace could not be asked", extra={"error": str(error)})
        if self._lister.namespaces != before:
            self._restart_watches()

    async def refused(self, error: Exception) -> bool:
        """A watch was refused: let go of the namespaces that refuse, if any still does, so that the watches can start again.
        False when everything is refused for as long as we care to ask: a server that has just started does that, too, until
        it has read its roles.
        """
        log.warning("a watch was refused", extra={"error": str(error)})
        for wait in ASK_AGAIN_SECONDS:
            await self._sleep(wait)
            try:
                if await self._lister.let_go():
                    self._restart_watches()
                    return True
            except ApiError as failure:
                log.warning("the namespaces could not be asked", extra={"error": str(failure)})
        return False

    def _restart_watches(self) -> None:
        self.regroup.set()
        self._first = True
        self._next = min(self._next, self._clock() + min(FIRST_RESYNC_SECONDS, self._period))

    async def _resync(self) -> None:
        self._next = self._clock() + self._period
        try:
            drift = await self._lister.repair(first=False)
        except ApiError as error:
            self._health.failed()
            log.warning("resync failed", extra={"error": str(error)})
        else:
            self._health.succeeded(0 if self._first else drift)
            self._first = False
        if verdict := self._health.verdict():
            self._die(verdict)
