"""The graph that does nothing (`decide.recipes.noop`) in the words of the tests that use it: branches, items, ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

from builders import CONFIG, SHA, Scene, a_failure, a_result, running
from builders import ended as container_ended
from videojob_api.contract import StageResult
from videojob_api.fanout import WorkList, list_uri, read_indexes, write_indexes
from videojob_api.noop import NoopParams
from videojob_api.v1alpha1 import FailureStatus, StageStatus
from videojob_operator.decide.recipes.noop import MOST, noop
from videojob_operator.decide.world import Config, CreateJob, PodView

LIST, LEFT, RIGHT, ITEM, JOIN = "nooplist", "noopleft", "noopright", "noopitem", "noopjoin"


def a_config(items: int = 3, parallelism: int = MOST, **params: NoopParams) -> Config:
    """Every VideoJob runs the graph that does nothing."""
    recipe = noop(parallelism, **({"nooplist": NoopParams(items=items)} | params))
    return replace(CONFIG, recipes=(("Transcode", recipe),))


class Graph(Scene):
    """A VideoJob whose stages do nothing, in Jobs of their own."""

    items: int = 3

    @classmethod
    def begin(cls, items: int = 3, *, mode: str = "Spread", parallelism: int = MOST, **fields: Any) -> Self:
        """It was accepted, and its first Job is there."""
        scene = cls.of(mode, config=a_config(items, parallelism), **fields)
        scene.items = items
        scene.settle()
        return scene

    @classmethod
    def fanned(cls, items: int = 3, *, slots: int | None = None, parallelism: int = MOST, **fields: Any) -> Self:
        """Its fan-out has begun."""
        scene = cls.begin(items, parallelism=parallelism, **fields)
        scene.slots = slots
        scene.ok(LIST).ok(LEFT).ok(RIGHT)
        return scene

    def stage(self, kind: str) -> StageStatus:
        """A stage's status by its kind."""
        return next(stage for stage in self.status.stages if stage.group == kind)

    def job_key(self, group: str) -> str:
        """Key of the latest Job of a group."""
        attempts = [job.attempt for job in self.seen.jobs if job.group == group]
        return f"{group}-a{max(attempts)}"

    def ok(self, group: str, *, granted: bool = True) -> Self:
        """The pod of the group's latest Job ends with success."""
        job = self.jobs[self.job_key(group)]
        listed = None
        if group == LIST:
            uri = list_uri(LIST, str(self.stage(LIST).key))
            listed = WorkList(uri=uri, sha256=SHA, size_bytes=100, items=self.items)
        stage = StageResult(kind=group, cpu_seconds=1.0, work_list=listed)
        said = a_result("work", group=group, attempt=job.attempt).model_copy(update={"stages": (stage,)})
        self.pod(f"{group}-a{job.attempt}", container_ended("work", 0, said, at=self.seen.now))
        return self.tick(10).settle(granted=granted)  # type: ignore[return-value]

    def bad(self, group: str, code: int = 75, failure: FailureStatus | None = None) -> Self:
        """It fails."""
        job = self.jobs[self.job_key(group)]
        said = a_result("work", group=group, attempt=job.attempt, exit_code=code, failure=failure)
        at = self.seen.now
        self.pod(f"{group}-a{job.attempt}", container_ended("work", code, said if failure else None, at=at))
        return self.tick(10).settle()  # type: ignore[return-value]

    def works(self, *indexes: int) -> Self:
        """Pods of these completion indexes of the fan-out are at work."""
        for index in indexes:
            self._put(PodView(f"p{index}", f"u{index}", "Running", (running("work", self.seen.now),), index=index))
        return self.settle()  # type: ignore[return-value]

    def item(self, index: int, code: int = 0, *, said: bool = True, **pod: Any) -> Self:
        """The pod of a completion index ends."""
        key = self.job_key(ITEM)
        job = self.jobs[key]
        left = self.launched(ITEM).document.indexes
        number = read_indexes(left)[index]
        failure = a_failure("Noop", "Recoverable" if code != 65 else "Permanent", "NoopItem") if code else None
        stage = StageResult(kind=ITEM, cpu_seconds=1.0)
        result = a_result("work", group=ITEM, attempt=job.attempt, exit_code=code, failure=failure)
        result = result.model_copy(update={"index": number, "stages": () if code else (stage,)})
        done = container_ended(
            "work", code, result if said else None, at=self.seen.now - timedelta(seconds=5), seconds=5
        )
        self._put(PodView(f"p{index}", f"u{index}", "Running", (done,), index=index, **pod))
        return self.settle()  # type: ignore[return-value]

    def gone(self, *indexes: int, completed: bool = True) -> Self:
        """The pod objects of these indexes are gone; the Job controller has counted them."""
        job = self.jobs[self.job_key(ITEM)]
        field = "completed" if completed else "failed"
        text = write_indexes({*read_indexes(getattr(job, field)), *indexes})
        pods = tuple(pod for pod in job.pods if pod.index not in indexes)
        self.change(self.job_key(ITEM), pods=pods, **{field: text})
        return self.settle()  # type: ignore[return-value]

    def launched(self, group: str) -> CreateJob:
        """The latest Job of a group as it was created."""
        made = [action for plan in self.plans for action in plan.actions if isinstance(action, CreateJob)]
        return [action for action in made if action.document.group == group][-1]

    def _put(self, pod: PodView) -> None:
        key = self.job_key(ITEM)
        others = tuple(other for other in self.jobs[key].pods if other.index != pod.index)
        self.change(key, pods=(*others, pod))
