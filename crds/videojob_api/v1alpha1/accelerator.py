"""spec.accelerator: whether stages that can compute on a GPU do (A-032, A-042)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from .base import ApiModel

HOP_SECONDS = 300
"""How long a stage waits for a GPU where the VideoJob does not say."""
Acceleration = Literal["Prefer", "Require", "Never"]


class Accelerator(ApiModel):
    """What the models of an avatar compute on."""

    mode: Acceleration = "Prefer"
    """`Prefer` takes a GPU where the worker class has one, waits for it no longer than `hopAfterSeconds`, and computes on the CPU
    otherwise; `Require` waits for a GPU as long as it takes; `Never` computes on the CPU. A change counts from the next
    attempt."""
    hop_after_seconds: Annotated[int, Field(ge=0, le=86400)] | None = None
    """With `Prefer`: how long a stage waits for a slot with a GPU, or its pod for a node that has one, before it does its work on
    the CPU in a `cpu` slot, which shows as `Degraded`. Without it 300. With `fallback.policy: Deny` it waits on."""

    @model_validator(mode="after")
    def _as_the_mode_says(self) -> Self:
        if self.hop_after_seconds is not None and self.mode != "Prefer":
            raise ValueError(
                f"accelerator.hopAfterSeconds goes with mode Prefer: remove it, or change accelerator.mode from {self.mode}"
            )
        return self
