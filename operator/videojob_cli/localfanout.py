"""A fan-out without a cluster: its work items as pods of one Job, as many at once as slots were granted."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from videojob_api.contract import Progress, RunResult
from videojob_api.fanout import write_indexes
from videojob_operator.decide.world import CreateJob, JobView

from .forked import ForkServer
from .localjob import Folders, LocalJob

Start = Callable[[CreateJob, int, Callable[[], None]], LocalJob]
"""Starts the pod of one completion index; the last argument is called whenever something about it has changed."""


def launcher(
    folders: Folders, *, server: ForkServer, environ: Mapping[str, str], log: Callable[[str], None] | None = None
) -> Callable[[CreateJob, Callable[[], None]], LocalJob | LocalFanOut]:
    """What starts Jobs on this machine: one pod, or one for each work item."""

    def start(action: CreateJob, changed: Callable[[], None], index: int | None = None) -> LocalJob:
        return LocalJob(action, folders, server=server, environ=environ, changed=changed, log=log, index=index)

    def launch(action: CreateJob, changed: Callable[[], None]) -> LocalJob | LocalFanOut:
        if action.completions is None:
            return start(action, changed)
        return LocalFanOut(action, lambda one, index, news: start(one, news, index), changed=changed)

    return launch


class LocalFanOut:
    """Starts when made; `view()` is what an operator would see of it. An item that fails leaves the others alone."""

    def __init__(self, action: CreateJob, start: Start, *, changed: Callable[[], None]) -> None:
        self.action = action
        self.uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{action.document.job.uid}/{action.name}"))
        self._start = start
        self._changed = changed
        self._lock = threading.RLock()
        self._created = datetime.now(UTC)
        self._parallelism = action.parallelism
        self._waiting = list(range(action.completions or 0))
        self._pods: dict[int, LocalJob] = {}
        self._ended: dict[int, bool] = {}
        self._finished_at: datetime | None = None
        self._stopping = False
        self._next()

    # ------------------------------------------------------------ seen from outside

    @property
    def progress(self) -> Progress | None:
        """What single items post is too small to tell."""
        return None

    @property
    def results(self) -> tuple[RunResult, ...]:
        """Whole results that were too large for a termination message."""
        with self._lock:
            return tuple(result for pod in self._pods.values() for result in pod.results)

    def view(self) -> JobView:
        """The Job with its pods, as it is now."""
        with self._lock:
            good = [index for index, succeeded in self._ended.items() if succeeded]
            bad = [index for index, succeeded in self._ended.items() if not succeeded]
            return JobView(
                name=self.action.name,
                uid=self.uid,
                group=self.action.document.group,
                attempt=self.action.document.attempt,
                created=self._created,
                slot=self.action.slot,
                parallelism=self._parallelism,
                completions=self.action.completions,
                completed=write_indexes(good),
                failed=write_indexes(bad),
                finished=None if self._finished_at is None else "Failed" if bad else "Complete",
                finished_at=self._finished_at,
                pods=tuple(pod for _, one in sorted(self._pods.items()) for pod in one.view().pods),
            )

    def widen(self, parallelism: int) -> None:
        """Let so many items run at once from now on."""
        with self._lock:
            self._parallelism = parallelism
        self._heard()

    def stop(self) -> None:
        """End its processes, and wait until they have ended."""
        with self._lock:
            self._stopping = True
            pods = list(self._pods.values())
        for pod in pods:
            pod.stop()

    # ------------------------------------------------------------ inside

    def _heard(self) -> None:
        self._next()
        self._changed()

    def _next(self) -> None:
        """Note who has ended, and start whoever comes next. A pod tells of itself from its own thread, perhaps before its
        constructor has returned: then the next one to tell sees it.
        """
        with self._lock:
            for index, pod in self._pods.items():
                seen = pod.view()
                if seen.finished is not None:
                    self._ended[index] = seen.finished == "Complete"
            while self._waiting and not self._stopping and len(self._pods) - len(self._ended) < self._parallelism:
                index = self._waiting.pop(0)
                self._pods[index] = self._start(self.action, index, self._heard)
            whole = len(self._ended) == (self.action.completions or 0)
            if self._finished_at is None and (whole or (self._stopping and len(self._ended) == len(self._pods))):
                self._finished_at = datetime.now(UTC)
