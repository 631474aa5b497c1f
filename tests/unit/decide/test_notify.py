"""Webhooks as they are decided: at least once with a stable id, bounded retries, never in the job's way (S-015, A-013)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import Scene, a_failure, a_result, a_videojob, ended, running, seen
from videojob_api.contract import MAX_DOCUMENT_BYTES, canonical_json
from videojob_api.notices import NotifyEvent, NotifyParams
from videojob_api.v1alpha1 import HistoryEntry, NotifyStatus, NotifyTarget, VideoJobSpec, VideoJobStatus
from videojob_operator.decide import notify as webhooks
from videojob_operator.decide.history import KEPT, MESSAGE_LENGTH
from videojob_operator.decide.job import plan
from videojob_operator.decide.job.notify import ATTEMPTS
from videojob_operator.decide.world import CreateJob

URL = "https://hooks.example.org/videos?key=hush"
TARGET = NotifyTarget(url=URL)
GROUP = webhooks.group_of(TARGET)


def scene(*more: dict[str, Any], **target: Any) -> Scene:
    return Scene.of(notify=[{"url": URL, **target}, *more])


def done(**target: Any) -> Scene:
    """A VideoJob that has succeeded, and the webhook's first Job."""
    return scene(**target).settle().succeed("main-a1").settle()


def row(found: Scene) -> NotifyStatus:
    return next(each for each in found.status.notify if each.name == GROUP)


def launched(found: Scene) -> list[CreateJob]:
    actions = [action for each in found.plans for action in each.actions]
    return [a for a in actions if isinstance(a, CreateJob) and a.document.group.startswith("notify-")]


def told(action: CreateJob) -> list[NotifyEvent]:
    return list(NotifyParams.model_validate(action.document.stages[0].params).events)


def fail(found: Scene, message: str = "hooks.example.org answered 503") -> Scene:
    attempt = row(found).attempt
    failure = a_failure("WebhookRefused", "External", None).model_copy(update={"message": message})
    said = a_result("notify", group=GROUP, attempt=attempt, exit_code=69, failure=failure)
    return found.pod(f"{GROUP}-a{attempt}", ended("notify", 69, said)).settle()


def test_the_end_is_told_after_it_is_on_record_and_the_job_does_not_wait_for_it() -> None:
    found = done()
    assert found.status.phase == "Succeeded"
    assert row(found).state == "Sending"
    (action,) = launched(found)
    (event,) = told(action)
    assert (event.event, event.percent, event.phase) == ("processing_completed", 100, "Succeeded")
    assert [output.name for output in event.outputs] == ["720p", "480p", "thumbnail"]
    assert event.id.startswith(f"{found.seen.job.uid}.{found.status.history[-1].sequence}.")
    before = found.status
    found.pod(f"{GROUP}-a1", ended("notify", 0)).settle()
    assert row(found).state == "Delivered"
    assert row(found).delivered == found.status.history[-1].sequence
    assert found.status.model_copy(update={"notify": before.notify}) == before, "nothing else changes after the end"
    assert found.condition("Degraded") is None
    assert len(launched(found)) == 1


def test_a_failure_is_told_with_what_to_do() -> None:
    """S-015: processing_failed with the error."""
    found = scene().settle().fail("main-a1", 65, a_failure()).settle()
    (event,) = told(launched(found)[0])
    assert event.event == "processing_failed"
    assert event.failure is not None
    assert (event.failure.code, event.failure.hint) == ("InvalidFileType", "what to do")
    assert event.outputs == ()


def test_progress_is_told_to_those_who_ask_for_it_one_job_at_a_time() -> None:
    """S-014, S-015: what happens while a Job is under way rides with the next one."""
    found = scene(events=["progress_update", "processing_completed"]).settle()
    first = [(event.phase, event.stage) for event in told(launched(found)[0])]
    assert first == [("Queued", None)]
    found.pod(f"{GROUP}-a1", running("notify")).news("transcode", 5).settle()
    assert len(launched(found)) == 1
    found.pod(f"{GROUP}-a1", ended("notify", 0)).settle()
    second = [(event.phase, event.stage, event.percent) for event in told(launched(found)[1])]
    assert second == [("Running", "Ingest", 0), ("Running", "Transcode", 14)]


def test_a_job_on_record_that_is_not_there_is_created_again_with_the_same_events() -> None:
    """At least once: a crash between the record and the Job, or a Job that was deleted by hand."""
    found = done()
    first = launched(found)[0]
    found.lose(f"{GROUP}-a1").settle()
    again = launched(found)[1]
    assert again == first


def test_nothing_is_launched_before_it_is_on_record() -> None:
    """Whoever loses the status write has sent nothing, so that a number never means two events."""
    found = scene().settle().succeed("main-a1")
    plans = []
    while not plans or plans[-1].status is None or plans[-1].status.phase != "Succeeded":
        plans.append(found.look(granted=True))
    assert plans[-1].status.notify[0].state == "Sending"
    assert not [action for action in plans[-1].actions if isinstance(action, CreateJob)]


def test_a_webhook_that_fails_is_tried_again_and_shows_as_degraded_only() -> None:
    found = fail(done())
    assert (row(found).state, row(found).failures) == ("Retrying", 1)
    assert found.condition("Degraded") == ("True", "NotifyFailed")
    said = next(c.message for c in found.status.conditions if c.type == "Degraded")
    assert "hooks.example.org answered 503" in said
    assert "hush" not in said
    assert (found.status.phase, found.condition("Ready"), found.condition("Stalled")) == (
        "Succeeded", ("True", "Succeeded"), ("False", "Succeeded"),
    )  # fmt: skip
    assert found.plans[-1].wake_at is not None
    found.tick(12).settle().pod(f"{GROUP}-a2", ended("notify", 0)).settle()
    assert row(found).state == "Delivered"
    assert found.condition("Degraded") is None
    first, second = (told(action) for action in launched(found))
    assert first == second, "the same ids, the same words"


def test_after_five_attempts_it_is_given_up_and_stays_visible() -> None:
    found = done()
    waits = []
    for _ in range(ATTEMPTS):
        fail(found)
        due = row(found).next_retry_time
        if row(found).state == "Retrying" and due is not None:
            waits.append((due - found.seen.now).total_seconds())
            found.tick(waits[-1] + 0.1).settle()
    least = [10, 40, 160, 640]
    assert all(wait >= low for wait, low in zip(waits, least, strict=True))
    assert all(wait <= low * 1.1 for wait, low in zip(waits, least, strict=True)), "a tenth of jitter at most"
    assert (row(found).state, row(found).lost) == ("GivenUp", 1)
    assert found.condition("Degraded") == ("True", "NotifyFailed")
    assert len(launched(found)) == ATTEMPTS
    found.tick(100_000).settle()
    assert len(launched(found)) == ATTEMPTS
    assert found.status.phase == "Succeeded"


def test_each_target_goes_its_own_way() -> None:
    other = NotifyTarget(url="http://other.example.net/", events=("processing_failed",))
    found = scene(other.dump()).settle().succeed("main-a1").settle()
    assert {action.document.group for action in launched(found)} == {GROUP}
    assert [each.name for each in found.status.notify] == [GROUP]


def test_a_target_that_is_named_after_the_end_hears_of_it() -> None:
    found = Scene.of().settle().succeed("main-a1").settle()
    assert found.status.notify == ()
    found.spec(notify=[{"url": URL}]).settle()
    assert [event.event for event in told(launched(found)[0])] == ["processing_completed"]
    found.spec(notify=[]).settle()
    assert found.status.notify == ()
    assert f"{GROUP}-a1" not in found.jobs, "the Job of a target that is gone goes"


def test_a_jobs_end_is_judged_by_pod_or_condition() -> None:
    gone = done().finish(f"{GROUP}-a1", pods=False).settle()
    assert row(gone).state == "Delivered"
    lost = done().finish(f"{GROUP}-a1", "Failed", "Pod x has condition DisruptionTarget", pods=False).settle()
    assert row(lost).message == "Pod x has condition DisruptionTarget"
    evicted = done().pod(f"{GROUP}-a1", phase="Failed", reason="Evicted").settle()
    assert row(evicted).message == "pod pod-1 ended before it ran: Evicted"
    silent = done().pod(f"{GROUP}-a1", ended("notify", 1)).settle()
    assert row(silent).message == "container notify exited with code 1"


def test_its_jobs_go_a_while_after_they_finished() -> None:
    found = done().finish(f"{GROUP}-a1", pods=False).settle()
    found.tick(301).settle()
    assert f"{GROUP}-a1" not in found.jobs


def test_a_name_that_somebody_else_has_taken_is_left_alone() -> None:
    found = scene().settle().succeed("main-a1")
    found.look(granted=True)
    name = plan(found.seen).actions[0].name
    found.set(foreign=frozenset({name})).settle()
    assert launched(found) == []
    assert row(found).state == "Sending"


def test_a_wiped_status_uses_no_jobs_name_twice() -> None:
    found = done()
    found.set(job=replace(found.seen.job, status=VideoJobStatus())).settle()
    assert len({action.name for action in launched(found)}) == len(launched(found)) == 2


def test_a_document_of_the_longest_texts_fits_its_annotation() -> None:
    """MAX_DOCUMENT_BYTES: sentences give way, events do not."""
    text = "\x01" * MESSAGE_LENGTH
    entries = tuple(
        HistoryEntry(
            sequence=n + 1, time=seen().now, event="progress_update", phase="Running", stage="Transcode", message=text
        )
        for n in range(KEPT)
    )
    target = NotifyTarget(url="https://hooks.example.org/" + "x" * 900, events=("progress_update",))
    base = a_videojob()
    assert base.spec is not None
    spec = VideoJobSpec.model_validate(base.spec.dump() | {"notify": [target.dump()]})
    job = replace(base, spec=spec, status=VideoJobStatus(phase="Running", history=entries))
    mine = NotifyStatus(name=webhooks.group_of(target), host="h", state="Sending", attempt=1, through=KEPT)
    found = webhooks.document(seen(job), target, mine)
    assert len(canonical_json(found.dump())) <= MAX_DOCUMENT_BYTES
    assert len(NotifyParams.model_validate(found.stages[0].params).events) == KEPT


@pytest.mark.parametrize(
    "url", ["ftp://a.example", "https://", "https://user:pw@a.example/", "https://a.example/#x", "https://a b/"]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"notify\[\].url is an http"):
        NotifyTarget(url=url)
