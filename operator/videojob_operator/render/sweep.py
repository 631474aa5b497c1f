"""The Job of one sweep of a store: like a stage's, but it sees the namespace's whole part of the volume and decodes nothing."""

from __future__ import annotations

from typing import Any

from videojob_api import contract, names, places
from videojob_operator.decide.naming import label_value
from videojob_operator.decide.store import CreateSweep

from .config import RenderConfig
from .pod import SCRATCH, STORE, TOKEN, locked, restricted, task_volume, token_volume

SWEEP = "sweep"


def sweep_manifest(action: CreateSweep, config: RenderConfig) -> dict[str, Any]:
    """The Job's manifest. The MediaStore controls it, so it goes when the store goes."""
    document = action.document
    labels = {
        names.LABEL_MANAGED_BY: names.MANAGER,
        names.LABEL_COMPONENT: SWEEP,
        names.LABEL_STORE: label_value(document.store),
        names.LABEL_GROUP: SWEEP,
        names.LABEL_ATTEMPT: str(document.number),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": action.name,
            "namespace": document.namespace,
            "labels": labels,
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": "MediaStore",
                    "name": document.store,
                    "uid": document.uid,
                    "controller": True,
                }
            ],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "template": {
                "metadata": {
                    "labels": dict(labels),
                    "annotations": {names.ANNOTATION_TASK: contract.canonical_json(document.dump()).decode()},
                },
                "spec": _pod(action, config),
            },
        },
    }


def _pod(action: CreateSweep, config: RenderConfig) -> dict[str, Any]:
    document = action.document
    container = {
        "name": SWEEP,
        "image": action.image,
        "imagePullPolicy": config.image_pull_policy,
        "command": ["python3", "-m", "videojob_worker", SWEEP],
        "env": [{"name": "PYTHONUNBUFFERED", "value": "1"}],
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": locked(),
        "terminationMessagePath": places.TERMINATION_PATH,
        "terminationMessagePolicy": "File",
        "volumeMounts": [
            {"name": STORE, "mountPath": document.root, "subPath": document.namespace},
            {"name": SCRATCH, "mountPath": "/tmp"},  # noqa: S108 - a mount
            {"name": "task", "mountPath": places.TASK_PATH.rpartition("/")[0], "readOnly": True},
            {"name": TOKEN, "mountPath": places.TOKEN_PATH.rpartition("/")[0], "readOnly": True},
        ],
    }
    return restricted(config, deadline_seconds=action.deadline_seconds) | {
        "containers": [container],
        "volumes": [
            {"name": STORE, "persistentVolumeClaim": {"claimName": action.claim_name}},
            {"name": SCRATCH, "emptyDir": {"sizeLimit": "64Mi"}},
            task_volume(),
            token_volume(names.store_audience(document.uid), config),
        ],
    }
