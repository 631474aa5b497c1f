"""Which pieces of video a manifest is drawn in: each by itself, so that one edited scene is one new piece (M2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from ..contract import content_key
from .scenes import Scene, SceneManifest
from .timing import BOTH

_PLACE = {"index", "start_frame", "id", "basis", "given_ms", "transition", "image", "origin"}
"""What of a scene is not seen in its picture."""


@dataclass(frozen=True)
class Segment:
    """A piece that begins with a closed group of pictures; all pieces in order are the video."""

    kind: Literal["scene", "join"]
    """`scene` shows one scene, `join` the passage from one to the next."""
    scene: int
    """Which scene; of a join the earlier one."""
    first_frame: int
    """Where it begins, in frames of that scene's own time."""
    start_frame: int
    """Where it begins in the video."""
    frames: int
    """How long it is."""
    split: int = 0
    """Of a join: after so many of its frames the later scene's time begins."""


def segments(manifest: SceneManifest) -> tuple[Segment, ...]:
    """The pieces of a manifest, without gap or overlap."""
    found: list[Segment] = []
    for scene in manifest.scenes:
        head = scene.head.frames if scene.head.kind in BOTH else 0
        tail = scene.tail.frames if scene.tail.kind in BOTH else 0
        body = scene.frames - head - tail
        if body:
            found.append(Segment("scene", scene.index, head, scene.start_frame + head, body))
        following = manifest.scenes[scene.index + 1] if scene.index + 1 < len(manifest.scenes) else None
        after = following.head.frames if following is not None and following.head.kind in BOTH else 0
        if tail + after:
            first = scene.frames - tail
            found.append(Segment("join", scene.index, first, scene.start_frame + first, tail + after, tail))
    return tuple(found)


def segment_key(manifest: SceneManifest, segment: Segment, version: int, encoding: dict[str, Any]) -> str:
    """Content key of a piece: what is seen in it, and nothing of where it stands in the story.

    `encoding` is whatever else shapes its bytes: encoder, rates, fonts.
    """
    parts = [manifest.scenes[segment.scene]]
    if segment.kind == "join":
        parts.append(manifest.scenes[segment.scene + 1])
    params = {
        "size": [manifest.width, manifest.height, manifest.fps],
        "captions": manifest.captions.dump(),
        "scenes": [_seen(scene) for scene in parts],
        "piece": [segment.kind, segment.first_frame, segment.frames, segment.split],
        "encoding": encoding,
        "language": manifest.language,
    }
    return content_key("segment", version, params, ())


def _seen(scene: Scene) -> dict[str, Any]:
    """What shapes the picture; of the sound only when words are seen."""
    whole = scene.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_PLACE | {"speech", "spoken"})
    if scene.speech is not None:
        whole["words"] = [word.dump() for word in scene.speech.words]
        whole["offset"] = scene.speech.offset_ms
        whole["spoken"] = scene.speech.duration_ms
    return whole
