"""Fan-outs that begin with few slots and grow: never beyond what there is, never before whoever waits, under crashes too.

`drive` checks after every step that slots are not exceeded (I7), and at every grant that nobody at work takes more beside
somebody who waits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from builders import a_videojob
from graphs import ITEM, a_config
from simcluster import Cluster
from simobjects import Outcome
from simoperator import Operator, drive
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.decide.naming import share

ITEMS = 6
CONFIG = a_config(ITEMS, parallelism=4)
LONG = "uid-long"


def script(uid: str, _group: str, attempt: int, container: str) -> Outcome:
    """Everybody takes ten seconds; the one that is first in the way takes a minute."""
    if uid == LONG:
        return Outcome(seconds=60)
    return Outcome(seconds=10 + share(container, str(attempt)))


def queue(capacity: int) -> dict[str, VideoQueueSpec]:
    """The default queue with so many slots."""
    return {"default": VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": capacity}]})}


def crowd(cluster: Cluster, *names: str) -> None:
    """VideoJobs: one that holds a slot for a while in one Job, others with a fan-out."""
    for name in names:
        mode = "Compact" if name == "long" else "Spread"
        cluster.apply(a_videojob(mode, name=name, uid=f"uid-{name}", cache={"mode": "Off"}))


def run(crash: tuple[int, Literal["before", "after"]] | None = None) -> Cluster:
    """Two slots; one is held by somebody else until the fan-out is in its middle."""
    cluster = Cluster(script)
    crowd(cluster, "long", "wide")
    cluster.crash_at = crash
    drive(cluster, Operator(cluster, config=CONFIG, queues=queue(2)))
    return cluster


PLAIN = run()


def parallelism(cluster: Cluster, uid: str) -> list[int]:
    """Of the fan-out's Job: as created, then as it grew."""
    names = [name for name in cluster.created if ITEM in name and cluster_owner(cluster, name) == uid]
    first = [m["spec"]["parallelism"] for m in cluster.launched if m["metadata"]["name"] in names]
    return first + [after for name, _, after in cluster.widened if name in names]


def cluster_owner(cluster: Cluster, name: str) -> str:
    """UID of the VideoJob that a Job was created for."""
    manifest = next(m for m in cluster.launched if m["metadata"]["name"] == name)
    return str(manifest["metadata"]["ownerReferences"][0]["uid"])


def test_a_fan_out_grows_into_the_slot_that_another_one_leaves() -> None:
    """X-004, A-006"""
    assert parallelism(PLAIN, "uid-wide") == [1, 2]


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("write", range(1, len(PLAIN.writes) + 1))
def test_a_crash_at_any_write_changes_nothing(write: int, where: Literal["before", "after"]) -> None:
    """Cases 1 to 4: it has grown in the end, no Job was created twice."""
    crashed = run((write, where))
    assert parallelism(crashed, "uid-wide") == [1, 2]
    assert sorted(crashed.created) == sorted(PLAIN.created)
    assert all(stored.value.status.phase == "Succeeded" for stored in crashed.all("videojob"))


@pytest.mark.parametrize("priority", ["High", "Normal", "Low"])
def test_a_slot_that_becomes_free_is_for_whoever_waits(priority: str) -> None:
    """X-003: a VideoJob that has nothing yet goes before one that wants more, whatever the priorities."""
    cluster = Cluster(script)
    crowd(cluster, "long", "wide")
    waiting = a_videojob("Compact", name="late", uid="uid-late", priority=priority, cache={"mode": "Off"})
    cluster.after(40, lambda: cluster.apply(replace(waiting, created=cluster.now)))
    drive(cluster, Operator(cluster, config=CONFIG, queues=queue(2)))
    ended = {stored.key: stored.value.status for stored in cluster.all("videojob")}
    assert {status.phase for status in ended.values()} == {"Succeeded"}
    assert parallelism(cluster, "uid-wide") == [1, 2]
    ((_, grown, _),) = cluster.widened
    assert ended[LONG].completion_time <= ended["uid-late"].start_time < ended["uid-late"].completion_time <= grown


def test_slots_that_are_added_are_used_at_once_and_slots_that_are_taken_away_end_nothing() -> None:
    """The capacity is changed by hand while it works."""
    cluster, queues = Cluster(script), queue(1)
    crowd(cluster, "wide")
    operator = Operator(cluster, config=CONFIG, queues=queues)
    cluster.after(50, lambda: queues.update(queue(3)))
    drive(cluster, operator)
    assert parallelism(cluster, "uid-wide") == [1, 3]
