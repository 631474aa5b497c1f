"""VideoQueue: how much may run at once, over all watched namespaces (X-004, A-005)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import ApiModel


class Slot(ApiModel):
    """A class of work and how many of its Jobs may be live at once."""

    name: Annotated[str, Field(max_length=32, pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$")]
    """Class name as stages use it: `cpu`, `yolo`, `birefnet`, `avatar`."""
    capacity: Annotated[int, Field(ge=0, le=10000)]
    """Live Jobs permitted at once; 0 lets none start."""


DEFAULT_SLOTS = (
    Slot(name="cpu", capacity=4),
    Slot(name="yolo", capacity=2),
    Slot(name="birefnet", capacity=1),
    Slot(name="avatar", capacity=5),
)
"""X-004 (`cpu`), A-005 (`yolo`, `birefnet`)."""


class VideoQueueSpec(ApiModel):
    """Limits that hold over all watched namespaces together."""

    slots: Annotated[tuple[Slot, ...], Field(max_length=32, json_schema_extra={"list_map_key": "name"})] = DEFAULT_SLOTS
    """Slot classes. A stage whose class is not listed here waits, and says so."""
