"""The operator with exactly the rights of its table: nothing that it does is forbidden."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import yaml

from audit import Audit
from controlplane import ControlPlane
from operated import ACCOUNTS, SYSTEM, Cluster, OperatorProcess, finished
from videojob_operator.cluster.api import VIDEOJOBS, Resource
from videojob_operator.cluster.rbac import Scope, rules

Operators = Callable[..., OperatorProcess]
RBAC = ("rbac.authorization.k8s.io", "v1")
CLUSTER_ROLES = Resource(*RBAC, "clusterroles", "ClusterRole", namespaced=False)
CLUSTER_BINDINGS = Resource(*RBAC, "clusterrolebindings", "ClusterRoleBinding", namespaced=False)
ROLES = Resource(*RBAC, "roles", "Role")
BINDINGS = Resource(*RBAC, "rolebindings", "RoleBinding")


async def grant(cluster: Cluster, account: str, namespace: str | None, *scopes: Scope) -> None:
    """Give the account the rights of these scopes, in a namespace or everywhere."""
    name = "-".join((account, *scopes))
    role, binding = (ROLES, BINDINGS) if namespace else (CLUSTER_ROLES, CLUSTER_BINDINGS)
    found = [rule for scope in scopes for rule in rules(scope)]
    await cluster.ensure(role, namespace, {"metadata": {"name": name}, "rules": found})
    await cluster.ensure(
        binding,
        namespace,
        {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC[0], "kind": role.kind, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}],
        },
    )


async def credentials(cluster: Cluster, plane: ControlPlane, account: str, path: Path) -> Path:
    """A kubeconfig that speaks for the account only."""
    await cluster.ensure(ACCOUNTS, SYSTEM, {"metadata": {"name": account}})
    token = await cluster.token(SYSTEM, account)
    config = yaml.safe_load(plane.kubeconfig.read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    return _written(path, yaml.safe_dump(config))


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


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
