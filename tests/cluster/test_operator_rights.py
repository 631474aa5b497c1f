"""The operator with exactly the rights of its table: nothing that it does is forbidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from audit import Audit
from controlplane import ControlPlane
from operated import SYSTEM, Cluster, OperatorProcess, finished
from rights import credentials, grant
from videojob_operator.cluster.api import VIDEOJOBS

Operators = Callable[..., OperatorProcess]


async def run_one(cluster: Cluster, operator: OperatorProcess, namespace: str) -> None:
    videojob = await cluster.submit(namespace, "trailer")
    await cluster.succeed(videojob, await cluster.pod_of(namespace, "trailer"))
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"


async def test_all_namespaces(
    cluster: Cluster, operators: Operators, namespace: str, plane: ControlPlane, tmp_path: Path, audit: Audit
) -> None:
    """With the table's ClusterRole a VideoJob runs to its end and not one request is forbidden."""
    account = f"operator-{namespace}"
    await cluster.namespace(namespace)
    await grant(cluster, account, None, "watched", "cluster")
    await grant(cluster, account, SYSTEM, "own")
    operator = operators(pod_uid="some-pod", lease_name=account)
    operator.kubeconfig = await credentials(cluster, plane, account, tmp_path / "kubeconfig")
    await operator.start().ready()
    await run_one(cluster, operator, namespace)
    assert operator.stop() == 0
    assert [w for w in audit.writes() if w.agent == "videojob-operator" and w.code == 403] == []
    assert "Forbidden" not in operator.log.read_text()


async def test_a_list_of_namespaces_needs_roles_only(
    cluster: Cluster, operators: Operators, namespace: str, plane: ControlPlane, tmp_path: Path
) -> None:
    """Roles in the listed namespaces suffice; one that refuses is dropped and reported, the others go on."""
    account = f"operator-{namespace}"
    await cluster.namespace(namespace)
    await cluster.namespace(f"{namespace}-closed")
    await grant(cluster, account, SYSTEM, "own", "watched")
    await grant(cluster, account, namespace, "watched")
    operator = operators(watch_namespaces=f"{namespace},{namespace}-closed")
    operator.kubeconfig = await credentials(cluster, plane, account, tmp_path / "kubeconfig")
    await operator.start().ready()
    await run_one(cluster, operator, namespace)
    dropped = [record for record in operator.records() if record["message"].startswith("namespace dropped")]
    assert [record["namespace"] for record in dropped] == [f"{namespace}-closed"]
    assert operator.stop() == 0
