"""Until when each tier of a VideoJob is kept (A-015): what the VideoJob says, else what its store says."""

from __future__ import annotations

from datetime import datetime, timedelta

from videojob_api.sweeping import JobTier, KeptRetention
from videojob_api.v1alpha1 import Retention, RetentionStatus, StoreRetention, VideoJobStatus

JOB_TIERS: tuple[JobTier, ...] = ("uploads", "processed", "videos", "debug")
"""Tiers that are folders of a VideoJob."""
MARKS: tuple[tuple[str, str], ...] = (
    ("argocd.argoproj.io/tracking-id", "Argo CD"),
    ("argocd.argoproj.io/instance", "Argo CD"),
    ("app.kubernetes.io/instance", "Argo CD or Helm"),
    ("kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("helm.toolkit.fluxcd.io/name", "Flux"),
    ("meta.helm.sh/release-name", "Helm"),
)
"""Labels and annotations by which GitOps tools know what is theirs: they would make again what is deleted."""


def effective(wanted: Retention, store: StoreRetention) -> StoreRetention:
    """The store's tiers with what one VideoJob wants otherwise laid over them."""
    mine = wanted.model_dump(include=set(StoreRetention.model_fields), exclude_none=True)
    return store.model_copy(update=mine)


def wanted_status(wanted: Retention, store: StoreRetention, status: VideoJobStatus, ended: datetime) -> RetentionStatus:
    """What is kept of a VideoJob that ended then, and until when. Intermediate files count where there are no outputs:
    a commit leaves none behind.
    """
    found = RetentionStatus(hold=wanted.hold, deletion_policy=wanted.deletion_policy)
    if wanted.hold:
        return found
    tiers = effective(wanted, store)

    def until(seconds: int) -> datetime:
        return ended + timedelta(seconds=seconds)

    return found.model_copy(
        update={
            "uploads_expires_at": until(tiers.uploads_seconds),
            "processed_expires_at": None if status.outputs else until(tiers.processed_seconds),
            "videos_expires_at": until(tiers.videos_seconds) if status.outputs else None,
            "debug_expires_at": until(tiers.debug_seconds),
        }
    )


def until(tier: str, known: RetentionStatus) -> datetime | None:
    """When a tier expires; None: never."""
    found: datetime | None = getattr(known, f"{tier}_expires_at")
    return None if known.hold else found


def expired(tier: str, known: RetentionStatus | None, now: datetime) -> bool:
    """Whether a tier's time has passed, so that a sweep may have deleted it."""
    at = until(tier, known) if known is not None else None
    return at is not None and at <= now


def times(known: RetentionStatus) -> tuple[datetime, ...]:
    """Every moment at which a sweep has something to do: when a tier expires, or later, when that became known. A change by
    itself is one too: the folder is to keep it.
    """
    changed = known.changed_time
    found = [at for tier in JOB_TIERS if (at := until(tier, known)) is not None]
    if changed is None:
        return tuple(found)
    return (changed, *(max(at, changed) for at in found))


def swept(at: datetime | None, known: RetentionStatus, last: datetime | None) -> bool:
    """Whether a sweep that was decided on at `last` has deleted what expired at `at`."""
    if at is None or last is None:
        return False
    return max(at, known.changed_time or at) <= last


def kept(uid: str, wanted: Retention, known: RetentionStatus | None) -> KeptRetention:
    """What a job's folder keeps about itself: the policy as the spec has it now, the times as the status has them."""
    return KeptRetention(
        uid=uid,
        hold=wanted.hold,
        deletion_policy=wanted.deletion_policy,
        uploads_expires_at=until("uploads", known) if known is not None else None,
        processed_expires_at=until("processed", known) if known is not None else None,
        videos_expires_at=until("videos", known) if known is not None else None,
        debug_expires_at=until("debug", known) if known is not None else None,
    )


def owner_mark(labels: tuple[tuple[str, str], ...], annotations: tuple[tuple[str, str], ...]) -> str | None:
    """Which tool manages an object, and the mark it is known by; None when none does."""
    found = {**dict(labels), **dict(annotations)}
    for name, tool in MARKS:
        if name in found:
            return f"{tool} ({name})"
    if dict(labels).get("app.kubernetes.io/managed-by") == "Helm":
        return "Helm (app.kubernetes.io/managed-by)"
    return None
