"""What a sweep may delete: the operator's answer about folders and uploads, from what it knows at that moment (case 78).

Where status and spec differ, because a change has not been looked at yet, the one that keeps more counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from videojob_api.names import TERMINAL_PHASES
from videojob_api.sweeping import FolderVerdict, UploadVerdict
from videojob_api.v1alpha1 import StoreRetention

from .job.judge import live
from .tiers import JOB_TIERS, effective, kept, until, wanted_status
from .world import JobView, VideoJobView


@dataclass(frozen=True)
class Owner:
    """A VideoJob as a sweep's question concerns it."""

    job: VideoJobView
    store: StoreRetention | None
    """Tiers of the store it names; None when there is no such store."""
    jobs: tuple[JobView, ...] = ()

    def settled(self, cutoff: datetime) -> bool:
        """Whether it had ended by then, and nothing of it is alive: only then is anything of it deleted."""
        status, ended = self.job.status, self.job.status.completion_time
        return (
            self.job.spec is not None
            and self.store is not None
            and not self.job.deleting
            and status.phase in TERMINAL_PHASES
            and ended is not None
            and ended <= cutoff
            and not any(live(job) for job in self.jobs)
        )


def folder(uid: str, owner: Owner | None, cutoff: datetime, *, alive: bool = False) -> FolderVerdict:
    """What is to become of one folder.

    Args:
        uid: its name.
        owner: the VideoJob of that UID in the sweep's namespace; None when there is none.
        cutoff: when the sweep was decided on.
        alive: whether a pod or Job of that UID is still known.
    """
    if owner is None:
        return FolderVerdict(uid=uid, state="Live" if alive else "Gone")
    spec, known = owner.job.spec, owner.job.status.retention
    if alive or not owner.settled(cutoff) or spec is None or owner.store is None:
        return FolderVerdict(uid=uid, state="Live")
    ended = owner.job.status.completion_time or cutoff
    now_wanted = wanted_status(spec.retention, owner.store, owner.job.status, ended)
    expired = [
        tier
        for tier in JOB_TIERS
        if known is not None and _past(until(tier, known), cutoff) and _past(until(tier, now_wanted), cutoff)
    ]
    return FolderVerdict(
        uid=uid,
        state="Settled",
        expired=tuple(expired),
        temp_seconds=effective(spec.retention, owner.store).temp_seconds,
        kept=kept(uid, spec.retention, known),
    )


def upload(sha256: str, owners: Sequence[Owner], cutoff: datetime) -> UploadVerdict:
    """What is to become of one upload: whoever keeps it longest decides; without owners its age does."""
    if not owners:
        return UploadVerdict(sha256=sha256, state="Unnamed")
    return UploadVerdict(sha256=sha256, state="Expired" if all(_done(owner, cutoff) for owner in owners) else "Kept")


def _done(owner: Owner, cutoff: datetime) -> bool:
    """Whether a VideoJob needs its upload no more: it ended, and the time for a redrive has passed."""
    spec, status = owner.job.spec, owner.job.status
    if spec is None or owner.store is None or not owner.settled(cutoff):
        return False
    wanted = wanted_status(spec.retention, owner.store, status, status.completion_time or cutoff)
    return _past(until("uploads", wanted), cutoff)


def _past(at: datetime | None, cutoff: datetime) -> bool:
    return at is not None and at <= cutoff
