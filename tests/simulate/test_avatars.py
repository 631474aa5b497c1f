"""Avatars in a simulated cluster: slots of their own for every model, crashes at every write, a provider that is away."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from builders import CONFIG, UID
from simavatar import an_avatar
from simcluster import Cluster
from siminvariants import check_history
from simobjects import Outcome, Script
from simoperator import Operator, drive
from videojob_api.v1alpha1 import DEFAULT_SLOTS, VideoJobStatus
from videojob_operator.settings import read_classes

SLOTS = tuple((slot.name, slot.capacity) for slot in DEFAULT_SLOTS)
WEIGHTS = {"uri": "store://stock/models/model.onnx", "sha256": "ab" * 32}
MODELS = {
    "detection": {"detector": "onnx", "weights": WEIGHTS},
    "matting": {"matter": "birefnet", "weights": WEIGHTS},
}
ONLINE = {"provider": {"name": "did", "secretName": "d-id"}}
Crash = tuple[int, Literal["before", "after"]]


def well(_uid: str, _group: str, _attempt: int, _container: str) -> Outcome:
    """Nothing fails."""
    return Outcome(seconds=5)


def failing(_uid: str, group: str, attempt: int, _container: str) -> Outcome:
    """The detector's node is lost, the cut-out runs out of memory, and the provider is away, each once."""
    how = {"detect": "disrupted", "matte": "oom", "animate": "external"}.get(group, "ok")
    return Outcome(how if attempt == 1 else "ok", seconds=5)


def failing_together(_uid: str, group: str, attempt: int, _container: str) -> Outcome:
    """In the pod that both share, the node is lost first, then the cut-out runs out of memory, the detection being done."""
    if (group, attempt) == ("detect", 2):
        return Outcome("resource", seconds=5, done=1)
    how = {"detect": "disrupted", "animate": "external"}.get(group, "ok")
    return Outcome(how if attempt == 1 else "ok", seconds=5)


SCRIPTS: dict[str, Script] = {"well": well, "failing": failing, "failing together": failing_together}
APART = {"detection": {"detector": "onnx", "weights": WEIGHTS}}
"""Only one of the two models computes on a GPU: they share no pod, whoever waits."""


def run(script: str, crash: Crash | None = None, **avatar: Any) -> Cluster:
    """One avatar from apply to the deletion of its last Job; what fails one after the other fails in pods of their own."""
    cluster = Cluster(SCRIPTS[script])
    cluster.apply(an_avatar(avatar=(APART if script == "failing" else {}) | avatar))
    cluster.crash_at = crash
    drive(cluster, Operator(cluster, config=CONFIG, capacity=SLOTS))
    return cluster


def status_of(cluster: Cluster, uid: str = UID) -> VideoJobStatus:
    status: VideoJobStatus = cluster.objects["videojob", uid].value.status
    return status


def end(cluster: Cluster) -> tuple[object, ...]:
    """What counts at the end: everything but times."""
    status = status_of(cluster)
    stages = tuple((s.name, s.state, s.attempt, s.failures, s.disruptions, s.job, s.key) for s in status.stages)
    return status.phase, stages, status.outputs, status.avatar, sorted(set(cluster.created))


PLAIN = {script: run(script, **ONLINE) for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_avatar_runs_to_its_end_and_is_published_once(script: str) -> None:
    """A-002, A-004, A-029, A-033: what fails is tried again, and nothing is out before all is there."""
    cluster = PLAIN[script]
    status = status_of(cluster)
    assert status.phase == "Succeeded"
    assert cluster.published[UID] == [("video", "thumbnail")]
    assert status.avatar is not None
    assert status.avatar.person_detection is not None
    assert status.avatar.person_detection.total_persons == 3
    assert cluster.broken == []
    assert check_history(cluster.history[UID]) == []
    assert all(not seen.outputs for seen in cluster.history[UID] if seen.phase != "Succeeded")


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(
    ("script", "write"),
    [(name, n) for name in PLAIN if name != "well" for n in range(1, len(PLAIN[name].writes) + 1)],
)
def test_a_crash_at_any_write_of_an_avatar_changes_nothing(
    script: str, write: int, where: Literal["before", "after"]
) -> None:
    """Cases 1 to 4; I1, I4: no Job twice, the same end."""
    crashed = run(script, (write, where), **ONLINE)
    assert end(crashed) == end(PLAIN[script])
    assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
    assert crashed.broken == []


CANCEL_SECONDS = 40


def slow(_uid: str, group: str, _attempt: int, _container: str) -> Outcome:
    """The provider takes its time."""
    return Outcome(seconds=60 if group == "animate" else 5)


def left(retry_after: float | None, crash: Crash | None = None, how: str = "ok") -> Cluster:
    """One that is cancelled while its provider works, and maybe driven again; the first removal ends as told."""

    def script(uid: str, group: str, attempt: int, container: str) -> Outcome:
        if group == "withdraw":
            return Outcome(how if attempt == 1 else "ok", seconds=5)
        return slow(uid, group, attempt, container)

    cluster = Cluster(script)
    cluster.watchers.append(Apart(cluster))
    cluster.apply(an_avatar(avatar=ONLINE))
    cluster.crash_at = crash
    operator = Operator(cluster, config=CONFIG, capacity=SLOTS)
    cluster.after(CANCEL_SECONDS, lambda: cluster.annotate(UID, "cancel", "one"))
    if retry_after is not None:
        until = cluster.now + timedelta(seconds=CANCEL_SECONDS + retry_after)
        cluster.after(CANCEL_SECONDS + retry_after, lambda: cluster.annotate(UID, "retry", "one"))
        while cluster.now <= until:
            operator.run()
            cluster.step()
    drive(cluster, operator)
    return cluster


def removals(cluster: Cluster) -> int:
    return len([name for name in cluster.created if "-withdraw-" in name])


@pytest.mark.parametrize("how", ["ok", "external"])
def test_a_cancelled_avatar_leaves_nothing_at_its_provider_whatever_crashes(how: str) -> None:
    """A-004, A-046, cases 1 to 4: whatever write the operator dies at, one removal comes to its end, and none is doubled."""
    plain = left(None, how=how)
    states = [seen.withdrawal.state for seen in plain.history[UID] if seen.withdrawal is not None]
    assert states[0] == "Waiting"
    assert states[-1] == "Removed"
    assert removals(plain) == (1 if how == "ok" else 2)
    for write in range(1, len(plain.writes) + 1):
        for where in ("before", "after"):
            crashed = left(None, (write, "before" if where == "before" else "after"), how)
            status = status_of(crashed)
            assert status.phase == "Cancelled"
            assert status.withdrawal is not None
            assert status.withdrawal.state == "Removed"
            assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
            assert crashed.broken == []


@pytest.mark.parametrize("seconds", [0.1, 5, 29, 31, 33, 35.5, 37, 60])
def test_a_redrive_at_any_moment_of_the_removal_comes_to_its_end(seconds: float) -> None:
    """Before it begins, while it works, when it has ended: the attempt and the removal are never at work together."""
    cluster = left(seconds)
    assert status_of(cluster).phase == "Succeeded"
    assert cluster.broken == []
    assert removals(cluster) <= 1
    (apart,) = (watcher for watcher in cluster.watchers if isinstance(watcher, Apart))
    assert (apart.alone >= {"animate"}, apart.both) == (True, 0)


def test_a_003_percents_rise_as_the_seeds_have_them() -> None:
    """A-003: a stage that runs begins at its own percent, not where the one before it ended."""
    seen = [status.progress.percent for status in run("well", **APART).history[UID]]
    assert seen == sorted(seen)
    assert {20, 25, 40, 50, 60, 70, 80, 90, 100} <= {0, *seen}


def test_ten_at_once_share_two_detectors_and_one_that_cuts_out() -> None:
    """A-005 to A-007, A-043: slots are never exceeded, nobody overtakes (`drive` looks at every step); one is detected while
    another one is cut out.
    """
    cluster = Cluster(well)
    for number in range(10):
        cluster.apply(an_avatar(name=f"face-{number}", uid=f"uid-{number}"))
    seen = Together(cluster)
    cluster.watchers.append(seen)
    drive(cluster, Operator(cluster, config=CONFIG, capacity=SLOTS))
    assert {status_of(cluster, f"uid-{number}").phase for number in range(10)} == {"Succeeded"}
    assert any({"Detection", "BackgroundRemoval"} <= stages for stages in seen.stages)


# ---------------------------------------------------------------- with GPUs


def crowd(script: str, number: int, hop: int | None, crash: Crash | None = None) -> Cluster:
    """So many at once on a cluster whose worker class has GPUs."""
    classes = tuple(read_classes({"default": {"gpuClass": "cards"}, "cards": {"gpu": {}}}).items())
    cluster = Cluster(SCRIPTS[script])
    for n in range(number):
        cluster.apply(
            an_avatar(
                name=f"face-{n}", uid=f"uid-{n}", avatar=MODELS, accelerator={"hopAfterSeconds": hop} if hop else {}
            )
        )
    cluster.crash_at = crash
    drive(cluster, Operator(cluster, config=replace(CONFIG, classes=classes), capacity=SLOTS))
    return cluster


def used(cluster: Cluster, number: int, name: str) -> list[tuple[str | None, str | None]]:
    """What each VideoJob's stage asked for, and in which slot."""
    rows = (stage for n in range(number) for stage in status_of(cluster, f"uid-{n}").stages if stage.name == name)
    return [(stage.accelerator_requested, stage.slot) for stage in rows]


@pytest.mark.parametrize("script", SCRIPTS)
def test_who_waits_too_long_for_a_gpu_goes_on_without_and_nobody_is_left(script: str) -> None:
    """A-032, A-042, A-043: slots are never exceeded (`drive` looks at every step), and all come to their end."""
    cluster = crowd(script, 10, hop=12)
    assert {status_of(cluster, f"uid-{n}").phase for n in range(10)} == {"Succeeded"}
    assert cluster.broken == []
    assert len(cluster.created) == len(set(cluster.created))
    assert all(check_history(cluster.history[f"uid-{n}"]) == [] for n in range(10))
    how = used(cluster, 10, "BackgroundRemoval")
    assert set(how) == {("Gpu", "birefnet"), ("Cpu", "cpu")}
    for n, (requested, _) in enumerate(how):
        hopped = "Cpu" in (requested, used(cluster, 10, "Detection")[n][0])
        reasons = {c.reason for c in status_of(cluster, f"uid-{n}").conditions if c.type == "Degraded"}
        assert reasons == ({"AcceleratorFallback"} if hopped else set())


def test_who_may_wait_long_enough_gets_a_gpu() -> None:
    cluster = crowd("well", 10, hop=None)
    assert set(used(cluster, 10, "Detection")) == {("Gpu", "yolo")}
    assert set(used(cluster, 10, "BackgroundRemoval")) == {("Gpu", "birefnet")}


HOPPING = crowd("well", 3, hop=3)


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("write", range(1, len(HOPPING.writes) + 1))
def test_a_crash_at_any_write_loses_nobody_who_waits_for_a_gpu(write: int, where: Literal["before", "after"]) -> None:
    """Cases 1 to 4; I1: no Job twice, no slot too many, everybody comes to an end."""
    crashed = crowd("well", 3, 3, (write, where))
    assert {status_of(crashed, f"uid-{n}").phase for n in range(3)} == {"Succeeded"}
    assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
    assert crashed.broken == []
    for name, slot in (("Detection", "yolo"), ("BackgroundRemoval", "birefnet")):
        assert set(used(crashed, 3, name)) <= {("Gpu", slot), ("Cpu", "cpu")}


class Apart:
    """Counts the moments at which a pod that asks the provider is at work beside one that removes what is there."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.alone: set[str] = set()
        self.both = 0

    def event(self, kind: str, _key: str, _now: object) -> None:
        """A change of any object."""
        if kind != "pod":
            return
        pods = [stored for (of, _), stored in self._cluster.objects.items() if of == "pod"]
        names = [pod.job for pod in pods if any(part.state == "Running" for part in pod.value.containers)]
        found = {group for group in ("animate", "withdraw") if any(f"-{group}-" in name for name in names)}
        self.alone |= found
        self.both += len(found) == 2


class Together:
    """Notes which stages of different VideoJobs run at the same time."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.stages: set[frozenset[str]] = set()

    def event(self, kind: str, _key: str, _now: object) -> None:
        """A change of any object."""
        if kind != "videojob":
            return
        jobs = [stored.value.status for (of, _), stored in self._cluster.objects.items() if of == "videojob"]
        running = (status.stage for status in jobs if status.phase == "Running" and status.stage is not None)
        self.stages.add(frozenset(running))
