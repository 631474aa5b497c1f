"""Verbs and idempotency keys as the cache sees them: who is looked at, who was first, and when a slot is free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from fakeapi import Call
from shop import SYSTEM, TEAM, Shop
from videojob_api.names import ANNOTATION_CANCEL, ANNOTATION_RETRY, LABEL_DEAD_LETTER
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, VIDEOQUEUES, Raw

RUNNING = {"phase": "Running", "initContainerStatuses": [{"name": "work", "state": {"running": {}}}]}
STOPPED = {
    "phase": "Running",
    "initContainerStatuses": [{"name": "work", "state": {"terminated": {"exitCode": 143, "reason": "Error"}}}],
}


def annotate(shop: Shop, name: str = "trailer", **annotations: str) -> Raw:
    return shop.see(VIDEOJOBS, TEAM, name, metadata={"annotations": annotations})


async def test_a_cancelled_jobs_slot_is_free_when_its_containers_have_ended() -> None:
    """A-006, X-002: the Job object is gone at once, its pod works on for as long as it takes to stop."""
    shop = Shop.furnished()
    shop.see(VIDEOQUEUES, SYSTEM, "default", spec={"slots": [{"name": "cpu", "capacity": 1}]})
    shop.submit("first")
    await shop.settle()
    job = shop.jobs()[0]
    pod = shop.pod(job, **RUNNING)
    shop.submit("second")
    await shop.settle()
    annotate(shop, "first", **{ANNOTATION_CANCEL: "now"})
    await shop.settle()
    assert shop.status("first")["phase"] == "Cancelled"
    assert shop.api.wrote("delete") == [f"delete jobs {job['metadata']['name']}"]
    shop.knowledge.lost(JOBS, job)
    await shop.settle()
    assert shop.slots.in_use() == {("default", "cpu"): 1}
    assert shop.status("second")["phase"] == "Queued"
    shop.see(PODS, TEAM, pod["metadata"]["name"], **{**pod, "status": STOPPED})
    await shop.settle()
    assert shop.status("second")["phase"] == "Running"
    shop.knowledge.lost(PODS, pod)
    await shop.settle()
    assert shop.slots.in_use() == {("default", "cpu"): 1}, "the second one's"


async def test_the_slot_of_a_deleted_job_is_known_to_another_life_too() -> None:
    """A-006: slots are counted from what lives, never remembered."""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    job = shop.jobs()[0]
    pod = shop.pod(job, **RUNNING)
    shop.api.drop(JOBS, TEAM, job["metadata"]["name"])
    shop.api.objects["pods", TEAM, pod["metadata"]["name"]] = pod
    fresh = shop.restarted()
    assert fresh.slots.in_use() == {("default", "cpu"): 1}
    fresh.knowledge.lost(PODS, pod)
    assert fresh.slots.in_use() == {}


@dataclass(frozen=True)
class Asked:
    """An ended VideoJob, and whether an operator that starts looks at it."""

    name: str
    status: dict[str, Any]
    annotations: dict[str, str]
    expect: bool


ENDED = {"observedGeneration": 1, "phase": "Failed"}
ASKED = (
    Asked("failed and left in peace", ENDED, {}, expect=False),
    Asked("a retry while no operator was there", ENDED, {ANNOTATION_RETRY: "one"}, expect=True),
    Asked("a retry of what was cancelled", {**ENDED, "phase": "Cancelled"}, {ANNOTATION_RETRY: "one"}, expect=True),
    Asked(
        "a retry that was acted on (case 53)",
        {**ENDED, "observedRetry": "one"},
        {ANNOTATION_RETRY: "one"},
        expect=False,
    ),
    Asked("an empty retry", ENDED, {ANNOTATION_RETRY: ""}, expect=False),
    Asked("a retry of a success", {**ENDED, "phase": "Succeeded"}, {ANNOTATION_RETRY: "one"}, expect=False),
    Asked("a cancel of what has ended", ENDED, {ANNOTATION_CANCEL: "one"}, expect=False),
)


@pytest.mark.parametrize("case", ASKED, ids=lambda case: case.name)
def test_who_is_looked_at_after_a_start(case: Asked) -> None:
    """An annotation does not raise the generation: it must not be overlooked for that."""
    shop = Shop.furnished()
    raw = shop.submit()
    labels = {LABEL_DEAD_LETTER: "true"} if case.status["phase"] == "Failed" else {}
    meta = {"annotations": case.annotations, "labels": labels}
    shop.see(VIDEOJOBS, TEAM, "trailer", status=case.status, metadata=meta)
    assert shop.knowledge.unsettled() == ({raw["metadata"]["uid"]} if case.expect else set())


async def test_of_two_jobs_with_one_key_the_older_runs() -> None:
    """The second fails as Duplicate and names the first, without a Job; another namespace's key is another key."""
    shop = Shop.furnished()
    shop.submit("first", idempotencyKey="order-4711")
    shop.clock.now += 1
    shop.submit("second", idempotencyKey="order-4711")
    shop.submit("third", idempotencyKey="order-4712")
    await shop.settle()
    assert {name: shop.status(name)["phase"] for name in ("first", "second", "third")} == {
        "first": "Running", "second": "Failed", "third": "Running",
    }  # fmt: skip
    assert "VideoJob first of this namespace" in shop.status("second")["failure"]["message"]
    assert len(shop.jobs()) == 2


def rank(shop: Shop, name: str) -> str | None:
    view = shop.knowledge.videojob(shop.api.objects["videojobs", TEAM, name]["metadata"]["uid"])
    assert view is not None
    return shop.knowledge.observed(view, shop.now()).duplicate_of


def test_who_was_first() -> None:
    """By acceptance, then age, then UID; a duplicate does not count, and neither does what is gone."""
    shop = Shop.furnished()
    for number in (1, 2, 3):
        shop.submit(f"job-{number}", idempotencyKey="k")  # at the same second
    a, b, c = (
        raw["metadata"]["name"] for raw in sorted(shop.api.all(VIDEOJOBS), key=lambda raw: raw["metadata"]["uid"])
    )
    assert [rank(shop, name) for name in (a, b, c)] == [None, a, a]
    accepted = {"phase": "Running", "plan": {"execution": "Compact", "image": "worker"}}
    shop.see(VIDEOJOBS, TEAM, c, status=accepted)
    assert [rank(shop, name) for name in (a, b, c)] == [c, c, None], "what was accepted stays accepted"
    failed = {"phase": "Failed", "failure": {"class": "Permanent", "code": "Duplicate", "message": "another was first"}}
    shop.see(VIDEOJOBS, TEAM, a, status=failed)
    gone = shop.api.drop(VIDEOJOBS, TEAM, c)
    shop.knowledge.lost(VIDEOJOBS, gone)
    assert [rank(shop, name) for name in (a, b)] == [b, None]
    shop.knowledge.lost(VIDEOJOBS, shop.api.drop(VIDEOJOBS, TEAM, b))
    assert rank(shop, a) is None, "driven again, it would run"


async def test_a_redrive_takes_the_label_away_and_a_crash_in_between_does_no_harm() -> None:
    """T-005: the status first, then the label; an operator that died in between is followed by one that goes on."""
    shop = Shop.furnished()
    shop.submit()
    await shop.settle()
    stopped = {"terminated": {"exitCode": 65}}
    shop.pod(shop.jobs()[0], phase="Failed", initContainerStatuses=[{"name": "work", "state": stopped}])
    await shop.settle()
    shop.watch()
    assert shop.api.objects["videojobs", TEAM, "trailer"]["metadata"]["labels"] == {"videojob.dev/dead-letter": "true"}
    annotate(shop, **{ANNOTATION_RETRY: "one"})
    died = []

    def fault(call: Call) -> None:
        if (call.verb, call.resource) == ("patch", "videojobs") and not died:
            died.append(call)
            raise KeyboardInterrupt

    shop.api.fault = fault
    with pytest.raises(KeyboardInterrupt):
        await shop.settle()
    assert shop.status()["phase"] == "Queued"
    fresh = shop.restarted()
    await fresh.settle()
    assert fresh.status()["phase"] == "Running"
    assert not fresh.api.objects["videojobs", TEAM, "trailer"]["metadata"].get("labels")
    assert fresh.status()["redrives"] == 1
