"""When to ask next how far a video is: as often as the spec says, and nearer together about the moment when it should be done.

A slot is held until somebody sees that the video is there. A server that tells its percent tells by it when that will be.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_SECONDS = 0.2
"""Between two questions, however near the end may be; doubled with each one that comes too early."""


@dataclass
class Pace:
    """The waits of one attempt. Time is what was waited, so that it says the same in a test that waits for nothing."""

    poll_seconds: float
    """Between two questions, where nothing says that it is nearly done."""
    patience_seconds: float
    waited: float = 0.0
    _first: tuple[float, int] | None = None
    _early: int = 0

    @property
    def over(self) -> bool:
        """Whether it was waited for as long as it may be."""
        return self.waited >= self.patience_seconds

    def wait(self, percent: int | None = None, asked: float | None = None) -> float:
        """Seconds until the next question, by the percent that the last answer told, and the wait that the server asked for."""
        seconds = self.poll_seconds
        left = self._left(percent)
        if left is not None and left < seconds:
            seconds = min(seconds, max(LEAST_SECONDS * 2**self._early, left))
            self._early += 1
        seconds = max(seconds, min(asked or 0.0, self.patience_seconds - self.waited))
        self.waited += seconds
        return seconds

    def _left(self, percent: int | None) -> float | None:
        """Seconds until 100 % at the speed since the first percent; None while nothing moves."""
        if percent is None:
            return None
        if self._first is None:
            self._first = (self.waited, percent)
        since, first = self._first
        if percent <= first or self.waited <= since:
            return None
        return (100 - percent) * (self.waited - since) / (percent - first)
