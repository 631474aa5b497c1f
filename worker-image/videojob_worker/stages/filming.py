"""What the stages that draw, join, show and publish a film have in common: its manifest, its pieces, its files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from videojob_api import fanout
from videojob_api.contract import StageFile
from videojob_api.profiles import aspect_ratio
from videojob_api.story.scenes import SceneManifest
from videojob_api.story.variants import MAIN, named, scenes_file
from videojob_api.v1alpha1.status import OutputStatus
from videojob_api.v1alpha1.story_variants import MAX_VARIANTS

from ..base.errors import Recoverable
from ..compose import marks
from ..storage import files
from .context import Context, plain_file

FILM, THUMBNAIL, METADATA = "video", "thumbnail", "metadata"
"""Names of a story's outputs (S-030)."""
TAKES_FILE = "takes.json"
"""In the layout's folder: the pieces of each take, where there is more than one."""


def manifest_of(context: Context, take: str = MAIN) -> SceneManifest:
    """The manifest that all pieces of a take are drawn from. Raises Recoverable when it is not there."""
    context.earlier("layout")
    path = context.folder("layout") / scenes_file(take)
    return _read(path, path.stat().st_mtime_ns)


def pieces_of(context: Context) -> dict[str, list[str]]:
    """Keys of each take's pieces, in order: the story's own first. Raises Recoverable when they are not there."""
    layout, folder = context.earlier("layout"), context.folder("layout")
    given = next((part for part in layout.parts if part.path == TAKES_FILE), None)
    if given is None:
        return {MAIN: [str(value) for value in listed_pieces(context)]}
    path = plain_file(folder, TAKES_FILE)
    if not files.matches(path, given.size_bytes, given.sha256):
        raise Recoverable("ResultInvalid", "the layout left no list of takes", hint="a retry makes it anew")
    found = json.loads(path.read_bytes())
    return {name: found[name] for name in sorted(found, key=lambda name: name != MAIN)}


def listed_pieces(context: Context) -> tuple[Any, ...]:
    """Keys of all pieces, each work item one, as the layout has listed them. Raises Recoverable when they are not there."""
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


def film_file(take: str = MAIN) -> str:
    """File of a take's film."""
    return f"{named(FILM, take)}.mp4"


def thumbnail_file(name: str = MAIN) -> str:
    """File of a thumbnail."""
    return f"{named(FILM, name)}_thumb.jpg"


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


@lru_cache(maxsize=MAX_VARIANTS + 1)
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
