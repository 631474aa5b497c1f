"""Parameters of the stages that do nothing. They exist for tests of the graph: no field of any spec leads to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .v1alpha1.base import StatusModel


class NoopFailure(StatusModel):
    """An end that is not a success."""

    item: int | None = None
    """Which work item; absent for a stage that is no fan-out."""
    attempts: int = 1
    """It fails up to this attempt, and succeeds from then on."""
    how: Literal["recoverable", "permanent", "external"] = "recoverable"
    """Class of the failure."""


class NoopParams(StatusModel):
    """How long to do nothing, and how to end."""

    seconds: Annotated[float, Field(ge=0)] = 0.0
    """How long."""
    items: int = 0
    """Work items to list."""
    fails: tuple[NoopFailure, ...] = ()
    """How it ends, if not with a success."""
