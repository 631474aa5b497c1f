"""An operator with exactly the rights of its table, as the chart gives them: in namespaces, or over all of them."""

from __future__ import annotations

from pathlib import Path

import yaml

from controlplane import ControlPlane
from operated import ACCOUNTS, SYSTEM, Cluster
from videojob_operator.cluster.api import Resource
from videojob_operator.cluster.rbac import Scope, rules

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


async def revoke(cluster: Cluster, account: str, namespace: str, *scopes: Scope) -> None:
    """Take back what `grant` gave in a namespace."""
    name = "-".join((account, *scopes))
    binding = await cluster.api.get(BINDINGS, namespace, name)
    await cluster.api.delete(BINDINGS, namespace, name, uid=binding["metadata"]["uid"])


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
