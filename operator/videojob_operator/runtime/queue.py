"""The keyed, deduplicating work queue: any number of events about one key become one piece of work.

The semantics are those of client-go's workqueue, which every Go controller leans on: a key is in the queue at most once; a
key that is being worked on is never given to a second worker; a key added meanwhile runs once more afterwards. Failures
back off per key; timers are per key and purpose and replace one another.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

FIRST_BACKOFF_SECONDS = 0.005
DEFAULT_CAP_SECONDS = 60.0
RETRY = "retry"
"""Purpose of the timer that `add_failed` sets."""


class WorkQueue(Generic[K]):
    """Keys waiting to be worked on. Not thread-safe: everything happens on one event loop.

    Args:
        clock: seconds on a clock that never goes back.
        cap: longest backoff of a failing key, in seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, cap: float = DEFAULT_CAP_SECONDS) -> None:
        self._clock = clock
        self._cap = cap
        self._ready: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        self._timers: dict[tuple[K, str], tuple[float, int]] = {}
        self._heap: list[tuple[float, int, K, str]] = []
        self._sequence = itertools.count()
        self._changed = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        """Keys that are ready and wait for a worker."""
        return len(self._ready)

    @property
    def delayed(self) -> int:
        """Timers that have not fired."""
        return len(self._timers)

    @property
    def busy(self) -> int:
        """Keys being worked on."""
        return len(self._processing)

    def add(self, key: K) -> None:
        """Want `key` worked on; nothing happens if it is already waiting."""
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, seconds: float, purpose: str = RETRY) -> None:
        """Add `key` that many seconds from now, instead of the earlier timer of the same key and purpose."""
        self.cancel(key, purpose)
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock() + seconds
        number = next(self._sequence)
        self._timers[key, purpose] = (due, number)
        heapq.heappush(self._heap, (due, number, key, purpose))
        self._compact()
        self._changed.set()

    def pending(self, key: K, purpose: str) -> bool:
        """Whether a timer of that purpose waits for the key."""
        return (key, purpose) in self._timers

    def cancel(self, key: K, purpose: str = RETRY) -> None:
        """Forget the timer of that key and purpose."""
        self._timers.pop((key, purpose), None)

    def add_failed(self, key: K, at_least: float = 0.0) -> float:
        """Add `key` after its backoff: 5 ms, doubled with each failure up to the cap. Returns the wait in seconds."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        wait = max(at_least, min(self._cap, FIRST_BACKOFF_SECONDS * float(1 << min(count, 40))))
        self.add_after(key, wait)
        return wait

    def succeeded(self, key: K) -> None:
        """Forget the key's failures."""
        self._failures.pop(key, None)
        self.cancel(key)

    def failures(self, key: K) -> int:
        """Failures in a row."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """Drop every timer and failure of a key whose object is gone."""
        self._failures.pop(key, None)
        for entry in [entry for entry in self._timers if entry[0] == key]:
            del self._timers[entry]

    def fire(self) -> float | None:
        """Move the keys whose time has come to the queue. Returns the seconds until the next timer, None without one."""
        now = self._clock()
        while self._heap:
            due, number, key, purpose = self._heap[0]
            if self._timers.get((key, purpose)) != (due, number):  # replaced or cancelled
                heapq.heappop(self._heap)
                continue
            if due > now:
                return due - now
            heapq.heappop(self._heap)
            del self._timers[key, purpose]
            self.add(key)
        return None

    def take(self) -> K | None:
        """The next key, now marked as being worked on; None when nothing is ready."""
        self.fire()
        if not self._ready:
            return None
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    async def get(self) -> K | None:
        """Wait for the next key; None once the queue is closed."""
        while True:
            if self._closed:
                return None
            key = self.take()
            if key is not None:
                if self._ready:
                    self._changed.set()  # another worker may go on at once
                return key
            self._changed.clear()
            wait = self.fire()
            if self._ready:
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        """The worker has finished with `key`; it runs again if it was added meanwhile."""
        self._processing.discard(key)
        if key in self._dirty and not self._closed:
            self._ready.append(key)
            self._changed.set()

    def close(self) -> None:
        """Let every `get` return None; keys added later are ignored."""
        self._closed = True
        self._changed.set()

    def _compact(self) -> None:
        """Replaced timers stay in the heap until their time; rebuild it before they outnumber the live ones."""
        if len(self._heap) > 64 and len(self._heap) > 4 * len(self._timers):
            self._heap = [(due, number, key, purpose) for (key, purpose), (due, number) in self._timers.items()]
            heapq.heapify(self._heap)


async def work(queue: WorkQueue[K], handle: Callable[[K], Awaitable[None]]) -> None:
    """One worker: handle keys one after another until the queue closes. `handle` deals with its own errors."""
    while (key := await queue.get()) is not None:
        try:
            await handle(key)
        finally:
            queue.done(key)
