"""Publishing: on which platforms a finished story goes out, when, and what became of it (S-047 to S-052)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from .base import ApiModel, StatusModel
from .story_parts import SecretName
from .story_providers import PlatformName
from .story_variants import VariantName

PublisherName = Literal["queued_manual", "youtube", "tiktok", "webhook"]
MAX_PLATFORMS = 8
MAX_PROBLEMS = 4


class PublishTarget(ApiModel):
    """One platform, and how the video gets there."""

    name: Literal[PlatformName, "webhook"]
    """The platform; its limits are checked before anything is sent. `webhook` is a server of your own, and has no limits."""
    variant: VariantName | None = None
    """Which of `story.variants` goes there; without it the story's own film."""
    via: PublisherName | None = None
    """Who brings it there: `queued_manual` leaves a record that a person works off, `youtube` and `tiktok` upload, `webhook`
    tells a server of your own. Without it the platform's usual one: `youtube` for YouTube and its Shorts, `tiktok`,
    `queued_manual` for Instagram; Facebook has none."""
    secret_name: SecretName | None = None
    """Secret of this namespace with the account's credentials: for `youtube` and `tiktok` the key `accessToken`, or
    `clientId`, `clientSecret` and `refreshToken`, which outlive a wait for `scheduleAt`; for `webhook` the key `secret`, which
    signs. Mounted into the publishing pod alone."""
    endpoint: Annotated[str, Field(max_length=1024, pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")] | None = None
    """Where to send it: for `webhook` the URL to POST to; for others where the service listens instead of its usual
    address."""
    visibility: Literal["Private", "Unlisted", "Public"] = "Private"
    """Who may see it there. What is public cannot be taken back; so this has to be asked for."""
    made_for_kids: bool = False
    """What YouTube has to be told about each video."""
    timeout_seconds: Annotated[int, Field(ge=5, le=600)] = 120
    """How long one request may take: a question, or a part of the file."""


class Publish(ApiModel):
    """Publishing, after all gates have passed and the outputs are there. It may be changed until it begins."""

    auto: bool = False
    """Whether the video goes out by itself. If not, the VideoJob waits, Suspended, until somebody has looked at the outputs and
    sets this to true (S-052)."""
    platforms: Annotated[
        tuple[PublishTarget, ...], Field(max_length=MAX_PLATFORMS, json_schema_extra={"list_map_key": "name"})
    ] = ()
    """Where to. One platform's failure undoes no other's success; it shows as `Degraded`, or, with `fallback.policy: Deny`, ends
    the VideoJob as a dead letter when all have been tried."""
    schedule_at: datetime | None = None
    """Not before this time, for example `2026-12-24T18:00:00Z`. The VideoJob waits, Suspended, and holds no slot."""

    @field_validator("schedule_at")
    @classmethod
    def _of_a_zone(cls, value: datetime | None) -> datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("publish.scheduleAt needs a time zone, for example 2026-12-24T18:00:00Z")
        return value

    @model_validator(mode="after")
    def _each_once(self) -> Publish:
        named = [target.name for target in self.platforms]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"publish.platforms names {', '.join(twice)} more than once: name each platform once")
        return self


class PublishStatus(StatusModel):
    """What became of the video on one platform."""

    platform: Annotated[str, Field(max_length=63)]
    """The platform."""
    state: Literal["Published", "Accepted", "QueuedManual", "Retrying", "Failed", "Error"]
    """`Published`: it is there. `Accepted`: the platform has it, and still works on it. `QueuedManual`: a person has to post
    it. `Retrying`: it is tried again. `Failed`: it does not meet the platform's requirements. `Error`: it could not be sent;
    the message says why."""
    message: Annotated[str, Field(max_length=300)] | None = None
    """One sentence."""
    validation: Annotated[tuple[Annotated[str, Field(max_length=120)], ...], Field(max_length=MAX_PROBLEMS)] | None = (
        None
    )
    """What is beyond the platform's limits (S-049)."""
    id: Annotated[str, Field(max_length=128)] | None = None
    """The platform's name for the video."""
    url: Annotated[str, Field(max_length=300, pattern=r"^https?://[!#-\[\]-~]+$")] | None = None
    """Where it is to be seen."""
    attempts: Annotated[int, Field(ge=0, le=1000)] = 0
    """How often it was tried."""
    time: datetime | None = None
    """When that became known."""
