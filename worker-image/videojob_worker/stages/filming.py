"""What the stages that draw, join, show and publish a film have in common: its manifest, its pieces, its files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from videojob_api import fanout
from videojob_api.contract import StageFile
from videojob_api.profiles import aspect_ratio
from videojob_api.story.scenes import SCENES_FILE, SceneManifest
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import Recoverable
from ..compose import marks
from ..storage import files
from .context import Context, plain_file

FILM, THUMBNAIL, METADATA = "video", "thumbnail", "metadata"
"""Names of a story's outputs (S-030)."""
FILM_FILE, THUMBNAIL_FILE = f"{FILM}.mp4", f"{FILM}_thumb.jpg"


def manifest_of(context: Context) -> SceneManifest:
    """The manifest that all pieces are drawn from. Raises Recoverable when it is not there."""
    context.earlier("layout")
    path = context.folder("layout") / SCENES_FILE
    return _read(path, path.stat().st_mtime_ns)


def listed_pieces(context: Context) -> tuple[Any, ...]:
    """Keys of all pieces, in order, as the layout has listed them. Raises Recoverable when they are not there."""
    listed = context.earlier("layout").work_list
    path = context.folder("layout") / fanout.LIST_FILE
    if listed is None or not files.matches(path, listed.size_bytes, listed.sha256):
        raise Recoverable("ResultInvalid", "the layout left no list of pieces", hint="a retry makes it anew")
    return fanout.read_list(path.read_bytes())


PIECES_FILE = "pieces.json"
"""Beside the film: its pieces as the published manifest lists them."""


@dataclass(frozen=True)
class Drawn:
    """What compose left."""

    parts: dict[str, StageFile]
    """The record of each piece, by its key."""
    paths: dict[str, Path]
    """Its file."""
    black: dict[str, int]
    """How many frames of it are black."""

    @property
    def made(self) -> int:
        """How many were drawn for this job; the others were there."""
        return sum(not part.brought for part in self.parts.values())


def drawn(context: Context) -> Drawn:
    """The pieces, whether one container drew them or each its own. Raises Recoverable for one that is not whole."""
    if any(given.stage == "compose" and given.items_of is not None for given in context.task.inputs):
        items = context.items("compose")
        found = {str(item.value): (folder, result.parts[0]) for item, folder, result in items}
    else:
        result, folder = context.earlier("compose"), context.folder("compose")
        found = {Path(part.path).stem: (folder, part) for part in result.parts}
    return Drawn(
        {key: part for key, (_, part) in found.items()},
        {key: plain_file(folder, part.path) for key, (folder, part) in found.items()},
        {key: _black(part) for key, (_, part) in found.items()},
    )


def _black(part: StageFile) -> int:
    if part.measured is None or part.measured.black_frames is None:
        text = f"the piece {part.path} says nothing of its frames"
        raise Recoverable("ResultInvalid", text, hint="a retry makes it anew")
    return part.measured.black_frames


@lru_cache(maxsize=2)
def _read(path: Path, _changed: int) -> SceneManifest:
    """Once, however many pieces this container draws."""
    return SceneManifest.model_validate_json(path.read_bytes())


def output(  # noqa: PLR0917 - what a file is
    context: Context, name: str, media_type: str, made: StageFile, size: tuple[int, int] | None = None,
    codec: str | None = None, **more: object,
) -> OutputStatus:  # fmt: skip
    """A file of a story as status has it."""
    return OutputStatus.model_validate({
        "name": name, "profile": "story", "path": made.path, "media_type": media_type, "size_bytes": made.size_bytes,
        "uri": f"store://jobs/{context.document.job.uid}/videos/{made.path}", "sha256": made.sha256, "video_codec": codec,
        "width": size[0] if size else None, "height": size[1] if size else None,
        "aspect_ratio": aspect_ratio(*size) if size else None, **more,
    })  # fmt: skip


def marked(path: Path, name: str) -> str:
    """The mark of synthetic media that a file bears, its last word. Raises Recoverable (VerifyFailed) where it is lost."""
    found = marks.read(path)
    if found is None:
        raise Recoverable(
            "VerifyFailed",
            f"the output {name} has lost its mark of synthetic media",
            hint="it is made anew on the next attempt",
        )
    return found.rsplit("/", 1)[-1]
