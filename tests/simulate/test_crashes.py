"""A crash after, and before, every write of the happy path ends in the same world (case 1, case 2, case 3; I1, I4)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import pytest

from builders import NOW, a_url, a_videojob
from simcluster import Cluster, CrashError
from siminvariants import check_history
from simobjects import Outcome
from simoperator import Operator, drive
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import DeleteJob

WELL = Outcome()
UID = "11111111-2222-3333-4444-555555555555"
GIVEN = {
    "Compact": a_videojob("Compact"),
    "Spread": a_videojob("Spread"),
    "URL": a_videojob("Compact", transcode=a_url()),
}


def run(
    mode: str, crash: tuple[int, Literal["before", "after"]] | None = None, *, outcome: Outcome = WELL
) -> tuple[Cluster, Operator]:
    """One VideoJob from apply to the deletion of its last Job."""
    cluster = Cluster(lambda _uid, _group, _attempt, _container: outcome)
    cluster.apply(GIVEN[mode])
    cluster.crash_at = crash
    return cluster, drive(cluster, Operator(cluster))


def end(cluster: Cluster) -> tuple[object, ...]:
    """What counts at the end: everything but times."""
    status = cluster.objects["videojob", UID].value.status
    stages = tuple((s.name, s.state, s.attempt, s.failures, s.disruptions, s.job, s.key) for s in status.stages)
    outputs = tuple(output.model_copy(update={"expires_at": None}) for output in status.outputs)
    return status.phase, stages, outputs, status.input, status.plan, sorted(set(cluster.created))


WRITES = {mode: len(run(mode)[0].writes) for mode in GIVEN}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(("mode", "write"), [(m, w) for m, count in WRITES.items() for w in range(1, count + 1)])
def test_a_crash_at_any_write_changes_nothing(mode: str, write: int, where: Literal["before", "after"]) -> None:
    plain, _ = run(mode)
    crashed, _ = run(mode, (write, where))
    assert end(crashed) == end(plain)
    assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
    assert check_history(crashed.history[UID]) == []
    assert crashed.published[UID] == plain.published[UID]
    for event in set(plain.told):
        assert crashed.told.count(event) <= plain.told.count(event), "told twice"


@pytest.mark.parametrize("mode", WRITES)
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_crash_at_any_write_while_every_pod_object_is_lost(mode: str, where: Literal["before", "after"]) -> None:
    """Case 4: the result comes from the store, by at most one report Job an attempt; nothing runs twice."""
    gone = Outcome(gone=True)
    plain, _ = run(mode, outcome=gone)
    for write in range(1, len(plain.writes) + 1):
        crashed, _ = run(mode, (write, where), outcome=gone)
        assert crashed.objects["videojob", UID].value.status.phase == "Succeeded", write
        assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
        assert len(crashed.published[UID]) == 1, "committed twice"


def verbs(mode: str, crash: tuple[int, Literal["before", "after"]] | None = None) -> Cluster:
    """One VideoJob that is cancelled while it works, and driven again a minute later."""
    cluster = Cluster()
    cluster.apply(a_videojob(mode))
    cluster.crash_at = crash
    cluster.after(7, lambda: cluster.annotate(UID, "cancel", "one"))
    cluster.after(67, lambda: cluster.annotate(UID, "retry", "one"))
    operator = Operator(cluster)
    while cluster.now < NOW + timedelta(seconds=70):
        operator = step(cluster, operator)
    drive(cluster, operator)
    return cluster


def step(cluster: Cluster, operator: Operator) -> Operator:
    """One step of the world, and whoever runs the operator after it."""
    try:
        operator.run()
    except CrashError:
        operator.stop()
        return Operator(cluster)
    cluster.step()
    return operator


VERB_WRITES = {mode: len(verbs(mode).writes) for mode in ("Compact", "Spread")}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("mode", VERB_WRITES)
def test_a_crash_at_any_write_of_a_cancel_and_a_redrive(mode: str, where: Literal["before", "after"]) -> None:
    """Cases 52 and 53 with case 1: the same end, no Job twice, one redrive."""
    plain = verbs(mode)
    assert [status.phase for status in plain.history[UID]].count("Cancelled") == 1
    for write in range(1, VERB_WRITES[mode] + 1):
        crashed = verbs(mode, (write, where))
        assert end(crashed) == end(plain), write
        assert crashed.objects["videojob", UID].value.status.redrives == 1
        assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
        assert check_history(crashed.history[UID]) == []
        assert len(crashed.published[UID]) == 1


@pytest.mark.parametrize("mode", WRITES)
def test_the_number_of_writes_is_small(mode: str) -> None:
    """O3: the operator's own writes of one VideoJob, without Events; the controllers' come on top."""
    assert WRITES[mode] <= {"Compact": 6, "Spread": 20, "URL": 11}[mode]


@pytest.mark.parametrize("mode", WRITES)
def test_a_converged_world_gives_an_empty_plan(mode: str) -> None:
    """I4: a restart over a converged cluster writes nothing (case 7)."""
    cluster, operator = run(mode)
    before = list(cluster.writes)
    operator.stop()
    fresh = Operator(cluster)
    fresh.run()
    assert cluster.writes == before
    found = plan(fresh.observe(UID))
    assert (found.actions, found.status, found.labels, found.events, found.request) == ((), None, (), (), None)


def test_a_restart_at_any_time_of_a_full_queue_writes_nothing_by_itself() -> None:
    """I4, case 7: six VideoJobs for two slots; whenever the operator has come to rest, another one finds nothing to write."""
    cluster = Cluster()
    for number in range(6):
        cluster.apply(a_videojob(("Compact", "Spread")[number % 2], name=f"job-{number}", uid=f"uid-{number}"))
    operator = Operator(cluster, capacity=(("cpu", 2),))
    for _ in range(400):
        operator.run()
        other = Operator(cluster, capacity=(("cpu", 2),))
        other.stop()
        for number in range(6):
            found = plan(other.observe(f"uid-{number}"))
            assert (found.status, found.labels, found.events) == (None, (), ())
            assert {type(action) for action in found.actions} <= {DeleteJob}, "at most what is due this very moment"
        cluster.post = operator.results.append
        if not cluster.step():
            break
    assert {stored.value.status.phase for stored in cluster.all("videojob")} == {"Succeeded"}


HOOK = "https://hooks.example.org/"


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_a_webhook_hears_of_the_end_whatever_write_crashes(mode: str, where: Literal["before", "after"]) -> None:
    """S-015, A-013: at least once, always under the same id; no Job is created twice."""

    def told(crash: tuple[int, Literal["before", "after"]] | None) -> tuple[Cluster, list[tuple[str, str]]]:
        cluster = Cluster()
        cluster.apply(a_videojob(mode, notify=[{"url": HOOK, "events": ["progress_update", "processing_completed"]}]))
        cluster.crash_at = crash
        drive(cluster, Operator(cluster))
        return cluster, cluster.received[UID, HOOK]

    plain, heard = told(None)
    assert [event for _, event in heard].count("processing_completed") == 1
    assert len(set(heard)) == len(heard), "without a crash nothing is told twice"
    for write in range(1, len(plain.writes) + 1):
        crashed, again = told((write, where))
        assert again[-1][1] == "processing_completed", write
        assert [event for _, event in set(again)].count("processing_completed") == 1, "one event, one id"
        assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
        assert check_history(crashed.history[UID]) == []
        assert crashed.objects["videojob", UID].value.status.notify[0].state == "Delivered"


def test_events_are_told_once_each() -> None:
    """S-015: progress_update once a stage and attempt, one processing_completed; no event without a transition."""
    cluster, _ = run("Spread")
    reasons = [str(reason) for _, reason in cluster.told]
    assert reasons.count("processing_completed") == 1
    assert reasons.count("progress_update") == 4
    assert len(cluster.history[UID][-1].history) <= 20
