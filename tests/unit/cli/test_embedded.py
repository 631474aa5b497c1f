"""The run without a cluster: plan() and grant() as they are, Jobs that end as the test says (X-023, X-004, X-006)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from videojob_api.contract import Progress, RunResult, StageResult
from videojob_api.v1alpha1 import FailureStatus, InputStatus, OutputStatus, VideoJobSpec, VideoJobStatus
from videojob_cli.embedded import Embedded
from videojob_cli.run import obstacle
from videojob_operator.decide.world import ContainerView, CreateJob, JobView, PodView, VideoJobView

SHA = "a" * 64
INPUT = InputStatus(
    size_bytes=1,
    sha256=SHA,
    container="mp4",
    duration_ms=1000,
    width=2,
    height=2,
    frame_rate="25/1",
    video_codec="h264",
)


def output(name: str, uid: str) -> OutputStatus:
    return OutputStatus(
        name=name, profile=name, path=f"videos/{name}.mp4", uri=f"store://jobs/{uid}/videos/{name}.mp4",
        media_type="video/mp4", size_bytes=1, sha256=SHA, width=2, height=2, video_codec="h264",
    )  # fmt: skip


@dataclass
class Scripted:
    """A Job that has ended when it is first looked at."""

    action: CreateJob
    exit_codes: dict[str, int]
    end: Literal["at once", "never"] = "at once"
    uid: str = "job"
    progress: Progress | None = None
    results: tuple[RunResult, ...] = ()
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    stopped: bool = False

    def view(self) -> JobView:
        document = self.action.document
        containers = []
        for name in document.containers():
            code = self.exit_codes.get(name, 0)
            done = self.end == "at once" or self.stopped
            message = self._result(name, code) if done else None
            containers.append(
                ContainerView(
                    name,
                    "Terminated" if done else "Running",
                    code if done else None,
                    message=message,
                    started_at=self.created,
                    finished_at=datetime.now(UTC) if done else None,
                )
            )
            if code or not done:
                break
        failed = any(container.exit_code for container in containers)
        phase = "Running" if self.end == "never" and not self.stopped else "Failed" if failed else "Succeeded"
        pod = PodView(f"{self.action.name}-p", "p", phase, tuple(containers))
        return JobView(
            self.action.name, self.uid, document.group, document.attempt, self.created, self.action.slot, self.action.also,
            pods=(pod,),
        )  # fmt: skip

    def _result(self, container: str, code: int) -> str:
        document = self.action.document
        failure = FailureStatus(failure_class="Recoverable", code="FFmpegFailed", message="it broke") if code else None
        stages = tuple(
            StageResult(
                kind=task.kind,
                input=INPUT if task.kind == "ingest" else None,
                files=tuple(output(each["name"], document.job.uid) for each in task.params["outputs"])
                if task.kind == "commit"
                else tuple(output(name, document.job.uid) for name in ("video", "thumbnail"))
                if task.kind == "deliver"
                else (),
            )
            for task in document.stages
            if task.container == container
        )
        result = RunResult(
            uid=document.job.uid, group=document.group, attempt=document.attempt, container=container, exit_code=code,
            stages=() if code else stages, failure=failure,
        )  # fmt: skip
        return result.model_dump_json(by_alias=True, exclude_none=True)

    def stop(self) -> None:
        self.stopped = True


def job(name: str, **spec: Any) -> VideoJobView:
    transcode = {"source": {"uri": f"store://inbox/{SHA}"}, "profiles": ["720p"], **spec.pop("transcode", {})}
    model = VideoJobSpec.model_validate({"transcode": transcode, **spec})
    return VideoJobView("default", name, f"uid-{name}", 1, datetime.now(UTC), model, VideoJobStatus())


class Machine:
    """Starts Jobs by a script: exit codes of each attempt's containers."""

    def __init__(
        self, script: Callable[[CreateJob], dict[str, int]], end: Literal["at once", "never"] = "at once"
    ) -> None:
        self.script, self.end = script, end
        self.started: list[Scripted] = []
        self.most_at_once = 0

    def __call__(self, action: CreateJob, changed: Callable[[], None]) -> Scripted:
        self.started.append(Scripted(action, self.script(action), self.end))
        changed()
        return self.started[-1]

    def attempts(self) -> list[tuple[str, int]]:
        return [(each.action.document.group, each.action.document.attempt) for each in self.started]


def run(machine: Machine, *jobs: VideoJobView, capacity: int = 1) -> list[VideoJobView]:
    embedded = Embedded(machine, capacity={"cpu": capacity})
    for each in jobs:
        embedded.add(each)
    return embedded.run()


def test_a_job_runs_to_its_published_outputs() -> None:
    machine = Machine(lambda _: {})
    (ended,) = run(machine, job("one"))
    assert ended.status.phase == "Succeeded"
    assert [each.name for each in ended.status.outputs] == ["720p"]
    assert machine.attempts() == [("main", 1)]
    assert obstacle(ended) is None


def test_spread_starts_one_job_a_stage() -> None:
    machine = Machine(lambda _: {})
    (ended,) = run(machine, job("one", execution={"mode": "Spread"}))
    assert ended.status.phase == "Succeeded"
    assert [group for group, _ in machine.attempts()] == ["ingest", "transcode", "verify", "commit"]


def test_a_failed_attempt_is_retried_as_on_the_cluster() -> None:
    """X-006: the second attempt of the same group, after its backoff."""
    machine = Machine(lambda action: {"work": 75} if action.document.attempt == 1 else {})
    (ended,) = run(machine, job("one", retry={"backoffSeconds": 0}))
    assert ended.status.phase == "Succeeded"
    assert machine.attempts() == [("main", 1), ("main", 2)]


def test_the_last_attempt_decides() -> None:
    machine = Machine(lambda _: {"work": 75})
    (ended,) = run(machine, job("one", retry={"backoffSeconds": 0, "maxAttempts": 2}))
    assert ended.status.phase == "Failed"
    assert ended.status.failure is not None
    assert ended.status.failure.message == "it broke"
    assert machine.attempts() == [("main", 1), ("main", 2)]


def test_more_jobs_than_slots_all_get_their_turn() -> None:
    """X-004: one slot, three VideoJobs, in the order they came."""
    machine = Machine(lambda _: {})
    ended = run(machine, job("one"), job("two"), job("three"))
    assert [view.status.phase for view in ended] == ["Succeeded"] * 3
    assert sorted(each.action.document.job.name for each in machine.started) == ["one", "three", "two"]


def face(name: str, **spec: Any) -> VideoJobView:
    """An avatar."""
    avatar = {"image": {"uri": f"store://inbox/{SHA}"}, "audio": {"uri": "store://stock/voice.wav"}}
    model = VideoJobSpec.model_validate({"avatar": avatar, "retry": {"backoffSeconds": 0}, **spec})
    return VideoJobView("default", name, f"uid-{name}", 1, datetime.now(UTC), model, VideoJobStatus())


def holders(machine: Machine) -> list[tuple[str, str, tuple[str, ...]]]:
    """VideoJob, group and slot classes of what found people or cut them out."""
    actions = [each.action for each in machine.started if each.action.document.group in ("detect", "matte")]
    return [
        (one.document.job.name, one.document.group, (*([one.slot] if one.slot else ()), *one.also)) for one in actions
    ]


SLOTS = {"cpu": 4, "yolo": 2, "birefnet": 1, "avatar": 5}


def drive(machine: Machine, *views: VideoJobView) -> None:
    embedded = Embedded(machine, capacity=SLOTS)
    for view in views:
        embedded.add(view)
    embedded.run()


def test_a_005_one_avatar_is_found_and_cut_out_by_one_process() -> None:
    """As on the cluster: nobody waits for either slot. A failed cut-out is tried again alone."""
    machine = Machine(lambda _: {})
    drive(machine, face("one"))
    assert holders(machine) == [("one", "detect", ("yolo", "birefnet"))]
    assert [task.kind for task in machine.started[1].action.document.stages] == ["detect", "matte"]


def test_a_005_of_several_none_holds_both_while_another_one_waits() -> None:
    machine = Machine(lambda _: {})
    drive(machine, *(face(name) for name in ("a", "b", "c")))
    found = holders(machine)
    assert [(name, slots) for name, group, slots in found if group == "detect"][:2] == [
        ("a", ("yolo",)),
        ("b", ("yolo",)),
    ]
    assert {name for name, _, slots in found if "birefnet" in slots} == {"a", "b", "c"}


def test_a_spread_avatar_has_a_process_for_each_stage() -> None:
    machine = Machine(lambda _: {})
    drive(machine, face("one", execution={"mode": "Spread"}))
    assert holders(machine) == [("one", "detect", ("yolo",)), ("one", "matte", ("birefnet",))]


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (job("one", transcode={"profiles": ["nowhere"]}), "no VideoProfile nowhere .*known: 360p, 480p, 720p"),
        (job("one", suspend=True), "spec.suspend is set"),
        (job("one", queue="fast"), "no VideoQueue fast"),
    ],
    ids=["an unknown profile", "suspended", "a queue that only a cluster has"],
)
def test_what_can_never_start_is_told_instead_of_waited_for(view: VideoJobView, says: str) -> None:
    """T-008: the sentence is the operator's own."""
    machine = Machine(lambda _: {})
    (ended,) = run(machine, view)
    assert machine.started == []
    text = obstacle(ended)
    assert text is not None
    assert re.search(says, text), text


def test_nothing_is_left_running_when_the_run_is_interrupted() -> None:
    machine = Machine(lambda _: {}, end="never")

    class Interrupt(Embedded):
        def _settle(self) -> None:
            super()._settle()
            raise KeyboardInterrupt

    embedded = Interrupt(machine, capacity={"cpu": 1})
    embedded.add(job("one"))
    with pytest.raises(KeyboardInterrupt):
        embedded.run()
    assert [each.stopped for each in machine.started] == [True]
