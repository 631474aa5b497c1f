"""Whole stories of one VideoJob, told step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, Scene, a_failure, seen
from videojob_api import names
from videojob_operator.decide.job import POLICIES, plan
from videojob_operator.decide.world import CreateJob, Grant


@pytest.mark.parametrize("mode", ["Compact", "Spread", "Auto"])
def test_the_happy_path_ends_with_published_outputs(mode: str) -> None:
    """T-001, T-007: one Job a group, outputs in status, one event a transition, then nothing more."""
    scene = Scene.of(mode).settle()
    groups = ["main"] if mode != "Spread" else ["ingest", "transcode", "verify", "commit"]
    for group in groups:
        assert scene.status.phase == "Running"
        scene.succeed(f"{group}-a1").settle()
    assert scene.status.phase == "Succeeded"
    assert [output.name for output in scene.status.outputs] == ["720p", "480p", "thumbnail"]
    assert len(scene.jobs) == len(groups)
    assert scene.told() == ["StageStarted", "progress_update", "StageSucceeded"] * len(groups) + [
        "processing_completed"
    ]
    assert scene.status.progress.summary == "100%"
    assert scene.status.input is not None
    assert scene.status.input.width == 1920
    for kind in ("Accepted", "Ready", "Complete", "Finished"):
        assert scene.condition(kind) == ("True", "Resolved" if kind == "Accepted" else "Succeeded")
    for kind in ("Reconciling", "Stalled"):
        assert scene.condition(kind) == ("False", "Succeeded")
    assert scene.condition("Failed") is None
    assert all(c.observed_generation == 1 for c in scene.status.conditions)


def test_the_plan_is_on_record_before_the_first_job() -> None:
    first = plan(seen(grants=(Grant("main", 1, "cpu"),)))
    assert first.status is not None
    assert first.status.plan is not None
    assert first.actions == ()
    assert first.status_first


def test_a_compact_job_takes_few_status_writes() -> None:
    """O3: acceptance, launch, end."""
    scene = Scene.of().settle()
    scene.succeed("main-a1").settle()
    assert scene.writes == 3


def test_the_next_group_starts_when_the_container_has_ended_not_when_the_job_says_so() -> None:
    """A stage ends when its container has terminated; verify has no slot to wait for when one is free."""
    scene = Scene.of("Spread").settle()
    for group in ("ingest", "transcode"):
        scene.succeed(f"{group}-a1").settle()
    scene.succeed("verify-a1")
    assert scene.jobs["verify-a1"].finished is None
    found = scene.look()
    assert [action.document.group for action in found.actions if isinstance(action, CreateJob)] == ["commit"]


def test_terminal_phases_absorb() -> None:
    """I3: whatever is seen later, nothing starts and nothing is written."""
    scene = Scene.of().settle()
    scene.succeed("main-a1").settle().lose("main-a1").spec(priority="High")
    found = scene.look(granted=True)
    assert found.actions == ()
    assert found.status is not None
    assert found.status.observed_generation == 2
    assert found.status.phase == "Succeeded"
    assert scene.look(granted=True).status is None


def test_a_videojob_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    scene = Scene.of().settle()
    scene.set(job=replace(scene.seen.job, deleting=True))
    assert plan(scene.seen).actions == ()
    assert plan(scene.seen).status is None


def test_a_dead_letter_carries_label_condition_event_and_reason() -> None:
    """T-005, T-010, I9."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 65, a_failure()).settle()
    assert scene.status.phase == "Failed"
    assert dict(scene.seen.job.labels) == {names.LABEL_DEAD_LETTER: "true"}
    assert scene.condition("DeadLettered") == ("True", "Permanent")
    assert scene.condition("Finished") == ("True", "Permanent")
    assert scene.condition("Stalled") == ("True", "Permanent")
    assert scene.told()[-1] == "processing_failed"
    failure = scene.status.failure
    assert failure is not None
    assert (failure.failure_class, failure.code, failure.stage, failure.exit_code) == (
        "Permanent", "InvalidFileType", "Ingest", 65,
    )  # fmt: skip
    assert failure.hint == "what to do"
    assert scene.events[-1].message == "InvalidFileType: InvalidFileType: as the worker says; what to do"
    assert scene.status.completion_time is not None


def test_the_hint_of_a_dead_letter_stays_whole_behind_a_message_without_end() -> None:
    """I9: an Event's message has 1 KiB; what to do about it is worth more than the end of what happened."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 65, a_failure().model_copy(update={"message": "ü" * 3000})).settle()
    told = scene.events[-1].message
    assert told.startswith("InvalidFileType: üüü")
    assert told.endswith("ü; what to do")
    assert len(told.encode()) <= 1024


def test_conditions_keep_the_time_of_their_last_transition() -> None:
    scene = Scene.of().settle()
    scene.tick(100).succeed("main-a1").settle()
    times = {c.type: c.last_transition_time for c in scene.status.conditions}
    assert times["Accepted"] == NOW
    assert times["Ready"] > NOW


def test_policies_have_an_order_and_each_says_what_it_is_for() -> None:
    assert [policy.__name__ for policy in POLICIES] == [
        "redrive", "accept", "harvest", "cancel", "retry", "deadline", "hop", "suspend", "publish", "launch", "widen", "advance",
        "finish", "notify", "withdraw", "retain", "cleanup",
    ]  # fmt: skip
    assert all(policy.__doc__ for policy in POLICIES)
