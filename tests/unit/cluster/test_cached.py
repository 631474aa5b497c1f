"""What the caches are believed to hold, from the VideoJobs alone; a wrong belief costs a second, a missing one a wait."""

from __future__ import annotations

from typing import Any

import pytest

from builders import a_stage
from shop import SYSTEM, TEAM, Shop
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1 import PlannedOutput, Slot, VideoQueueSpec
from videojob_operator.cluster.api import VIDEOJOBS, VIDEOQUEUES
from videojob_operator.cluster.cached import Cached

PLANNED = (PlannedOutput(profile="720p", name="720p", spec=BUILTIN_PROFILES["720p"].dump()),)


def job(phase: str, keys: str, *, namespace: str = "team-a", **parts: Any) -> dict[str, Any]:
    """A VideoJob with a stage for each key."""
    spec = {key: parts.pop(key) for key in ("store", "cache") if key in parts}
    outputs = [{"name": "720p"}] if phase == "Succeeded" else []
    status = {"phase": phase, "stages": [{"key": key, "state": "Succeeded"} for key in keys], "outputs": outputs}
    return {"metadata": {"namespace": namespace}, "spec": spec, "status": status | parts}


MISSED = {"class": "Disruption", "code": "NotCached", "exitCode": 66}
CASES: dict[str, tuple[list[dict[str, Any]], set[str]]] = {
    "nothing is known at first": ([], set()),
    "what was published is": ([job("Succeeded", "ab")], {"a", "b"}),
    "what runs or failed is not": ([job("Running", "ab"), job("Failed", "cd"), job("Cancelled", "e")], set()),
    "what stopped before it published is not": ([job("Succeeded", "ab", outputs=[])], set()),
    "nor what keeps nothing": (
        [job("Succeeded", "a", cache={"mode": "ReadOnly"}), job("Succeeded", "b", cache={"mode": "Off"})], set(),
    ),
    "what came from the cache is there": (
        [job("Succeeded", "", cache={"mode": "ReadOnly"}, stages=[{"key": "a", "state": "Cached"}])], {"a"},
    ),
    "who found nothing says so": ([job("Succeeded", "ab"), job("Queued", "a", failure=MISSED)], {"b"}),
    "until it is published anew": (
        [job("Succeeded", "a"), job("Queued", "a", failure=MISSED), job("Succeeded", "a")], {"a"},
    ),
    "another namespace and another store have their own": (
        [job("Succeeded", "a", namespace="team-b"), job("Succeeded", "b", store="fast")], set(),
    ),
    "a hand-edited status harms nothing": (
        [
            {"metadata": {"namespace": "team-a"}, "spec": None, "status": {"phase": "Succeeded", "stages": [7, {"key": 7}]}},
            {"metadata": {"namespace": "team-a"}, "status": "x"},
        ],
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_belief(name: str) -> None:
    seen, expect = CASES[name]
    cached = Cached()
    for raw in seen:
        assert cached.known("team-a", "default") <= {"a", "b"}
        cached.note(raw)
    assert cached.known("team-a", "default") == expect


def test_it_is_bounded_and_forgets_the_oldest() -> None:
    cached = Cached(most=3)
    for keys in "abcde":
        cached.note(job("Succeeded", keys))
    assert cached.known("team-a", "default") == {"c", "d", "e"}


async def test_the_same_request_passes_a_queue_without_a_free_slot() -> None:
    """The operator as a whole: what one VideoJob has published, the next one copies, under a slot of class cache."""
    shop = Shop.furnished()
    on = {"mode": "ReadWrite"}
    shop.submit("first", cache=on)
    await shop.settle()
    done = shop.status("first") | {
        "phase": "Succeeded",
        "outputs": [a_stage("commit", outputs=PLANNED).files[0].dump()],
    }
    shop.see(VIDEOJOBS, TEAM, "first", status=done)
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=VideoQueueSpec(slots=(Slot(name="cpu", capacity=0),)).dump())
    for number, life in enumerate((shop, shop.restarted())):
        name = f"again-{number}"
        life.submit(name, cache=on)
        life.submit(f"anew-{number}")
        await life.settle()
        assert life.status(name)["phase"] == "Running"
        assert life.status(f"anew-{number}")["phase"] == "Queued"
        job = next(raw for raw in life.jobs() if raw["metadata"]["name"].startswith(name))
        assert job["metadata"]["labels"]["videojob.dev/slot"] == "cache"
