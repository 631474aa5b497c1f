"""The periodic, authoritative look: list everything, repair the cache, count what the watch streams had missed.

Watch streams lose deletions when they have to start again, and may die without a word. Without this look a ghost Job
would hold its slot for ever.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from .cache import Raw, Store, uid_of


@dataclass(frozen=True)
class Drift:
    """What one look repaired: objects that were unknown, out of date, or long gone."""

    missed: int = 0
    stale: int = 0
    ghosts: int = 0

    @property
    def total(self) -> int:
        """All repairs together."""
        return self.missed + self.stale + self.ghosts


async def repair(
    store: Store,
    pages: AsyncIterator[tuple[Raw, ...]],
    *,
    within: Callable[[Raw], bool],
    told: Callable[[Raw], bool] = lambda _: True,
    changed: Callable[[Raw], None],
    trim: Callable[[Raw], Raw],
    grace: Callable[[], Awaitable[None]] | None = None,
) -> Drift:
    """Bring one kind's store in line with an authoritative list.

    An object that was touched after the list began is left alone: the list may be older than the event. What the list
    knows better is repaired only if the watch has not told it by the end of the grace: on a busy cluster a list is always
    a moment ahead of some event, and that is no drift.

    Args:
        store: what is known.
        pages: the list, in pages.
        within: whether an object belongs to the part of the cluster that was listed.
        told: whether lists and watches have the object at all. One that lost the label they select on is known from a read
            of its own: it is dropped, so that it is read again, but nothing was missed.
        changed: told of every object that was added, replaced or pruned.
        trim: keeps what is needed of a listed object.
        grace: waits until events under way have arrived; None for the first list, when nobody watches yet.
    """
    began = store.now()
    missed = stale = pruned = 0
    news: list[Raw] = []
    async for page in pages:
        for raw in page:
            store.touch(uid_of(raw))
            if store.is_news(raw):
                if grace is not None:
                    news.append(trim(raw))
                    continue
                known = store.get(uid_of(raw)) is not None
                store.apply(slim := trim(raw))
                missed, stale = missed + (not known), stale + known
                changed(slim)
    ghosts = store.untouched_since(began, within)
    if grace is not None and (news or ghosts):
        await grace()
    for slim in news:
        known = store.get(uid_of(slim)) is not None
        if store.apply(slim):
            missed, stale = missed + (not known), stale + known
            changed(slim)
    still = {uid_of(raw) for raw in store.untouched_since(began, within)}
    for raw in ghosts:
        if uid_of(raw) in still:
            store.remove(uid_of(raw))
            pruned += told(raw)
            changed(raw)
    return Drift(missed, stale, pruned)


class Health:
    """Age of the last whole look, for the liveness probe, and the case for starting afresh.

    Args:
        period: seconds between two looks.
        clock: seconds on a clock that never goes back.
    """

    UNHEALTHY_ROUNDS = 3
    """That many looks in a row that failed, or that found the streams to have missed something, end the process: a
    restart costs nothing, a dead stream does."""

    def __init__(self, period: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._period = period
        self._clock = clock
        self._last = clock()
        self._failed = 0
        self._drifted = 0

    def age(self) -> float:
        """Seconds since a look last succeeded (or since the start)."""
        return self._clock() - self._last

    def alive(self) -> bool:
        """Whether looks still happen: three periods and half a minute without one mean a stuck process."""
        return self.age() <= self.UNHEALTHY_ROUNDS * self._period + 30.0

    def succeeded(self, drift: int) -> None:
        """A look was completed and repaired that many objects."""
        self._last = self._clock()
        self._failed = 0
        self._drifted = self._drifted + 1 if drift else 0

    def failed(self) -> None:
        """A look could not be completed."""
        self._failed += 1

    def verdict(self) -> str | None:
        """Why the process should end, or None."""
        if self._failed >= self.UNHEALTHY_ROUNDS:
            return f"the API server could not be listed {self._failed} times in a row"
        if self._drifted >= self.UNHEALTHY_ROUNDS:
            return f"the watch streams missed changes before {self._drifted} resyncs in a row"
        return None
