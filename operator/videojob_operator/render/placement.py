"""Where a pod runs: what its worker class says of nodes, and the marks that keep node autoscalers off long stages."""

from __future__ import annotations

from typing import Any

from videojob_api import names
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import WorkerClass
from videojob_operator.decide.world import CreateJob

SPOT_TAINTS = (
    ("cloud.google.com/gke-spot", "true"),
    ("cloud.google.com/gke-preemptible", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
)
"""Taints that clouds put on nodes which they may take back."""
SPOT_LABELS = (
    ("cloud.google.com/gke-spot", "true"),
    ("cloud.google.com/gke-preemptible", "true"),
    ("kubernetes.azure.com/scalesetpriority", "spot"),
    ("eks.amazonaws.com/capacityType", "SPOT"),
    ("karpenter.sh/capacity-type", "spot"),
)
"""Labels of such nodes."""


def placement(given: WorkerClass) -> dict[str, Any]:
    """The parts of a pod's spec that a class without any field leaves out."""
    found: dict[str, Any] = {}
    if given.node_selector:
        found["nodeSelector"] = dict(given.node_selector)
    tolerations = [each.dump() for each in given.tolerations]
    if given.spot == "Tolerate":
        tolerations += [{"key": key, "operator": "Equal", "value": value} for key, value in SPOT_TAINTS]
    if tolerations:
        found["tolerations"] = tolerations
    if given.spot == "Avoid":
        rows = [{"key": key, "operator": "NotIn", "values": [value]} for key, value in SPOT_LABELS]
        term = {"nodeSelectorTerms": [{"matchExpressions": rows}]}
        found["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}
    if given.runtime_class_name:
        found["runtimeClassName"] = given.runtime_class_name
    if given.priority_class_name:
        found["priorityClassName"] = given.priority_class_name
    return found


def marks(action: CreateJob) -> dict[str, str]:
    """Annotations of a pod that must not be taken away for a node's sake. A copy from the cache takes a second, whatever it
    copies.
    """
    copies = action.document.cache is not None and action.document.cache.only
    if copies or not action.worker.protect_long_stages:
        return {}
    if not any(KINDS[stage.kind].long for stage in action.document.stages):
        return {}
    return {names.ANNOTATION_SAFE_TO_EVICT: "false", names.ANNOTATION_DO_NOT_DISRUPT: "true"}
