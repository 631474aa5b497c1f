"""How a worker ends, and what the operator makes of it. Without pydantic: helpers in pods that live for a moment load it."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What a worker's exit says (sysexits.h, where it has a word for it)."""

    OK = 0
    """All stages of the container succeeded."""
    PERMANENT = 65
    """The input or the request cannot work; no retry."""
    UNCACHED = 66
    """The attempt was to take everything from the cache, and something is not there: it goes through the queue."""
    EXTERNAL = 69
    """Somebody else's service failed; retry, honouring its Retry-After."""
    RESOURCE = 73
    """Out of memory or disk, also a child killed by a SIGKILL that the runner did not send."""
    STALLED = 74
    """No progress for the stage's limit, or a deadline passed (code Timeout)."""
    RECOVERABLE = 75
    """Any other failure; retry."""
    CONFIG = 78
    """The document or the container is not as agreed; no retry."""
    STOPPED = 143
    """Stopped by SIGTERM."""


class FailureClass(StrEnum):
    """How the operator treats a failure."""

    PERMANENT = "Permanent"
    """Straight to the dead letters."""
    RECOVERABLE = "Recoverable"
    """Retried with backoff."""
    RESOURCE = "Resource"
    """Retried with backoff, with more or with a smaller working size."""
    EXTERNAL = "External"
    """Retried, not before the time the other side asked for."""
    STALLED = "Stalled"
    """Retried with backoff."""
    DISRUPTION = "Disruption"
    """Replaced at once, on a budget of its own."""


EXIT_CLASSES: dict[int, FailureClass] = {
    ExitCode.PERMANENT: FailureClass.PERMANENT,
    ExitCode.CONFIG: FailureClass.PERMANENT,
    ExitCode.UNCACHED: FailureClass.DISRUPTION,
    ExitCode.EXTERNAL: FailureClass.EXTERNAL,
    ExitCode.RESOURCE: FailureClass.RESOURCE,
    ExitCode.STALLED: FailureClass.STALLED,
    ExitCode.RECOVERABLE: FailureClass.RECOVERABLE,
    ExitCode.STOPPED: FailureClass.DISRUPTION,
}
"""Class of each exit code; any other code is Recoverable. 137 needs the pod's facts."""
