"""The operator's inside put together on an API server in memory: cache, reconciler, slots, with the real plan and grant."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from builders import NOW, SHA
from clock import Clock
from fakeapi import FakeApi
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1 import VideoQueueSpec
from videojob_operator.cluster.api import (
    JOBS,
    MEDIASTORES,
    PODS,
    VIDEOJOBS,
    VIDEOPROFILES,
    VIDEOQUEUES,
    Raw,
    Resource,
)
from videojob_operator.cluster.apply import Applier
from videojob_operator.cluster.events import Recorder
from videojob_operator.cluster.inbox import Inbox
from videojob_operator.cluster.knowledge import WATCHED, Knowledge
from videojob_operator.cluster.metrics import Metrics
from videojob_operator.cluster.observe import trim
from videojob_operator.cluster.reconciler import Minds, Reconciler
from videojob_operator.cluster.slots import Slots
from videojob_operator.cluster.wants import Key, Wants
from videojob_operator.decide.job import plan
from videojob_operator.decide.queue import grant
from videojob_operator.decide.world import Config
from videojob_operator.render import RenderConfig, job_manifest
from videojob_operator.runtime.budget import Budget
from videojob_operator.runtime.queue import WorkQueue

SYSTEM = "videojob-system"
TEAM = "team-a"


@dataclass
class Shop:
    """One operator without processes, sockets and time of its own."""

    api: FakeApi = field(default_factory=FakeApi)
    clock: Clock = field(default_factory=Clock)
    minds: Minds = field(default_factory=lambda: Minds(plan, grant))
    writes_per_second: float = 50
    config: Config = field(default_factory=lambda: Config(worker_image="videojob-worker:test"))

    def __post_init__(self) -> None:
        self.began = self.clock.now
        self.metrics = Metrics()
        self.slots = Slots(clock=self.clock)
        self.inbox = Inbox()
        self.queue: WorkQueue[Key] = WorkQueue(clock=self.clock)
        self.wants = Wants(self.queue, self.metrics, clock=self.clock)
        self.knowledge = Knowledge(
            self.config,
            self.slots,
            self.inbox,
            enqueue=self.wants.job,
            enqueue_queue=self.wants.granting,
            enqueue_load=self.wants.load,
            enqueue_store=self.wants.store,
            now=self.now,
            clock=self.clock,
        )
        self.budget = Budget(self.writes_per_second, clock=self.clock, sleep=self.clock.sleep)
        self.recorder = Recorder(self.api, instance="test", metrics=self.metrics, now=self.now)
        applier = Applier(
            self.api,
            self.knowledge,
            render=lambda action, owner: job_manifest(action, owner, RenderConfig()),
            recorder=self.recorder,
            budget=self.budget,
            metrics=self.metrics,
            created=self.wants.created,
        )
        self.applier = applier
        self.reconciler = Reconciler(
            self.api,
            self.minds,
            wants=self.wants,
            knowledge=self.knowledge,
            slots=self.slots,
            applier=applier,
            recorder=self.recorder,
            budget=self.budget,
            metrics=self.metrics,
            now=self.now,
            clock=self.clock,
        )

    def now(self) -> datetime:
        """Wall time, in step with the clock."""
        return NOW + timedelta(seconds=self.clock.now - self.began)

    @classmethod
    def furnished(cls, **fields: Any) -> Shop:
        """With a queue, the built-in profiles and a store."""
        shop = cls(**fields)
        shop.see(VIDEOQUEUES, SYSTEM, "default", spec=VideoQueueSpec().dump())
        for name, spec in BUILTIN_PROFILES.items():
            shop.see(VIDEOPROFILES, SYSTEM, name, spec=spec.dump())
        shop.see(MEDIASTORES, TEAM, "default", spec={"pvc": {"claimName": "videojob-store"}})
        return shop

    def see(self, resource: Resource, namespace: str, name: str, **parts: Any) -> Raw:
        """The world changes, and the watch tells."""
        raw = self.api.put(resource, namespace, name, **parts)
        self.knowledge.saw(resource, raw)
        return raw

    def submit(self, name: str = "trailer", *, namespace: str = TEAM, **spec: Any) -> Raw:
        """A user's VideoJob."""
        body = {
            "transcode": {"source": {"uri": f"store://inbox/{SHA}"}, "profiles": ["720p"]},
            "execution": {"mode": "Compact"},
            "cache": {"mode": "Off"},  # many of the same request, each to be worked on
        }
        moment = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.see(VIDEOJOBS, namespace, name, spec=body | spec, metadata={"creationTimestamp": moment})

    def watch(self) -> None:
        """Let the watch tell all that is true now."""
        for resource in WATCHED:
            for raw in self.api.all(resource):
                self.knowledge.saw(resource, raw)

    def pod(self, job: Raw, **status: Any) -> Raw:
        """The pod of a Job."""
        owner = {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"], "controller": True}
        template = job["spec"]["template"]
        return self.see(
            PODS,
            TEAM,
            job["metadata"]["name"] + "-pod",
            metadata={"ownerReferences": [owner], "labels": template["metadata"]["labels"]},
            spec=template["spec"],
            status={"phase": "Pending"} | status,
        )

    async def settle(self, rounds: int = 200) -> None:
        """Work until nothing is ready; what comes within ten milliseconds counts as ready."""
        for _ in range(rounds):
            key = self.queue.take()
            if key is None:
                wait = self.queue.fire()
                if wait is None or wait > 0.01:
                    return
                self.clock.now += wait
                continue
            await self.reconciler.handle(key)
            self.queue.done(key)
        raise AssertionError("the reconciler does not come to rest")

    def restarted(self) -> Shop:
        """Another life on the same API server: everything in memory is lost, and it starts as the operator does."""
        fresh = replace(self)
        for resource in WATCHED:
            for raw in self.api.all(resource):
                fresh.knowledge.stores[resource].apply(trim(resource, raw))
                fresh.knowledge.account(resource, raw)
        fresh.reconciler.first_pass(fresh.knowledge.unsettled())
        return fresh

    def jobs(self) -> list[Raw]:
        """Every Job on the server."""
        return self.api.all(JOBS)

    def status(self, name: str = "trailer") -> dict[str, Any]:
        """Status of a VideoJob on the server."""
        status: dict[str, Any] = self.api.objects["videojobs", TEAM, name].get("status", {})
        return status
