"""The Job of one attempt of a stage group: one Job, one pod, one try."""

from __future__ import annotations

from typing import Any

from videojob_api import contract, names
from videojob_operator.decide.world import CreateJob, VideoJobView

from .config import RenderConfig
from .labels import kueue, labels, owner_reference
from .placement import marks
from .pod import pod_spec


class DocumentTooLargeError(ValueError):
    """The task document does not fit the annotation that carries it."""


def job_manifest(action: CreateJob, owner: VideoJobView, config: RenderConfig) -> dict[str, Any]:
    """The Job's manifest; of a fan-out, an Indexed Job. Raises DocumentTooLargeError for a document above
    contract.MAX_DOCUMENT_BYTES.

    backoffLimit 0: the operator retries, not the Job controller. The failure policy leaves a disruption or the exit code
    in the Job's condition, for the day the pod object is gone. No TTL and no deadline on the Job: either would delete
    evidence; the deadline stands on the pod.
    """
    found = labels(action)
    end = "FailJob" if action.completions is None else "FailIndex"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": action.name,
            "namespace": owner.namespace,
            "labels": found | kueue(action),
            "ownerReferences": [owner_reference(owner)],
        },
        "spec": {
            **_tries(action),
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": end, "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {"action": end, "onExitCodes": {"operator": "NotIn", "values": [0]}},
                ]
            },
            "template": {
                "metadata": {
                    "labels": dict(found),
                    "annotations": {names.ANNOTATION_TASK: document_json(action)} | marks(action),
                },
                "spec": pod_spec(action, owner.namespace, config),
            },
        },
    }


def _tries(action: CreateJob) -> dict[str, Any]:
    """One try for the pod, or for each index. A `backoffLimit` of 0 would end the healthy indexes with the first that fails."""
    if action.completions is None:
        return {"backoffLimit": 0, "completions": 1, "parallelism": 1}
    return {
        "completionMode": "Indexed",
        "backoffLimitPerIndex": 0,
        "completions": action.completions,
        "parallelism": min(action.parallelism, action.completions),
    }


def document_json(action: CreateJob) -> str:
    """The document as the pod's annotation carries it."""
    text = contract.canonical_json(action.document.dump()).decode()
    size = len(text.encode())
    if size > contract.MAX_DOCUMENT_BYTES:
        raise DocumentTooLargeError(
            f"the task document of Job {action.name} has {size} bytes, {contract.MAX_DOCUMENT_BYTES} is the most: "
            "name fewer profiles in spec.transcode.profiles"
        )
    return text
