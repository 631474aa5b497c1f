"""Fan-out in status: what is planned, how far it is, and which work items are left."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .base import StatusModel

MAX_ITEMS = 1000
"""Most work items of one fan-out: whatever is left of them fits a status, and a task document, as text."""


class PlannedFanOut(StatusModel):
    """A group that runs once for each work item."""

    items_of: str
    """Stage whose result lists the work items."""
    parallelism: Annotated[int, Field(ge=1)] = 1
    """Most work items at once; a queue may grant fewer slots than that, one at least."""


class ListedItems(StatusModel):
    """Work items as a stage listed them, on record before the Job that works on them."""

    stage: str
    """The stage that listed them."""
    uri: str
    """File in the store that names them."""
    sha256: str
    """Digest of its bytes."""
    size_bytes: int
    """Size in bytes."""
    items: int
    """Number of work items."""


class FanOutStatus(StatusModel):
    """Work items of a stage."""

    total: int
    """All of them."""
    succeeded: int = 0
    """Those whose outputs are there."""
    failed: int = 0
    """Those that failed in the latest attempt."""
    active: int = 0
    """Those that a pod works on."""
    left: str = ""
    """Those that the latest attempt was begun with, or that the next one begins with, for example `0-3,7`; empty when all
    have succeeded."""
    disrupted: str | None = None
    """Those of the latest attempt whose pods the cluster took away; they count against no retry."""
