"""The cache as decisions see it: what is known to be published asks for a slot of its own class, and may do no work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from builders import Scene, a_failure, a_result, a_stage, ended, waiting
from videojob_api import names
from videojob_api.contract import CacheOrder
from videojob_api.exits import ExitCode
from videojob_operator.decide.queue import CACHE_CAPACITY, grant
from videojob_operator.decide.world import Config, CreateJob, LiveSlot, QueueView, SlotRequest

INBOX = "store://inbox/" + "a1" * 32


def known(scene: Scene, *but: str) -> Scene:
    """The operator believes that the cache has all of the job's stages, but for some."""
    return scene.set(cached=frozenset(str(s.key) for s in scene.status.stages if s.name not in but))


def asked(scene: Scene) -> SlotRequest:
    """What the job waits for, with nothing granted."""
    scene.settle(granted=False)
    request = scene.look().request
    assert request is not None
    return request


@dataclass(frozen=True)
class Case:
    name: str
    given: dict[str, Any]
    expect: str
    missing: tuple[str, ...] = ()
    config: Config = field(default=Config(worker_image="w"))


CASES = (
    Case("everything was published before", {}, "cache"),
    Case("only read", {"cache": {"mode": "ReadOnly"}}, "cache"),
    Case("the cache is off", {"cache": {"mode": "Off"}}, "cpu"),
    Case("one stage is new", {}, "cpu", ("Transcode",)),
    Case("a commit is never in the cache, and need not be", {}, "cache", ("Commit",)),
    Case(
        "a file of the stock may be another one by now",
        {"transcode": {"source": {"uri": "store://stock/intro.mp4"}}},
        "cpu",
    ),
    Case("a store without a cache", {}, "cpu", config=Config(worker_image="w", cache=False)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_which_slot_is_asked_for(case: Case) -> None:
    scene = Scene.of(**case.given, config=case.config).settle(granted=False)
    assert asked(known(scene, *case.missing)).slot == case.expect


def test_a_job_of_one_stage_each_asks_stage_by_stage() -> None:
    scene = Scene.of("Spread").settle(granted=False)
    assert asked(known(scene, "Transcode", "Verify")).slot == "cache"
    scene.give("cache").settle()
    scene.succeed("ingest-a1").settle(granted=False)
    assert asked(scene.give(None)).slot == "cpu"


def launched(scene: Scene) -> CreateJob:
    """The latest Job."""
    return [a for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob)][-1]


def test_the_slot_that_was_granted_says_what_the_job_may_do() -> None:
    """I7: a Job under a slot of class cache is forbidden to work, whatever became of the belief since; one under its own may."""
    scene = Scene.of().settle(granted=False)
    scene.set(cached=frozenset()).give(names.CACHE_SLOT).settle()
    copies = launched(scene)
    assert copies.slot == "cache"
    assert copies.document.cache == CacheOrder(mode="ReadWrite", source=INBOX, only=True)
    other = Scene.of().settle(granted=False)
    known(other).give("cpu").settle()
    works = launched(other)
    assert works.slot == "cpu"
    assert works.document.cache == CacheOrder(mode="ReadWrite", source=INBOX)


def test_off_is_a_document_without_an_order() -> None:
    scene = Scene.of(cache={"mode": "Off"}).settle()
    assert launched(scene).document.cache is None


def test_an_empty_cache_costs_a_moment_and_no_attempt() -> None:
    """Code 66: no failure is counted, nothing waits for a backoff, the next attempt asks for the real slot and may work."""
    scene = known(Scene.of().settle(granted=False)).give("cache").settle()
    said = a_failure("NotCached", "Disruption", "Transcode")
    scene.give(None).fail("main-a1", ExitCode.UNCACHED, said, seconds=1).settle(granted=False)
    stage = scene.status.stages[0]
    assert (stage.failures, stage.disruptions, scene.status.next_retry_time) == (0, 1, None)
    assert scene.status.failure is not None
    assert (scene.status.failure.code, scene.status.failure.exit_code) == ("NotCached", 66)
    assert asked(scene).slot == "cpu", "what is still believed is not tried a second time"
    scene.settle()
    again = launched(scene)
    assert (again.slot, again.document.attempt) == ("cpu", 2)
    assert again.document.cache is not None
    assert not again.document.cache.only
    scene.succeed("main-a2").settle()
    assert (scene.status.phase, scene.status.failure) == ("Succeeded", None)


def test_an_empty_cache_is_known_by_the_jobs_condition_too() -> None:
    """The pod object is gone: the exit code stands in the condition (case 4)."""
    scene = known(Scene.of().settle(granted=False)).give("cache").settle()
    text = "Container work for pod a/b failed with exit code 66 matching FailJob rule at index 1"
    scene.give(None).tick(2).finish("main-a1", "Failed", text, pods=False).settle(granted=False)
    assert scene.status.stages[0].disruptions == 1
    assert asked(scene).slot == "cpu"


def test_stages_from_the_cache_are_shown_as_such() -> None:
    scene = known(Scene.of().settle(granted=False)).give("cache").settle()
    outputs = scene.status.plan.outputs if scene.status.plan is not None else ()
    work = a_result("work", ["ingest", "transcode", "verify"])
    work = work.model_copy(update={"stages": tuple(s.model_copy(update={"cached": True}) for s in work.stages)})
    scene.tick(1).pod("main-a1", ended("work", 0, work, at=scene.seen.now), waiting("commit")).look()
    assert [stage.state for stage in scene.status.stages] == ["Cached", "Cached", "Cached", "Running"]
    done = a_result("commit").model_copy(update={"stages": (a_stage("commit", outputs=outputs),)})
    scene.pod(
        "main-a1", ended("work", 0, work, at=scene.seen.now), ended("commit", 0, done, at=scene.seen.now)
    ).settle()
    assert [stage.state for stage in scene.status.stages] == ["Cached", "Cached", "Cached", "Succeeded"]
    assert (scene.status.phase, scene.status.progress.percent, scene.status.attempts) == ("Succeeded", 100, 1)


# ---------------------------------------------------------------- the queue


def view(*requests: SlotRequest, live: tuple[LiveSlot, ...] = (), **fields: Any) -> QueueView:
    base: dict[str, Any] = {"capacity": (("cpu", 1),)}
    scene = Scene.of()
    return QueueView("default", scene.seen.now, live=live, requests=requests, **(base | fields))


def ask(uid: str, slot: str = "cache") -> SlotRequest:
    return SlotRequest(uid, "default", slot, "main", 1, 1, Scene.of().seen.now, namespace="a")


FULL = (LiveSlot("busy", "cpu", 1, "a"),)


def granted(given: QueueView) -> list[str]:
    return [request.uid for request in grant(given).granted]


def test_what_is_copied_passes_those_who_wait_for_a_real_slot() -> None:
    assert granted(view(ask("works", "cpu"), ask("copies"), live=FULL)) == ["copies"]


def test_copies_are_bounded_by_a_class_that_no_queue_needs_to_list() -> None:
    crowd = [ask(f"u{number:02}") for number in range(CACHE_CAPACITY + 3)]
    answer = grant(view(*crowd))
    assert len(answer.granted) == CACHE_CAPACITY
    assert (
        next(text for _, text in answer.waiting) == f"slot cache: {CACHE_CAPACITY} of {CACHE_CAPACITY} taken, 0 ahead"
    )
    assert len(granted(view(*crowd, capacity=(("cpu", 1), ("cache", 2))))) == 2


def test_a_pause_and_a_namespaces_limit_hold_for_copies_too() -> None:
    assert granted(view(ask("copies"), paused=True)) == []
    assert granted(view(ask("copies"), live=FULL, running=(("a", 1),))) == []
