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
    """The status, with the least important texts shortened until it fits; the same one if it does.

    What is decided on is never touched: phase, plan, stages with their counters, who is to be told, where outputs lie.
    """
    for shorten in STEPS:
        if size(status) <= MAX_BYTES:
            return status
        status = shorten(status)
    return status


def cut(text: str, room: int) -> str:
    """The beginning of a text that takes at most `room` bytes in JSON: a character can take six of them."""
    if len(text) * 6 <= room:
        return text
    used = 0
    for place, character in enumerate(text):
        used += len(canonical_json(character)) - 2
        if used > room:
            return text[:place]
    return text


def _history_texts(status: VideoJobStatus) -> VideoJobStatus:
    return _set(status, history=tuple(entry.model_copy(update={"message": None}) for entry in status.history))


def _log_tail(status: VideoJobStatus) -> VideoJobStatus:
    if status.failure is None or status.failure.log_tail is None:
        return status
    tail = cut(status.failure.log_tail[::-1], 400)[::-1]
    return _set(status, failure=status.failure.model_copy(update={"log_tail": tail}))


def _condition_texts(status: VideoJobStatus) -> VideoJobStatus:
    return _conditions(status, 400)


def _history(status: VideoJobStatus) -> VideoJobStatus:
    return _set(status, history=status.history[-5:])


def _stage_texts(status: VideoJobStatus) -> VideoJobStatus:
    return _set(status, stages=tuple(stage.model_copy(update={"message": None}) for stage in status.stages))


def _failure_texts(status: VideoJobStatus) -> VideoJobStatus:
    return _failure(status, message=600, hint=300)


def _other_texts(status: VideoJobStatus) -> VideoJobStatus:
    """Sentences of which the condition says the same."""
    parts: dict[str, Any] = {
        name: part.model_copy(update={"message": cut(part.message, 150)})
        for name in ("progress", "queue", "retention", "withdrawal")
        if (part := getattr(status, name)) is not None and part.message is not None
    }
    rows = tuple(
        row.model_copy(update={"message": cut(row.message, 100)}) if row.message is not None else row
        for row in status.notify
    )
    platforms = tuple(
        row.model_copy(update={"message": cut(row.message or "", 100) or None, "validation": None})
        for row in status.publish
    )
    return _set(status, notify=rows, publish=platforms, **parts)


def _last_words(status: VideoJobStatus) -> VideoJobStatus:
    """One sentence for each condition, and of the failure what happened."""
    kept = _set(_conditions(status, 120), history=status.history[-1:])
    return _failure(kept, message=200, hint=0, tail=False)


def _facts(status: VideoJobStatus) -> VideoJobStatus:
    """Facts about outputs that stand in the manifest, too, and about platforms that stand in the job's `publish/`."""
    known = {"frame_rate": None, "aspect_ratio": None, "duration_ms": None, "bitrate_kbps": None, "audio_codec": None}
    known |= {"validation": None, "synthetic": None, "url": None, "width": None, "height": None, "video_codec": None}
    outputs = tuple(output.model_copy(update=known) for output in status.outputs)
    platforms = tuple(row.model_copy(update={"url": None, "message": None}) for row in status.publish)
    return _set(status, outputs=outputs, publish=platforms)


def _story(status: VideoJobStatus) -> VideoJobStatus:
    """What stands in the story's metadata.json; of the fallbacks of each stage one short sentence stays."""
    stages = tuple(
        stage.model_copy(
            update={"degraded": tuple(cut(text, 150) for text in stage.degraded or ())[:1] or None, "notes": None}
        )
        for stage in status.stages
    )
    told = status.story.model_copy(update={"metadata": None, "variants": None}) if status.story is not None else None
    return _set(status, story=told, stages=stages)


def _conditions(status: VideoJobStatus, room: int) -> VideoJobStatus:
    short = tuple(entry.model_copy(update={"message": cut(entry.message, room)}) for entry in status.conditions)
    return _set(status, conditions=short)


def _failure(status: VideoJobStatus, *, message: int, hint: int, tail: bool = True) -> VideoJobStatus:
    last = status.failure
    if last is None:
        return status
    short: dict[str, Any] = {"message": cut(last.message, message), "hint": cut(last.hint or "", hint) or None}
    return _set(status, failure=last.model_copy(update=short if tail else {**short, "log_tail": None}))


def _set(status: VideoJobStatus, **changes: Any) -> VideoJobStatus:
    return status.model_copy(update=changes)


STEPS: tuple[Callable[[VideoJobStatus], VideoJobStatus], ...] = (
    _history_texts,
    _log_tail,
    _condition_texts,
    _history,
    _stage_texts,
    _failure_texts,
    _other_texts,
    _last_words,
    _story,
    _facts,
)
"""In the order in which they are tried."""
