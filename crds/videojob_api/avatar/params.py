"""Who makes a portrait speak, as the providers are told."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..v1alpha1.base import StatusModel
from ..v1alpha1.story_parts import SecretName

AVATAR_KEYS: dict[str, tuple[str, ...]] = {"did": ("D_ID_API_KEY",), "http": ("key",)}
"""Providers of avatars that need the network, each with the keys that its Secret may hold (A-021); every other one is local."""

GPU_MODELS = frozenset({"onnx", "yolo", "birefnet"})
"""Models of avatars that compute on a GPU where they have one; all others are as fast on the CPU (A-032)."""

Expression = Literal["neutral", "happy", "surprise", "serious"]


class Animator(StatusModel):
    """One provider of avatars, and what it is asked for."""

    name: Annotated[str, Field(max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
    """Row of the providers."""
    model: Annotated[str, Field(max_length=40, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")] | None = None
    """For `command`: which of the worker image's programs `videojob-avatar-<model>`; for `http`: told to the server."""
    endpoint: Annotated[str, Field(max_length=1024, pattern=r"^https?://")] | None = None
    """Where the service listens instead of its usual address."""
    secret_name: SecretName | None = None
    """Secret with its credentials, mounted as files."""
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 60
    """How long one answer may take."""
    poll_seconds: Annotated[int, Field(ge=1, le=300)] = 5
    """How often it is asked how far it is."""
    patience_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    """How long one attempt waits for the video; the next one goes on waiting for the same."""
    driver: Annotated[str, Field(max_length=200, pattern=r"^(bank://|https://)[\x21-\x7e]+$")] | None = None
    """D-ID: the motion of the head, for example `bank://lively`; without it D-ID chooses."""
    expression: Expression | None = None
    """D-ID: the face's expression throughout."""
    intensity_percent: Annotated[int, Field(ge=0, le=100)] = 100
    """D-ID: how much of it."""
    stitch: bool = True
    """D-ID: the face goes back into the whole picture, not only a square around it."""
    fluent: bool = False
    """D-ID: blend between repetitions of the driver."""
    pad_audio_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    """D-ID: silence that is added behind the speech."""


def online(animator: Animator) -> bool:
    """Whether a provider needs a pod with a network."""
    return animator.name in AVATAR_KEYS


def on_gpu(model: str) -> bool:
    """Whether a detector or a matter computes on a GPU where there is one."""
    return model in GPU_MODELS
