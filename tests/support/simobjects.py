"""What the simulated cluster is made of: stored objects, and how a container ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["videojob", "job", "pod"]


@dataclass(frozen=True)
class Stored:
    """One object of the API server."""

    kind: Kind
    key: str
    owner: str
    """UID of the VideoJob."""
    version: int
    value: Any
    manifest: dict[str, Any] = field(default_factory=dict)
    job: str = ""
    """For a pod, the name of its Job."""


@dataclass(frozen=True)
class Outcome:
    """How one container ends."""

    how: str = "ok"
    seconds: float = 10
    needs_mib: int = 0
    """Memory without which the kernel kills it; half of it does in a smaller working size."""
    writes_mib: int = 0
    """What it writes to /tmp; the kubelet evicts a pod that writes more than it may."""
    done: int = 0
    """So many of its stages have succeeded before it fails with an exit code."""
    gone: bool = False
    """The pod object disappears as soon as the Job has its condition."""


Script = Callable[[str, str, int, str], Outcome]
"""Outcome of (VideoJob's UID, group, attempt, container)."""
