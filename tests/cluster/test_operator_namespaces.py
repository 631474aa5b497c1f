"""Which namespaces are served: one, a list, all; and what happens when one of them closes or goes while work is under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from audit import Audit
from controlplane import ControlPlane
from operated import NAMESPACES, SYSTEM, Cluster, OperatorProcess, a_running, finished, phase_is
from rights import credentials, grant, revoke
from videojob_operator.cluster.api import VIDEOJOBS, Raw

Operators = Callable[..., OperatorProcess]
Served = Callable[..., Awaitable[OperatorProcess]]


@pytest.fixture
def served(cluster: Cluster, operators: Operators, namespace: str, plane: ControlPlane, tmp_path: Path) -> Served:
    """An operator for a list of namespaces, with Roles there and in its own and nowhere else."""

    async def make(*listed: str, **settings: str) -> OperatorProcess:
        account = f"operator-{namespace}"
        for name in listed:
            await cluster.namespace(name)
            await grant(cluster, account, name, "watched")
        await grant(cluster, account, SYSTEM, "own", "watched")
        operator = operators(watch_namespaces=",".join(listed), **settings)
        operator.kubeconfig = await credentials(cluster, plane, account, tmp_path / "kubeconfig")
        return await operator.start().ready()

    return make


async def run_one(cluster: Cluster, operator: OperatorProcess, namespace: str, name: str = "trailer") -> Raw:
    """A VideoJob from its creation to its end."""
    videojob = await cluster.submit(namespace, name)
    await cluster.succeed(videojob, await cluster.pod_of(namespace, name))
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name=name, because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"
    return ended


def alive(operator: OperatorProcess) -> bool:
    return operator.process is not None and operator.process.poll() is None


@pytest.mark.parametrize("count", [1, 2], ids=["one namespace", "a list of namespaces"])
async def test_what_is_listed_is_served_and_a_videojob_elsewhere_stays_untouched(
    cluster: Cluster, served: Served, namespace: str, audit: Audit, count: int
) -> None:
    listed = [f"{namespace}-{number}" for number in range(count)]
    elsewhere = await cluster.namespace(f"{namespace}-elsewhere")
    theirs = await cluster.submit(elsewhere, "theirs")
    operator = await served(*listed)
    also = await cluster.submit(elsewhere, "theirs-too")
    for name in listed:
        await run_one(cluster, operator, name)
    assert await cluster.all(VIDEOJOBS, elsewhere) == [theirs, also]
    assert audit.created_jobs(elsewhere) == []
    assert [w for w in audit.writes() if w.agent == "videojob-operator" and w.code == 403] == []
    assert operator.stop() == 0


async def test_all_namespaces_are_served_those_included_that_come_later(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    operator = await operators().start().ready()
    for number in range(2):
        await run_one(cluster, operator, await cluster.namespace(f"{namespace}-{number}"))
    assert operator.stop() == 0


async def test_a_namespace_that_is_forbidden_while_running_is_let_go_and_may_come_back(
    cluster: Cluster, served: Served, namespace: str, audit: Audit
) -> None:
    """The Role is taken away under a running VideoJob: the others go on, the slot is free, nothing ends; given back, the
    result that came meanwhile is read, and nothing runs twice.
    """
    stays, closes = f"{namespace}-a", f"{namespace}-b"
    operator = await served(stays, closes, resync_seconds="5")
    videojob = await cluster.submit(closes, "trailer")
    pod = await cluster.pod_of(closes, "trailer")
    await cluster.play(pod, "Running", a_running("work"))
    await cluster.until(VIDEOJOBS, closes, phase_is("Running"), name="trailer", because=operator.said)
    await revoke(cluster, f"operator-{namespace}", closes, "watched")
    await operator.logs("namespace closed and dropped", namespace=closes)
    await operator.exports("videojob_namespaces_closed 1.0")
    await run_one(cluster, operator, stays)
    await cluster.succeed(videojob, pod)
    still = await cluster.api.get(VIDEOJOBS, closes, "trailer")
    assert still["status"]["phase"] == "Running", "nobody looks"
    await grant(cluster, f"operator-{namespace}", closes, "watched")
    ended = await cluster.until(VIDEOJOBS, closes, finished, name="trailer", seconds=40, because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"
    assert len(audit.created_jobs(closes)) == 1
    await operator.exports("videojob_namespaces_closed 0.0")
    await run_one(cluster, operator, closes, "after")
    assert alive(operator)
    assert operator.stop() == 0


async def test_a_namespace_that_is_deleted_while_running_stops_nothing(
    cluster: Cluster, served: Served, namespace: str
) -> None:
    """Its Roles go with it, so that the server refuses what was permitted before."""
    stays, goes = f"{namespace}-a", f"{namespace}-b"
    operator = await served(stays, goes, resync_seconds="5")
    await cluster.submit(goes, "trailer")
    await cluster.pod_of(goes, "trailer")
    found = await cluster.api.get(NAMESPACES, None, goes)
    await cluster.api.delete(NAMESPACES, None, goes, uid=found["metadata"]["uid"])
    await operator.logs("namespace closed and dropped", namespace=goes)
    await run_one(cluster, operator, stays)
    assert alive(operator)
    assert operator.stop() == 0
