"""Who wants a look at what: the keys of the work queue, and when the news behind a look arrived."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from ..runtime.queue import WorkQueue
from .metrics import Metrics

COALESCE_SECONDS = 0.005
"""A queue looks again this long after the first reason to: many jobs that change at once are granted in one go."""
WAKE = "wake"
"""Purpose of the timer that a plan, or a queue, sets for itself."""


class Key(NamedTuple):
    """What is to be looked at."""

    kind: Literal["job", "queue", "load", "report", "store"]
    """A VideoJob; of a VideoQueue its slots, its gate, or its status; a MediaStore."""
    id: str
    """UID of a VideoJob or MediaStore, or name of a VideoQueue."""


def of_job(uid: str) -> Key:
    """Key of a VideoJob."""
    return Key("job", uid)


def of_queue(name: str) -> Key:
    """Key of a VideoQueue."""
    return Key("queue", name)


def of_load(name: str) -> Key:
    """Key of a VideoQueue's gate."""
    return Key("load", name)


def of_report(name: str) -> Key:
    """Key of a VideoQueue's status."""
    return Key("report", name)


def of_store(uid: str) -> Key:
    """Key of a MediaStore."""
    return Key("store", uid)


class Wants:
    """Puts keys into the work queue.

    Args:
        queue: where they go.
        metrics: hears how long it took from an event to the Job it led to.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, queue: WorkQueue[Key], metrics: Metrics, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.queue = queue
        self._metrics = metrics
        self._clock = clock
        self._arrived: dict[str, float] = {}

    def job(self, uid: str) -> None:
        """Something about this VideoJob is new."""
        self._arrived.setdefault(uid, self._clock())
        self.queue.add(of_job(uid))

    def granting(self, name: str) -> None:
        """Requests or slots of this queue changed."""
        self._soon(of_queue(name))

    def load(self, name: str) -> None:
        """The numbers of VideoJobs in this queue changed."""
        self._soon(of_load(name))

    def store(self, uid: str) -> None:
        """Something about this MediaStore, its sweep or its VideoJobs is new."""
        self.queue.add(of_store(uid))

    def _soon(self, key: Key) -> None:
        if not self.queue.pending(key, WAKE):
            self.queue.add_after(key, COALESCE_SECONDS, WAKE)

    def created(self, uid: str) -> None:
        """A Job was created for this VideoJob."""
        began = self._arrived.get(uid)
        if began is not None:
            self._metrics.event_to_create.observe(self._clock() - began)

    def answered(self, uid: str) -> None:
        """The news has been dealt with, or its rest has to wait for others."""
        self._arrived.pop(uid, None)
