"""The cache never goes back in time, forgets nothing too early, and repairs itself (cases 14, 17, 18)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from clock import Clock
from videojob_operator.runtime.cache import Raw, Store
from videojob_operator.runtime.resync import Health, repair


def an_object(uid: str, version: int | str, owner: str | None = None, name: str | None = None) -> Raw:
    meta: Raw = {"uid": uid, "resourceVersion": str(version), "name": name or f"name-{uid}", "namespace": "ns"}
    if owner:
        meta["ownerReferences"] = [{"uid": owner, "controller": True}]
    return {"metadata": meta}


def test_older_and_repeated_events_are_no_news() -> None:
    """Case 17"""
    store = Store(clock=Clock())
    assert store.apply(an_object("a", 5))
    assert not store.apply(an_object("a", 5))
    assert not store.apply(an_object("a", 4))
    assert store.apply(an_object("a", 10))
    known = store.get("a")
    assert known is not None
    assert known["metadata"]["resourceVersion"] == "10"


def test_versions_that_are_no_numbers_are_taken_as_they_come() -> None:
    store = Store(clock=Clock())
    store.apply(an_object("a", "x"))
    assert store.apply(an_object("a", "y"))


def test_a_late_event_does_not_raise_the_dead_until_the_tombstone_is_old() -> None:
    clock = Clock()
    store = Store(clock=clock, keep_tombstones=100)
    store.apply(an_object("a", 5))
    store.remove("a")
    assert not store.apply(an_object("a", 6))
    clock.now += 101
    store.remove("b")
    assert store.apply(an_object("a", 7))


def test_an_authoritative_read_revives() -> None:
    store = Store(clock=Clock())
    store.remove("a")
    store.revive("a")
    assert store.apply(an_object("a", 7))


def test_children_are_found_by_the_owners_uid_and_follow_changes() -> None:
    store = Store(clock=Clock())
    store.apply(an_object("a", 1, owner="o"))
    store.apply(an_object("b", 2, owner="o"))
    store.apply(an_object("b", 3))
    assert [raw["metadata"]["uid"] for raw in store.children("o")] == ["a"]
    store.remove("a")
    assert store.children("o") == ()


def test_a_recreated_object_shadows_its_namesake() -> None:
    """Case 50"""
    store = Store(clock=Clock())
    store.apply(an_object("old", 1, name="same"))
    store.apply(an_object("new", 2, name="same"))
    store.remove("old")
    found = store.by_name("ns", "same")
    assert found is not None
    assert found["metadata"]["uid"] == "new"


async def pages(*objects: Raw) -> AsyncIterator[tuple[Raw, ...]]:
    for raw in objects:
        yield (raw,)


async def test_resync_finds_what_the_watch_lost() -> None:
    """Cases 14 and 18: a missed creation, a missed change, a missed deletion"""
    clock = Clock()
    store = Store(clock=clock)
    for uid in ("same", "changed", "ghost"):
        store.apply(an_object(uid, 1))
    clock.now += 10
    told: list[str] = []
    drift = await repair(
        store,
        pages(an_object("same", 1), an_object("changed", 2), an_object("missed", 3)),
        within=lambda _: True,
        changed=lambda raw: told.append(raw["metadata"]["uid"]),
        trim=lambda raw: raw,
    )
    assert (drift.missed, drift.stale, drift.ghosts, drift.total) == (1, 1, 1, 3)
    assert told == ["changed", "missed", "ghost"]
    assert store.get("ghost") is None


async def test_resync_leaves_alone_what_was_heard_of_while_it_listed() -> None:
    """The list may be older than the event."""
    clock = Clock()
    store = Store(clock=clock)

    async def listing() -> AsyncIterator[tuple[Raw, ...]]:
        clock.now += 1
        store.apply(an_object("fresh", 9))
        yield ()

    drift = await repair(store, listing(), within=lambda _: True, changed=lambda _: None, trim=lambda raw: raw)
    assert drift.total == 0
    assert store.get("fresh") is not None


async def test_what_the_watch_tells_within_the_grace_is_no_drift() -> None:
    """On a busy cluster a list is always ahead of some event."""
    clock = Clock()
    store = Store(clock=clock)
    for uid in ("changed", "deleted", "ghost"):
        store.apply(an_object(uid, 1))
    clock.now += 10

    async def events_arrive() -> None:
        store.apply(an_object("changed", 2))
        store.apply(an_object("created", 3))
        store.remove("deleted")

    drift = await repair(
        store,
        pages(an_object("changed", 2), an_object("created", 3)),
        within=lambda _: True,
        changed=lambda _: None,
        trim=lambda raw: raw,
        grace=events_arrive,
    )
    assert (drift.missed, drift.stale, drift.ghosts) == (0, 0, 1)


def test_health_follows_the_age_of_the_last_look() -> None:
    clock = Clock()
    health = Health(300, clock=clock)
    assert health.alive()
    clock.now += 931
    assert not health.alive()
    health.succeeded(0)
    assert health.alive()


def test_three_bad_looks_in_a_row_end_the_process() -> None:
    """Case 18"""
    health = Health(300, clock=Clock())
    health.failed()
    health.failed()
    assert health.verdict() is None
    health.succeeded(0)
    for _ in range(3):
        assert health.verdict() is None
        health.succeeded(2)
    assert "missed changes" in str(health.verdict())
    broken = Health(300, clock=Clock())
    for _ in range(3):
        broken.failed()
    assert "could not be listed" in str(broken.verdict())
