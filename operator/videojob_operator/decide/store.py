"""sweep(): when a store is swept, what came of it, and its numbers, decided over a whole MediaStore at once (A-015 to A-018).

One sweep Job at a time, with a name that follows from the store's UID and the number of sweeps on record: a crash between any
two writes leads to the same Job again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import ValidationError

from videojob_api.exits import ExitCode
from videojob_api.names import StoreCondition
from videojob_api.sweeping import SweepDocument, SweepResult
from videojob_api.v1alpha1 import (
    ConditionStatus,
    DiskStatus,
    MediaStoreSpec,
    MediaStoreStatus,
    SweepStatus,
    TierUse,
)

from .job.judge import live
from .naming import sweep_name
from .world import Config, DeleteJob, JobView

EVERY = timedelta(minutes=60)
"""A store is swept at least this often (A-016)."""
LOW_SPACE_EVERY = timedelta(minutes=10)
"""And at most this often because little space is left: a sweep that found nothing will find nothing a minute later."""
PAUSE = timedelta(seconds=10)
"""Between two sweeps."""
RETRY = timedelta(seconds=60)
"""After a sweep that failed, doubled with each in a row, up to EVERY."""
LATENESS = 0.1
MAX_LATENESS = timedelta(minutes=5)
"""What expires is left for a tenth of its time, at most for so long: what expires close by goes with the same sweep."""
DEADLINE_SECONDS = 1800
STUCK = timedelta(seconds=DEADLINE_SECONDS + 600)
"""A Job that has no end by then has a pod that never started."""


@dataclass(frozen=True)
class Ended:
    """A VideoJob of the store that has ended."""

    completed: datetime
    expiries: tuple[datetime, ...] = ()
    """Moments at which a sweep has something to do for it."""
    files: int = 0
    size_bytes: int = 0
    """What it published."""


@dataclass(frozen=True)
class StoreView:
    """One MediaStore and all that concerns it."""

    now: datetime
    namespace: str
    name: str
    uid: str
    generation: int
    created: datetime
    spec: MediaStoreSpec
    status: MediaStoreStatus
    config: Config
    ended: tuple[Ended, ...] = ()
    disk: DiskStatus | None = None
    """Latest report of a worker."""
    jobs: tuple[JobView, ...] = ()
    """Sweep Jobs that the store controls; `attempt` is their number."""
    foreign: bool = False
    """Whether the next sweep's name is taken by somebody else."""


@dataclass(frozen=True)
class CreateSweep:
    """Launch a sweep."""

    name: str
    document: SweepDocument
    claim_name: str
    image: str
    deadline_seconds: int = DEADLINE_SECONDS


@dataclass(frozen=True)
class StorePlan:
    """What should happen next to one store."""

    status: MediaStoreStatus | None = None
    """The whole new status; None when it need not change."""
    urgent: bool = False
    """More than numbers differs: the write does not wait for its turn."""
    create: CreateSweep | None = None
    delete: tuple[DeleteJob, ...] = ()
    wake_at: datetime | None = None


def sweep(view: StoreView) -> StorePlan:
    """Pure, total, deterministic. Applying the plan and asking again converges to one without actions."""
    known = view.status.sweep or SweepStatus()
    current = next((job for job in view.jobs if job.attempt == known.number + 1), None)
    outcome = _outcome(view, known, current) if current is not None else None
    status = view.status
    if outcome is not None and current is not None:
        status = _record(view, known, current, outcome)
    status = _numbers(view, status)
    urgent = _still(status) != _still(view.status)
    delete, wakes = _cleanup(view, known)
    if outcome is not None:  # on record first: the next sweep's name follows from it
        return StorePlan(status=status, urgent=True, delete=delete, wake_at=view.now)
    create = None
    if current is not None:
        wakes.append(current.created + STUCK)
    else:
        due = _due(view, status)
        if due > view.now:
            wakes.append(due)
        elif view.foreign:
            wakes.append(view.now + RETRY)
        else:
            create = _create(view, known.number + 1)
    return StorePlan(
        status=status if status != view.status else None,
        urgent=urgent,
        create=create,
        delete=delete,
        wake_at=min((wake for wake in wakes if wake > view.now), default=None),
    )


# ---------------------------------------------------------------- when


def _due(view: StoreView, status: MediaStoreStatus) -> datetime:
    """When the next sweep begins."""
    last, known = status.last_sweep_time, status.sweep
    ended = known.completion_time if known is not None else None
    due = (last or view.created) + EVERY
    for one in view.ended:
        for at in one.expiries:
            if last is None or at > last:
                due = min(due, at + min(MAX_LATENESS, max(at - one.completed, timedelta()) * LATENESS))
    if _low(view.spec, status.disk):
        due = min(due, max(view.now, ended + LOW_SPACE_EVERY) if ended is not None else view.now)
    if known is not None and ended is not None:
        wait = min(EVERY, RETRY * 2 ** min(known.failures - 1, 10)) if known.failures else PAUSE
        due = max(due, ended + wait)
    return due


def _low(spec: MediaStoreSpec, disk: DiskStatus | None) -> bool:
    return disk is not None and disk.free_bytes < spec.min_free_bytes


def _create(view: StoreView, number: int) -> CreateSweep:
    return CreateSweep(
        name=sweep_name(view.uid, view.name, number),
        document=SweepDocument(
            namespace=view.namespace,
            store=view.name,
            uid=view.uid,
            number=number,
            cutoff=view.now,
            retention=view.spec.retention,
            operator_url=view.config.progress_url,
        ),
        claim_name=view.spec.pvc.claim_name if view.spec.pvc is not None else "",
        image=view.config.worker_image,
    )


# ---------------------------------------------------------------- what came of it


def _outcome(view: StoreView, known: SweepStatus, job: JobView) -> SweepResult | str | None:
    """The result of the current sweep, why there is none, or None while it is at work."""
    ended = [c for pod in job.pods for c in pod.containers if c.state == "Terminated"]
    for container in ended:
        found = _parse(view, known.number + 1, container.message)
        if found is not None:
            return found
    if job.finished is not None:
        codes = ", ".join(str(container.exit_code) for container in ended) or "unknown, its pod is gone"
        return f"the sweep left no result; exit code {codes}"
    if job.deleting and not live(job):
        return "the sweep was deleted"
    if view.now >= job.created + STUCK:
        return job.blocked or next(
            (pod.unschedulable for pod in job.pods if pod.unschedulable), "its pod never started"
        )
    return None


def _parse(view: StoreView, number: int, message: str | None) -> SweepResult | None:
    """A termination message, if it is this sweep's."""
    try:
        found = SweepResult.model_validate_json(message or "")
    except ValidationError:
        return None
    return found if (found.uid, found.number) == (view.uid, number) else None


def _record(view: StoreView, known: SweepStatus, job: JobView, outcome: SweepResult | str) -> MediaStoreStatus:
    """The status with this sweep in it."""
    result = outcome if isinstance(outcome, SweepResult) and outcome.exit_code == ExitCode.OK else None
    if result is None:
        failure = outcome.failure if isinstance(outcome, SweepResult) else None
        text = outcome if isinstance(outcome, str) else failure.message if failure is not None else "the sweep failed"
        failed = known.model_copy(
            update={
                "number": known.number + 1, "job": job.name, "succeeded": False, "completion_time": view.now,
                "deleted_files": 0, "deleted_bytes": 0, "deleted_folders": 0, "failures": known.failures + 1,
                "message": text[:500],
            }
        )  # fmt: skip
        return view.status.model_copy(update={"sweep": failed})
    done = SweepStatus(
        number=known.number + 1,
        job=job.name,
        completion_time=view.now,
        deleted_files=max(0, result.deleted_files),
        deleted_bytes=max(0, result.deleted_bytes),
        deleted_folders=max(0, result.deleted_folders),
        message="; ".join(result.problems)[:500] or None,
        tiers=tuple({tier.name: tier for tier in result.tiers}.values()),
    )
    disk = view.status.disk
    if result.free_bytes is not None and result.capacity_bytes:
        disk = disk_status(result.free_bytes, result.capacity_bytes, view.now)
    return view.status.model_copy(
        update={"sweep": done, "last_sweep_time": min(result.cutoff, view.now), "disk": disk or view.status.disk}
    )


def _cleanup(view: StoreView, known: SweepStatus) -> tuple[tuple[DeleteJob, ...], list[datetime]]:
    """Jobs on record go, minutes after they ended; one that is on record and still alive goes at once."""
    delete: list[DeleteJob] = []
    wakes: list[datetime] = []
    for job in view.jobs:
        if job.deleting or job.attempt > known.number:
            continue
        due = (job.finished_at or job.created) + timedelta(seconds=view.config.keep_finished_seconds)
        if job.finished is None or view.now >= due:
            delete.append(DeleteJob(job.name, job.uid))
        else:
            wakes.append(due)
    return tuple(delete), wakes


# ---------------------------------------------------------------- numbers


def disk_status(free_bytes: int, capacity_bytes: int, now: datetime) -> DiskStatus:
    """Free space and size as people read them (A-018: free_gb, percent_used)."""
    free = max(0, min(free_bytes, capacity_bytes))
    used = 100 * (1 - free / capacity_bytes) if capacity_bytes > 0 else 0.0
    return DiskStatus(
        free_bytes=free,
        capacity_bytes=max(0, capacity_bytes),
        free_gb=round(free / 1e9, 1),
        percent_used=round(used, 1),
        time=now,
    )


def _numbers(view: StoreView, status: MediaStoreStatus) -> MediaStoreStatus:
    """Totals: what the latest sweep counted, and what was published since."""
    if view.disk is not None and (status.disk is None or view.disk.time > status.disk.time):
        status = status.model_copy(update={"disk": view.disk})
    last = status.last_sweep_time
    since = [one for one in view.ended if last is None or one.completed > last]
    tiers = {tier.name: tier for tier in (status.sweep.tiers if status.sweep is not None else ())}
    videos = tiers.get("videos", TierUse(name="videos"))
    tiers["videos"] = videos.model_copy(
        update={
            "files": videos.files + sum(one.files for one in since),
            "size_bytes": videos.size_bytes + sum(one.size_bytes for one in since),
        }
    )
    size = sum(tier.size_bytes for tier in tiers.values())
    status = status.model_copy(
        update={
            "observed_generation": view.generation,
            "total_files": sum(tier.files for tier in tiers.values()),
            "total_size_bytes": size,
            "total_size_mb": round(size / 1e6, 1),
            "tiers": tuple(sorted(tiers.values(), key=lambda tier: tier.name)),
        }
    )
    return status.model_copy(update={"conditions": tuple(_conditions(view, status))})


def _conditions(view: StoreView, status: MediaStoreStatus) -> Iterable[ConditionStatus]:
    disk, known = status.disk, status.sweep
    if disk is not None:
        low = _low(view.spec, disk)
        text = f"{disk.free_gb} GB are free, spec.minFreeSpace is {view.spec.min_free_space}" if low else ""
        reason = "BelowMinFreeSpace" if low else "EnoughSpace"
        yield _condition(view, StoreCondition.LOW_SPACE, "True" if low else "False", reason, text)
    if known is not None:
        yield _condition(
            view, StoreCondition.SWEPT, "True" if known.succeeded else "False",
            "SweepCompleted" if known.succeeded else "SweepFailed", known.message or "",
        )  # fmt: skip


def _condition(
    view: StoreView, kind: StoreCondition, status: Literal["True", "False"], reason: str, message: str
) -> ConditionStatus:
    old = next((condition for condition in view.status.conditions if condition.type == kind), None)
    same = old is not None and old.status == status
    return ConditionStatus(
        type=kind,
        status=status,
        reason=reason,
        message=message,
        observed_generation=view.generation,
        last_transition_time=old.last_transition_time if old is not None and same else view.now.replace(microsecond=0),
    )


def _still(status: MediaStoreStatus) -> tuple[object, ...]:
    """What is told at once when it differs: a sweep, a condition."""
    found = sorted((condition.type, condition.status) for condition in status.conditions)
    return (status.last_sweep_time, status.sweep, found)
