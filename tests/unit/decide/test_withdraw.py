"""What a cancelled or failed avatar has left at its provider is removed by a Job of its own (A-004, A-046)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import UID, a_failure, a_result, ended, seen
from simavatar import an_avatar, delivered
from storyboard import Tale
from videojob_api import names
from videojob_api.avatar.tasks import WithdrawParams
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import WithdrawalStatus
from videojob_operator.cluster.settled import is_settled
from videojob_operator.decide.job import withdrawing
from videojob_operator.decide.world import CreateJob, DeleteVideoJob

ONLINE: dict[str, Any] = {"provider": {"name": "did", "secretName": "d-id", "patienceSeconds": 3600}}
BEFORE = ("speak", "detect", "matte")


def animating(*, avatar: dict[str, Any] | None = None, until: int = 3, **fields: Any) -> Tale:
    """An avatar of which the provider is being asked."""
    face = Tale(seen(an_avatar(avatar=ONLINE if avatar is None else avatar, **fields)))
    face.settle()
    face.ok(*BEFORE[:until])
    return face


def cancelled(**fields: Any) -> Tale:
    face = animating(**fields)
    face.ask(cancel="one").settle()
    return face


def jobs(face: Tale) -> list[str]:
    """Jobs ever created for the removal."""
    made = (action for plan in face.plans for action in plan.actions if isinstance(action, CreateJob))
    return [action.name for action in made if action.document.group == "withdraw"]


def row(face: Tale) -> WithdrawalStatus:
    assert face.status.withdrawal is not None
    return face.status.withdrawal


def answered(face: Tale, *notes: str, code: int = 0) -> Tale:
    """The pod of the latest removal ends."""
    group, attempt = "withdraw", row(face).attempt
    failure = a_failure("ProviderKeeps", "External", "Withdrawal") if code else None
    said = a_result("provide", group=group, attempt=attempt, exit_code=code, failure=failure)
    if not code:
        said = said.model_copy(update={"stages": (StageResult(kind="withdraw", notes=notes),)})
    face.pod(f"withdraw-a{attempt}", ended("provide", code, said, at=face.seen.now)).settle()
    return face


def test_a_cancel_is_recorded_at_once_with_what_is_owed_and_the_removal_follows_the_last_pod() -> None:
    """X-002: the end waits for nothing. The removal begins when no pod of the job can be at work any more."""
    face = cancelled()
    assert (face.status.phase, row(face).state, row(face).attempt) == ("Cancelled", "Waiting", 0)
    assert row(face).next_retry_time == face.seen.now + timedelta(seconds=30)
    assert jobs(face) == []
    face.tick(31).settle()
    assert (row(face).state, len(jobs(face))) == ("Removing", 1)
    action = face.launched("withdraw")
    (task,) = action.document.stages
    params = WithdrawParams.model_validate(task.params)
    assert (params.animator.name, params.animator.secret_name, params.animator.patience_seconds) == ("did", "d-id", 900)
    assert (action.slot, task.online, task.inputs, action.claim_name) == (None, True, (), "videojob-store")
    assert action.deadline_seconds > (action.document.limits.timeout_seconds or 0) > 900
    answered(face)
    assert (row(face).state, row(face).message, withdrawing(face.status)) == ("Removed", None, False)
    assert (face.status.phase, len(jobs(face))) == ("Cancelled", 1)


def test_while_a_pod_of_it_is_at_work_nothing_is_removed() -> None:
    face = animating()
    held = face.seen.jobs
    face.ask(cancel="one").settle()
    face.set(jobs=held).tick(31)
    plan = face.look()
    assert not any(isinstance(action, CreateJob) for action in plan.actions)
    assert row(face).state == "Waiting"


def test_an_avatar_that_has_failed_for_good_is_withdrawn_too() -> None:
    """A-004: all or nothing, also at the provider."""
    face = animating()
    face.bad("animate", 65, a_failure("MaybeBilled", stage="AvatarGeneration")).settle()
    assert (face.status.phase, row(face).state) == ("Failed", "Waiting")
    face.tick(31).settle()
    answered(face, "maybe billed: D-ID lists no such talk")
    assert (row(face).state, row(face).message) == ("Removed", "maybe billed: D-ID lists no such talk")
    assert face.status.failure is not None
    assert face.status.failure.code == "MaybeBilled"


@pytest.mark.parametrize("code", [75, 69], ids=["it failed", "the provider is away"])
def test_an_attempt_that_is_followed_by_another_removes_nothing(code: int) -> None:
    """A-029, A-033: the next attempt wants the talk that was paid."""
    face = animating()
    face.bad("animate", code).settle()
    face.tick(60).settle()
    assert (face.status.withdrawal, jobs(face), face.status.phase) == (None, [], "Running")


def test_a_node_that_was_drained_is_no_cancel() -> None:
    """SIGTERM is the same for the worker; the talk stays for the attempt that follows."""
    face = animating()
    face.pod("animate-a1", ended("provide", 143), disruption="EvictionByEvictionAPI").tick(60).settle()
    assert face.status.phase in {"Running", "Queued"}
    face.tick(600).settle()
    assert (face.status.withdrawal, jobs(face)) == (None, [])
    assert face.launched("animate").document.attempt == 2


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"avatar": {}}, "a face that is drawn here"),
        ({"avatar": {"provider": {"name": "command", "model": "musetalk"}}}, "a program of the image"),
        ({"until": 2}, "nobody was asked yet"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_no_service_was_asked_nothing_is_owed(given: dict[str, Any], why: str) -> None:
    face = cancelled(**given)
    face.tick(60).settle()
    assert (face.status.phase, face.status.withdrawal, jobs(face)) == ("Cancelled", None, []), why


def test_once_the_stage_has_ended_well_it_has_removed_everything_itself() -> None:
    face = animating()
    face.ok("animate")
    face.ask(cancel="one").settle()
    assert (face.status.phase, face.status.withdrawal) == ("Cancelled", None)


def test_what_cannot_be_removed_is_tried_again_then_told() -> None:
    """The wait grows; the end of the job does not change, and a person hears what is left."""
    face, waits = cancelled(), []
    face.tick(31).settle()
    for number in range(1, 6):
        assert (row(face).state, row(face).attempt) == ("Removing", number)
        answered(face, code=69)
        if number < 5:
            due = row(face).next_retry_time
            assert due is not None
            waits.append((due - face.seen.now).total_seconds())
            face.tick(waits[-1]).settle()
    assert waits == [30, 120, 480, 1920]
    assert (row(face).state, row(face).message) == ("Left", "ProviderKeeps: as the worker says")
    assert len(set(jobs(face))) == 5
    assert face.told().count("ProviderKeeps") == 1
    assert face.status.phase == "Cancelled"
    face.tick(86_400).settle()
    assert len(jobs(face)) == 5


def test_a_redrive_stops_the_removal_and_waits_for_its_end() -> None:
    """The next attempt never works on the same record at the same time; a later end begins anew, under another name."""
    face = cancelled()
    face.tick(31).settle()
    running = face.jobs["withdraw-a1"]
    face.ask(retry="again").look(granted=True)
    assert (face.status.phase, row(face).state) == ("Queued", "Stopped")
    assert "withdraw-a1" in face.jobs, "the record comes first"
    face.look(granted=True)
    assert "withdraw-a1" not in face.jobs
    face.set(jobs=(*face.seen.jobs, running)).look(granted=True)
    assert "animate-a2" not in face.jobs, "its pod may still be at work"
    face.settle()
    assert "animate-a2" in face.jobs
    face.ask(cancel="two").settle()
    face.tick(31).settle()
    assert (row(face).state, row(face).attempt, len(set(jobs(face)))) == ("Removing", 2, 2)


def test_a_redrive_that_succeeds_owes_nothing() -> None:
    face = cancelled()
    face.ask(retry="again").settle()
    face.ok("animate")
    (task,) = (task for task in face.launched("finish").document.stages if task.kind == "deliver")
    face.ok("finish", deliver={"files": delivered(task, UID).files})
    assert (face.status.phase, row(face).state, jobs(face)) == ("Succeeded", "Stopped", [])


def test_a_removal_that_is_deleted_by_hand_is_launched_again() -> None:
    face = cancelled()
    face.tick(31).settle()
    face.lose("withdraw-a1").settle()
    assert "withdraw-a1" in face.jobs
    answered(face)
    assert row(face).state == "Removed"


def test_the_videojob_goes_by_its_time_to_live_after_the_removal_not_before() -> None:
    face = cancelled(retention={"ttlSecondsAfterFinished": 0})

    def goes() -> bool:
        return any(isinstance(action, DeleteVideoJob) for action in face.look().actions)

    assert not goes()
    face.tick(31).settle()
    assert not goes()
    said = a_result("provide", ["withdraw"], group="withdraw")
    face.pod("withdraw-a1", ended("provide", 0, said, at=face.seen.now))
    assert goes()
    assert row(face).state == "Removed"


def test_an_operator_that_starts_looks_at_a_job_that_still_owes_something() -> None:
    """Case 4: a crash between the end and the removal loses nothing."""
    face = cancelled()

    def raw() -> dict[str, Any]:
        view = face.seen.job
        meta = {"uid": view.uid, "name": view.name, "namespace": view.namespace, "generation": view.generation}
        notes = {names.ANNOTATION_CANCEL: "one"}
        spec = view.spec.dump() if view.spec is not None else {}
        return {"metadata": meta | {"annotations": notes}, "spec": spec, "status": face.status.dump()}

    assert not is_settled(raw())
    face.tick(31).settle()
    assert not is_settled(raw())
    answered(face)
    assert is_settled(raw())


def test_a_run_without_a_cluster_launches_nothing_after_its_end() -> None:
    """It keeps no promise about the time after it."""
    face = animating()
    face.set(config=face.seen.config.__class__(worker_image="local", sweeps=False))
    face.ask(cancel="one").settle()
    assert face.status.withdrawal is None
