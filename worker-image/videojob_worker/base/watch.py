"""Clocks a process is judged by: a stop request, a wall deadline, and a watchdog on the media's own clock."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from .errors import Stalled, Stopped

Clock = Callable[[], float]
"""Seconds of a monotonic clock."""


class Stop:
    """A request to stop, raised by a signal handler and seen by whoever waits on `fileno()` or calls `check()`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        self.requested = False

    def request(self) -> None:
        """Ask everybody to stop; safe in a signal handler."""
        self.requested = True
        try:
            os.write(self._writer, b"x")
        except BlockingIOError:
            return  # the pipe is full of earlier requests: everybody has been woken

    def fileno(self) -> int:
        """A descriptor that is readable once a stop was requested, for selectors."""
        return self._reader

    def check(self) -> None:
        """Raise Stopped if a stop was requested."""
        if self.requested:
            raise Stopped


class Deadline:
    """Wall time since the container's start."""

    def __init__(self, seconds: float | None, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self.seconds = seconds

    def allow(self, seconds: float) -> None:
        """Set the allowance anew; it still counts from the start."""
        self.seconds = seconds

    def left(self) -> float | None:
        """Seconds left, below zero when passed; None without a deadline."""
        return None if self.seconds is None else self.seconds - (self._clock() - self._start)

    def check(self, what: str) -> None:
        """Raise Stalled with code Timeout if the deadline has passed (T-021: `FFmpeg timeout`)."""
        left = self.left()
        if left is not None and left <= 0:
            raise Stalled(
                "Timeout",
                f"{what} timeout: not done after {self.seconds:.0f} s",
                hint="raise spec.timeoutSeconds, ask for fewer profiles, or give the job more CPU",
            )


class Watchdog:
    """Ends what lives but gets nowhere: its clock is the position in the media, not the wall."""

    def __init__(self, limit_seconds: float, clock: Clock = time.monotonic) -> None:
        self.limit_seconds = limit_seconds
        self._clock = clock
        self._seen = clock()
        self._position = -1.0

    def advance(self, position: float) -> None:
        """Tell where the media's clock stands; only a higher position counts."""
        if position > self._position:
            self._position = position
            self._seen = self._clock()

    def check(self, what: str) -> None:
        """Raise Stalled if the position has not advanced for the limit."""
        if self._clock() - self._seen > self.limit_seconds:
            raise Stalled(
                "Stalled",
                f"{what} made no progress for {self.limit_seconds:.0f} s",
                hint="the input may hold a passage no decoder gets through; see debug/ for its last words",
            )
