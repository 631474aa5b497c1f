"""VideoJob.status.history: the last transitions, for those who come late (A-009)."""

from __future__ import annotations

from datetime import datetime

from .base import StatusModel


class HistoryEntry(StatusModel):
    """One transition: another phase, stage or attempt."""

    sequence: int
    """Number of the transition, from 1; the oldest entries go, numbers are not used again."""
    time: datetime
    """When."""
    event: str
    """progress_update, processing_completed, processing_failed or processing_cancelled."""
    phase: str
    """Phase from then on."""
    stage: str | None = None
    """Stage from then on."""
    percent: int = 0
    """Percent of the whole job then."""
    attempt: int = 0
    """Highest attempt of any stage then."""
    message: str | None = None
    """One sentence."""
