"""Who publishes where: the table behind spec.publish, and what the stage is given (S-047 to S-052)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from ..notices import SECRET_KEY
from ..v1alpha1.base import StatusModel
from ..v1alpha1.publish import PublishTarget
from .params import StoryFallback

ACCOUNT = ("accessToken", "clientId", "clientSecret", "refreshToken")
"""Keys of an account's Secret: a token that works now, or what gets one."""


@dataclass(frozen=True)
class PublisherRow:
    """One way to a platform."""

    name: str
    keys: tuple[str, ...] = ()
    """Keys that its Secret may hold."""
    needs: tuple[str, ...] = ()
    """Fields of the target without which it is not configured."""


PUBLISHERS: dict[str, PublisherRow] = {
    row.name: row
    for row in (
        PublisherRow("queued_manual"),
        PublisherRow("youtube", ACCOUNT, ("secret_name",)),
        PublisherRow("tiktok", ACCOUNT, ("secret_name",)),
        PublisherRow("webhook", (SECRET_KEY,), ("endpoint",)),
    )
}
"""By name; the worker has a module for each."""

USUAL: dict[str, str] = {
    "youtube": "youtube",
    "youtube_shorts": "youtube",
    "tiktok": "tiktok",
    "instagram_reels": "queued_manual",
    "instagram_stories": "queued_manual",
    "instagram_post": "queued_manual",
    "webhook": "webhook",
}
"""Who publishes on a platform unless the target says otherwise."""

TARGETS: frozenset[str] = frozenset(get_args(PublishTarget.model_fields["name"].annotation))
"""Names that a target may have."""


def publisher(target: PublishTarget) -> PublisherRow | None:
    """Who brings a video to a platform; None when nobody does, or what that needs is not given (S-051)."""
    row = PUBLISHERS.get(target.via or USUAL.get(target.name, ""))
    return row if row is not None and all(getattr(target, field) is not None for field in row.needs) else None


class PublishParams(StatusModel):
    """Bring the published film to platforms. Reads the job's manifest; decodes nothing."""

    platforms: tuple[PublishTarget, ...] = ()
    """Where to."""
    fallback: StoryFallback = StoryFallback()
    """`Deny`: a platform that did not take it fails the stage, once all have been tried."""
