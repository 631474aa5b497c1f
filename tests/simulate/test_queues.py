"""Queues at work: crowds through few slots, in the right order, and nobody starves. `drive` checks the invariants at each step:
slots are never exceeded (I7), nobody overtakes or waits beside a free slot (A-006, C10), retries ask as High (X-003).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import CONFIG, NOW, a_videojob
from simcluster import Cluster
from simobjects import Outcome
from simoperator import Operator, drive
from simqueue import PRIORITIES, check_acceptance
from videojob_api.v1alpha1 import VideoQueueSpec

JOB_SECONDS = 20.5
"""Two containers of ten seconds, and what the pod takes to start."""


@dataclass(frozen=True)
class Entry:
    """One VideoJob that comes along."""

    priority: str
    namespace: str
    second: int
    fails: int = 0
    """So many attempts end with an error that a retry mends."""


ENTRIES = st.builds(
    Entry,
    priority=st.sampled_from(sorted(PRIORITIES)),
    namespace=st.sampled_from(["team-a", "team-b"]),
    second=st.integers(0, 40),
    fails=st.sampled_from([0, 0, 0, 1, 2]),
)


def play(crowd: list[Entry], queue: VideoQueueSpec, *, unpause_at: int = 0) -> tuple[Cluster, dict[str, datetime]]:
    """Let the crowd through; returns the cluster and when the first Job of each was created, in that order."""
    fails = {f"uid-{number}": entry.fails for number, entry in enumerate(crowd)}
    cluster = Cluster(lambda uid, _group, attempt, _part: Outcome("recoverable" if attempt <= fails[uid] else "ok", 10))
    for number, entry in enumerate(crowd):
        job = a_videojob(name=f"job-{number}", uid=f"uid-{number}", priority=entry.priority, cache={"mode": "Off"})
        job = replace(job, namespace=entry.namespace)
        cluster.after(entry.second, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    queues = {"default": queue.model_copy(update={"paused": unpause_at > 0})}
    cluster.at(NOW + timedelta(seconds=unpause_at), lambda: queues.update(default=queue))
    cluster.judge_acceptance = lambda job: check_acceptance(cluster, job, queues)
    cluster.watchers.append(recorder := Recorder(cluster))
    operator = Operator(cluster, config=CONFIG, queues=queues)
    while len(cluster.all("videojob")) < len(crowd):
        operator.run()
        cluster.step()
    drive(cluster, operator)
    assert {stored.value.status.phase for stored in cluster.all("videojob")} == {"Succeeded"}
    return cluster, recorder.started


class Recorder:
    """Notes when each VideoJob's first Job came into being."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.started: dict[str, datetime] = {}

    def event(self, kind: str, _key: str, now: object) -> None:
        """A change of any object."""
        owner = getattr(now, "owner", None)
        if kind == "job" and owner is not None:
            self.started.setdefault(str(owner), self._cluster.now)


def slots(count: int, **fields: object) -> VideoQueueSpec:
    """A queue of one class."""
    return VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": count}], **fields})


@settings(max_examples=40)
@given(crowd=st.lists(ENTRIES, min_size=1, max_size=8))
def test_one_slot_serves_by_priority_and_then_in_order_of_arrival(crowd: list[Entry]) -> None:
    """X-003, C10: while nothing runs, nothing but priority, time and UID counts. Who fails lets others go first."""
    crowd = [replace(entry, fails=0) for entry in crowd]
    cluster, started = play(crowd, slots(1, agingSeconds=0), unpause_at=60)

    def line(uid: str) -> tuple[int, datetime, str]:
        job = cluster.objects["videojob", uid].value
        return PRIORITIES[job.spec.priority], job.status.queued_time, uid

    assert list(started) == sorted(started, key=line)


@settings(max_examples=40)
@given(
    crowd=st.lists(ENTRIES, min_size=1, max_size=8),
    capacity=st.integers(1, 3),
    aging=st.sampled_from([0, 15, 60]),
    depth=st.sampled_from([1, 2, 100]),
    running=st.sampled_from([None, 1]),
)
def test_any_crowd_gets_through_any_queue(
    crowd: list[Entry], capacity: int, aging: int, depth: int, running: int | None
) -> None:
    """I7, T-016, S-004, X-012: everybody is served in the end, whoever fails and however narrow it is."""
    limits = [{"namespace": "*", "running": running}] if running else []
    _, started = play(crowd, slots(capacity, agingSeconds=aging, maxDepth=depth, limits=limits))
    assert len(started) == len(crowd)


@pytest.mark.parametrize("home", ["team-a", "team-b"], ids=["of the same namespace", "of another namespace"])
@settings(max_examples=4)
@given(second=st.integers(1, 30), every=st.integers(12, 20))
def test_a_low_videojob_starts_under_a_stream_of_high(home: str, second: int, every: int) -> None:
    """A-006: after two steps of aging nobody who came later goes first. Without aging it is the last of all."""
    stream = [Entry("High", "team-a", every * number) for number in range(18)]
    crowd = [*stream, Entry("Low", home, second)]
    low = f"uid-{len(stream)}"
    cluster, started = play(crowd, slots(1, agingSeconds=60))
    waited = started[low] - cluster.objects["videojob", low].value.status.queued_time
    assert waited <= timedelta(seconds=2 * 60 + 2 * JOB_SECONDS)
    _, started = play(crowd, slots(1, agingSeconds=0))
    assert list(started)[-1] == low


@settings(max_examples=10)
@given(others=st.integers(2, 8), priority=st.sampled_from(["Normal", "Low"]))
def test_a_retry_goes_before_those_who_have_not_started(others: int, priority: str) -> None:
    """X-003: once its backoff is over, the next free slot is its own."""
    crowd = [Entry(priority, "team-a", 0, fails=1), *(Entry(priority, "team-a", 1) for _ in range(others))]
    cluster, _ = play(crowd, slots(1, agingSeconds=0))
    owners = [name.split("-")[1] for name in cluster.created if "-report-" not in name]
    assert owners[:3] == ["0", owners[1], "0"]


@settings(max_examples=8)
@given(
    count=st.integers(2, 7),
    depth=st.integers(1, 3),
    homes=st.lists(st.sampled_from(["team-a", "team-b"]), min_size=9, max_size=9),
    fresh=st.integers(0, 2),
)
def test_dead_letters_driven_again_together_enter_as_there_is_room(
    count: int, depth: int, homes: list[str], fresh: int
) -> None:
    """X-008, X-012, S-004: all at once, with some that are new; each entrance is judged, each is served in the end."""
    cluster = Cluster(lambda _uid, _group, attempt, _part: Outcome("permanent" if attempt == 1 else "ok", 10))
    queues = {"default": slots(1, maxDepth=depth, limits=[{"namespace": "*", "submitsPerMinute": 3}])}
    cluster.judge_acceptance = lambda job: check_acceptance(cluster, job, queues)
    operator = Operator(cluster, config=CONFIG, queues=queues)

    def submit(number: int) -> None:
        job = a_videojob(name=f"job-{number}", uid=f"uid-{number}", cache={"mode": "Off"})
        cluster.apply(replace(job, namespace=homes[number], created=cluster.now))

    for number in range(count):
        submit(number)
    operator = drive(cluster, operator)
    assert {stored.value.status.phase for stored in cluster.all("videojob")} == {"Failed"}
    for number in range(count + fresh):
        if number < count:
            cluster.annotate(f"uid-{number}", "retry", "once")
        else:
            submit(number)
    drive(cluster, operator)
    ends = {stored.key: stored.value.status for stored in cluster.all("videojob")}
    assert {ends[f"uid-{n}"].phase for n in range(count)} == {"Succeeded"}
    assert {ends[f"uid-{n}"].redrives for n in range(count)} == {1}
