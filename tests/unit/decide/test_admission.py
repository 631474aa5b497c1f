"""admit(): who may enter a queue, and what the others are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from builders import NOW, Scene, a_failure, seen
from videojob_api.names import Phase, Reason
from videojob_operator.decide.admission import Refusal, admit
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import QueueLoad


def load(max_depth: int = 10, **fields: object) -> QueueLoad:
    return QueueLoad("default", max_depth, **fields)  # type: ignore[arg-type]


def ago(*seconds: int) -> tuple[datetime, ...]:
    return tuple(NOW - timedelta(seconds=each) for each in seconds)


def within(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


FULL = "queue default is full, its maxDepth is 10; this VideoJob enters when others have started"
CROWDED = "namespace a may have 3 VideoJobs waiting in queue default; this one enters when others have started"
FAST = "namespace a may submit 2 VideoJobs a minute to queue default; this one enters when its turn comes"


@dataclass(frozen=True)
class Case:
    name: str
    given: QueueLoad
    expect: Refusal | None


CASES = (
    Case("an empty queue", load(), None),
    Case("the last place", load(depth=9), None),
    Case("no place left (X-012)", load(depth=10), Refusal(Reason.QUEUE_FULL, FULL)),
    Case("the last place is an older one's", load(depth=9, ahead=1), Refusal(Reason.QUEUE_FULL, FULL)),
    Case("room for the older ones and for this", load(depth=7, ahead=2), None),
    Case("the namespace's last place", load(most_queued=3, queued=2), None),
    Case("the namespace's places are taken", load(most_queued=3, queued=3), Refusal(Reason.QUEUE_FULL, CROWDED)),
    Case("... or meant for older ones", load(most_queued=3, ahead_in_namespace=3), Refusal(Reason.QUEUE_FULL, CROWDED)),
    Case("within the rate", load(submits_per_minute=2, submits=ago(59)), None),
    Case(
        "too fast: again when the oldest is a minute old (S-004)",
        load(submits_per_minute=2, submits=ago(50, 20)),
        Refusal(Reason.RATE_LIMITED, FAST, within(10)),
    ),
    Case(
        "too fast, behind another one: after the next",
        load(submits_per_minute=2, submits=ago(50, 20), ahead_in_namespace=1),
        Refusal(Reason.RATE_LIMITED, FAST, within(40)),
    ),
    Case(
        "too fast, far behind: looked at once a minute at most",
        load(submits_per_minute=2, submits=ago(50, 20), ahead_in_namespace=5),
        Refusal(Reason.RATE_LIMITED, FAST, within(120)),
    ),
    Case(
        "within the rate, behind some that are driven again",
        load(submits_per_minute=2, submits=ago(20), ahead_in_namespace=3, again_in_namespace=3),
        None,
    ),
    Case("a priority that is permitted", load(allowed_priorities=("Normal", "Low")), None),
    Case(
        "a priority that is not (X-003)",
        load(allowed_priorities=("High", "Low")),
        Refusal(
            Reason.PRIORITY_NOT_ALLOWED,
            "queue default permits namespace a no spec.priority Normal; set one of: High, Low",
        ),
    ),
)


AGAIN = (
    Case("room for what is driven again (X-008)", load(depth=9), None),
    Case("no place left for it either (X-012)", load(depth=10), Refusal(Reason.QUEUE_FULL, FULL)),
    Case("nor in the namespace", load(most_queued=3, queued=3), Refusal(Reason.QUEUE_FULL, CROWDED)),
    Case("it is no submit (S-004)", load(submits_per_minute=2, submits=ago(50, 20)), None),
    Case("its priority was permitted", load(allowed_priorities=("High", "Low")), None),
)


@pytest.mark.parametrize("case", AGAIN, ids=lambda case: case.name)
def test_who_may_enter_again(case: Case) -> None:
    assert admit(case.given, "a", "Normal", NOW, again=True) == case.expect


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_who_may_enter(case: Case) -> None:
    assert admit(case.given, "a", "Normal", NOW) == case.expect


def test_a_full_queue_keeps_a_videojob_pending_and_lets_it_in_later() -> None:
    """S-004, X-012: Accepted=False with the reason, no person needed; nothing is written while nothing changes."""
    scene = Scene(seen(load=load(depth=10)))
    scene.look()
    assert scene.status.phase == Phase.PENDING
    assert scene.condition("Accepted") == ("False", "QueueFull")
    assert scene.condition("Stalled") == ("False", "QueueFull")
    assert scene.condition("Reconciling") == ("True", "QueueFull")
    assert scene.status.progress.message == FULL
    assert scene.told() == ["QueueFull"]
    assert scene.set(load=load(depth=11)).tick(60).look().status is None
    scene.set(load=load(depth=9)).look()
    assert scene.status.phase == Phase.QUEUED
    assert scene.condition("Accepted") == ("True", "Resolved")


def test_a_dead_letter_waits_at_the_gate_of_a_full_queue() -> None:
    """X-008, X-012: no dead letter any more, nothing launched; in as there is room, without a second word."""
    scene = Scene.of().settle().fail("main-a1", 65, a_failure()).settle()
    scene.ask(retry="once").set(load=load(depth=10)).settle()
    assert (scene.status.phase, scene.status.redrives, scene.status.queued_time) == (Phase.PENDING, 1, None)
    assert scene.condition("Accepted") == ("False", "QueueFull")
    assert scene.condition("Stalled") == ("False", "QueueFull")
    assert (scene.condition("Failed"), scene.condition("DeadLettered")) == (None, None)
    assert "videojob.dev/dead-letter" not in dict(scene.seen.job.labels)
    assert scene.told()[-2:] == ["Redriven", "QueueFull"]
    assert scene.tick(60).look().status is None
    scene.set(load=load(depth=9)).look()
    assert (scene.status.phase, scene.status.queued_time) == (Phase.QUEUED, scene.seen.now)
    assert scene.condition("Accepted") == ("True", "Resolved")
    scene.settle()
    assert (scene.status.phase, scene.status.attempts, scene.status.redrives) == (Phase.RUNNING, 2, 1)


def test_a_cancel_at_the_gate_ends_what_was_driven_again() -> None:
    """X-002, case 52."""
    scene = Scene.of().settle().fail("main-a1", 65, a_failure()).settle()
    scene.ask(retry="once").set(load=load(depth=10)).settle().ask(cancel="now").settle()
    assert scene.status.phase == Phase.CANCELLED
    assert scene.ask(retry="twice").set(load=load()).settle().status.phase == Phase.RUNNING


def test_a_priority_that_is_not_allowed_needs_a_person() -> None:
    """X-003, S-004: Stalled, and the message names the field and the fix."""
    scene = Scene(seen(load=load(allowed_priorities=("Low",))))
    scene.look()
    assert scene.condition("Stalled") == ("True", "PriorityNotAllowed")
    scene.spec(priority="Low").look()
    assert scene.status.phase == Phase.QUEUED


def test_a_rate_that_is_used_up_sets_the_next_look() -> None:
    """S-004: time alone opens the gate again."""
    found = plan(seen(load=load(submits_per_minute=1, submits=ago(15))))
    assert found.wake_at == within(45)


def test_what_was_accepted_is_not_asked_again() -> None:
    """A queue that fills up later, or a limit that is lowered, sends nobody back."""
    scene = Scene.of().settle(granted=False)
    assert scene.set(load=load(depth=10, allowed_priorities=("Low",))).look().status is None
