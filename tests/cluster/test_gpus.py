"""`hack/cluster gpus`: nodes that say they have GPUs, for tests without any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster import binaries, gpus, say
from controlplane import ControlPlane
from kube import Kube

SHARED = "nvidia.com/gpu.shared"


def node(name: str, *taints: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"taints": list(taints)}}


@pytest.fixture
def kube(plane: ControlPlane) -> Iterator[Kube]:
    """A control plane with two nodes, the first of which runs no pods of ours."""
    kubectl = Kube(plane.kubeconfig, str(binaries.path("kubectl")))
    master = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    kubectl.apply(node("a-control-plane", master), node("b-worker"), node("c-worker"))
    yield kubectl
    kubectl.run("delete", "node", "--all")


def said(kube: Kube) -> dict[str, dict[str, str]]:
    """What each node says that it has and gives."""
    found = {}
    for one in kube.list("nodes"):
        status = one.get("status", {})
        assert status.get("capacity") == status.get("allocatable")
        found[one["metadata"]["name"]] = status.get("capacity") or {}
    return found


def test_one_node_says_that_it_has_gpus_until_they_are_taken_away(kube: Kube) -> None:
    """Three of them unless told otherwise: as many as the slots yolo and birefnet of the default queue."""
    kube.run("patch", "node", "b-worker", "--subresource=status", "-p", json.dumps(
        {"status": {"capacity": {"cpu": "2"}, "allocatable": {"cpu": "2"}}}))  # fmt: skip
    assert gpus.fake(kube.kubeconfig) == "b-worker"
    assert said(kube) == {"a-control-plane": {}, "b-worker": {"cpu": "2", "nvidia.com/gpu": "3"}, "c-worker": {}}
    gpus.fake(kube.kubeconfig, 6, SHARED)
    assert said(kube)["b-worker"] == {"cpu": "2", "nvidia.com/gpu": "3", SHARED: "6"}
    gpus.fake(kube.kubeconfig, 0)
    gpus.fake(kube.kubeconfig, 0, SHARED)
    assert said(kube)["b-worker"] == {"cpu": "2"}


def test_what_cannot_be_faked_is_refused_in_one_sentence(plane: ControlPlane) -> None:
    with pytest.raises(say.CannotRunError, match="No node of the cluster runs pods"):
        gpus.fake(plane.kubeconfig)
    with pytest.raises(say.CannotRunError, match="gpu is no name of a resource"):
        gpus.fake(plane.kubeconfig, 1, "gpu")
    with pytest.raises(say.CannotRunError, match="not -1"):
        gpus.fake(plane.kubeconfig, -1)
