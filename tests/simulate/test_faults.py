"""Seeded chaos: attempts fail in every way, events are lost, doubled and late, the operator crashes, people interfere.

Every run must end, with every invariant kept at every step. A failing seed stands in the test's name: replay it with
`pytest tests/simulate --seed N`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from builders import CONFIG, SHA, a_url, a_videojob
from simcluster import Cluster, CrashError
from siminvariants import check_history
from simobjects import Outcome
from simoperator import Faults, Operator, drive, drive_both
from simpeople import interfere
from simqueue import check_acceptance
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_api.v1alpha1.notify import ENDS
from videojob_operator.decide.naming import share
from videojob_operator.decide.notify import group_of
from videojob_operator.settings import read_classes

HOOK = "https://hooks.example.org/"
HOWS = (
    "recoverable", "resource", "stalled", "external", "stopped", "oom", "oom-hidden", "disrupted", "evicted",
    "pod-deleted", "job-deleted", "garbage", "lost", "stub", "stub-unposted", "hang", "permanent", "config",
)  # fmt: skip
LIMITS = (
    {},
    {},
    {"maxDepth": 1},
    {"maxDepth": 2, "limits": [{"namespace": "*", "running": 1}]},
    {"limits": [{"namespace": "team-a", "submitsPerMinute": 1}, {"namespace": "*", "queued": 1, "running": 1}]},
)
"""What a queue may ask for; a limit is never so low that nobody would ever start."""
CLASSES = read_classes(
    {
        "tight": {"maxMemory": "1Gi", "scratch": "512Mi", "disruptionBudget": 2},
        "large": {"resources": {"limits": {"memory": "4Gi"}}, "maxMemory": "16Gi", "maxScratch": "8Gi"},
    }
)
SETTINGS = replace(CONFIG, classes=tuple(CLASSES.items()))


def some_queues(rng: random.Random) -> dict[str, VideoQueueSpec]:
    """Two queues with limits of their own."""
    return {
        name: VideoQueueSpec.model_validate(
            {
                "slots": [{"name": "cpu", "capacity": capacity}],
                "agingSeconds": rng.choice((0, 20, 60, 300)),
                **rng.choice(LIMITS),
            }
        )
        for name, capacity in (("default", 2), ("night", 1))
    }


def story(seed: int) -> tuple[Cluster, Operator, random.Random]:
    """Up to seven VideoJobs of two namespaces in two queues. Each container's end is drawn from its own hash, so that it
    does not depend on the order of calls.
    """
    rng = random.Random(seed)
    trouble = rng.choice((0.0, 0.15, 0.4))

    def script(uid: str, group: str, attempt: int, container: str) -> Outcome:
        def roll(what: str) -> float:
            return share(str(seed), uid, group, str(attempt), container, what)

        how = HOWS[int(roll("how") * len(HOWS))] if roll("trouble") < trouble else "ok"
        if (group.startswith("report-") and how == "permanent") or (
            group.startswith("notify-") and how == "job-deleted"
        ):
            how = "recoverable"  # whoever deletes a webhook's Job every time makes it be sent for ever
        hungry = roll("hungry") < trouble
        return Outcome(
            how, seconds=0.5 + roll("seconds") * 60, gone=roll("gone") < trouble,
            needs_mib=int(roll("needs") * 8000) if hungry else 0, writes_mib=int(roll("writes") * 3000) if hungry else 0,
        )  # fmt: skip

    cluster = Cluster(script)
    for number in range(rng.randint(1, 7)):
        fields = {
            "priority": rng.choice(("High", "Normal", "Low")),
            "queue": rng.choice(("default", "default", "night")),
            "retry": {"maxAttempts": rng.randint(1, 5)},
            "timeoutSeconds": rng.choice((120, 600, 3600)),
            "notify": rng.choice(((), ({"url": HOOK}, {"url": HOOK + "all", "events": ["progress_update"]}))),
            "workerClass": rng.choice(("default", "default", "tight", "large")),
            "cache": {"mode": rng.choice(("ReadWrite", "ReadWrite", "ReadOnly", "Off"))},
        }
        if rng.random() < 0.3:
            fields["transcode"] = a_url(**rng.choice(({}, {"sha256": SHA})))
        if rng.random() < 0.1:
            fields["stopAfter"] = rng.choice(("Ingest", "Transcode", "Verify"))
        job = a_videojob(rng.choice(("Compact", "Spread")), name=f"job-{number}", uid=f"uid-{seed}-{number}", **fields)
        job = replace(job, namespace=rng.choice(("team-a", "team-b")))
        cluster.after(rng.random() * 30, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    faults = Faults(
        *rng.choice(((0, 0, 0), (0.05, 0.1, 0.2), (0.3, 0.2, 0.3))), skipped_progress=rng.choice((0.0, 0.7))
    )
    emptied = rng.choice((0.0, 0.0, 0.3))
    cluster.cache.swept = lambda uid, attempt: share(str(seed), uid, str(attempt), "swept") < emptied
    queues = some_queues(rng)
    cluster.judge_acceptance = lambda job: check_acceptance(cluster, job, queues)
    operator = Operator(cluster, config=SETTINGS, queues=queues, faults=faults, rng=random.Random(seed + 1))
    return cluster, operator, rng


def test_chaos_ends_and_keeps_the_invariants(seed: int) -> None:
    """I1, I2, I3, I4, I7, I9, I10, S-004, X-012; cases 1, 2, 4, 17, 18, 19, 28, 29, 30, 37, 38, 43, 52, 53, 56, 76, 77."""
    cluster, operator, rng = story(seed)
    interfere(cluster, rng, operator.queues)
    while not cluster.all("videojob"):
        cluster.step()
    operator = drive(cluster, operator)
    for stored in cluster.all("videojob"):
        assert check_history(cluster.history[stored.key]) == []
        stops = stored.value.spec.stop_after is not None
        if stored.value.status.phase == "Succeeded":
            assert bool(cluster.published.get(stored.key)) != stops, (
                "Succeeded: published, unless it was to stop before"
            )
        if stops:
            assert stored.key not in cluster.published, "published beyond stopAfter"
        for target in stored.value.spec.notify[:1]:
            rows = {row.host: row for row in stored.value.status.notify if row.name == group_of(target)}
            heard = cluster.received.get((stored.key, HOOK), [])
            given_up = any(row.lost for row in rows.values())
            assert given_up or any(event in ENDS for _, event in heard), "a webhook was forgotten"
    operator.stop()
    before = list(cluster.writes)
    fresh = Operator(cluster, config=SETTINGS, queues=operator.queues)
    fresh.run()
    assert cluster.writes == before, "I4: a restart over a converged cluster writes"


def test_two_operators_by_mistake_do_no_harm(few: int) -> None:
    """Case 12: without a Lease, and each with its own late view, I1 to I3 hold; only writes are wasted."""
    cluster, first, rng = story(few)
    cluster.late_reports = True
    late = Faults(late=0.3, late_seconds=5)
    first.faults = late
    wide = VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 99}]})
    second = Operator(cluster, config=SETTINGS, queues={"default": wide, "night": wide}, faults=late, rng=rng)
    first.queues = second.queues
    cluster.judge_acceptance = lambda _job: []
    drive_both(cluster, first, second)


def test_an_operator_that_was_away_finds_results_whose_pods_are_gone() -> None:
    """Case 4: away for an hour in the middle of the work; nothing runs twice, one report Job an attempt at most."""
    for mode in ("Compact", "Spread"):
        cluster = Cluster(lambda _uid, _group, _attempt, _container: Outcome(seconds=30, gone=True))
        cluster.apply(a_videojob(mode))
        operator = Operator(cluster)
        while not cluster.all("pod"):
            operator.run()
            cluster.step()
        operator.stop()
        away = cluster.now + timedelta(hours=1)
        cluster.at(away, lambda: None)
        while cluster.now < away:
            cluster.step()
        assert not cluster.all("pod")
        drive(cluster, Operator(cluster))
        status = cluster.all("videojob")[0].value.status
        assert status.phase == "Succeeded"
        reports = [name for name in cluster.created if "-report-" in name]
        assert len(reports) == 1
        assert len(cluster.created) == len(set(cluster.created)) == len(status.plan.groups) + 1


def test_a_crash_raises_out_of_the_write_it_was_set_for() -> None:
    """The simulator itself: the write before the crash has happened, or has not."""
    for where, written in (("before", 0), ("after", 1)):
        cluster = Cluster()
        cluster.apply(a_videojob())
        cluster.crash_at = (1, where)  # type: ignore[assignment]
        operator = Operator(cluster)
        try:
            operator.run()
        except CrashError:
            assert len(cluster.history.get("11111111-2222-3333-4444-555555555555", [])) == written
        else:
            raise AssertionError("no crash")
