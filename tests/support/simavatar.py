"""Avatars in the simulation: what somebody asks for, and what the last stage leaves."""

from __future__ import annotations

from typing import Any

from builders import a_videojob
from videojob_api.contract import StageResult, StageTask
from videojob_api.v1alpha1 import AvatarStatus, PersonDetection
from videojob_api.v1alpha1.status import OutputStatus

FACE: dict[str, Any] = {"image": {"uri": "store://inbox/" + "ab" * 32}, "speech": {"text": "Hello."}}
FILES = {"video": "video.mp4", "thumbnail": "video_thumb.jpg"}


def an_avatar(mode: str = "Compact", **fields: Any) -> Any:
    """A VideoJob for an avatar nobody has looked at yet; `avatar` is laid over its face and words."""
    return a_videojob(mode, transcode=None, avatar={**FACE, **fields.pop("avatar", {})}, **fields)


def delivered(task: StageTask, uid: str) -> StageResult:
    """What the last stage tells."""
    person = PersonDetection(total_persons=3, selected_person_id=1, confidence=0.95)
    return StageResult(
        kind=task.kind, seconds=1.0, cpu_seconds=1.0, avatar=AvatarStatus(person_detection=person, provider="builtin"),
        files=tuple(
            OutputStatus(
                name=name, profile="avatar", path=f"videos/{path}", uri=f"store://jobs/{uid}/videos/{path}",
                media_type="video/mp4", size_bytes=1000, sha256="b2" * 32,
            )
            for name, path in FILES.items()
        ),
    )  # fmt: skip
