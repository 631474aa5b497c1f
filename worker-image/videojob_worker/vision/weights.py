"""Things that are named in a table, with mounted weights or without, made when they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ..base.errors import BadConfig


def opened(
    table: Mapping[str, str], weightless: Collection[str], what: str, kind: str,
    *, weights: Path | None, sha256: str | None, how: Mapping[str, Any],
) -> Any:  # fmt: skip
    """The thing behind a name. Raises BadConfig when there is no such name, or weights are missing where they are needed."""
    if kind not in table:
        raise BadConfig(f"Unknown{what.title()}", f"there is no {what} {kind}", hint=f"name one of {', '.join(table)}")
    module, _, name = table[kind].partition(":")
    found = getattr(import_module(f".{module}", __package__), name)
    if kind in weightless:
        return found()
    if weights is None or not sha256:
        raise BadConfig(
            "WeightsNeeded",
            f"{kind} needs weights and their sha256",
            hint="mount the file and name both, or use mediapipe, which needs none",
        )
    return found(weights, sha256, **how)
