"""One operator at a time by a Lease; and two by mistake do no harm."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable

from audit import Audit
from operated import SYSTEM, Cluster, OperatorProcess, a_running, an_ended, finished
from videojob_operator.cluster.api import LEASES, PODS, VIDEOJOBS, Raw

Operators = Callable[..., OperatorProcess]


async def holder(cluster: Cluster, name: str) -> Raw:
    """A pod that can hold a Lease: it is never deleted unless the test does."""
    await cluster.namespace(SYSTEM, store=False)
    spec = {"containers": [{"name": "operator", "image": "operator"}], "serviceAccountName": "videojob-worker"}
    return await cluster.ensure(PODS, SYSTEM, {"metadata": {"name": f"holder-{name}"}, "spec": spec})


async def held_by(cluster: Cluster, lease: str) -> tuple[str, int]:
    """Who holds it, and how often it changed hands."""
    spec = (await cluster.api.get(LEASES, SYSTEM, lease))["spec"]
    return spec.get("holderIdentity", ""), spec["leaseTransitions"]


async def test_the_lease_admits_one_operator(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """Cases 6 and 10: the second waits while the holder's pod is there, and goes on at once when it is gone."""
    await cluster.namespace(SYSTEM, store=False)
    pod_spec = {"containers": [{"name": "operator", "image": "operator"}]}
    holder = await cluster.ensure(
        PODS,
        SYSTEM,
        {"metadata": {"name": f"holder-{namespace}"}, "spec": pod_spec | {"serviceAccountName": "videojob-worker"}},
    )
    lease = f"lease-{namespace}"
    first = await operators(pod_uid=holder["metadata"]["uid"], lease_name=lease).start().ready()
    second = operators(pod_uid="another-pod", lease_name=lease).start()
    await second.waits_for("another operator holds it")
    assert (await second.fetch("healthz"))[0] == 200
    first.kill()
    await cluster.api.delete(PODS, SYSTEM, f"holder-{namespace}", uid=holder["metadata"]["uid"])
    await second.ready(seconds=12)
    raw = await cluster.api.get(LEASES, SYSTEM, lease)
    assert raw["spec"]["holderIdentity"] == "another-pod"
    assert second.stop() == 0
    raw = await cluster.api.get(LEASES, SYSTEM, lease)
    assert raw["spec"].get("holderIdentity", "") == ""


async def test_a_container_that_was_killed_goes_on_at_once(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    """Case 6: the holder is the pod, so its next container waits for nobody, and the Lease does not change hands."""
    pod, lease = await holder(cluster, namespace), f"lease-{namespace}"
    operator = await operators(pod_uid=pod["metadata"]["uid"], lease_name=lease).start().ready()
    before = await held_by(cluster, lease)
    operator.kill()
    began = time.monotonic()
    await operator.start().ready(seconds=14)
    assert time.monotonic() - began < 14, "shorter than the Lease protects its holder from others"
    assert await held_by(cluster, lease) == before
    assert operator.stop() == 0


async def test_an_operator_that_hangs_loses_the_lease_and_ends_when_it_wakes(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """Cases 10 and 11: its pod is there, so the other waits until the Lease has expired; what it then does is not undone."""
    await cluster.namespace(namespace)
    pod, lease = await holder(cluster, namespace), f"lease-{namespace}"
    first = await operators(pod_uid=pod["metadata"]["uid"], lease_name=lease).start().ready()
    videojob = await cluster.submit(namespace, "trailer")
    work = await cluster.pod_of(namespace, "trailer")
    another = (await holder(cluster, f"{namespace}-2"))["metadata"]["uid"]
    second = operators(pod_uid=another, lease_name=lease).start()
    await second.waits_for("another operator holds it")
    assert first.process is not None
    first.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    await second.ready(seconds=40)
    assert time.monotonic() - began > 8, "it cannot know earlier that the holder hangs"
    assert (await held_by(cluster, lease))[0] == another
    first.process.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(first.process.wait, 20) == 1
    assert "the Lease is lost" in first.said()
    await cluster.succeed(videojob, work)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=second.said)
    assert (ended["status"]["phase"], ended["status"]["attempts"]) == ("Succeeded", 1)
    assert len(audit.created_jobs(namespace)) == 1
    assert second.stop() == 0


async def test_two_operators_by_mistake_create_no_job_twice(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """Case 12, I1 to I3: no Lease between them, each with its own view, over a stream of VideoJobs that fail, are retried and
    are asked for while the others run.
    """
    chance = random.Random(12)
    await cluster.namespace(namespace)
    both = [operators().start(), operators().start()]
    for operator in both:
        await operator.ready()

    async def one(number: int) -> Raw:
        name = f"stream-{number}"
        await asyncio.sleep(chance.uniform(0, 2))  # they come when they come
        videojob = await cluster.submit(namespace, name, retry={"backoffSeconds": 0}, timeoutSeconds=600)
        attempt = 1
        if number % 3 == 0:
            pod = await cluster.pod_of(namespace, name)
            await cluster.play(pod, "Running", a_running("work"))
            await cluster.play(pod, "Failed", an_ended("work", 75, "not json"))
            attempt = 2
        pod = await cluster.pod_of(namespace, name, attempt=attempt)
        await cluster.play(pod, "Running", a_running("work"))
        await cluster.succeed(videojob, pod, attempt=attempt)
        return await cluster.until(VIDEOJOBS, namespace, finished, name=name, seconds=40, because=both[0].said)

    ended = await asyncio.gather(*(one(number) for number in range(9)))
    for number, videojob in enumerate(ended):
        status = videojob["status"]
        assert (status["phase"], status["attempts"]) == ("Succeeded", 2 if number % 3 == 0 else 1)
        assert [entry["sequence"] for entry in status["history"]] == sorted(
            {entry["sequence"] for entry in status["history"]}
        )
    names = audit.created_jobs(namespace)
    assert len(names) == len(set(names)) == 12
    assert [operator.stop() for operator in both] == [0, 0]
