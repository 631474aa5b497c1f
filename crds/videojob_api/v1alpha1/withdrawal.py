"""What status says of copies that an avatar which nobody goes on with has left at its provider."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from .base import StatusModel


class WithdrawalStatus(StatusModel):
    """How far the removal of a cancelled or failed avatar's copies at its provider is. It never changes the phase."""

    state: Literal["Waiting", "Removing", "Removed", "Left", "Stopped"] = "Waiting"
    """`Waiting` for the last pod to end, or for the next attempt; `Removing`: a Job is at it; `Left`: its attempts are spent, and
    a person has to delete what the message names; `Stopped` by a redrive, which goes on with what is there."""
    attempt: int = 0
    """Jobs begun so far."""
    failures: int = 0
    """Attempts in a row that failed."""
    next_retry_time: datetime | None = None
    """When the next attempt may start."""
    message: str | None = None
    """What is left at the provider, or could not be told."""
