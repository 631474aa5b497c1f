"""Pending: why an attempt's pod does not run, in the words of scheduler, kubelet or Job controller, and what helps."""

from __future__ import annotations

import re

from .draft import Verdict

LENGTH = 500
WAITING_REASONS = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
        "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff",
    }
)  # fmt: skip
"""Words of the kubelet for a container that cannot start without help (case 33)."""
HINTS: tuple[tuple[str, str], ...] = (
    ("exceeded quota", "free or raise the namespace's ResourceQuota, or use a worker class that asks for less"),
    (r"(maximum|minimum) \w+ usage per", "the namespace's LimitRange and the worker class's resources must agree"),
    (
        "violates PodSecurity",
        "the namespace's Pod Security level refuses what the worker class adds: use another class",
    ),
    (r"serviceaccount \S+ not found", "`videojob init` makes the ServiceAccount of worker pods in a namespace"),
    (r"PriorityClass", "the worker class must name a PriorityClass that exists"),
    (r"RuntimeClass", "the worker class must name a RuntimeClass that exists"),
    (
        r"persistentvolumeclaim \S+ not found|unbound immediate PersistentVolumeClaims",
        "the store's claim must exist and be bound: kubectl get pvc",
    ),
    ("volume node affinity conflict", "the store's volume lies where the worker class lets no pod run"),
    (
        r"didn't match Pod's node (affinity|selector)",
        "label a node as the worker class wants, or cancel and use another class",
    ),
    ("untolerated taint", "use a worker class that tolerates the nodes' taints, or add nodes"),
    (r"Insufficient \S+/", "wait for a free GPU, add nodes that have one, or cancel and use another worker class"),
    ("Insufficient", "add nodes, wait until others end, or cancel and use a worker class that asks for less"),
    (
        "MountVolume|AttachVolume|Unable to attach or mount",
        "the store's volume must be reachable from the pod's node: kubectl describe pvc",
    ),
    (
        "ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|ImageInspectError",
        "check the image's name in the chart's values, and imagePullSecrets",
    ),
)
"""What helps against what the cluster says, the first that fits."""


def pending(verdict: Verdict) -> str | None:
    """Why the attempt's pod does not run, with a hint where there is one; None while it does."""
    said = _said(verdict)
    return hinted(said) if said is not None else None


def hinted(said: str) -> str:
    """The cluster's words with what helps, the latter whole."""
    hint = next((f"; {hint}" for pattern, hint in HINTS if re.search(pattern, said)), "")
    return said[: LENGTH - len(hint)] + hint


def _said(verdict: Verdict) -> str | None:
    job = verdict.job
    if job is not None and not job.pods and job.finished is None:
        return "Kueue has not admitted the Job yet" if job.suspended else job.blocked
    pod = verdict.pod
    if pod is None or verdict.state != "Live":
        return None
    if pod.deleting or pod.disruption is not None:
        # A lost node's pod stays like this until the node is back or removed.
        why = f" ({pod.disruption})" if pod.disruption is not None else ""
        where = f" on node {pod.node}" if pod.node is not None else ""
        return f"pod {pod.name}{where} is being taken away{why}; it is replaced when its containers have ended"
    if pod.unschedulable is not None:
        return pod.unschedulable
    stuck = next((c for c in pod.containers if c.state == "Waiting" and c.reason in WAITING_REASONS), None)
    if stuck is not None:
        return f"container {stuck.name}: {stuck.reason}: {stuck.message or 'no message'}"
    started = any(container.state != "Waiting" for container in pod.containers)
    return job.blocked if job is not None and not started else None
