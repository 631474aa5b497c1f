"""A fan-out at work gets slots that have become free: asked for, granted, patched with a precondition (X-004, A-006)."""

from __future__ import annotations

import pytest

from builders import NOW
from fakeapi import refuse
from fanned import fanned, graph_shop, job_of, resize
from graphs import ITEM
from shop import TEAM
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.cluster.api import JOBS, ApiError
from videojob_operator.cluster.slots import Holder, Slots
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import Grant, SlotRequest


async def test_a_fan_out_uses_slots_that_become_free() -> None:
    shop = graph_shop(slots=2)
    job = await fanned(shop)
    assert (job["spec"]["completions"], job["spec"]["parallelism"]) == (5, 2)
    assert shop.slots.depth() == {"default": 0}, "it waits for nobody, so nobody waits"
    resize(shop, 4)
    await shop.settle()
    assert job_of(shop, ITEM)["spec"]["parallelism"] == 4
    assert shop.api.wrote("patch").count(f"patch jobs {job['metadata']['name']}") == 1
    assert shop.slots.in_use() == {("default", "cpu"): 4}
    resize(shop, 9)
    await shop.settle()
    assert job_of(shop, ITEM)["spec"]["parallelism"] == 5, "as many as there are items"
    resize(shop, 3)
    await shop.settle()
    assert job_of(shop, ITEM)["spec"]["parallelism"] == 5, "what works is not taken away"


async def test_whoever_waits_goes_first() -> None:
    """X-003: even one of a lower priority."""
    shop = graph_shop(slots=2)
    await fanned(shop)
    shop.submit("other", priority="Low", execution={"mode": "Spread"})
    await shop.settle()
    assert "2 of 2 taken, 0 ahead" in shop.status("other")["queue"]["message"]
    resize(shop, 3)
    await shop.settle()
    assert job_of(shop, ITEM)["spec"]["parallelism"] == 2
    assert shop.status("other")["phase"] == "Running"


async def test_a_job_that_has_changed_is_read_anew() -> None:
    """Case 19: the patch holds for the Job that was looked at, and for no other state of it."""
    shop = graph_shop(slots=2)
    job = await fanned(shop)
    shop.api.put(JOBS, TEAM, job["metadata"]["name"], spec=job["spec"] | {"parallelism": 3})
    resize(shop, 4)
    await shop.settle()
    shop.clock.now += 1
    await shop.settle()
    assert job_of(shop, ITEM)["spec"]["parallelism"] == 4
    assert shop.api.wrote("patch").count(f"patch jobs {job['metadata']['name']}") == 2


async def test_slots_that_cannot_be_used_go_back() -> None:
    """Case 35: a server that refuses the change blocks nobody else."""
    shop = graph_shop(slots=2)
    await fanned(shop)
    shop.api.fault = refuse("patch", "jobs", ApiError(403, "Forbidden", "not with this policy"), times=99)
    resize(shop, 4)
    await shop.settle()
    shop.submit("other", execution={"mode": "Spread"})
    await shop.settle()
    assert shop.status("other")["phase"] == "Running"
    assert job_of(shop, ITEM)["spec"]["parallelism"] == 2


async def test_another_life_does_not_forget_the_wish() -> None:
    """Case 1"""
    shop = graph_shop(slots=2)
    await fanned(shop)
    resize(shop, 3)
    fresh = shop.restarted()
    await fresh.settle()
    fresh.clock.now += 1
    await fresh.settle()
    assert job_of(fresh, ITEM)["spec"]["parallelism"] == 3


def request(uid: str, count: int, held: int = 0) -> SlotRequest:
    return SlotRequest(uid, "default", "cpu", "items", 1, 1, NOW, count=count, held=held, least=1, namespace="a")


@pytest.mark.parametrize("shown", [2, 4], ids=["before the Job shows it", "when the Job shows it"])
def test_what_was_granted_is_counted_once(shown: int) -> None:
    """A-006: between the grant and the patch nobody else gets these slots, and the namespace runs one Job, not two."""
    slots, spec = Slots(), VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 4}]})
    slots.hold("job-a", Holder("default", "a", "items", 1, "cpu", 2, "a"))
    slots.ask("a", [request("a", 9, held=2)])
    slots.reserve(grant(slots.view("default", spec, NOW)))
    assert slots.grants("a") == (Grant("items", 1, "cpu", 4),)
    slots.hold("job-a", Holder("default", "a", "items", 1, "cpu", shown, "a"))
    slots.ask("b", [request("b", 1)])
    view = slots.view("default", spec, NOW)
    assert [(one.uid, one.count) for one in view.live] == [("a", 4)]
    assert grant(view).granted == ()
    slots.ask("a")
    assert [one.count for one in slots.view("default", spec, NOW).live] == [shown]


def test_a_grant_to_begin_with_is_none_to_grow_with() -> None:
    """A plan that created its Job and could not write its status asks again, as one that is at work."""
    slots, spec = Slots(), VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 2}]})
    slots.ask("a", [request("a", 5)])
    slots.reserve(grant(slots.view("default", spec, NOW)))
    slots.hold("job-a", Holder("default", "a", "items", 1, "cpu", 2, "a"))
    slots.ask("a", [request("a", 5, held=2)])
    assert slots.grants("a") == ()
    more = VideoQueueSpec.model_validate({"slots": [{"name": "cpu", "capacity": 3}]})
    slots.reserve(grant(slots.view("default", more, NOW)))
    assert slots.grants("a") == (Grant("items", 1, "cpu", 3),)
