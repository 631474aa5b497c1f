"""Bounds: a status stays below 32 KiB whatever was put into it; what gives way first is what others keep too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from videojob_api.contract import canonical_json
from videojob_api.v1alpha1 import VideoJobStatus

MAX_BYTES = 32 * 1024 - 512
"""Bytes of a status as the API server stores it, with room for what it writes itself."""


def size(status: VideoJobStatus) -> int:
    """Bytes of a status in JSON."""
    return len(canonical_json(status.dump()))


def bounded(status: VideoJobStatus) -> VideoJobStatus:
    """The status, with the least important texts shortened until it fits; the same one if it does."""
    for shorten in STEPS:
        if size(status) <= MAX_BYTES:
            return status
        status = shorten(status)
    return status


def _history_texts(status: VideoJobStatus) -> VideoJobStatus:
    return _set(status, history=tuple(entry.model_copy(update={"message": None}) for entry in status.history))


def _log_tail(status: VideoJobStatus) -> VideoJobStatus:
    if status.failure is None or status.failure.log_tail is None:
        return status
    return _set(status, failure=status.failure.model_copy(update={"log_tail": status.failure.log_tail[-400:]}))


def _condition_texts(status: VideoJobStatus) -> VideoJobStatus:
    cut = tuple(entry.model_copy(update={"message": entry.message[:200]}) for entry in status.conditions)
    return _set(status, conditions=cut)


def _history(status: VideoJobStatus) -> VideoJobStatus:
    return _set(status, history=status.history[-5:])


def _stage_texts(status: VideoJobStatus) -> VideoJobStatus:
    return _set(status, stages=tuple(stage.model_copy(update={"message": None}) for stage in status.stages))


def _failure_texts(status: VideoJobStatus) -> VideoJobStatus:
    last = status.failure
    if last is None:
        return status
    short = {"message": last.message[:400], "hint": last.hint[:200] if last.hint is not None else None}
    return _set(status, failure=last.model_copy(update=short))


def _set(status: VideoJobStatus, **changes: Any) -> VideoJobStatus:
    return status.model_copy(update=changes)


STEPS: tuple[Callable[[VideoJobStatus], VideoJobStatus], ...] = (
    _history_texts,
    _log_tail,
    _condition_texts,
    _history,
    _stage_texts,
    _failure_texts,
)
"""In the order in which they are tried."""
