"""Publishing, decided: when it begins, what a platform's failure means, what stays (S-047 to S-052)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from builders import NOW, a_failure, ended
from storyboard import SPREAD_KINDS, Tale, published
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import PublishStatus
from videojob_operator.decide.job import plan

YOUTUBE = {"name": "youtube", "secretName": "channel"}
REELS = {"name": "instagram_reels"}


def begin(mode: str = "Compact", publish: dict[str, Any] | None = None, **fields: Any) -> Tale:
    """A story that is to go out, as far as its outputs."""
    asked = {"auto": True, "platforms": [YOUTUBE, REELS]} | (publish or {})
    return Tale.begin(mode, publish=asked, **fields).ok("main")


def row(platform: str, state: str = "Published", **fields: Any) -> PublishStatus:
    return PublishStatus.model_validate({"platform": platform, "state": state, "attempts": 1, **fields})


def fail(scene: Tale, code: int, cause: str, *rows: PublishStatus, **failure: Any) -> Tale:
    """The attempt fails, and tells what became of each platform."""
    action = scene.launched("publish")
    said = a_failure("PublishFailed", cause, "Publish").model_copy(update=failure)
    told = StageResult(kind="publish", state="Failed", publish=rows)
    result = scene.told_by(action, "provide", (told,), exit_code=code, failure=said)
    scene.pod(f"publish-a{action.document.attempt}", ended("provide", code, result, at=scene.seen.now))
    scene.tick(10).settle()
    return scene


@pytest.mark.parametrize(("mode", "groups"), [("Compact", ["main", "publish"]), ("Spread", [*SPREAD_KINDS, "publish"])])
def test_s_047_publishing_is_a_stage_of_its_own_behind_all_gates(mode: str, groups: list[str]) -> None:
    """It has a network and Secrets, so that it shares its pod with nobody."""
    scene = Tale.begin(mode, publish={"auto": True, "platforms": [YOUTUBE]})
    assert scene.status.plan is not None
    assert [group.name for group in scene.status.plan.groups] == groups
    assert [group.name for group in scene.status.plan.groups if group.online] == ["publish"]
    assert "publish-a1" not in scene.jobs


def test_nothing_is_sent_before_the_outputs_are_there() -> None:
    scene = Tale.begin("Compact", publish={"auto": True, "platforms": [YOUTUBE]})
    assert list(scene.jobs) == ["main-a1"]
    scene.ok("main")
    assert "publish-a1" in scene.jobs
    (task,) = scene.launched("publish").document.stages
    assert (task.kind, task.online, task.container) == ("publish", True, "provide")
    assert [given.stage for given in task.inputs] == ["finalize"]
    assert scene.launched("publish").document.fetch is not None
    assert [output.name for output in scene.status.outputs] == [output.name for output in published()]
    assert scene.status.phase == "Running"
    scene.ok("publish")
    assert scene.status.phase == "Succeeded"
    assert [(one.platform, one.state, one.id) for one in scene.status.publish] == [("youtube", "Published", "v1")]
    assert scene.condition("Degraded") is None


def test_a_story_that_names_no_platform_has_no_such_stage() -> None:
    scene = Tale.begin("Compact", publish={"auto": True}).ok("main")
    assert scene.status.phase == "Succeeded"
    assert "Publish" not in {stage.name for stage in scene.status.stages}


# ---------------------------------------------------------------- when


def test_s_052_without_a_word_nothing_goes_out() -> None:
    """`auto` is false by default: the outputs are there, and a person says when."""
    scene = begin(publish={"auto": False})
    assert list(scene.jobs) == ["main-a1"]
    assert scene.status.phase == "Suspended"
    assert scene.status.queue is not None
    assert scene.status.queue.reason == "WaitingForApproval"
    assert scene.condition("Ready") == ("False", "WaitingForApproval")
    assert scene.status.outputs
    assert scene.told().count("WaitingForApproval") == 1
    assert plan(scene.seen).requests == ()
    scene.spec(publish={"auto": True, "platforms": [YOUTUBE]}).settle()
    assert "publish-a1" in scene.jobs
    assert [one["name"] for one in scene.launched("publish").document.stages[0].params["platforms"]] == ["youtube"]


def test_s_052_a_scheduled_one_waits_without_a_slot_and_starts_at_its_time() -> None:
    when = NOW + timedelta(hours=5)
    scene = begin(publish={"scheduleAt": when.isoformat()})
    assert (scene.status.phase, scene.condition("Ready")) == ("Suspended", ("False", "Scheduled"))
    found = plan(scene.seen)
    assert (found.requests, found.wake_at) == ((), when)
    scene.set(now=when - timedelta(seconds=1)).settle()
    assert "publish-a1" not in scene.jobs
    scene.set(now=when).settle()
    assert "publish-a1" in scene.jobs
    assert scene.ok("publish").status.phase == "Succeeded"


def test_the_time_may_be_changed_while_it_waits() -> None:
    scene = begin(publish={"scheduleAt": (NOW + timedelta(days=9)).isoformat()})
    scene.spec(publish={"auto": True, "platforms": [YOUTUBE]}).settle()
    assert "publish-a1" in scene.jobs


def test_platforms_that_are_all_taken_back_wait_for_nothing() -> None:
    scene = begin(publish={"auto": False})
    scene.spec(publish={"auto": False, "platforms": []}).settle()
    assert scene.launched("publish").document.stages[0].params["platforms"] == []
    assert scene.ok("publish").status.phase == "Succeeded"


def test_who_says_no_keeps_the_outputs() -> None:
    scene = begin(publish={"auto": False}).ask(cancel="no").settle()
    assert scene.status.phase == "Cancelled"
    assert [output.name for output in scene.status.outputs] == [output.name for output in published()]
    assert "publish-a1" not in scene.jobs


def test_a_story_that_is_cancelled_before_has_no_outputs() -> None:
    scene = Tale.begin("Compact", publish={"auto": True, "platforms": [YOUTUBE]}).ask(cancel="no").settle()
    assert (scene.status.phase, scene.status.outputs) == ("Cancelled", ())


# ---------------------------------------------------------------- a platform fails


def test_s_051_a_platform_that_fails_for_good_is_degraded_and_undoes_nothing() -> None:
    told = (row("youtube", "Error", message="youtube answered 403"), row("instagram_reels", "QueuedManual"))
    scene = begin()
    scene.ok("publish", publish={"publish": told, "degraded": ("youtube: youtube answered 403",)})
    assert scene.status.phase == "Succeeded"
    assert scene.condition("Degraded") == ("True", "PublishFailed")
    assert [(one.platform, one.state) for one in scene.status.publish] == [
        ("youtube", "Error"), ("instagram_reels", "QueuedManual"),
    ]  # fmt: skip


def test_c_14_with_deny_it_is_a_dead_letter_that_keeps_its_outputs() -> None:
    scene = begin(fallback={"policy": "Deny"})
    assert scene.launched("publish").document.stages[0].params["fallback"] == {"policy": "Deny"}
    fail(scene, 65, "Permanent", row("youtube", "Error", message="no"), row("instagram_reels", "QueuedManual"))
    assert scene.status.phase == "Failed"
    assert scene.condition("DeadLettered") == ("True", "Permanent")
    assert [one.state for one in scene.status.publish] == ["Error", "QueuedManual"]
    assert scene.status.outputs


def test_a_redrive_of_it_takes_up_at_the_platforms() -> None:
    """Although the failure was Permanent: the outputs are committed, nothing was rolled back."""
    scene = begin(fallback={"policy": "Deny"})
    fail(scene, 65, "Permanent", row("youtube", "Error", message="no"))
    scene.ask(retry="again").settle()
    assert [key for key in scene.jobs if not key.startswith("main-a1")] == ["publish-a1", "publish-a2"]
    assert scene.ok("publish").status.phase == "Succeeded"
    assert scene.status.outputs


def test_a_platform_that_asks_to_wait_is_waited_for_and_the_last_try_says_so() -> None:
    scene = begin(retry={"maxAttempts": 2, "backoffSeconds": 1})
    assert scene.launched("publish").document.stages[0].last_try is None
    fail(scene, 69, "External", row("youtube", "Retrying", message="429"), retry_after_seconds=120)
    assert [one.state for one in scene.status.publish] == ["Retrying"]
    assert scene.status.outputs, "what is committed stays"
    assert scene.status.next_retry_time == scene.seen.now + timedelta(seconds=120)
    assert "publish-a2" not in scene.jobs
    scene.tick(120).settle()
    assert scene.launched("publish").document.stages[0].last_try is True


@pytest.mark.parametrize(
    "rows",
    [(row("myspace"),), (row("youtube"), row("youtube", "Error"))],
    ids=["a platform that there is not", "a platform twice"],
)
def test_a_worker_that_tells_of_others_is_not_believed(rows: tuple[PublishStatus, ...]) -> None:
    scene = begin()
    scene.ok("publish", publish={"publish": rows})
    assert (scene.status.phase, scene.status.publish) == ("Running", ()), "its result is looked for in the store"
    scene = fail(begin(), 75, "Recoverable", *rows)
    assert scene.status.publish == ()


def test_what_a_platform_says_shows_no_credentials() -> None:
    told = (row("youtube", "Error", message="refused for https://user:hunter2@example.com/"),)
    scene = begin().ok("publish", publish={"publish": told})
    assert "hunter2" not in scene.status.model_dump_json()
