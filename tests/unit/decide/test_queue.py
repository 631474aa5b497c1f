"""grant(): slots, order, sentences."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from videojob_operator.decide.queue import aged, grant
from videojob_operator.decide.world import LiveSlot, QueueView, SlotRequest


def ask(
    uid: str, priority: int = 1, since: int = 0, slot: str = "cpu", count: int = 1, namespace: str = "a"
) -> SlotRequest:
    return SlotRequest(uid, "default", slot, "main", 1, priority, NOW + timedelta(seconds=since), count, namespace)


def view(*requests: SlotRequest, live: tuple[LiveSlot, ...] = (), cpu: int = 2, **fields: Any) -> QueueView:
    return QueueView("default", NOW, (("cpu", cpu), ("yolo", 1)), live, requests, **fields)


def grow(uid: str, has: int, wants: int, priority: int = 1, since: int = 0, slot: str = "cpu") -> SlotRequest:
    return replace(ask(uid, priority, since, slot, wants), held=has)


def held(count: int, namespace: str, slot: str = "cpu") -> tuple[LiveSlot, ...]:
    return tuple(LiveSlot(f"live-{namespace}-{n}", slot, 1, namespace) for n in range(count))


@dataclass(frozen=True)
class Case:
    name: str
    given: QueueView
    granted: list[str]
    waiting: dict[str, str]


CASES = (
    Case("nobody asks", view(), [], {}),
    Case(
        "fifty run at once where there are as many slots (S-063)",
        view(*(ask(f"v{number:02}", since=number) for number in range(51)), cpu=50),
        [f"v{number:02}" for number in range(50)],
        {"v50": "slot cpu: 50 of 50 taken, 0 ahead"},
    ),
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
    Case("who wants more than there is blocks nobody", view(ask("big", count=3), ask("small", since=1)), ["small"], {
        "big": "slot cpu: 3 wanted at once, 2 is all there are",
    }),
    Case("a paused queue starts nobody", view(ask("a"), ask("b", slot="yolo"), paused=True), [], {
        "a": "queue default is paused", "b": "queue default is paused",
    }),
    Case(
        "a Low that has waited long enough goes before a High (A-006)",
        view(ask("high", 0, -30), ask("low", 2, -120), cpu=1, aging_seconds=60),
        ["low"],
        {"high": "slot cpu: 1 of 1 taken, 0 ahead"},
    ),
    Case(
        "a Low that has waited for one class only does not",
        view(ask("high", 0, -30), ask("low", 2, -119), cpu=1, aging_seconds=60),
        ["high"],
        {"low": "slot cpu: 1 of 1 taken, 0 ahead"},
    ),
    Case("aging off", view(ask("high", 0), ask("low", 2, -99999), cpu=1), ["high"], {
        "low": "slot cpu: 1 of 1 taken, 0 ahead",
    }),
    Case(
        "the namespace with the fewest running is next (case 77)",
        view(ask("a1", since=0), ask("a2", since=1), ask("b1", since=9, namespace="b"), live=held(1, "a"), cpu=3),
        ["b1", "a1"],
        {"a2": "slot cpu: 3 of 3 taken, 0 ahead"},
    ),
    Case(
        "namespaces take turns, and places are told so",
        view(*(ask(f"a{n}", since=n) for n in range(3)), *(ask(f"b{n}", since=9 + n, namespace="b") for n in range(2)), cpu=2),
        ["a0", "b0"],
        {
            "a1": "slot cpu: 2 of 2 taken, 0 ahead",
            "b1": "slot cpu: 2 of 2 taken, 1 ahead",
            "a2": "slot cpu: 2 of 2 taken, 2 ahead",
        },
    ),
    Case(
        "priority goes before fair share (X-003)",
        view(ask("a", 0, 5), ask("b", 1, 0, namespace="b"), live=held(2, "a"), cpu=3),
        ["a"],
        {"b": "slot cpu: 3 of 3 taken, 0 ahead"},
    ),
    Case(
        "a namespace at its limit is passed by (S-004)",
        view(
            ask("a", since=0), ask("b", since=9, namespace="b"), live=held(1, "a"), cpu=4, running=(("a", 1), ("*", None))
        ),
        ["b"],
        {"a": "namespace a has 1 running, its limit in queue default"},
    ),
    Case(
        "* is the limit of whoever has no row (S-004)",
        view(*(ask(f"{ns}{n}", namespace=ns) for ns in "ab" for n in (1, 2)), cpu=9, running=(("*", 1), ("b", None))),
        ["a1", "b1", "b2"],
        {"a2": "namespace a has 1 running, its limit in queue default"},
    ),
    Case(
        "a limit counts Jobs of all classes",
        view(ask("a"), live=held(1, "a", "yolo"), running=(("*", 1),)),
        [],
        {"a": "namespace a has 1 running, its limit in queue default"},
    ),
    Case("a live slot of a class no longer listed does no harm", view(ask("a"), live=(LiveSlot("x", "gpu"),)), ["a"], {}),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_grants(case: Case) -> None:
    found = grant(case.given)
    assert [request.uid for request in found.granted] == case.granted
    assert dict(found.waiting) == case.waiting


@dataclass(frozen=True)
class Growth:
    name: str
    given: QueueView
    counts: dict[str, int]


BUSY = (LiveSlot("x", "cpu", 2), LiveSlot("y", "cpu", 1))
GROWTHS = (
    Growth("what is free goes to whoever is at work", view(grow("x", 2, 9), live=BUSY, cpu=6), {"x": 5}),
    Growth("no more than it wants", view(grow("x", 2, 3), live=BUSY, cpu=6), {"x": 3}),
    Growth("nothing is free", view(grow("x", 2, 9), live=BUSY, cpu=3), {}),
    Growth("a capacity below what is in use", view(grow("x", 2, 9), live=BUSY, cpu=1), {}),
    Growth(
        "who waits goes first, of whatever priority",
        view(grow("x", 2, 9, 0), ask("low", 2), live=BUSY, cpu=4),
        {"low": 1},
    ),
    Growth(
        "who still waits keeps what is free for its turn",
        view(grow("x", 2, 9, 0), ask("big", 2, count=3), live=BUSY, cpu=5),
        {},
    ),
    Growth(
        "a class that is full holds up no other",
        view(grow("x", 2, 9), ask("b", slot="yolo"), live=(*BUSY, LiveSlot("z", "yolo")), cpu=4),
        {"x": 3},
    ),
    Growth(
        "by priority, then by age",
        view(
            grow("x", 2, 4, 1, 5),
            grow("y", 1, 2, 1, 1),
            grow("z", 1, 2, 0, 9),
            live=(*BUSY, LiveSlot("z", "cpu")),
            cpu=7,
        ),
        {"z": 2, "y": 2, "x": 3},
    ),
    Growth(
        "before one that starts, of the same priority",
        view(grow("x", 2, 4), replace(ask("new", count=4), least=1), live=BUSY, cpu=6),
        {"new": 1, "x": 4},
    ),
    Growth(
        "after one that starts, of a higher priority",
        view(grow("x", 2, 4), replace(ask("new", 0, count=3), least=1), live=BUSY, cpu=6),
        {"new": 3},
    ),
    Growth("not in a paused queue", view(grow("x", 2, 9), live=BUSY, cpu=6, paused=True), {}),
    Growth("not of a class that is listed no more", view(grow("x", 1, 9, slot="gpu"), live=BUSY), {}),
    Growth(
        "its namespace runs as many Jobs as it may: this is none more",
        view(grow("x", 2, 4), live=(replace(BUSY[0], namespace="a"),), cpu=6, running=(("*", 1),)),
        {"x": 4},
    ),
)


@pytest.mark.parametrize("case", GROWTHS, ids=lambda case: case.name)
def test_growth(case: Growth) -> None:
    """A-006, X-003, X-004: of what is free and nobody waits for."""
    found = grant(case.given)
    assert {request.uid: request.count for request in found.granted} == case.counts
    assert not [uid for uid, _ in found.waiting if uid in "xyz"], "who is at work waits for nothing"


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
        namespace=st.sampled_from(["a", "b", "c"]),
    ),
    max_size=30,
    unique_by=lambda request: request.uid,
)
LIVE = st.lists(
    st.builds(
        LiveSlot,
        uid=st.just("x"),
        slot=st.sampled_from(["cpu", "yolo"]),
        count=st.integers(1, 2),
        namespace=st.sampled_from(["a", "b"]),
    ),
    max_size=6,
)
POLICY = st.fixed_dictionaries(
    {
        "aging_seconds": st.sampled_from([0, 1, 10]),
        "running": st.sampled_from([(), (("*", 2),), (("a", 0), ("*", None))]),
        "paused": st.sampled_from([False, False, False, True]),
    }
)


@given(requests=REQUESTS, live=LIVE, cpu=st.integers(0, 8), policy=POLICY)
def test_slots_are_never_exceeded_and_everybody_gets_an_answer(
    requests: list[SlotRequest], live: list[LiveSlot], cpu: int, policy: dict[str, Any]
) -> None:
    """I7, A-006, T-016, X-012: for any queue; the order of asking does not matter."""
    base = replace(view(*requests, live=tuple(live), cpu=cpu, **policy), now=NOW + timedelta(seconds=60))
    found = grant(base)
    assert found == grant(replace(base, requests=tuple(reversed(requests))))
    assert sorted([r.uid for r in found.granted] + [uid for uid, _ in found.waiting]) == sorted(r.uid for r in requests)
    assert not (base.paused and found.granted)
    limits = dict(base.running)
    for namespace in "abc":
        most = limits.get(namespace, limits.get("*"))
        before = sum(one.namespace == namespace for one in live)
        started = sum(request.namespace == namespace for request in found.granted)
        assert most is None or started == 0 or before + started <= most
    for slot, capacity in base.capacity:
        before = sum(one.count for one in live if one.slot == slot)
        given_out = sum(request.count for request in found.granted if request.slot == slot)
        assert given_out == 0 or before + given_out <= capacity
    said = dict(found.waiting)
    for early in [r for r in requests if "ahead" in said.get(r.uid, "")]:
        for late in [r for r in found.granted if r.slot == early.slot]:
            order = aged(late, base.now, base.aging_seconds), aged(early, base.now, base.aging_seconds)
            assert order[0] <= order[1], "a lower priority started before a higher one"
            if order[0] == order[1] and late.namespace == early.namespace:
                assert (late.since, late.uid) < (early.since, early.uid), "C10: first come, first served"


GROWING = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(0, 2), st.integers(0, 50)), max_size=5)


@given(requests=REQUESTS, growing=GROWING, cpu=st.integers(0, 20), policy=POLICY)
def test_growth_changes_nothing_for_others_and_never_exceeds_what_there_is(
    requests: list[SlotRequest], growing: list[tuple[int, int, int, int]], cpu: int, policy: dict[str, Any]
) -> None:
    """I7, X-003: whoever waits or starts does so with or without those that are at work."""
    wide = [grow(f"wide-{n}", has, has + more, *rest) for n, (has, more, *rest) in enumerate(growing)]
    live = tuple(LiveSlot(one.uid, "cpu", one.held, one.namespace) for one in wide)
    base = replace(view(*requests, *wide, live=live, cpu=cpu, **policy), now=NOW + timedelta(seconds=60))
    found, without = grant(base), grant(replace(base, requests=tuple(requests)))
    assert found.told == without.told
    assert {r.uid for r in found.granted if not r.held} == {r.uid for r in without.granted}
    new = sum(r.count - r.held for r in found.granted if r.slot == "cpu")
    assert new == 0 or new + sum(one.count for one in live) <= cpu
    grown = [r for r in found.granted if r.held]
    assert all(r.held < r.count for r in grown)
    if any(request.slot == "cpu" and "ahead" in text for request, text in found.told):
        assert not grown


BOTH = {"capacity": (("yolo", 2), ("birefnet", 1))}


def both(uid: str, since: int = 0, **fields: Any) -> SlotRequest:
    """Who detects, and would cut out in the same pod."""
    return replace(ask(uid, since=since, slot="yolo"), also=("birefnet",), **fields)


@dataclass(frozen=True)
class Besides:
    name: str
    requests: tuple[SlotRequest, ...]
    granted: dict[str, tuple[str, ...]]
    """Classes besides the first one, by UID."""
    live: tuple[LiveSlot, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)


MATTING = LiveSlot("x", "birefnet")
BESIDES = (
    Besides("who is alone gets both", (both("a"),), {"a": ("birefnet",)}),
    Besides("of two at once the first one", (both("b", 1), both("a", 0)), {"a": ("birefnet",), "b": ()}),
    Besides("while somebody waits to detect, nobody", (both("a", 0), both("b", 1), both("c", 2)), {"a": (), "b": ()}),
    Besides("while somebody waits to cut out, nobody", (both("a"), ask("b", slot="birefnet")), {"a": ()}, (MATTING,)),
    Besides("who cuts out comes first", (both("a", 0), ask("b", since=9, slot="birefnet")), {"a": (), "b": ()}),
    Besides("what is taken is not waited for", (both("a"),), {"a": ()}, (MATTING,)),
    Besides("a Job that holds both counts in both", (both("a"),), {"a": ()}, (LiveSlot("x", "yolo", also=("birefnet",)),)),
    Besides("somebody who waits for another class does not matter", (both("a"), ask("b", slot="avatar")), {"a": ("birefnet",)}),
    Besides(
        "nor does what the same VideoJob waits for in another branch",
        (both("a"), replace(ask("a", slot="yolo", since=1, count=2), group="other")),
        {"a": ("birefnet",)},
        (LiveSlot("x", "yolo"),),
    ),
    Besides("who is held back by a limit of its namespace waits, too", (both("a"), both("b", 1)), {"a": ()},
            fields={"running": (("a", 1),)}),
    Besides("a class that the queue does not list", (both("a"),), {"a": ()}, fields={"capacity": (("yolo", 2),)}),
    Besides("all of them or none", (replace(both("a"), also=("birefnet", "avatar")),), {"a": ()},
            (LiveSlot("x", "avatar"),), {"capacity": (*BOTH["capacity"], ("avatar", 1))}),
    Besides("a paused queue gives nothing", (both("a"),), {}, fields={"paused": True}),
)  # fmt: skip


@pytest.mark.parametrize("case", BESIDES, ids=lambda case: case.name)
def test_a_second_slot_is_given_only_while_nobody_waits_for_either(case: Besides) -> None:
    """A-005, A-006: it keeps nobody from a slot, and nobody is overtaken for it."""
    base = QueueView("default", NOW, **(BOTH | {"live": case.live, "requests": case.requests} | case.fields))
    assert {request.uid: request.also for request in grant(base).granted} == case.granted


def test_the_second_slot_changes_nothing_for_those_who_ask_at_the_same_time() -> None:
    plain = [ask(f"v{n}", since=n, slot=("yolo", "birefnet")[n % 2]) for n in range(8)]
    wishing = [replace(one, also=("birefnet",)) if one.slot == "yolo" else one for one in plain]
    for count in range(9):
        without, found = (
            grant(QueueView("default", NOW, (("yolo", 2), ("birefnet", 2)), (), tuple(asked[:count])))
            for asked in (plain, wishing)
        )
        assert [(r.uid, r.slot) for r in found.granted] == [(r.uid, r.slot) for r in without.granted]
        assert [(r.uid, text) for r, text in found.told] == [(r.uid, text) for r, text in without.told]


@given(requests=REQUESTS, cpu=st.integers(0, 30))
def test_equal_namespaces_get_equal_shares(requests: list[SlotRequest], cpu: int) -> None:
    """Case 77: of requests that differ in nothing but their namespace, shares differ by one at most while all still wait."""
    plain = [replace(request, priority=1, slot="cpu", count=1) for request in requests]
    found = grant(view(*plain, cpu=cpu))
    waiting = {uid for uid, _ in found.waiting}
    hungry = {request.namespace for request in plain if request.uid in waiting}
    shares = {ns: sum(request.namespace == ns for request in found.granted) for ns in hungry}
    assert not shares or max(shares.values()) - min(shares.values()) <= 1


@pytest.mark.parametrize("aging", [30, 300])
def test_a_low_request_starts_within_a_bound_under_an_endless_stream_of_high(aging: int) -> None:
    """A-006: two classes to rise, then only those that were there before it; without aging it would never start."""
    low = ask("low", 2, 0)
    stream = [ask(f"high-{second:05d}", 0, second) for second in range(4 * aging)]

    def started_at(aging_seconds: int) -> int | None:
        waiting: list[SlotRequest] = [low]
        for second in range(4 * aging):
            waiting.append(stream[second])
            now = NOW + timedelta(seconds=second)
            found = grant(QueueView("default", now, (("cpu", 1),), (), tuple(waiting), aging_seconds=aging_seconds))
            assert len(found.granted) == 1
            if found.granted == (low,):
                return second
            waiting.remove(found.granted[0])
        return None

    assert started_at(aging) == 2 * aging
    assert started_at(0) is None


def test_ten_thousand_requests_are_decided_in_moments() -> None:
    """Case 77: one namespace asks ten thousand times; the other's few are among the first."""
    crowd = [ask(f"{n:05d}", since=0, namespace="a") for n in range(10_000)]
    few = [ask(f"z{n}", since=60, namespace="b") for n in range(3)]
    found = grant(view(*crowd, *few, cpu=6))
    assert [request.namespace for request in found.granted] == ["a", "b"] * 3
    assert len(found.waiting) == 9_997
