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
    """The Job's manifest. Raises DocumentTooLargeError for a document above contract.MAX_DOCUMENT_BYTES.

    backoffLimit 0: the operator retries, not the Job controller. The failure policy leaves a disruption or the exit code
    in the Job's condition, for the day the pod object is gone. No TTL and no deadline on the Job: either would delete
    evidence; the deadline stands on the pod.
    """
    found = labels(action)
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
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [0]}},
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
