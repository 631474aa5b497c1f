"""Everything that can go wrong in a worker, each kind with the class and exit code the operator acts on.

A stage raises one of these; the runner turns it into the result's failure and the process's exit code. Anything else
that escapes a stage is judged by `from_exception`.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from videojob_api.contract import StageResult
from videojob_api.exits import ExitCode, FailureClass
from videojob_api.redact import redact
from videojob_api.v1alpha1.status import FailureStatus

MAX_MESSAGE = 500
"""Characters of a message or hint that travel; a result must stay below the kubelet's 4,096 bytes."""
MAX_LOG_TAIL = 1000
"""Characters of a tool's last words that travel; `debug/` keeps more."""

DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""System errors that mean: no room for these bytes."""


class WorkerError(Exception):
    """A failure with a class for the operator, a code for programs, a message and a hint for people."""

    failure_class: ClassVar[FailureClass] = FailureClass.RECOVERABLE
    exit_code: ClassVar[ExitCode] = ExitCode.RECOVERABLE

    def __init__(self, code: str, message: str, *, hint: str | None = None, log_tail: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.log_tail = log_tail
        self.retry_after_seconds: int | None = None
        self.told: StageResult | None = None
        """What the stage has to say all the same."""

    def status(self, stage: str | None, attempt: int) -> FailureStatus:
        """The failure as it stands in the result, cut to what a termination message can carry."""
        return FailureStatus(
            failure_class=self.failure_class,
            code=self.code,
            stage=stage,
            attempt=attempt,
            exit_code=self.exit_code,
            message=redact(printable(self.message))[:MAX_MESSAGE],
            hint=redact(printable(self.hint))[:MAX_MESSAGE] if self.hint else None,
            log_tail=redact(printable(self.log_tail))[-MAX_LOG_TAIL:] if self.log_tail else None,
            retry_after_seconds=self.retry_after_seconds,
        )


class Permanent(WorkerError):
    """The input or the request cannot work."""

    failure_class = FailureClass.PERMANENT
    exit_code = ExitCode.PERMANENT


class BadConfig(WorkerError):
    """The document or the container is not as agreed."""

    failure_class = FailureClass.PERMANENT
    exit_code = ExitCode.CONFIG


class External(WorkerError):
    """Somebody else's service failed; it may ask to be left alone for a while."""

    failure_class = FailureClass.EXTERNAL
    exit_code = ExitCode.EXTERNAL

    def __init__(
        self, code: str, message: str, *, hint: str | None = None, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class NotSent(External):
    """Nobody was reached, so that nothing of the request can have arrived: whoever pays for requests may ask again."""


class Resource(WorkerError):
    """Out of memory or disk."""

    failure_class = FailureClass.RESOURCE
    exit_code = ExitCode.RESOURCE


class Stalled(WorkerError):
    """No progress for the stage's limit, or a deadline passed."""

    failure_class = FailureClass.STALLED
    exit_code = ExitCode.STALLED


class Recoverable(WorkerError):
    """Any other failure: another attempt may work."""


class Stopped(WorkerError):
    """Somebody sent SIGTERM."""

    failure_class = FailureClass.DISRUPTION
    exit_code = ExitCode.STOPPED

    def __init__(self, message: str = "stopped by SIGTERM before it was done") -> None:
        super().__init__("Disrupted", message)


class NotCached(WorkerError):
    """The attempt was to take everything from the cache, and something is not there."""

    failure_class = FailureClass.DISRUPTION
    exit_code = ExitCode.UNCACHED

    def __init__(self, stage: str) -> None:
        super().__init__("NotCached", f"the cache has no outputs of {stage} any more; the work goes through the queue")


def out_of_memory(what: str, log_tail: str | None = None) -> Resource:
    """The error of a tool that the kernel killed, or that got no memory."""
    return Resource(
        "OutOfMemory",
        f"{what} ran out of memory",
        hint="the next attempt may get more; a smaller or fewer renditions need less",
        log_tail=log_tail,
    )


def disk_full(what: str, log_tail: str | None = None) -> Resource:
    """The error of a write for which there was no room."""
    return Resource(
        "DiskFull",
        f"no space left for what {what} writes",
        hint="free space in the MediaStore's volume or enlarge its claim",
        log_tail=log_tail,
    )


def from_exception(error: BaseException) -> WorkerError:
    """Judge anything that escaped a stage: no room and no memory are Resource, the rest is worth another attempt."""
    if isinstance(error, WorkerError):
        return error
    if isinstance(error, MemoryError):
        return out_of_memory("the worker")
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return disk_full("the worker")
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return out_of_memory("the worker")
    return Recoverable("InternalError", f"unexpected {type(error).__name__}: {error}", hint="see the worker's log")


def printable(text: str) -> str:
    """Text without control characters but line ends and tabs, so that a log tail cannot steer a terminal."""
    return "".join(ch for ch in text if ch in "\n\t" or (ch.isprintable() and ch != "�"))
