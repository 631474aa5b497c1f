"""How long bytes stay (A-015, A-023): the tiers of a MediaStore, and what one VideoJob wants otherwise."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import ApiModel, Rule, StatusModel

HOUR = 3600
DAY = 24 * HOUR
Seconds = Annotated[int, Field(ge=1, le=3650 * DAY)]
DeletionPolicy = Literal["Delete", "Retain"]


class StoreRetention(ApiModel):
    """How long the files of each tier stay; a VideoJob may say otherwise for its own."""

    uploads_seconds: Seconds = 7 * DAY
    """Uploads that no VideoJob names, since they came; one that a VideoJob names stays as long after that has ended."""
    processed_seconds: Seconds = 3 * DAY
    """Intermediate files of a VideoJob that ended without outputs, since its end, and entries of the cache, since they
    were made. Until then a redrive goes on where it failed; later it starts again."""
    videos_seconds: Seconds = 30 * DAY
    """Outputs, since the VideoJob's end."""
    temp_seconds: Seconds = HOUR
    """What an attempt that died has left half done, since it was last written to."""
    debug_seconds: Seconds = 90 * DAY
    """What helps to understand an attempt, since the VideoJob's end."""


class Retention(ApiModel):
    """How long this VideoJob's files stay, where that differs from its MediaStore, and what goes with the VideoJob."""

    cel = (
        Rule(
            "!(self.hold && has(self.ttlSecondsAfterFinished))",
            "retention.hold keeps everything, the VideoJob included: set retention.hold to false or remove "
            "retention.ttlSecondsAfterFinished",
            field_path=".hold",
        ),
    )

    uploads_seconds: Seconds | None = None
    """The upload this VideoJob names, or what it fetched, since its end."""
    processed_seconds: Seconds | None = None
    """Intermediate files, if it ends without outputs, since its end."""
    videos_seconds: Seconds | None = None
    """Outputs, since its end."""
    temp_seconds: Seconds | None = None
    """What an attempt that died has left half done, since it was last written to."""
    debug_seconds: Seconds | None = None
    """What helps to understand an attempt, since its end."""
    hold: bool = False
    """While this is set nothing of the VideoJob is deleted, whatever has expired; not even after the VideoJob itself is."""
    deletion_policy: DeletionPolicy = "Delete"
    """What happens to the files when the VideoJob is deleted: `Delete` removes its folder with a later sweep, `Retain`
    leaves it in the store for good."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=3650 * DAY)] | None = None
    """Delete the VideoJob itself so long after its end. Not set: never. It is not done while `hold` is set, nor to a
    VideoJob that Argo CD, Flux or Helm manages: they would make it again, and the work would be done again."""

    @model_validator(mode="after")
    def _hold_or_ttl(self) -> Retention:
        if self.hold and self.ttl_seconds_after_finished is not None:
            raise ValueError(self.cel[0].message)
        return self


class RetentionStatus(StatusModel):
    """What is kept, and until when. A time that has passed is acted on by the next sweep of the store; outputs have theirs
    beside them.
    """

    hold: bool = False
    """Nothing expires."""
    deletion_policy: DeletionPolicy = "Delete"
    """What happens to the files when the VideoJob is deleted."""
    uploads_expires_at: datetime | None = None
    """Until when the upload it names, or what it fetched, is kept."""
    processed_expires_at: datetime | None = None
    """Until when intermediate files are kept: a redrive after that starts again."""
    videos_expires_at: datetime | None = None
    """Until when outputs are kept."""
    debug_expires_at: datetime | None = None
    """Until when debug/ is kept."""
    changed_time: datetime | None = None
    """When any of this last changed after the VideoJob's end; a sweep that began later has seen it."""
    message: str | None = None
    """Why something is not deleted though its time has come."""
