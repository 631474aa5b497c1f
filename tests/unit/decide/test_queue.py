"""grant(): slots, order, sentences."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import LiveSlot, QueueView, SlotRequest


def ask(uid: str, priority: int = 1, since: int = 0, slot: str = "cpu", count: int = 1) -> SlotRequest:
    return SlotRequest(uid, "default", slot, "main", 1, priority, NOW + timedelta(seconds=since), count)


def view(*requests: SlotRequest, live: tuple[LiveSlot, ...] = (), cpu: int = 2) -> QueueView:
    return QueueView("default", NOW, (("cpu", cpu), ("yolo", 1)), live, requests)


@dataclass(frozen=True)
class Case:
    name: str
    given: QueueView
    granted: list[str]
    waiting: dict[str, str]


CASES = (
    Case("nobody asks", view(), [], {}),
    Case("who fits starts", view(ask("a"), ask("b")), ["a", "b"], {}),
    Case(
        "High before Normal before Low (X-003)",
        view(ask("low", 2, 0), ask("normal", 1, 1), ask("high", 0, 2)),
        ["high", "normal"],
        {"low": "slot cpu: 2 of 2 taken, 0 ahead"},
    ),
    Case(
        "by age within a priority, not by UID (C10)",
        view(ask("a", since=9), ask("z", since=1), ask("m", since=5)),
        ["z", "m"],
        {"a": "slot cpu: 2 of 2 taken, 0 ahead"},
    ),
    Case("by UID when they came together (C10)", view(ask("c"), ask("b"), ask("a"), cpu=1), ["a"], {
        "b": "slot cpu: 1 of 1 taken, 0 ahead", "c": "slot cpu: 1 of 1 taken, 1 ahead",
    }),
    Case(
        "what is live counts (X-004)",
        view(ask("a"), live=(LiveSlot("x", "cpu"), LiveSlot("y", "cpu"))),
        [],
        {"a": "slot cpu: 2 of 2 taken, 0 ahead"},
    ),
    Case(
        "a capacity lowered below what is in use lets nobody in (case 76)",
        view(ask("a"), live=(LiveSlot("x", "cpu", 5),)),
        [],
        {"a": "slot cpu: 5 of 2 taken, 0 ahead"},
    ),
    Case(
        "nobody overtakes within a class (A-006)",
        view(ask("big", since=0, count=2), ask("small", since=1), live=(LiveSlot("x", "cpu"),)),
        [],
        {"big": "slot cpu: 1 of 2 taken, 0 ahead", "small": "slot cpu: 1 of 2 taken, 1 ahead"},
    ),
    Case(
        "a full class does not hold up another (A-007)",
        view(ask("a"), ask("b", slot="yolo"), live=(LiveSlot("x", "cpu", 2),)),
        ["b"],
        {"a": "slot cpu: 2 of 2 taken, 0 ahead"},
    ),
    Case(
        "a class the queue does not list waits and says so",
        view(ask("a", slot="gpu")),
        [],
        {"a": "queue default lists no slot class gpu: add it to spec.slots of the VideoQueue"},
    ),
    Case("a live slot of a class no longer listed does no harm", view(ask("a"), live=(LiveSlot("x", "gpu"),)), ["a"], {}),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_grants(case: Case) -> None:
    found = grant(case.given)
    assert [request.uid for request in found.granted] == case.granted
    assert dict(found.waiting) == case.waiting


def test_places_far_behind_are_not_told_one_by_one() -> None:
    """Each would be a status write for everybody behind, at every start."""
    found = grant(view(*(ask(f"{number:03d}") for number in range(60)), cpu=0))
    assert found.waiting[20][1].endswith("20 ahead")
    assert {sentence for _, sentence in found.waiting[21:]} == {"slot cpu: 0 of 0 taken, >20 ahead"}


REQUESTS = st.lists(
    st.builds(
        ask,
        uid=st.uuids().map(str),
        priority=st.integers(0, 2),
        since=st.integers(0, 50),
        slot=st.sampled_from(["cpu", "yolo", "gpu"]),
        count=st.integers(1, 3),
    ),
    max_size=30,
    unique_by=lambda request: request.uid,
)
LIVE = st.lists(st.builds(LiveSlot, uid=st.just("x"), slot=st.sampled_from(["cpu", "yolo"]), count=st.integers(1, 2)))


@given(requests=REQUESTS, live=LIVE, cpu=st.integers(0, 8))
def test_slots_are_never_exceeded_and_everybody_gets_an_answer(
    requests: list[SlotRequest], live: list[LiveSlot], cpu: int
) -> None:
    """I7, A-006: for any queue; the order of asking does not matter."""
    base = view(*requests, live=tuple(live), cpu=cpu)
    found = grant(base)
    assert found == grant(view(*reversed(requests), live=tuple(live), cpu=cpu))
    for slot, capacity in base.capacity:
        before = sum(one.count for one in live if one.slot == slot)
        given = sum(request.count for request in found.granted if request.slot == slot)
        assert given == 0 or before + given <= capacity
        waiting = dict(found.waiting)
        blocked = [r for r in requests if r.slot == slot and r.uid in waiting]
        started = [r for r in found.granted if r.slot == slot]
        for early in blocked:
            for late in started:
                assert (late.priority, late.since, late.uid) < (early.priority, early.since, early.uid)
    assert {request.uid for request in found.granted} | {uid for uid, _ in found.waiting} == {r.uid for r in requests}
