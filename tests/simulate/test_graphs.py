"""Parallel stages and fan-outs under crashes and chaos: the invariants hold with several live Jobs of one VideoJob, and an
item that has succeeded is not worked on again because another one failed.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Literal

import pytest

from builders import a_videojob
from graphs import ITEM, LEFT, RIGHT, a_config
from simcluster import Cluster
from siminvariants import check_history
from simobjects import Outcome, Script
from simoperator import Faults, Operator, drive
from videojob_api.contract import TaskDocument
from videojob_api.names import ANNOTATION_TASK, TERMINAL_PHASES
from videojob_api.v1alpha1 import VideoJobStatus, VideoQueueSpec
from videojob_operator.decide.naming import share

UID = "11111111-2222-3333-4444-555555555555"
ITEMS = 5
CONFIG = a_config(ITEMS, parallelism=3)
Crash = tuple[int, Literal["before", "after"]]


def well(_uid: str, _group: str, _attempt: int, _container: str) -> Outcome:
    """Nothing fails."""
    return Outcome()


def gone(_uid: str, _group: str, _attempt: int, _container: str) -> Outcome:
    """Nothing fails, and no pod object outlives its Job's count."""
    return Outcome(gone=True)


def failing(_uid: str, group: str, attempt: int, container: str) -> Outcome:
    """Two items fail once, one of them twice; one is evicted once; the left branch fails once."""
    how = "ok"
    if group == ITEM:
        fails = {"work-1": 1, "work-4": 2}
        how = "recoverable" if attempt <= fails.get(container, 0) else "ok"
        how = "disrupted" if (container, attempt) == ("work-2", 1) else how
    elif group == LEFT and attempt == 1:
        how = "recoverable"
    return Outcome(how, seconds=3 + share(container, str(attempt)) * 20)


SCRIPTS: dict[str, Script] = {"well": well, "gone": gone, "failing": failing}


def run(script: str, mode: str = "Spread", crash: Crash | None = None) -> Cluster:
    """One VideoJob from apply to the deletion of its last Job."""
    cluster = Cluster(SCRIPTS[script])
    cluster.apply(a_videojob(mode))
    cluster.crash_at = crash
    drive(cluster, Operator(cluster, config=CONFIG, capacity=(("cpu", 2),)))
    return cluster


def status_of(cluster: Cluster) -> VideoJobStatus:
    """The VideoJob's status."""
    status: VideoJobStatus = cluster.objects["videojob", UID].value.status
    return status


def end(cluster: Cluster) -> tuple[object, ...]:
    """What counts at the end: everything but times."""
    status = status_of(cluster)
    stages = tuple(
        (s.name, s.state, s.attempt, s.failures, s.disruptions, s.job, s.key, s.fan_out) for s in status.stages
    )
    return status.phase, stages, status.plan, sorted(set(cluster.created))


PLAIN = {name: run(name) for name in SCRIPTS}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(
    ("script", "write"), [(name, w) for name, plain in PLAIN.items() for w in range(1, len(plain.writes) + 1)]
)
def test_a_crash_at_any_write_of_a_graph_changes_nothing(
    script: str, write: int, where: Literal["before", "after"]
) -> None:
    """Cases 1 to 4; I1, I4: no Job twice, no item twice, the same end."""
    crashed = run(script, crash=(write, where))
    assert end(crashed) == end(PLAIN[script])
    assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
    assert check_history(crashed.history[UID]) == []


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_graph_runs_to_its_end(script: str, mode: str) -> None:
    cluster = run(script, mode)
    assert status_of(cluster).phase == "Succeeded"


def test_branches_are_alive_at_the_same_time() -> None:
    """I1 is about one group: two branches are two Jobs, each with its own slot."""
    both = [s for s in PLAIN["well"].history[UID] if s.stage == "NoopLeft,NoopRight"]
    assert both
    assert {LEFT, RIGHT} <= {stage.group for stage in both[0].stages if stage.state == "Running"}


def test_each_attempt_of_a_fan_out_has_what_the_one_before_left() -> None:
    """And no more slots than the queue has."""
    found = [
        (document.attempt, document.indexes, manifest["spec"]["parallelism"])
        for manifest in PLAIN["failing"].launched
        if (document := _document(manifest)).group == ITEM
    ]
    assert found == [(1, "0-4", 2), (2, "1-2,4", 2), (3, "4", 1)]


def _document(manifest: dict[str, object]) -> TaskDocument:
    template = manifest["spec"]["template"]  # type: ignore[index]
    return TaskDocument.model_validate_json(template["metadata"]["annotations"][ANNOTATION_TASK])


HOWS = (
    "recoverable", "resource", "stalled", "external", "stopped", "oom", "disrupted", "evicted", "pod-deleted",
    "job-deleted", "garbage", "lost", "stub", "stub-unposted", "hang", "permanent",
)  # fmt: skip


def story(seed: int) -> tuple[Cluster, Operator, random.Random]:
    """Some VideoJobs of this graph in one queue; each item's end is drawn from its own hash."""
    rng = random.Random(seed)
    trouble = rng.choice((0.0, 0.1, 0.3))

    def script(uid: str, group: str, attempt: int, container: str) -> Outcome:
        def roll(what: str) -> float:
            return share(str(seed), uid, group, str(attempt), container, what)

        how = HOWS[int(roll("how") * len(HOWS))] if roll("trouble") < trouble else "ok"
        if how == "permanent" and (group.startswith("report-") or roll("rare") < 0.8):
            how = "recoverable"
        return Outcome(how, seconds=0.5 + roll("seconds") * 30, gone=roll("gone") < trouble)

    cluster = Cluster(script)
    cluster.accidents = True
    for number in range(rng.randint(1, 4)):
        fields = {
            "priority": rng.choice(("High", "Normal", "Low")),
            "retry": {"maxAttempts": rng.randint(1, 6)},
            "timeoutSeconds": rng.choice((120, 600, 3600)),
        }
        job = a_videojob(
            rng.choice(("Compact", "Spread", "Spread")), name=f"job-{number}", uid=f"uid-{seed}-{number}", **fields
        )
        cluster.after(rng.random() * 30, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    faults = Faults(*rng.choice(((0, 0, 0), (0.05, 0.1, 0.2), (0.3, 0.2, 0.3))))
    queue = VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": rng.randint(1, 5)}]})
    config = a_config(rng.randint(1, 7), parallelism=rng.randint(1, 4))
    operator = Operator(cluster, config=config, queues={"default": queue}, faults=faults, rng=random.Random(seed + 1))
    return cluster, operator, rng


def interfere(cluster: Cluster, rng: random.Random) -> None:
    """People and accidents while it goes on."""

    def somebody(act: str) -> None:
        known = cluster.all("videojob")
        if not known:
            return
        job = rng.choice(known).value
        if act in ("cancel", "retry"):
            cluster.annotate(job.uid, act, rng.choice(("one", "two", "three;from=NoopItem", "four;from=NoopList")))
        elif act == "crash":
            cluster.crash_at = (len(cluster.writes) + rng.randint(1, 4), rng.choice(("before", "after")))
        elif act == "delete-job":
            mine = [stored for stored in cluster.all("job") if stored.owner == job.uid]
            if mine:
                cluster.remove_job(rng.choice(mine).key)
        elif job.status.phase not in TERMINAL_PHASES:
            spec = job.spec.model_copy(update={"suspend": True})
            cluster.edit(job.uid, spec=spec, generation=job.generation + 1)
            cluster.after(rng.random() * 200, lambda: resume(job.uid))

    def resume(uid: str) -> None:
        job = cluster.objects["videojob", uid].value
        cluster.edit(uid, spec=job.spec.model_copy(update={"suspend": False}), generation=job.generation + 1)

    for _ in range(rng.randint(0, 6)):
        act = rng.choice(("cancel", "retry", "retry", "crash", "crash", "delete-job", "delete-job", "suspend"))
        cluster.after(rng.random() * 150, lambda act=act: somebody(act))  # type: ignore[misc]


def test_chaos_in_graphs_ends_and_keeps_the_invariants(few: int) -> None:
    """I1, I2, I3, I4, I7, I9, I10; cases 1, 2, 4, 28, 29, 30, 43, 52, 53, 76."""
    cluster, operator, rng = story(few)
    interfere(cluster, rng)
    while not cluster.all("videojob"):
        cluster.step()
    operator = drive(cluster, operator)
    for stored in cluster.all("videojob"):
        assert check_history(cluster.history[stored.key]) == []
        for stage in stored.value.status.stages:
            counts = stage.fan_out
            assert counts is None or counts.succeeded <= counts.total
    operator.stop()
    before = list(cluster.writes)
    fresh = Operator(cluster, config=operator.config, queues=operator.queues)
    fresh.run()
    assert cluster.writes == before, "I4: a restart over a converged cluster writes"
