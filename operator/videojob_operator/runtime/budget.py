"""Token bucket: so many writes a second, with a short burst, and the important ones first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


class Budget:
    """At most `rate` permits a second on average, `burst` at once.

    Args:
        rate: permits a second.
        burst: permits that may be saved up; one second's worth when None.
        clock: seconds on a clock that never goes back.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        rate: float,
        burst: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if rate <= 0:
            raise ValueError(f"a budget of {rate} a second lets nothing through: give a rate above zero")
        self.rate = rate
        """Permits a second."""
        self.burst = max(1.0, rate if burst is None else burst)
        """Permits at once, at most."""
        self._clock = clock
        self._sleep = sleep
        self._tokens = self.burst
        self._last = clock()

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self.burst, self._tokens + (now - self._last) * self.rate)
        self._last = now

    def spare(self, reserve: float = 0.0) -> bool:
        """Whether a permit is there beyond `reserve`, which is left for more important work. Takes none."""
        self._refill()
        return self._tokens - 1.0 >= reserve

    def try_take(self) -> bool:
        """Take a permit if there is one."""
        if not self.spare():
            return False
        self._tokens -= 1.0
        return True

    async def take(self) -> float:
        """Take a permit, waiting for it in the order of the calls. Returns the seconds waited."""
        self._refill()
        self._tokens -= 1.0  # may go into debt: each caller waits until its own permit is paid back
        wait = max(0.0, -self._tokens / self.rate)
        if wait:
            await self._sleep(wait)
        return wait
