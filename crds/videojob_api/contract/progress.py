"""Advisory news from a running stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ..v1alpha1.base import StatusModel
from ..v1alpha1.status import InputStatus
from .document import DOCUMENT_VERSION

MAX_PROGRESS_BYTES = 8 * 1024
"""Largest body of a progress post."""
PROGRESS_INTERVAL_SECONDS = 2
"""A worker posts progress at most this often (A-012)."""
HEARTBEAT_SECONDS = 10
"""And at least this often while it lives (A-010)."""
PROGRESS_ROUTE = "/v1/progress"
"""POST a Progress with a bearer token. 204 taken, 4xx not to be repeated, 5xx or silence: forget it and go on."""


class Progress(StatusModel):
    """Advisory news from a running stage; a lost post harms nothing."""

    version: int = DOCUMENT_VERSION
    """Version of this form."""
    uid: str
    """UID of the VideoJob; must match the token's audience."""
    group: str
    """Stage group."""
    attempt: int
    """Attempt of the group."""
    stage: str
    """Kind of the running stage."""
    percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Percent of this stage."""
    message: Annotated[str, Field(max_length=500)] | None = None
    """One sentence."""
    speed: Annotated[str, Field(max_length=16, pattern=r"^[0-9]+(\.[0-9]+)?x$")] | None = None
    """Multiple of real time."""
    eta_seconds: Annotated[int, Field(ge=0, le=10**7)] | None = None
    """Estimated seconds until the stage ends."""
    input: InputStatus | None = None
    """What ingest has found, once it has."""
    free_bytes: Annotated[int, Field(ge=0)] | None = None
    """Free space of the store."""
    capacity_bytes: Annotated[int, Field(ge=0)] | None = None
    """Size of the store's volume."""
    gpu_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    """Load of the GPUs that the container was given, as NVML samples it; None where there is none."""
