"""History: the last 20 transitions of a VideoJob, for those who come late (A-009, A-011), and the event each one is (S-015)."""

from __future__ import annotations

from datetime import datetime

from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import HistoryEntry, VideoJobStatus

from .world import Event

KEPT = 20
"""Transitions kept."""
MESSAGE_LENGTH = 160
"""Characters of an entry's message."""
ENDS = {
    Phase.SUCCEEDED: Reason.PROCESSING_COMPLETED,
    Phase.FAILED: Reason.PROCESSING_FAILED,
    Phase.CANCELLED: Reason.PROCESSING_CANCELLED,
}
"""Event of each end; every other transition is a `progress_update`."""


def moved(before: VideoJobStatus, after: VideoJobStatus) -> bool:
    """Whether `after` is another phase, stage or attempt than `before`: a transition."""
    return (before.phase, before.stage, before.attempts) != (after.phase, after.stage, after.attempts)


def history(
    before: VideoJobStatus, after: VideoJobStatus, message: str | None, now: datetime
) -> tuple[HistoryEntry, ...]:
    """The entries of `after`: those there are and, after a transition, one more. Sequence numbers go on counting.

    Stages that pass between two writes of the status share one entry.
    """
    if not moved(before, after) or after.phase is None:
        return after.history
    last = max((entry.sequence for entry in after.history), default=0)
    ended = after.phase != before.phase and after.phase in ENDS
    entry = HistoryEntry(
        sequence=last + 1,
        time=now,
        event=ENDS[after.phase] if ended else Reason.PROGRESS_UPDATE,
        phase=after.phase,
        stage=after.stage,
        percent=after.progress.percent,
        attempt=after.attempts,
        message=message[:MESSAGE_LENGTH] if message else None,
    )
    return (*after.history, entry)[-KEPT:]


def progress_event(before: VideoJobStatus, after: VideoJobStatus) -> Event | None:
    """The Kubernetes Event of a stage that has begun, once a stage and attempt; ends have events of their own."""
    if after.phase != Phase.RUNNING or after.stage is None or not moved(before, after):
        return None
    again = f", attempt {after.attempts}" if after.attempts > 1 else ""
    return Event(Reason.PROGRESS_UPDATE, f"{after.stage}: {after.progress.percent}%{again}")
