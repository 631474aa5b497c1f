"""The cache in the simulation: copies pass the queue, slots are never exceeded, and a cache that is emptied costs a moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, a_videojob
from simcluster import Cluster
from siminvariants import check_history
from simobjects import Outcome
from simoperator import Operator, drive
from videojob_operator.decide.queue import CACHE_CAPACITY

WORK_SECONDS = 60.0


def crowd(count: int, mode: str = "Compact") -> Cluster:
    """One VideoJob, and many of the same request ten minutes later."""
    cluster = Cluster(lambda *_: Outcome(seconds=WORK_SECONDS))
    for number in range(count):
        job = a_videojob(mode, name=f"job-{number:02}", uid=f"uid-{number:02}")
        later = timedelta(seconds=0 if number == 0 else 600)
        cluster.at(NOW + later, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    cluster.step()
    return cluster


def states(cluster: Cluster) -> list[tuple[str, ...]]:
    """States of the stages, VideoJob by VideoJob."""
    for stored in cluster.all("videojob"):
        assert check_history(cluster.history[stored.key]) == []
    return [tuple(stage.state for stage in stored.value.status.stages) for stored in cluster.all("videojob")]


MADE = ("Succeeded", "Succeeded", "Succeeded", "Succeeded")
TAKEN = ("Cached", "Cached", "Cached", "Succeeded")


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_many_of_the_same_request_do_not_queue_for_one_slot(mode: str) -> None:
    """One slot for the work: the rest passes it, no more at once than the class of copies has slots (I7 at every step)."""
    cluster = crowd(2 * CACHE_CAPACITY, mode)
    operator = Operator(cluster, capacity=(("cpu", 1),))
    while len(cluster.all("videojob")) < 2 * CACHE_CAPACITY:
        operator.run()
        assert cluster.step()
    drive(cluster, operator)
    assert states(cluster) == [MADE] + [TAKEN] * (2 * CACHE_CAPACITY - 1)


@settings(max_examples=60)
@given(
    emptied=st.sets(st.tuples(st.integers(1, 5), st.integers(1, 3))),
    mode=st.sampled_from(["Compact", "Spread"]),
    capacity=st.integers(1, 2),
)
def test_a_cache_that_is_swept_at_any_moment_costs_no_attempt(
    emptied: set[tuple[int, int]], mode: str, capacity: int
) -> None:
    """Whoever finds nothing queues up and works: no failure counted, all published, slots kept at every step."""
    cluster = crowd(6, mode)
    cluster.cache.swept = lambda uid, attempt: (int(uid[-2:]), attempt) in emptied
    operator = Operator(cluster, capacity=(("cpu", capacity),))
    while len(cluster.all("videojob")) < 6:
        operator.run()
        assert cluster.step()
    drive(cluster, operator)
    for stored in cluster.all("videojob"):
        status = stored.value.status
        assert (status.phase, status.failure) == ("Succeeded", None)
        assert {stage.failures for stage in status.stages} == {0}
        assert max(stage.disruptions for stage in status.stages) <= 1
    assert {one for states_ in states(cluster) for one in states_} <= {"Cached", "Succeeded"}
