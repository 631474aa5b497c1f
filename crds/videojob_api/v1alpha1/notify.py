"""Webhooks: whom to tell about a VideoJob (spec.notify), and what became of it (status.notify) (S-015, A-013)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator

from .base import ApiModel, Rule, StatusModel

NotifyEventName = Literal["progress_update", "processing_completed", "processing_failed", "processing_cancelled"]
ENDS: tuple[NotifyEventName, ...] = ("processing_completed", "processing_failed", "processing_cancelled")
URL = r"^https?://[^\s/?#@]+([/?][^\s#]*)?$"
_URL_MESSAGE = "notify[].url is an http:// or https:// URL with a host and without user, password or #fragment"


class NotifyTarget(ApiModel):
    """A webhook: a POST to one URL for each event, from a pod of its own."""

    cel = (Rule(f"self.url.matches('{URL}')".replace("\\", "\\\\"), _URL_MESSAGE, field_path=".url"),)

    url: Annotated[str, Field(min_length=1, max_length=1024)]
    """Where to POST to. Redirects are not followed. Public addresses only, unless the administrator has opened others."""
    format: Literal["CloudEvents", "Seed"] = "CloudEvents"
    """`CloudEvents`: a CloudEvent 1.0 in structured JSON. `Seed`: a plain message `{task_id, event_type, data, timestamp}`
    whose data has stage, progress_percent and message."""
    events: Annotated[
        tuple[NotifyEventName, ...],
        Field(min_length=1, max_length=4, json_schema_extra={"list_type": "set"}),
    ] = ENDS
    """What to tell: `progress_update` when a stage begins, `processing_completed`, `processing_failed`,
    `processing_cancelled`."""
    secret_name: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")] | None = None
    """Secret of this namespace whose key `secret` signs each POST: the header `Videojob-Signature` then carries
    `t=<unix seconds>,v1=<hex HMAC-SHA256 of "<t>.<body>">`."""

    @field_validator("url")
    @classmethod
    def _plain(cls, value: str) -> str:
        if re.fullmatch(URL, value) is None:
            raise ValueError(_URL_MESSAGE)
        return value


class NotifyStatus(StatusModel):
    """One webhook of spec.notify, and how its deliveries go. They never change the phase."""

    name: str
    """Group of its Jobs: `notify-` and a digest of its URL."""
    host: str
    """Host of its URL."""
    state: Literal["Sending", "Retrying", "Delivered", "GivenUp"] = "Delivered"
    """`Sending`: a Job is at it. `GivenUp`: its attempts are spent; later events are tried again."""
    attempt: int = 0
    """Jobs begun so far."""
    failures: int = 0
    """Attempts in a row that failed."""
    through: int = 0
    """Last entry of the history that the latest attempt carries."""
    delivered: int = 0
    """Last entry of the history that needs no delivery any more."""
    lost: int = 0
    """Events given up."""
    next_retry_time: datetime | None = None
    """When the next attempt may start."""
    message: str | None = None
    """Why the latest attempt failed."""
