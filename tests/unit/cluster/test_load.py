"""How full queues are: counts that follow the VideoJobs, the gate, and VideoQueue.status, with the real plan and grant."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from fakeapi import Call
from shop import SYSTEM, TEAM, Shop
from videojob_api.names import ANNOTATION_RETRY
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.cluster.api import MEDIASTORES, VIDEOJOBS, VIDEOQUEUES, ApiError, Raw
from videojob_operator.cluster.load import Load, row_of

NOBODY: dict[str, Any] = {"slots": [{"name": "cpu", "capacity": 0}]}


def a_shop(**spec: Any) -> Shop:
    shop = Shop.furnished()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=VideoQueueSpec.model_validate(NOBODY | spec).dump())
    return shop


def phases(shop: Shop) -> dict[str, str]:
    return {raw["metadata"]["name"]: raw["status"]["phase"] for raw in shop.api.all(VIDEOJOBS)}


def reason(shop: Shop, name: str) -> str:
    return next(entry["reason"] for entry in shop.status(name)["conditions"] if entry["type"] == "Accepted")


def queue_status(shop: Shop) -> dict[str, Any]:
    return shop.api.objects["videoqueues", SYSTEM, "default"].get("status", {})


async def pass_time(shop: Shop, seconds: float) -> None:
    """Second by second, each with all that is due."""
    for _ in range(int(seconds)):
        shop.clock.now += 1
        await shop.settle()


async def test_a_full_queue_lets_in_the_oldest_as_others_go() -> None:
    """S-004, X-012: maxDepth holds when many come at once, and whoever is refused enters in order by itself."""
    shop = a_shop(maxDepth=2)
    for number in range(5):
        shop.submit(f"job-{number}")
        shop.clock.now += 1
    await shop.settle()
    assert phases(shop) == {f"job-{n}": "Queued" if n < 2 else "Pending" for n in range(5)}
    assert {reason(shop, f"job-{n}") for n in (2, 3, 4)} == {"QueueFull"}
    shop.knowledge.lost(VIDEOJOBS, shop.api.drop(VIDEOJOBS, TEAM, "job-1"))
    await shop.settle()
    assert phases(shop) == {"job-0": "Queued", "job-2": "Queued", "job-3": "Pending", "job-4": "Pending"}
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=NOBODY | {"maxDepth": 3})
    await shop.settle()
    assert phases(shop) == {"job-0": "Queued", "job-2": "Queued", "job-3": "Queued", "job-4": "Pending"}


async def test_a_place_is_not_given_twice_while_the_write_is_under_way() -> None:
    """I7: the API server has not answered the first acceptance when the second VideoJob is looked at."""
    shop = a_shop(maxDepth=1)
    first = True

    def slow(call: Call) -> None:
        nonlocal first
        if call.resource == "videojobs/status" and first:
            first = False
            raise ApiError(0, "Timeout", "no answer")

    shop.api.fault = slow
    shop.submit("one")
    shop.submit("two")
    await shop.settle()
    assert reason(shop, "two") == "QueueFull"
    await pass_time(shop, 3)
    assert phases(shop) == {"one": "Queued", "two": "Pending"}


async def test_a_namespace_submits_as_fast_as_it_may() -> None:
    """S-004: two a minute; the third enters when the first is a minute old, in the order they came."""
    shop = a_shop(limits=[{"namespace": TEAM, "submitsPerMinute": 2}])
    for number in range(5):
        shop.submit(f"job-{number}")
    await shop.settle()
    assert sorted(phases(shop).values()) == ["Pending"] * 3 + ["Queued"] * 2
    assert reason(shop, "job-4") == "RateLimited"
    await pass_time(shop, 59)
    assert sorted(phases(shop).values()).count("Queued") == 2
    await pass_time(shop, 2)
    assert phases(shop) == {f"job-{n}": "Queued" if n < 4 else "Pending" for n in range(5)}
    await pass_time(shop, 61)
    assert set(phases(shop).values()) == {"Queued"}


async def test_a_namespace_at_its_limit_holds_up_nobody_else() -> None:
    """Case 77: its older VideoJobs at the gate are passed by; a row of its own takes the place of `*`."""
    shop = a_shop(maxDepth=3, limits=[{"namespace": TEAM, "queued": 1}, {"namespace": "*", "queued": 2}])
    for number in range(4):
        shop.submit(f"job-{number}")
    await shop.settle()
    shop.clock.now += 1
    body = shop.api.objects["videojobs", TEAM, "job-0"]["spec"]
    other = {"pvc": {"claimName": "videojob-store"}}
    shop.see(MEDIASTORES, "team-b", "default", spec=other)
    for number in range(3):
        moment = shop.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        shop.see(VIDEOJOBS, "team-b", f"b-{number}", spec=body, metadata={"creationTimestamp": moment})
    await shop.settle()
    assert phases(shop) == {
        "job-0": "Queued", "job-1": "Pending", "job-2": "Pending", "job-3": "Pending",
        "b-0": "Queued", "b-1": "Queued", "b-2": "Pending",
    }  # fmt: skip


def driven_again(shop: Shop, name: str) -> None:
    """Somebody asks for a dead letter once more."""
    raw = shop.api.objects["videojobs", TEAM, name]
    meta = raw["metadata"] | {"annotations": {ANNOTATION_RETRY: "once"}}
    shop.see(VIDEOJOBS, TEAM, name, spec=raw["spec"], status=raw["status"], metadata=meta)


def fail(shop: Shop, name: str) -> None:
    """It ends as a dead letter."""
    raw = shop.api.objects["videojobs", TEAM, name]
    ended = {"phase": "Failed", "completionTime": shop.now().strftime("%Y-%m-%dT%H:%M:%SZ")}
    shop.see(VIDEOJOBS, TEAM, name, spec=raw["spec"], status=raw["status"] | ended, metadata=raw["metadata"])


async def test_dead_letters_enter_as_there_is_room_before_those_who_come_for_the_first_time() -> None:
    """X-003, X-008, X-012, S-004: a bulk redrive keeps to maxDepth and to the namespace's places, but is no submit."""
    shop = a_shop(maxDepth=2, limits=[{"namespace": TEAM, "submitsPerMinute": 3}])
    for number in range(3):
        shop.submit(f"dead-{number}")
        await shop.settle()
        fail(shop, f"dead-{number}")
        shop.clock.now += 1
    shop.submit("new")
    await shop.settle()
    assert phases(shop) == {"dead-0": "Failed", "dead-1": "Failed", "dead-2": "Failed", "new": "Pending"}
    assert reason(shop, "new") == "RateLimited"
    for number in (2, 1, 0):
        driven_again(shop, f"dead-{number}")
    await shop.settle()
    assert sorted(phases(shop).values()) == ["Pending", "Pending", "Queued", "Queued"]
    held = next(name for name, phase in phases(shop).items() if phase == "Pending" and name != "new")
    assert reason(shop, held) == "QueueFull"
    await pass_time(shop, 70)
    assert (reason(shop, "new"), phases(shop)[held]) == ("QueueFull", "Pending"), (
        "the minute is over, the queue is full"
    )
    entered = next(name for name, phase in phases(shop).items() if phase == "Queued")
    shop.knowledge.lost(VIDEOJOBS, shop.api.drop(VIDEOJOBS, TEAM, entered))
    await shop.settle()
    assert (phases(shop)[held], phases(shop)["new"]) == ("Queued", "Pending"), "what is driven again goes first"
    again = shop.restarted()
    await again.settle()
    assert phases(again) == phases(shop)
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec=NOBODY | {"maxDepth": 3})
    await shop.settle()
    assert set(phases(shop).values()) == {"Queued"}


async def test_the_numbers_of_a_queue_are_true_and_written_when_they_change() -> None:
    """T-004, X-012: the seeds' words; at most one write in ten seconds; another life writes nothing (I4)."""
    shop = a_shop(slots=[{"name": "cpu", "capacity": 2}], maxDepth=2)
    for number in range(6):
        shop.submit(f"job-{number}")
    await shop.settle()
    assert queue_status(shop) == {}, "changes are gathered for a second"
    await pass_time(shop, 60)
    uids = [shop.api.objects["videojobs", TEAM, f"job-{n}"]["metadata"]["uid"] for n in (2, 3)]
    assert queue_status(shop) == {
        "observedGeneration": shop.api.objects["videoqueues", SYSTEM, "default"]["metadata"]["generation"],
        "queueDepth": 2,
        "dlqDepth": 0,
        "totalJobs": 6,
        "jobsByStatus": {"pending": 2, "queued": 2, "processing": 2},
        "processingRatePerMinute": 0.0,
        "slots": [{"name": "cpu", "used": 2, "capacity": 2, "waiting": 2}],
        "positions": uids,
    }
    writes = [call for call in shop.api.calls if call.resource == "videoqueues/status"]
    assert len(writes) <= 6
    before = list(shop.api.calls)
    again = shop.restarted()
    again.reconciler.first_pass(again.knowledge.unsettled())
    await pass_time(again, 30)
    assert shop.api.calls == before


async def test_an_empty_queue_has_numbers_too() -> None:
    """T-004: an operator that starts tells them of every queue, once."""
    shop = a_shop()
    shop.see(VIDEOQUEUES, SYSTEM, "overnight", spec=NOBODY | {"paused": True})
    shop.see(VIDEOQUEUES, TEAM, "elsewhere", spec=NOBODY)
    shop.reconciler.first_pass(set())
    await pass_time(shop, 30)
    assert [f"{c.namespace}/{c.name}" for c in shop.api.calls if c.resource == "videoqueues/status"] == [
        f"{SYSTEM}/default",
        f"{SYSTEM}/overnight",
    ]
    assert queue_status(shop)["totalJobs"] == 0


async def test_the_rate_falls_when_nothing_ends_any_more() -> None:
    """T-004: processing_rate_per_minute is a mean over the last five minutes."""
    shop = a_shop()
    raw = shop.submit()
    await shop.settle()
    ended = shop.api.objects["videojobs", TEAM, "trailer"]["status"] | {
        "phase": "Failed",
        "completionTime": shop.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    shop.see(VIDEOJOBS, TEAM, "trailer", spec=raw["spec"], status=ended)
    await pass_time(shop, 15)
    assert (queue_status(shop)["processingRatePerMinute"], queue_status(shop)["dlqDepth"]) == (0.2, 1)
    assert queue_status(shop)["jobsByStatus"] == {"failed": 1}
    await pass_time(shop, 330)
    assert queue_status(shop)["processingRatePerMinute"] == 0.0
    assert shop.queue.delayed == 0, "nothing is left to wait for"


# ---------------------------------------------------------------- the counts themselves


def a_raw(uid: str, namespace: str, state: str, second: int) -> Raw:
    """A VideoJob in some state, created and accepted in that second; `!`: at the gate, `?`: driven again."""
    time = (NOW + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status: dict[str, Any] = {"phase": state.removesuffix("?").removesuffix("!")}
    if state == "Pending!?":
        status |= {"redrives": 1, "plan": {"groups": []}}
    if "!" in state:
        status["conditions"] = [{"type": "Accepted", "status": "False", "reason": "QueueFull"}]
    elif status["phase"] != "Pending":
        status["queuedTime"] = time
    if state in ("Succeeded", "Failed"):
        status["completionTime"] = time
    return {"metadata": {"uid": uid, "namespace": namespace, "creationTimestamp": time}, "status": status}


STATES = st.sampled_from(
    ["Pending", "Pending!", "Pending!?", "Queued", "Running", "Suspended", "Succeeded", "Failed", "gone", "reserve"]
)
STEPS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y"]), STATES), max_size=40)


@given(steps=STEPS)
def test_counts_kept_in_passing_equal_counts_taken_anew(steps: list[tuple[str, str, str]]) -> None:
    """A-006: nothing leaks, whatever comes in which order; a reservation counts until the cache has caught up."""
    kept, spec = Load(), VideoQueueSpec(max_depth=3)
    world: dict[str, Raw] = {}
    homes: dict[str, str] = {}
    for second, (uid, home, state) in enumerate(steps):
        now = NOW + timedelta(seconds=second)
        namespace = homes.setdefault(uid, home)
        if state == "gone":
            world.pop(uid, None)
            homes.pop(uid)
            kept.note(uid, None, now)
        elif state == "reserve":
            if uid in world and world[uid]["status"]["phase"] in ("Pending", "Failed"):
                kept.reserve(uid, now, submit=world[uid]["status"]["phase"] == "Pending")
                world[uid] = a_raw(uid, namespace, "Queued", second)
                kept.note(uid, world[uid], now)
        else:
            world[uid] = a_raw(uid, namespace, state, second)
            kept.note(uid, world[uid], now)
    now = NOW + timedelta(seconds=len(steps))
    fresh = Load()
    for uid, raw in world.items():
        fresh.note(uid, raw, now)
    assert kept.phases("default") == fresh.phases("default")
    assert kept.entering("default", spec, now) == fresh.entering("default", spec, now)
    gate = sorted(row.place for row in map(row_of, world.values()) if row.at_gate)
    free = max(0, 3 - sum(raw["status"]["phase"] == "Queued" for raw in world.values()))
    assert kept.entering("default", spec, now) == [uid for *_, uid in gate[:free]]
    for uid in world:
        one, other = kept.facts(uid, "default", spec, now), fresh.facts(uid, "default", spec, now)
        assert one is not None
        assert other is not None
        assert (one.depth, one.ahead, one.queued, one.ahead_in_namespace, one.again_in_namespace) == (
            other.depth, other.ahead, other.queued, other.ahead_in_namespace, other.again_in_namespace,
        )  # fmt: skip
