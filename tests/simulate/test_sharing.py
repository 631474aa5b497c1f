"""One pod for detection and cut-out, or two (A-005, A-007): by who waits, and whatever dies or is asked for meanwhile."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from builders import CONFIG, UID
from simavatar import an_avatar
from simcluster import Cluster
from siminvariants import check, check_history
from simobjects import Outcome
from simoperator import Faults, Operator, drive, drive_both
from simpeople import interfere
from videojob_api import names
from videojob_api.v1alpha1 import DEFAULT_SLOTS, VideoJobStatus, VideoQueueSpec
from videojob_operator.decide.naming import share
from videojob_operator.settings import read_classes

SLOTS = tuple((slot.name, slot.capacity) for slot in DEFAULT_SLOTS)
BOTH = ("yolo", "birefnet")
HOWS = (
    "recoverable", "resource", "stalled", "external", "oom", "oom-hidden", "disrupted", "evicted", "pod-deleted",
    "job-deleted", "garbage", "lost", "stub", "stub-unposted", "hang",
)  # fmt: skip
CARDS = tuple(read_classes({"default": {"gpuClass": "cards"}, "cards": {"gpu": {}}}).items())


def status_of(cluster: Cluster, uid: str = UID) -> VideoJobStatus:
    """Its status."""
    status: VideoJobStatus = cluster.objects["videojob", uid].value.status
    return status


def jobs(cluster: Cluster, *groups: str) -> list[tuple[str, str, str | None, str | None]]:
    """VideoJob, group and slot classes of the Jobs of these groups, in the order in which they were created."""
    found = [manifest["metadata"]["labels"] for manifest in cluster.launched]
    return [
        (one[names.LABEL_UID], one[names.LABEL_GROUP], one.get(names.LABEL_SLOT), one.get(names.LABEL_ALSO_SLOTS))
        for one in found
        if one[names.LABEL_GROUP] in groups
    ]


def crowd(starts: dict[str, float], **fields: object) -> Cluster:
    """An avatar for each name, asked for at its second; every container takes ten."""
    cluster = Cluster(lambda _uid, _group, _attempt, _container: Outcome(seconds=10))
    for name, second in starts.items():
        job = an_avatar(name=name, uid=name, **fields)
        cluster.after(second, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    operator = Operator(cluster, config=CONFIG, capacity=SLOTS)
    while len(cluster.all("videojob")) < len(starts):
        operator.run()
        assert check(cluster, operator.queues) == []
        cluster.step()
    drive(cluster, operator)
    assert cluster.broken == []
    assert {status_of(cluster, name).phase for name in starts} == {"Succeeded"}
    return cluster


def test_alone_both_stages_have_one_pod_which_holds_both_slots() -> None:
    """A-005: one Job does both; what it holds stands on it, and both stages name it."""
    cluster = crowd({"a": 0})
    assert jobs(cluster, "detect", "matte") == [("a", "detect", *BOTH)]
    found = {stage.name: stage for stage in status_of(cluster, "a").stages}
    assert found["Detection"].job == found["BackgroundRemoval"].job
    assert (found["Detection"].slot, found["BackgroundRemoval"].slot) == BOTH


def test_who_comes_while_both_are_held_waits_like_for_any_holder() -> None:
    """A-006: a second detector is free and is used; the one that cuts out is held to the end of the pod that has both."""
    cluster = crowd({"a": 0, "b": 5})
    assert jobs(cluster, "detect", "matte") == [
        ("a", "detect", *BOTH),
        ("b", "detect", "yolo", None),
        ("b", "matte", "birefnet", None),
    ]


def test_while_somebody_waits_they_go_apart_and_the_last_one_shares_again() -> None:
    """A-007: of twelve who come together, none that is followed by somebody who waits holds both."""
    cluster = crowd({f"face-{number:02}": 0 for number in range(12)})
    found = jobs(cluster, "detect", "matte")
    both = [uid for uid, _, _, also in found if also is not None]
    assert len(both) <= 1
    assert len(found) == 24 - len(both)


def test_spread_gives_each_stage_its_own_job_whoever_waits() -> None:
    cluster = crowd({"a": 0}, mode="Spread")
    assert jobs(cluster, "detect", "matte") == [("a", "detect", "yolo", None), ("a", "matte", "birefnet", None)]


def test_after_a_failure_each_goes_on_alone() -> None:
    """What of a shared attempt has succeeded is not done again, and holds no slot again."""
    cut = ("a", "matte", "birefnet", None)
    for done, again in ((1, [cut]), (0, [("a", "detect", "yolo", None), cut])):
        ends = {("detect", 1): Outcome("recoverable", seconds=5, done=done)}
        cluster = Cluster(lambda _uid, group, attempt, _container, ends=ends: ends.get((group, attempt), Outcome()))
        cluster.apply(an_avatar(name="a", uid="a"))
        drive(cluster, Operator(cluster, config=CONFIG, capacity=SLOTS))
        assert jobs(cluster, "detect", "matte") == [("a", "detect", *BOTH), *again]
        stages = {stage.name: stage for stage in status_of(cluster, "a").stages}
        failures = (stages["Detection"].failures, stages["BackgroundRemoval"].failures)
        assert failures == ((0, 1) if done else (1, 0)), "a failure counts once, against what has failed"
        assert check_history(cluster.history["a"]) == []


@pytest.mark.parametrize("second", [3, 12, 14, 17, 20, 26, 33])
@pytest.mark.parametrize("start", ["", ";from=Detection", ";from=BackgroundRemoval"])
def test_a_cancel_and_a_redrive_at_any_moment_of_a_shared_pod(second: float, start: str) -> None:
    """T-005, A-004: it comes to its end, every Job once."""
    cluster = Cluster(lambda _uid, _group, _attempt, _container: Outcome(seconds=10))
    cluster.apply(an_avatar())
    operator = Operator(cluster, config=CONFIG, capacity=SLOTS)
    cluster.after(second, lambda: cluster.annotate(UID, "cancel", "one"))
    cluster.after(second + 20, lambda: cluster.annotate(UID, "retry", f"one{start}"))
    until = cluster.now.timestamp() + second + 20
    while cluster.now.timestamp() <= until:
        operator.run()
        assert check(cluster, operator.queues) == []
        cluster.step()
    drive(cluster, operator)
    assert status_of(cluster).phase == "Succeeded"
    assert len(cluster.created) == len(set(cluster.created))
    assert cluster.broken == []
    assert check_history(cluster.history[UID]) == []


# ---------------------------------------------------------------- chaos


def scene(seed: int) -> tuple[Cluster, Operator, random.Random]:
    """Up to six avatars that come one after the other, with or without GPUs, in trouble or not."""
    rng = random.Random(seed)
    trouble = rng.choice((0.0, 0.15, 0.4))

    def script(uid: str, group: str, attempt: int, container: str) -> Outcome:
        def roll(what: str) -> float:
            return share(str(seed), uid, group, str(attempt), container, what)

        how = HOWS[int(roll("how") * len(HOWS))] if roll("trouble") < trouble else "ok"
        return Outcome(
            how, seconds=0.5 + roll("seconds") * 30, done=int(roll("done") * 2), gone=roll("gone") < trouble,
            needs_mib=int(roll("needs") * 6000) if roll("hungry") < trouble else 0,
        )  # fmt: skip

    cluster = Cluster(script)
    models = rng.choice((None, None, "cards"))
    for number in range(rng.randint(1, 6)):
        fields = {
            "priority": rng.choice(("High", "Normal", "Low")),
            "retry": {"maxAttempts": rng.randint(1, 5)},
            "accelerator": rng.choice(({}, {}, {"hopAfterSeconds": 5}, {"mode": "Never"})),
        }
        if models is not None:
            weights = {"uri": "store://stock/models/model.onnx", "sha256": "ab" * 32}
            fields["avatar"] = {"detection": {"detector": "onnx", "weights": weights}} | rng.choice(
                ({}, {"matting": {"matter": "birefnet", "weights": weights}})
            )
        job = an_avatar(
            rng.choice(("Compact", "Compact", "Spread")), name=f"j{number}", uid=f"{seed}-{number}", **fields
        )
        cluster.after(rng.random() * 90, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    faults = Faults(*rng.choice(((0, 0, 0), (0.05, 0.1, 0.2), (0.3, 0.2, 0.3))))
    slots = [{"name": name, "capacity": most} for name, most in SLOTS]
    limits = rng.choice(({}, {}, {"limits": [{"namespace": "*", "running": 1}]}))
    queues = {"default": VideoQueueSpec.model_validate({"slots": slots, "agingSeconds": rng.choice((0, 20)), **limits})}
    config = replace(CONFIG, classes=CARDS) if models is not None else CONFIG
    operator = Operator(cluster, config=config, queues=queues, faults=faults, rng=random.Random(seed + 1))
    return cluster, operator, rng


def test_avatars_in_chaos_end_and_keep_the_invariants(seed: int) -> None:
    """I1, I2, I3, I4, I7, I9, I10, A-005 to A-007: slots are never exceeded, nobody overtakes, whoever shares keeps nobody."""
    cluster, operator, rng = scene(seed)
    interfere(cluster, rng, operator.queues, start=rng.choice(("Detection", "BackgroundRemoval", "AvatarGeneration")))
    while not cluster.all("videojob"):
        cluster.step()
    operator = drive(cluster, operator)
    assert cluster.broken == []
    for stored in cluster.all("videojob"):
        assert check_history(cluster.history[stored.key]) == []
        if stored.value.status.phase == "Succeeded":
            assert cluster.published.get(stored.key)
    operator.stop()
    before = list(cluster.writes)
    Operator(cluster, config=operator.config, queues=operator.queues).run()
    assert cluster.writes == before, "I4: a restart over a converged cluster writes"


def test_two_operators_by_mistake_never_disagree_on_what_a_job_holds(few: int) -> None:
    """Case 12: each grants by a late view of its own; the Job that was created first says what it is, and runs once."""
    cluster, first, _ = scene(few)
    cluster.late_reports = True
    first.faults = Faults(late=0.3, late_seconds=5)
    narrow = {"default": VideoQueueSpec.model_validate({"slots": [{"name": n, "capacity": c} for n, c in SLOTS]})}
    wide = {"default": VideoQueueSpec.model_validate({"slots": [{"name": n, "capacity": 99} for n, _ in SLOTS]})}
    first.queues = narrow
    second = Operator(cluster, config=first.config, queues=wide, faults=first.faults, rng=random.Random(few))
    drive_both(cluster, first, second)
