"""plan() is total and deterministic: whatever is seen, it answers, and twice the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, UID, Scene, a_failure, a_result, a_videojob, seen
from videojob_api.contract import Progress
from videojob_api.names import Phase
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.decide.job import TRANSITIONS, plan
from videojob_operator.decide.job.phases import legal, terminal
from videojob_operator.decide.world import ContainerView, Grant, JobView, Observed, PodView, VideoJobView

GROUPS = st.sampled_from(["main", "ingest", "transcode", "verify", "commit", "report-main", "report-ingest", "", "x"])
WORDS = st.one_of(st.none(), st.sampled_from(["OOMKilled", "ImagePullBackOff", "Evicted", "Error", ""]))
MESSAGES = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from([
        a_result("work", ["ingest", "transcode", "verify"]).model_dump_json(by_alias=True),
        a_result("commit", ["commit"], failure=a_failure()).model_dump_json(by_alias=True),
        a_result("work", sha256="ab").model_dump_json(by_alias=True),
    ]),
)  # fmt: skip
TIMES = st.one_of(st.none(), st.integers(-4000, 4000).map(lambda s: NOW + timedelta(seconds=s)))
CONTAINERS = st.builds(
    ContainerView,
    name=st.sampled_from(["work", "commit", "other"]),
    state=st.sampled_from(["Waiting", "Running", "Terminated"]),
    exit_code=st.one_of(st.none(), st.sampled_from([0, 1, 65, 69, 73, 74, 75, 78, 137, 143, 255])),
    reason=WORDS, message=MESSAGES, started_at=TIMES, finished_at=TIMES,
)  # fmt: skip
PODS = st.builds(
    PodView, name=st.just("p"), uid=st.just("u"),
    phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
    containers=st.lists(CONTAINERS, max_size=3).map(tuple), reason=WORDS, disruption=WORDS, unschedulable=WORDS,
    deleting=st.booleans(),
)  # fmt: skip
JOBS = st.builds(
    JobView, name=st.text("abc-", min_size=1, max_size=9), uid=st.uuids().map(str), group=GROUPS,
    attempt=st.integers(0, 4), created=TIMES.map(lambda time: time or NOW), slot=st.sampled_from([None, "cpu"]),
    finished=st.sampled_from([None, "Complete", "Failed"]), condition_message=st.one_of(st.none(), st.text(max_size=9)),
    finished_at=TIMES, deleting=st.booleans(), pods=st.lists(PODS, max_size=2).map(tuple), blocked=WORDS,
    suspended=st.booleans(),
)  # fmt: skip


def starts() -> list[VideoJobView]:
    """VideoJobs as they are along the way."""
    found = [a_videojob("Compact"), a_videojob("Spread", suspend=True)]
    for mode in ("Compact", "Spread"):
        scene = Scene.of(mode)
        scene.look()
        found.append(scene.seen.job)
        scene.settle()
        found.append(scene.seen.job)
        first = next(iter(scene.jobs))
        scene.fail(first, 75).settle()
        found.append(scene.seen.job)
        scene.tick(9).settle().succeed(first.replace("a1", "a2")).settle()
        found.append(scene.seen.job)
        found.append(Scene.of(mode).settle().ask(cancel="before").settle().seen.job)
        found.append(Scene.of(mode).settle().fail(first, 65, a_failure()).settle().seen.job)
        hungry = Scene.of(mode, retry={"maxAttempts": 9}).settle().fail(first, 137).settle().seen.job
        found.append(hungry)
        if hungry.status.plan is not None:  # of a version that knows more fields of a worker class
            strange = hungry.status.plan.model_copy(update={"worker": {"hologram": 1}})
            found.append(replace(hungry, status=hungry.status.model_copy(update={"plan": strange})))
    return found


@st.composite
def worlds(draw: st.DrawFn) -> Observed:
    fields: dict[str, Any] = {
        "now": NOW + timedelta(seconds=draw(st.integers(-100, 100_000))),
        "jobs": tuple(draw(st.lists(JOBS, max_size=4))),
        "grants": tuple(draw(st.lists(st.builds(
            Grant, group=GROUPS, attempt=st.integers(1, 3), slot=st.sampled_from(["cpu", "cache"]), count=st.integers(1, 4),
        ), max_size=2))),
        "queue_found": draw(st.booleans()),
        "waiting_message": draw(WORDS),
        "refused": draw(WORDS),
        "progress": tuple(draw(st.lists(st.builds(
            Progress, uid=st.just(UID), group=GROUPS, attempt=st.integers(0, 3),
            stage=st.sampled_from(["ingest", "transcode", "commit", "x"]), percent=st.integers(0, 100),
        ), max_size=2))),
    }  # fmt: skip
    asked = draw(st.sampled_from([(), ("cancel",), ("retry",), ("cancel", "retry")]))
    annotations = tuple((f"videojob.dev/{verb}", "nonce") for verb in asked)
    return seen(replace(draw(st.sampled_from(STARTS)), annotations=annotations), **fields)


STARTS = starts()


@settings(max_examples=400)
@given(worlds())
def test_any_world_gets_an_answer_and_the_same_one_twice(world: Observed) -> None:
    """Case 9: no input makes it raise; phases move only along the table (I3); percent stays in its bounds (I10)."""
    found = plan(world)
    assert found == plan(world)
    after = found.status or world.job.status
    assert legal(world.job.status.phase, after.phase, redriven=after.redrives != world.job.status.redrives)
    assert 0 <= after.progress.percent <= 100
    if found.status is not None:
        assert VideoJobStatus.model_validate(found.status.dump()) == found.status
        assert found.status != world.job.status
    if terminal(world.job.status.phase):
        assert not any(type(action).__name__ == "CreateJob" for action in found.actions)


def test_the_table_of_phases_names_every_phase_and_lets_nobody_out_of_the_end() -> None:
    """I3, X-001, X-002."""
    assert set(TRANSITIONS) == {None, *Phase}
    for phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED):
        assert terminal(phase)
        assert TRANSITIONS[phase] == frozenset()
    assert not terminal(None)
    assert legal(Phase.RUNNING, Phase.RUNNING)
    assert not legal(Phase.SUCCEEDED, Phase.RUNNING)
    assert legal(Phase.FAILED, Phase.QUEUED, redriven=True)
    assert not legal(Phase.SUCCEEDED, Phase.QUEUED, redriven=True)


def test_a_status_of_a_later_version_with_an_unknown_stage_is_lived_with() -> None:
    """Case 55."""
    scene = Scene.of().settle()
    stages = tuple(stage.model_copy(update={"name": f"{stage.name}2"}) for stage in scene.status.stages)
    changed = scene.status.model_copy(update={"stages": stages})
    found = plan(seen(VideoJobView("n", "n", UID, 1, NOW, scene.seen.job.spec, changed), jobs=scene.seen.jobs))
    assert found.status is None or found.status.progress.percent == 0
