"""The latest news from workers, in memory: one progress sample and some whole results for each VideoJob (A-010, A-012).

All of it is advisory: no decision depends on news having come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from videojob_api.contract import Progress, RunResult

MAX_GROUPS = 8
"""Groups of a VideoJob whose samples are kept."""
MAX_RESULTS = 8
"""Whole results kept per VideoJob."""


@dataclass(frozen=True)
class Sender:
    """The pod behind a post, as the cache knows it: which attempt it runs."""

    group: str
    attempt: int


@dataclass
class _Box:
    progress: dict[str, Progress] = field(default_factory=dict)
    """By group: stages in parallel tell of themselves side by side."""
    results: dict[str, RunResult] = field(default_factory=dict)


class Inbox:
    """The latest news of each VideoJob, in memory."""

    def __init__(self) -> None:
        self._boxes: dict[str, _Box] = {}

    def progress(self, uid: str) -> Progress | None:
        """The latest sample."""
        return next(reversed(self.news(uid)), None)

    def news(self, uid: str) -> tuple[Progress, ...]:
        """Latest sample of each group, the newest at the end."""
        box = self._boxes.get(uid)
        return tuple(box.progress.values()) if box else ()

    def results(self, uid: str) -> tuple[RunResult, ...]:
        """Whole results, each with the digest of the bytes that came."""
        box = self._boxes.get(uid)
        return tuple(box.results.values()) if box else ()

    def put_progress(self, sample: Progress) -> bool:
        """Keep the sample unless it goes back within its stage and attempt (I10). True when it is news."""
        box = self._boxes.setdefault(sample.uid, _Box())
        known = box.progress.get(sample.group)
        same = known is not None and (known.attempt, known.stage) == (sample.attempt, sample.stage)
        if known is not None and same and sample.percent < known.percent:
            return False
        news = known != sample
        box.progress.pop(sample.group, None)
        box.progress[sample.group] = sample
        while len(box.progress) > MAX_GROUPS:
            del box.progress[next(iter(box.progress))]
        return news

    def put_result(self, result: RunResult) -> None:
        """Keep a whole result; the oldest goes when there are too many."""
        box = self._boxes.setdefault(result.uid, _Box())
        box.results[str(result.sha256)] = result
        while len(box.results) > MAX_RESULTS:
            del box.results[next(iter(box.results))]

    def forget(self, uid: str) -> None:
        """The VideoJob is gone or finished."""
        self._boxes.pop(uid, None)
