"""Stories under crashes and chaos: two branches, a fan-out over pieces, a join; every end is whole, no piece is drawn twice."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any, Literal

import pytest

from builders import CONFIG, UID
from simcluster import Cluster
from siminvariants import check_history
from simobjects import Outcome, Script
from simoperator import Faults, Operator, drive
from storyboard import FILES, ONLINE_IMAGES, ONLINE_VOICE, PIECES, a_story
from videojob_api.contract import TaskDocument
from videojob_api.names import ANNOTATION_TASK
from videojob_api.v1alpha1 import VideoJobStatus, VideoQueueSpec
from videojob_operator.decide.naming import share

Crash = tuple[int, Literal["before", "after"]]
OUT = {"auto": True, "platforms": [{"name": "youtube", "secretName": "channel"}, {"name": "instagram_reels"}]}
ONLINE = {"voice": ONLINE_VOICE, "images": ONLINE_IMAGES}


def well(_uid: str, _group: str, _attempt: int, _container: str) -> Outcome:
    """Nothing fails."""
    return Outcome()


def failing(_uid: str, group: str, attempt: int, container: str) -> Outcome:
    """A service or a platform is away once, one piece fails once, another is evicted once, the join runs out of memory once."""
    how = {
        ("audio", "work"): "external", ("compose", "work-1"): "recoverable", ("compose", "work-2"): "disrupted",
        ("join", "work"): "oom", ("publish", "provide"): "external",
    }.get((group, container), "ok")  # fmt: skip
    return Outcome(how if attempt == 1 else "ok", seconds=3 + share(container, str(attempt)) * 20)


SCRIPTS: dict[str, Script] = {"well": well, "failing": failing}
GIVEN: dict[str, dict[str, Any]] = {
    "Spread": {"mode": "Spread"},
    "Compact": {"mode": "Compact"},
    "online": {"mode": "Compact", "story": ONLINE},
    "publish": {"mode": "Compact", "publish": OUT},
}


def run(script: str, given: str = "Spread", crash: Crash | None = None) -> Cluster:
    """One story from apply to the deletion of its last Job."""
    cluster = Cluster(SCRIPTS[script])
    cluster.apply(a_story(**GIVEN[given]))
    cluster.crash_at = crash
    drive(cluster, Operator(cluster, config=CONFIG, capacity=(("cpu", 2),)))
    return cluster


def status_of(cluster: Cluster) -> VideoJobStatus:
    """The story's status."""
    status: VideoJobStatus = cluster.objects["videojob", UID].value.status
    return status


def end(cluster: Cluster) -> tuple[object, ...]:
    """What counts at the end: everything but times."""
    status = status_of(cluster)
    stages = tuple(
        (s.name, s.state, s.attempt, s.failures, s.disruptions, s.job, s.key, s.fan_out) for s in status.stages
    )
    names = tuple(output.name for output in status.outputs)
    return status.phase, stages, names, status.story, status.plan, sorted(set(cluster.created))


CRASHED = (("failing", "Spread"), ("well", "online"), ("failing", "publish"))
"""Runs in which the operator dies at every write: all that differs from the graph that does nothing, and no more of it."""
PLAIN = {(script, given): run(script, given) for script in SCRIPTS for given in GIVEN}


@pytest.mark.parametrize(("script", "given"), PLAIN)
def test_a_story_runs_to_its_end(script: str, given: str) -> None:
    cluster = PLAIN[script, given]
    assert status_of(cluster).phase == "Succeeded"
    assert cluster.published[UID] == [tuple(FILES)]
    assert cluster.broken == []
    assert check_history(cluster.history[UID]) == []


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize(
    ("script", "given", "write"), [(*name, w) for name in CRASHED for w in range(1, len(PLAIN[name].writes) + 1)]
)
def test_a_crash_at_any_write_of_a_story_changes_nothing(
    script: str, given: str, write: int, where: Literal["before", "after"]
) -> None:
    """Cases 1 to 4; I1, I4: no Job twice, no piece twice, the same end."""
    crashed = run(script, given, (write, where))
    assert end(crashed) == end(PLAIN[script, given])
    assert len(crashed.created) == len(set(crashed.created)), "a Job was created twice"
    assert crashed.broken == []
    assert check_history(crashed.history[UID]) == []


def documents(cluster: Cluster) -> list[TaskDocument]:
    """What each Job was told."""
    found = (manifest["spec"]["template"]["metadata"]["annotations"] for manifest in cluster.launched)
    return [TaskDocument.model_validate_json(annotations[ANNOTATION_TASK]) for annotations in found]


def test_a_piece_that_was_lost_or_failed_is_drawn_again_alone() -> None:
    """A pod killed in the middle of a scene repeats that scene's index; the others go on."""
    tried = [document for document in documents(PLAIN["failing", "Spread"]) if document.group == "compose"]
    assert [(document.attempt, document.indexes) for document in tried] == [(1, f"0-{PIECES - 1}"), (2, "1-2")]


def test_speech_and_pictures_are_alive_at_the_same_time() -> None:
    both = [s for s in PLAIN["well", "Spread"].history[UID] if s.stage == "AudioGeneration,ImageGeneration"]
    assert both


def test_what_asks_services_shares_no_pod_with_what_decodes() -> None:
    """Design section 8: credentials and a network are nowhere near a decoder."""
    for document in documents(PLAIN["failing", "online"]):
        online = [bool(task.online) for task in document.stages]
        assert all(online) or not any(online)
        assert (document.fetch is not None) == any(online)


HOWS = (
    "recoverable",
    "resource",
    "stalled",
    "external",
    "oom",
    "disrupted",
    "pod-deleted",
    "garbage",
    "lost",
    "stub",
    "permanent",
)


def test_chaos_in_stories_ends_and_keeps_the_invariants(few: int) -> None:
    """I1, I2, I3, I4, I7, I9, I10, with lost, late and doubled events, and crashes."""
    rng = random.Random(few)
    trouble = rng.choice((0.0, 0.1, 0.3))

    def script(uid: str, group: str, attempt: int, container: str) -> Outcome:
        def roll(what: str) -> float:
            return share(str(few), uid, group, str(attempt), container, what)

        how = HOWS[int(roll("how") * len(HOWS))] if roll("trouble") < trouble else "ok"
        if how == "permanent" and (group.startswith("report-") or roll("rare") < 0.8):
            how = "recoverable"
        return Outcome(how, seconds=0.5 + roll("seconds") * 30, gone=roll("gone") < trouble)

    cluster = Cluster(script)
    cluster.accidents = True
    for number in range(rng.randint(1, 3)):
        fields = {"retry": {"maxAttempts": rng.randint(1, 6)}, "story": rng.choice(({}, ONLINE))}
        fields["publish"] = rng.choice((None, OUT))
        stop = rng.choice((None, None, "SceneParsing", "AudioGeneration"))
        job = a_story(
            rng.choice(("Compact", "Spread", "Auto")),
            name=f"fig-{number}",
            uid=f"uid-{few}-{number}",
            stopAfter=stop,
            **fields,
        )
        cluster.after(rng.random() * 30, lambda job=job: cluster.apply(replace(job, created=cluster.now)))  # type: ignore[misc]
    faults = Faults(*rng.choice(((0, 0, 0), (0.05, 0.1, 0.2), (0.3, 0.2, 0.3))))
    queue = VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": rng.randint(1, 5)}]})
    operator = Operator(cluster, config=CONFIG, queues={"default": queue}, faults=faults, rng=random.Random(few + 1))
    while not cluster.all("videojob"):
        cluster.step()
    if rng.random() < 0.5:
        cluster.crash_at = (rng.randint(1, 40), rng.choice(("before", "after")))
    operator = drive(cluster, operator)
    for stored in cluster.all("videojob"):
        assert stored.value.status.phase in ("Succeeded", "Failed")
        assert check_history(cluster.history[stored.key]) == []
    operator.stop()
    before = list(cluster.writes)
    Operator(cluster, config=operator.config, queues=operator.queues).run()
    assert cluster.writes == before, "I4: a restart over a converged cluster writes"
