"""Labels and owner references of everything that belongs to a VideoJob."""

from __future__ import annotations

from typing import Any

from videojob_api import names
from videojob_api.stages import trust_of
from videojob_operator.decide.naming import label_value
from videojob_operator.decide.world import CreateJob, VideoJobView


def labels(action: CreateJob) -> dict[str, str]:
    """Labels of a Job and of its pod: watches select by them, code goes by UID and owner reference."""
    job = action.document.job
    found = {
        names.LABEL_MANAGED_BY: names.MANAGER,
        names.LABEL_COMPONENT: "worker",
        names.LABEL_UID: job.uid,
        names.LABEL_NAME: label_value(job.name),
        names.LABEL_GROUP: label_value(action.document.group),
        names.LABEL_ATTEMPT: str(action.document.attempt),
        names.LABEL_QUEUE: label_value(action.queue),
    }
    for egress in ("fetch", "provide", "notify"):
        if any(trust_of(stage) == egress for stage in action.document.stages):
            found[names.LABEL_EGRESS] = egress
    if action.slot is not None:
        found[names.LABEL_SLOT] = action.slot
    if action.also:
        found[names.LABEL_ALSO_SLOTS] = ".".join(action.also)
    return found


def kueue(action: CreateJob) -> dict[str, str]:
    """The label of the Job alone by which Kueue takes over its admission."""
    return {names.LABEL_KUEUE_QUEUE: action.kueue_queue} if action.kueue_queue is not None else {}


def owner_reference(owner: VideoJobView) -> dict[str, Any]:
    """The VideoJob controls the Job: it goes when the VideoJob goes, and nobody else adopts it."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": "VideoJob",
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
