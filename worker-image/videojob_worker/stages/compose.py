"""VideoComposition: the film's pieces, each drawn and encoded by itself, or taken from where it lies (S-009, S-021 to S-024, M2).

As a fan-out one work item is one piece; in one pod the stage draws all of them, as many at a time as it may use threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videojob_api.contract import StageResult
from videojob_api.story.tasks import PIECE_PARTS, ComposeParams
from videojob_api.v1alpha1.story_status import StoryStatus

from ..base.errors import BadConfig, WorkerError
from ..compose.film import Film, Piece
from ..media import probe as probing
from ..storage import files
from .context import Context
from .filming import film, listed_pieces, manifest_of
from .kept import Kept
from .picturing import stored

WORKING = ".pieces"
"""Beside the stage's folders: whole pieces of an attempt that was ended stay for the next one."""


def run(context: Context) -> StageResult:
    """Write pieces, each named by its key.

    Raises Recoverable (CompositionError) when FFmpeg fails; there is no other way to draw them (S-040).
    """
    params, item = context.params, context.item
    if not isinstance(params, ComposeParams):
        raise BadConfig("BadDocument", "stage compose got another stage's params")
    manifest = manifest_of(context)
    keys = [str(value) for value in listed_pieces(context)]
    whole = film(context, manifest, params.encoding, keys=keys)
    if item is None:
        return _all(context, whole)
    if item.index >= len(keys) or keys[item.index] != item.value:
        raise BadConfig("BadDocument", f"work item {item.index} is no piece that the layout has listed")
    piece = whole.pieces[item.index]
    if _brought(context, piece, context.staging):
        return StageResult(
            kind=context.kind.kind, cached=True, parts=(stored(context.staging / piece.name),),
            message="a piece from the cache",
        )  # fmt: skip
    _draw(context, whole, (piece,), context.staging, 1)
    scene = manifest.scenes[piece.segment.scene]
    return StageResult(
        kind=context.kind.kind,
        parts=(stored(context.staging / piece.name),),
        message=f"{piece.segment.kind} {scene.id}, {piece.segment.frames / manifest.fps:.1f} s",
    )


def _all(context: Context, whole: Film) -> StageResult:
    working = context.final.parent / WORKING
    working.mkdir(exist_ok=True)
    pieces = {piece.key: piece for piece in whole.pieces}
    for left in working.iterdir():
        if left.stem not in pieces or not _is_whole(context, left, pieces[left.stem]):
            left.unlink()
    wanted = [
        piece
        for piece in pieces.values()
        if not (working / piece.name).exists() and not _brought(context, piece, working)
    ]
    _draw(context, whole, wanted, working, context.document.limits.threads)
    for piece in pieces.values():
        (working / piece.name).rename(context.staging / piece.name)
    return StageResult(
        kind=context.kind.kind,
        parts=tuple(stored(context.staging / piece.name) for piece in pieces.values()),
        message=f"{len(wanted)} of {len(whole.pieces)} pieces drawn",
        story=StoryStatus(pieces=len(whole.pieces), pieces_made=len(wanted)),
    )


def _brought(context: Context, piece: Piece, folder: Path) -> bool:
    """Whether the namespace's cache had the piece; it lies in the folder then."""
    if Kept(context, PIECE_PARTS).bring(piece.key, folder) is None:
        files.remove(folder / piece.name)
        return False
    return (folder / piece.name).is_file()


def _is_whole(context: Context, path: Path, piece: Piece) -> bool:
    """Whether a piece that an earlier attempt left has all its frames."""
    try:
        found = probing.probe(path, "mov", context.tool, count_packets=True)
    except WorkerError:
        context.check()
        return False
    return found.video.packets == piece.segment.frames


def _draw(context: Context, whole: Film, wanted: Sequence[Piece], folder: Path, at_once: int) -> None:
    def told(done: int, total: int) -> None:
        context.check()
        if done % whole.manifest.fps == 0:
            context.progress(done * 100 // total, f"Drawing {done} of {total} frames")

    if wanted:
        whole.make(folder, wanted, told, workers=at_once)
