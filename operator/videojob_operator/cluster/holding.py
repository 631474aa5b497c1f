"""Which slots a Job holds: told by its labels or, once it was deleted, by those of its pods (A-006)."""

from __future__ import annotations

from collections.abc import Sequence

from videojob_api import names

from ..decide.job import ended, live
from .api import Raw, metadata
from .observe import also_of, job_view, pod_view
from .slots import Holder


def holding(job: Raw | None, pods: Sequence[Raw]) -> Raw | None:
    """What tells that the slot is held: the Job as long as it is live; one that was deleted leaves pods behind, which work on
    for as long as they take to stop. None when nothing runs or will run.
    """
    if job is None:
        return next((pod for pod in pods if not ended(pod_view(pod))), None)
    return job if live(job_view(job, pods)) else None


def holder_of(told: Raw, owner: str | None, *, job: Raw | None, pods: Sequence[Raw]) -> Holder | None:
    """The slots of the classes that a live Job or pod of ours names; None when it takes none. Without an owner the label names
    the VideoJob.
    """
    labels = metadata(told).get("labels") or {}
    slot = labels.get(names.LABEL_SLOT)
    if not slot:
        return None
    attempt = str(labels.get(names.LABEL_ATTEMPT, ""))
    return Holder(
        queue=str(labels.get(names.LABEL_QUEUE) or names.DEFAULT_QUEUE),
        uid=owner or str(labels.get(names.LABEL_UID) or ""),
        group=str(labels.get(names.LABEL_GROUP, "")),
        attempt=int(attempt) if attempt.isdecimal() else 0,
        slot=str(slot),
        count=_count(job, pods),
        namespace=str(metadata(told).get("namespace", "")),
        also=also_of(labels),
    )


def _count(job: Raw | None, pods: Sequence[Raw]) -> int:
    """One for the pod of an ordinary Job, whatever a hand wrote into spec.parallelism; an Indexed Job runs as many pods as that
    says. Of a Job that was deleted, as many as still work.
    """
    if job is None:
        return max(1, sum(not ended(pod_view(pod)) for pod in pods))
    view = job_view(job)
    return 1 if view.completions is None else max(1, min(view.parallelism, view.completions))
