"""Retries, disruptions, deadlines, suspension."""

from __future__ import annotations

from datetime import timedelta

import pytest

from builders import CONFIG, NOW, UID, Scene, a_failure, a_url
from videojob_api.v1alpha1 import Retry
from videojob_operator.decide.job.retry import next_time
from videojob_operator.decide.world import Config, CreateJob


def creates(scene: Scene) -> list[CreateJob]:
    return [action for plan in scene.plans for action in plan.actions if isinstance(action, CreateJob)]


def wait_of(scene: Scene) -> float:
    assert scene.status.next_retry_time is not None
    return (scene.status.next_retry_time - scene.seen.now).total_seconds()


def test_three_attempts_wait_two_and_four_seconds_then_it_is_a_dead_letter() -> None:
    """X-006, T-010: defaults of the seeds; jitter adds up to a tenth."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).settle()
    assert 2 <= wait_of(scene) <= 2.2
    scene.tick(2.3).settle().fail("main-a2", 75).settle()
    assert 4 <= wait_of(scene) <= 4.4
    scene.tick(4.5).settle().fail("main-a3", 75).settle()
    assert scene.status.phase == "Failed"
    assert scene.condition("Failed") == ("True", "AttemptsExhausted")
    assert scene.status.attempts == 3
    assert [action.document.attempt for action in creates(scene)] == [1, 2, 3]
    assert scene.told().count("Retrying") == 2


@pytest.mark.parametrize(("failures", "seconds"), [(1, 2), (2, 4), (3, 8), (4, 16), (9, 300), (19, 300)])
def test_waits_double_up_to_the_bound(failures: int, seconds: int) -> None:
    """X-006: 2**n seconds, at most maxBackoffSeconds, plus at most a tenth; the same job always gets the same wait."""
    due = next_time(NOW, Retry(), failures, UID, "main")
    assert timedelta(seconds=seconds) <= due - NOW <= timedelta(seconds=seconds * 1.1)
    assert due == next_time(NOW, Retry(), failures, UID, "main")


def test_jobs_that_failed_together_do_not_return_together() -> None:
    """Case 79: jitter by UID."""
    assert len({next_time(NOW, Retry(), 3, f"uid-{number}", "main") for number in range(20)}) > 15


def test_no_wait_is_no_wait() -> None:
    assert next_time(NOW, Retry(backoff_seconds=0), 1, UID, "main") == NOW


def test_the_slot_is_free_while_the_job_waits_and_the_retry_returns_as_high() -> None:
    """C9, X-003."""
    scene = Scene.of(priority="Low")
    assert scene.look().request is not None
    assert scene.plans[0].request is not None
    assert scene.plans[0].request.priority == 2
    scene.settle().fail("main-a1", 75)
    found = scene.look()
    assert found.request is None
    assert found.wake_at == scene.status.next_retry_time
    assert scene.status.phase == "Queued"
    assert scene.status.queue is not None
    assert scene.status.queue.reason == "WaitingForRetry"
    assert scene.condition("Reconciling") == ("True", "WaitingForRetry")
    found = scene.tick(2.5).look()
    assert found.request is not None
    assert (found.request.priority, found.request.attempt) == (0, 2)
    assert found.request.since == scene.status.queued_time, "C10: by the time it was enqueued"


def test_a_retry_waits_for_its_slot_like_everybody_else() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).settle(granted=False)
    scene.tick(3).set(waiting_message="slot cpu: 4 of 4 taken, 0 ahead").look()
    assert scene.status.queue is not None
    assert (scene.status.queue.reason, scene.status.queue.message) == (
        "WaitingForSlot",
        "slot cpu: 4 of 4 taken, 0 ahead",
    )
    assert list(scene.jobs) == ["main-a1"]


def test_a_failed_attempts_job_does_not_block_the_next() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).settle().tick(3).settle()
    assert scene.jobs["main-a1"].finished is None
    assert "main-a2" in scene.jobs


def test_permanent_goes_straight_to_the_dead_letters() -> None:
    """T-010: no retry can mend it."""
    scene = Scene.of().settle()
    scene.fail("main-a1", 65, a_failure()).settle()
    assert scene.condition("Failed") == ("True", "Permanent")
    assert len(creates(scene)) == 1


def test_disruptions_are_replaced_at_once_and_not_charged() -> None:
    """Case 28."""
    scene = Scene.of(retry={"maxAttempts": 1}).settle()
    for attempt in range(1, 6):
        scene.fail(f"main-a{attempt}", 143, disruption="DeletionByTaintManager").look()
        assert scene.status.next_retry_time is None
        scene.settle()
    assert (scene.status.stages[0].disruptions, scene.status.stages[0].failures) == (5, 0)
    assert scene.status.phase == "Running"
    scene.succeed("main-a6").settle()
    assert scene.status.phase == "Succeeded"


def test_endless_disruptions_end_at_their_budget() -> None:
    """Case 29."""
    config = Config(worker_image="w", disruption_budget=2)
    scene = Scene.of(config=config).settle()
    for attempt in (1, 2, 3):
        scene.fail(f"main-a{attempt}", 143, disruption="PreemptionByScheduler").settle()
    assert scene.condition("Failed") == ("True", "Disrupted")
    assert scene.status.failure is not None
    assert scene.status.failure.message.startswith("3 attempts were lost to disruptions, 2 are permitted")
    assert len(creates(scene)) == 3


def test_success_clears_the_failure_of_an_earlier_attempt_and_its_label() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).settle().tick(3).settle()
    assert scene.status.failure is not None
    scene.succeed("main-a2").settle()
    assert scene.status.failure is None
    assert scene.seen.job.labels == ()
    assert scene.status.attempts == 2


# ---------------------------------------------------------------- deadline


def test_the_next_attempt_gets_what_the_first_has_left() -> None:
    """X-005: timeoutSeconds bounds all attempts together."""
    scene = Scene.of(timeoutSeconds=100).settle()
    scene.fail("main-a1", 75, seconds=60).settle().tick(3).settle()
    first, second = creates(scene)
    assert (first.document.limits.timeout_seconds, first.deadline_seconds) == (100, 160)
    assert (second.document.limits.timeout_seconds, second.deadline_seconds) == (40, 100)
    assert scene.status.active_time_ms == 60_000


def test_a_spent_deadline_ends_the_job_with_its_last_failure_in_the_message() -> None:
    scene = Scene.of(timeoutSeconds=60).settle()
    scene.fail("main-a1", 75, a_failure("FFmpegFailed", "Recoverable", "Transcode"), seconds=60).settle()
    failure = scene.status.failure
    assert scene.condition("Failed") == ("True", "Timeout")
    assert failure is not None
    assert (failure.code, failure.failure_class, failure.stage) == ("Timeout", "Stalled", "Transcode")
    assert "60 s of timeoutSeconds are spent after attempt 1; the last failure: FFmpegFailed" in failure.message
    assert failure.log_tail == "last line"


def test_a_runner_that_ended_itself_at_its_deadline_has_spent_it_by_any_clock() -> None:
    """Case 46: the kubelet counts whole seconds."""
    scene = Scene.of(timeoutSeconds=60).settle()
    scene.fail("main-a1", 74, a_failure("Timeout", "Stalled", "Transcode"), seconds=57).settle()
    assert scene.condition("Failed") == ("True", "Timeout")
    other = Scene.of(timeoutSeconds=60).settle()
    other.fail("main-a1", 75, seconds=57).settle()
    assert other.status.phase == "Queued"


def test_waiting_is_not_work() -> None:
    """A day in the queue does not count."""
    scene = Scene.of(timeoutSeconds=60)
    scene.look()
    scene.tick(86_400).settle()
    assert creates(scene)[0].document.limits.timeout_seconds == 60


def test_without_a_limit_the_runner_applies_the_default_rule_and_the_pod_the_longest_input() -> None:
    """X-005: max(600, 10 x duration); the duration is not known before the probe."""
    scene = Scene.of().settle()
    action = creates(scene)[0]
    assert action.document.limits.timeout_seconds is None
    assert action.deadline_seconds == 10 * 7200 + 60


def test_once_the_input_is_known_the_default_bounds_what_is_left() -> None:
    scene = Scene.of("Spread").settle()
    scene.succeed("ingest-a1").settle()
    action = creates(scene)[-1]
    assert action.document.group == "transcode"
    assert action.document.limits.timeout_seconds == 590


def test_a_spread_job_can_spend_its_time_between_two_groups() -> None:
    scene = Scene.of("Spread", timeoutSeconds=10).settle()
    scene.succeed("ingest-a1").settle()
    assert scene.condition("Failed") == ("True", "Timeout")
    assert scene.status.failure is not None
    assert scene.status.failure.message.startswith("the 10 s of timeoutSeconds are spent")


# ---------------------------------------------------------------- suspend


def test_a_suspended_job_starts_nothing_and_goes_on_when_resumed() -> None:
    """Case 52."""
    scene = Scene.of(suspend=True).settle()
    assert scene.status.phase == "Suspended"
    assert scene.condition("Reconciling") == ("False", "Suspended")
    assert scene.condition("Accepted") == ("True", "Resolved")
    assert scene.jobs == {}
    assert scene.plans[-1].request is None
    scene.spec(suspend=False).settle()
    assert scene.status.phase == "Running"
    assert scene.status.queue is None
    assert scene.told().count("Suspended") == 1


def test_a_running_stage_ends_before_the_job_is_suspended() -> None:
    scene = Scene.of("Spread").settle()
    scene.spec(suspend=True).settle()
    assert scene.status.phase == "Running"
    scene.succeed("ingest-a1").settle()
    assert scene.status.phase == "Suspended"
    assert scene.status.stages[0].state == "Succeeded"
    assert list(scene.jobs) == ["ingest-a1"]


def test_a_job_whose_last_stage_has_ended_is_not_suspended_any_more() -> None:
    scene = Scene.of().settle()
    scene.spec(suspend=True)
    scene.succeed("main-a1").settle()
    assert scene.status.phase == "Succeeded"


def test_suspend_holds_a_retry_too() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 75).settle().spec(suspend=True).tick(60).settle()
    assert scene.status.phase == "Suspended"
    assert list(scene.jobs) == ["main-a1"]
    scene.spec(suspend=False).settle()
    assert "main-a2" in scene.jobs


def test_the_configured_budget_is_the_default_one() -> None:
    assert CONFIG.disruption_budget == 5


@pytest.mark.parametrize(("asked", "least"), [(90, 90), (0, 2), (None, 2), (10**9, 86400), (-5, 2)])
def test_who_asks_to_be_left_alone_is_left_alone_for_a_day_at_most(asked: int | None, least: int) -> None:
    """Case 62, External: not before the time the other side asked for; never earlier than the backoff."""
    scene = Scene.of(transcode=a_url()).settle()
    failure = a_failure("SourceUnavailable", "External", "Fetch").model_copy(update={"retry_after_seconds": asked})
    scene.fail("fetch-a1", 69, failure).settle()
    assert least <= wait_of(scene) <= least * 1.1
    scene.tick(least * 1.1).settle()
    assert "fetch-a2" in scene.jobs


def test_a_wait_is_believed_of_other_peoples_servers_alone() -> None:
    scene = Scene.of().settle()
    scene.fail("main-a1", 75, a_failure("FFmpegFailed", "Recoverable").model_copy(update={"retry_after_seconds": 900}))
    assert wait_of(scene.settle()) <= 2.2
