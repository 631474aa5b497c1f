"""What a notify stage is given: one webhook, and the events to tell it (S-015, A-013)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from .v1alpha1.base import StatusModel

SECRET_KEY = "secret"  # noqa: S105 - the name of a key
"""Key of the Secret that signs."""


class NotifyOutput(StatusModel):
    """A published file, as a webhook hears of it."""

    name: str
    """Output name."""
    uri: str
    """Where it lies."""
    media_type: str
    """MIME type."""
    size_bytes: int
    """Size in bytes."""
    sha256: str
    """Digest of the bytes."""


class NotifyFailure(StatusModel):
    """Why a job failed, as a webhook hears of it."""

    failure_class: Annotated[str, Field(alias="class")]
    """Class of the failure."""
    code: str
    """One word for programs."""
    message: str
    """What happened."""
    hint: str | None = None
    """What to do about it."""


class NotifyEvent(StatusModel):
    """One entry of the history, to be told."""

    id: str
    """The same however often it is sent."""
    event: str
    """progress_update, processing_completed, processing_failed or processing_cancelled."""
    time: datetime
    """When it happened."""
    sequence: int
    """Its number in the history."""
    phase: str
    """Phase from then on."""
    stage: str | None = None
    """Stage from then on."""
    seed_stage: str | None = None
    """What the seeds call that moment (A-003)."""
    percent: int = 0
    """Percent of the whole job then."""
    attempt: int = 0
    """Highest attempt of any stage then."""
    message: str | None = None
    """One sentence."""
    outputs: tuple[NotifyOutput, ...] = ()
    """What was published, with `processing_completed`."""
    failure: NotifyFailure | None = None
    """Why, with `processing_failed`."""


class NotifyParams(StatusModel):
    """Tell one webhook."""

    url: str
    """Where to POST to."""
    format: Literal["CloudEvents", "Seed"]
    """How to say it."""
    secret_name: str | None = None
    """The Secret whose key signs, mounted below places.SECRETS_PATH."""
    type: str = ""
    """Transcode, Story or Avatar."""
    events: tuple[NotifyEvent, ...]
    """What to tell, in order."""
