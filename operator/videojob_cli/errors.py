"""What can go wrong for a person at the terminal: one sentence with the remedy, and an exit code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of `videojob`."""

    OK = 0
    ERROR = 1
    """It could not be done; the sentence on standard error says why and what helps."""
    USAGE = 2
    """The command line is wrong."""
    JOB_FAILED = 3
    """The command worked, the VideoJob failed or was cancelled."""
    TIMEOUT = 4
    """`--timeout` passed before the end; the VideoJob goes on."""
    DIFFERENT = 5
    """`videojob repro`: the attempt did not end here as it did there."""


class CliError(Exception):
    """A foreseeable fault. Its text is all that is shown, so it carries the remedy too."""

    def __init__(self, message: str, code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class ApiError(CliError):
    """The API server's refusal, for callers that tell one kind from another."""

    def __init__(self, message: str, status: int, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        """HTTP status; 0 when there was no answer."""
        self.reason = reason
        """The Status object's reason, for example AlreadyExists; empty when the answer was none."""


class Refused(CliError):
    """The worker's refusal to move a file, for callers that tell one kind from another."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
        """Code of the refusal, for example NotFound; empty when the answer has none."""
