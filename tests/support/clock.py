"""A clock that moves when the test says so."""

from __future__ import annotations


class Clock:
    """Seconds, and a sleep that only moves them on."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self.slept: list[float] = []

    def __call__(self) -> float:
        """The time."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Be later."""
        self.slept.append(seconds)
        self.now += seconds
