"""Who makes a portrait speak, as the providers are told."""

from __future__ import annotations

from ..v1alpha1.avatar import AvatarWays
from ..v1alpha1.base import StatusModel

AVATAR_KEYS: dict[str, tuple[str, ...]] = {"did": ("D_ID_API_KEY",), "http": ("key",)}
"""Providers of avatars that need the network, each with the keys that its Secret may hold (A-021); every other one is local."""

BUILTIN = "builtin"
"""The provider that every worker image has."""

GPU_MODELS = frozenset({"onnx", "yolo", "birefnet"})
"""Models of avatars that compute on a GPU where they have one; all others are as fast on the CPU (A-032)."""


class Animator(AvatarWays, StatusModel):
    """One provider of avatars, and what it is asked for; what another version adds is ignored, as in every message."""


def online(animator: Animator) -> bool:
    """Whether a provider needs a pod with a network."""
    return animator.name in AVATAR_KEYS


def on_gpu(model: str) -> bool:
    """Whether a detector or a matter computes on a GPU where there is one."""
    return model in GPU_MODELS
