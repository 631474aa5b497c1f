"""A Lease as a fence: at most one operator at work, judged by this process's own clock.

The times in the record are other machines' times and are written for people only. What counts is how long this process
has seen the record unchanged. The holder is the pod's UID, so that a restarted container of the same pod goes on at
once; another pod takes over as soon as the holder's pod is gone, else when the lease has expired.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Record:
    """The lease as stored: who holds it, and the version that a write must name."""

    holder: str
    version: str
    transitions: int = 0


class Backend(Protocol):
    """Where the lease is kept."""

    async def read(self) -> Record | None:
        """The record, None when there is none."""

    async def write(self, holder: str, expected: Record | None, *, taken_over: bool) -> Record | None:
        """Store `holder` if the record is still `expected` (None: absent); None when somebody else was faster."""

    async def holder_gone(self, holder: str) -> bool:
        """Whether the pod of that UID is known to be gone or finished."""


class Lease:
    """Acquire, keep, and notice the loss.

    Args:
        backend: where the lease is kept.
        holder: this pod's UID.
        clock: seconds on a clock that never goes back.
        sleep: waits that many seconds.
        duration: seconds an unchanged record protects its holder.
        deadline: seconds without a successful renewal after which the lease counts as lost; below `duration`, so that
            the old holder stops before the new one starts.
        period: seconds between two tries.
    """

    def __init__(
        self,
        backend: Backend,
        holder: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        duration: float = 15.0,
        deadline: float = 10.0,
        period: float = 2.0,
    ) -> None:
        self._backend = backend
        self._holder = holder
        self._clock = clock
        self._sleep = sleep
        self._duration = duration
        self._deadline = deadline
        self._period = period
        self._seen: Record | None = None
        self._seen_at = clock()
        self._renewed_at = clock()
        self.held = False
        self.last_error: Exception | None = None

    @property
    def holder(self) -> str | None:
        """Who holds the lease as far as this process has seen."""
        return self._seen.holder if self._seen else None

    async def try_acquire(self) -> bool:
        """One try to get or to renew the lease. Errors of the backend pass through.

        Who held it and finds another's name there has lost it, even if that one is gone by now: what was known is out of date.
        """
        began = self._clock()
        record = await self._backend.read()
        if record != self._seen:
            self._seen, self._seen_at = record, began
        ours = record is not None and record.holder == self._holder
        free = record is None or not record.holder
        if self.held and not (ours or free):
            self.held = False
            return False
        expired = began - self._seen_at >= self._duration
        if not (ours or free or expired) and not (record and await self._backend.holder_gone(record.holder)):
            self.held = False
            return False
        written = await self._backend.write(self._holder, record, taken_over=not ours)
        if written is None:
            self.held = False
            return False
        self._seen, self._seen_at = written, began
        self._renewed_at = began
        self.held = True
        return True

    async def acquire(self) -> None:
        """Return once the lease is held. An unreachable API server is waited for like another holder."""
        while True:
            try:
                if await self.try_acquire():
                    return
            except Exception as error:  # noqa: BLE001 - whatever is wrong with the server, the next try will tell
                self.last_error = error
            await self._sleep(self._period)

    async def keep(self) -> str:
        """Renew until the lease is lost; returns why. The caller ends the process."""
        while True:
            await self._sleep(self._period)
            try:
                async with asyncio.timeout(self._period * 2):
                    renewed = await self.try_acquire()
            except Exception as error:  # noqa: BLE001 - an outage shorter than the deadline harms nothing
                reason = f"{type(error).__name__}: {error}"
            else:
                if not renewed:
                    return f"the lease is held by {self.holder}"
                continue
            if self._clock() - self._renewed_at >= self._deadline:
                self.held = False
                return f"the lease could not be renewed for {self._deadline:.0f} s ({reason})"

    async def release(self) -> None:
        """Give the lease up, so that the next operator starts at once. Errors are ignored: expiry does the same."""
        if not self.held or self._seen is None:
            return
        self.held = False
        try:
            async with asyncio.timeout(2.0):
                await self._backend.write("", self._seen, taken_over=False)
        except Exception as error:  # noqa: BLE001 - the process is on its way out
            self.last_error = error
