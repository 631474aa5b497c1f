"""What status and manifest say of an avatar: bounded; pictures and masks lie in the store."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .avatar import MOST_PERSONS
from .base import StatusModel


class PersonDetection(StatusModel):
    """Who was found in the picture (A-002)."""

    total_persons: Annotated[int, Field(ge=0, le=1000)]
    """How many."""
    selected_person_id: Annotated[int, Field(ge=1, le=1000)]
    """Whose portrait it is, counted from the left."""
    selected_person_ids: (
        Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(max_length=MOST_PERSONS)] | None
    ) = None
    """With `select: All`, whose portraits there are."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    """How sure the detector is of that one."""
    detector: Annotated[str, Field(max_length=63)] | None = None
    """Who looked."""


class ConsentStatus(StatusModel):
    """That the person agreed, as the spec says."""

    subject: Annotated[str, Field(max_length=200)]
    """Who is shown."""
    reference: Annotated[str, Field(max_length=500)]
    """Where the agreement is kept."""


class AvatarStatus(StatusModel):
    """An avatar, as far as it is known."""

    person_detection: PersonDetection | None = None
    """Who was found."""
    provider: Annotated[str, Field(max_length=63)] | None = None
    """Who made the portrait speak."""
    provider_id: Annotated[str, Field(max_length=128)] | None = None
    """What that one calls the video."""
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    """How long it lasts: as the voice does at first, then as measured."""
    consent: ConsentStatus | None = None
    """That the person agreed."""
