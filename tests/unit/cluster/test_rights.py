"""The table of rights against the calls that are made: no right without a use, no use without a right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders import NOW
from clock import Clock
from fakeapi import Call, FakeApi
from fanned import fanned, graph_shop, resize
from shop import SYSTEM, TEAM, Shop
from videojob_operator.cluster.api import (
    JOBS,
    TOKENREVIEWS,
    VIDEOJOBS,
    ApiError,
    Identity,
    Raw,
    Resource,
)
from videojob_operator.cluster.defaults import ensure, load
from videojob_operator.cluster.knowledge import WATCHED
from videojob_operator.cluster.lease import LeaseObject
from videojob_operator.cluster.listing import Lister
from videojob_operator.cluster.rbac import ROLE_RULES, Scope
from videojob_operator.cluster.reviews import Reviews
from videojob_operator.decide.world import Event

Right = tuple[Scope, str, str, str]
"""Scope, API group, resource, verb."""

UNSEEN: frozenset[Right] = frozenset({("watched", "videojob.dev", "videojobs/finalizers", "update")})
"""Asked for by an admission plugin, never by a call."""


@dataclass
class Recorded(FakeApi):
    """Notes which right each call needs."""

    used: set[Right] = field(default_factory=set)

    def need(self, verb: str, resource: Resource, namespace: str | None, below: str = "") -> None:
        """Served namespaces are TEAM and the operator's own; what only happens in the latter is its own affair."""
        scope: Scope = "watched" if namespace in {None, TEAM} else "own"
        if not resource.namespaced:
            scope = "cluster"
        self.used.add((scope, resource.group, resource.plural + below, verb))

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        self.need("get", resource, namespace)
        return await super().get(resource, namespace, name)

    async def pages(
        self, resource: Resource, namespace: str | None = None, **selection: Any
    ) -> AsyncIterator[tuple[Raw, ...]]:
        self.need("list", resource, namespace)
        async for page in super().pages(resource, namespace, **selection):
            yield page

    async def create(self, resource: Resource, namespace: str | None, body: Raw) -> Raw:
        self.need("create", resource, namespace)
        return await super().create(resource, namespace, body)

    async def patch(self, resource: Resource, namespace: str | None, name: str, *args: Any, **kwargs: Any) -> Raw:
        self.need("patch", resource, namespace)
        return await super().patch(resource, namespace, name, *args, **kwargs)

    async def patch_status(
        self, resource: Resource, namespace: str | None, name: str, *args: Any, **kwargs: Any
    ) -> Raw:
        self.need("patch", resource, namespace, "/status")
        return await super().patch_status(resource, namespace, name, *args, **kwargs)

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str, version: str | None = None
    ) -> None:
        self.need("delete", resource, namespace)
        await super().delete(resource, namespace, name, uid=uid, version=version)

    async def token_review(self, token: str, audience: str) -> Identity | None:
        self.need("create", TOKENREVIEWS, None)
        return await super().token_review(token, audience)


async def come_up(api: Recorded, folder: Path) -> None:
    """Lease, defaults of two versions, lists, a token."""
    lease = LeaseObject(api, SYSTEM, "lease", seconds=15, now=lambda: NOW)
    record = await lease.write("us", await lease.read(), taken_over=True)
    await lease.write("us", record, taken_over=False)
    assert await lease.holder_gone("them")
    for capacity in (1, 2):
        documents = (
            f"{{kind: VideoQueue, metadata: {{name: default}}, spec: {{slots: [{{name: cpu, capacity: {capacity}}}]}}}}",
            f"{{kind: VideoProfile, metadata: {{name: tall}}, spec: {{height: {720 * capacity}}}}}",
        )
        (folder / "defaults.yaml").write_text("\n---\n".join(documents))
        await ensure(api, SYSTEM, load(folder / "defaults.yaml"), "videojob-operator")
    await Reviews(api, clock=Clock()).identity("token", "audience")


async def work_through(api: Recorded) -> None:
    """One life with what can come in between: a taken name, an edit, a late pod, a failure, the same news twice."""
    shop = Shop.furnished(api=api)
    lister = Lister(api, shop.knowledge, shop.metrics, (TEAM,), SYSTEM, sleep=shop.clock.sleep)
    await lister.reachable()
    await lister.repair(first=True)
    refusals = [ApiError(409, "AlreadyExists", "it was there until now")]

    def fault(call: Call) -> None:
        if (call.verb, call.resource) == ("create", "jobs") and refusals:
            raise refusals.pop()

    api.fault = fault
    raw = shop.submit()
    api.put(VIDEOJOBS, TEAM, "trailer", spec=raw["spec"] | {"timeoutSeconds": 77})
    shop.submit("bad", timeoutSeconds=-1)
    await shop.settle()
    shop.clock.now += 15
    await shop.settle()
    assert [job["metadata"]["labels"]["videojob.dev/name"] for job in shop.jobs()] == ["trailer"]
    job = shop.jobs()[0]
    shop.pod(job, phase="Failed", initContainerStatuses=[{"name": "work", "state": {"terminated": {"exitCode": 65}}}])
    shop.see(JOBS, TEAM, job["metadata"]["name"], status={"conditions": [{"type": "Failed", "status": "True"}]})
    await shop.settle()
    shop.clock.now += 400
    await shop.settle()
    ended = {"retention": {"ttlSecondsAfterFinished": 5}, "timeoutSeconds": 77}
    shop.see(VIDEOJOBS, TEAM, "trailer", spec=raw["spec"] | ended, metadata={"generation": 9})
    shop.clock.now += 10
    await shop.settle()
    await grow(api)
    view = shop.knowledge.videojob(raw["metadata"]["uid"])
    assert view is not None
    for _ in range(2):
        shop.recorder.tell(view, Event("StageStarted", "Ingest"))
    await shop.recorder.drain()


async def grow(api: Recorded) -> None:
    """A fan-out that begins with fewer slots than it can use."""
    for raw in api.all(VIDEOJOBS):
        api.drop(VIDEOJOBS, TEAM, raw["metadata"]["name"])
    shop = graph_shop(slots=2, api=api)
    await fanned(shop)
    resize(shop, 3)
    await shop.settle()


async def test_every_right_is_used_and_every_use_has_its_right(tmp_path: Path) -> None:
    """20: least privilege"""
    api = Recorded()
    await come_up(api, tmp_path)
    await work_through(api)
    follows: set[Right] = {("watched", kind.group, kind.plural, verb) for kind in WATCHED for verb in ("list", "watch")}
    table = {
        (rule.scope, rule.api_group, resource, verb)
        for rule in ROLE_RULES
        for resource in rule.resources
        for verb in rule.verbs
    }
    used = api.used | follows | UNSEEN
    also = {right for right in used if right[0] == "own" and ("watched", *right[1:]) in table}
    assert used - also == table
