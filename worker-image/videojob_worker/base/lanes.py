"""Work side by side in threads: for libraries that let go of the interpreter while they compute."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")
Other = TypeVar("Other")


_here = threading.local()
"""Of a lane: whether it shares the cores with others."""


def _begin(shared: bool) -> None:
    _here.shared = shared


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def behind(items: Iterable[Given], work: Callable[[Given], Made], lanes: int | None = None) -> Iterator[Made]:
    """What `work` makes of each item, in their order: made in threads, as many as there are cores, while the caller's thread
    makes the next items and uses the last ones.

    At most two items more than there are lanes are on their way, so that a long film is never in memory. What an item or its work
    raises is raised in its turn; then, or when the caller stops listening, nothing new is begun and what runs is waited for.
    """
    count = max(1, lanes if lanes is not None else cores())
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(count, thread_name_prefix="lane", initializer=_begin, initargs=(count > 1,))
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            while len(waiting) > count + 1 or (waiting and waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def both(one: Callable[[], Made], other: Callable[[], Other]) -> tuple[Made, Other]:
    """What two pieces of work make, at the same time where there are two cores and this is not one of several lanes already.
    Raises what either raises.
    """
    if cores() < 2 or getattr(_here, "shared", False):
        return one(), other()
    with ThreadPoolExecutor(1, thread_name_prefix="lane") as pool:
        later = pool.submit(other)
        return one(), later.result()
