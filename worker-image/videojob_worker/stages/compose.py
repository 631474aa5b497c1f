"""VideoComposition: the film's pieces, each drawn and encoded by itself, or taken from where it lies (S-009, S-021 to S-024, M2).

As a fan-out one work item is one piece; in one pod the stage draws all of them, as many at a time as it may use threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from videojob_api.contract import Measured, StageFile, StageResult, canonical_json
from videojob_api.keeping import PIECE_PARTS
from videojob_api.story.tasks import ComposeParams
from videojob_api.v1alpha1.story_status import StoryStatus

from ..base.errors import BadConfig
from ..compose.film import Film
from ..compose.making import Piece
from ..storage import files
from ..storage.records import READERS, stored
from .context import Context
from .filming import listed_pieces, manifest_of, pieces_of
from .kept import Kept
from .studio import film

WORKING = "pieces"
"""Beside the stage's folder, by its key: whole pieces of an ended attempt stay for the next one, each with its record."""


def run(context: Context) -> StageResult:
    """Write pieces, each named by its key.

    Raises Recoverable (CompositionError) when FFmpeg fails; there is no other way to draw them (S-040).
    """
    params, item = context.params, context.item
    if not isinstance(params, ComposeParams):
        raise BadConfig("BadDocument", "stage compose got another stage's params")
    films = [
        film(context, manifest_of(context, take), params.encoding, keys=keys)
        for take, keys in pieces_of(context).items()
    ]
    drawn_by = {piece.key: (whole, piece) for whole in films for piece in whole.pieces}
    if item is None:
        return _all(context, films)
    keys = [str(value) for value in listed_pieces(context)]
    if item.index >= len(keys) or keys[item.index] != item.value or keys[item.index] not in drawn_by:
        raise BadConfig("BadDocument", f"work item {item.index} is no piece that the layout has listed")
    whole, piece = drawn_by[keys[item.index]]
    taken = _brought(context, piece, context.staging)
    if taken is not None:
        return StageResult(kind=context.kind.kind, cached=True, parts=(taken,), message="a piece from the cache")
    made: list[StageFile] = []
    _draw(context, whole, (piece,), context.staging, 1, made.append)
    scene = whole.manifest.scenes[piece.segment.scene]
    return StageResult(
        kind=context.kind.kind,
        parts=tuple(made),
        message=f"{piece.segment.kind} {scene.id}, {piece.segment.frames / whole.manifest.fps:.1f} s",
    )


def _all(context: Context, films: Sequence[Film]) -> StageResult:
    working = context.final.with_name(f".{context.task.key}.{WORKING}")
    for other in context.final.parent.glob(f".*.{WORKING}"):
        if other != working:
            files.remove(other)
    working.mkdir(exist_ok=True)
    pieces = {piece.key: piece for whole in films for piece in whole.pieces}
    there = _left(working, pieces)
    missing, shelf = [piece for piece in pieces.values() if piece.key not in there], Kept(context, PIECE_PARTS)
    known = [piece for piece in missing if shelf.known(piece.key)]

    def made(file: StageFile) -> None:
        key = Path(file.path).stem
        (working / f"{key}.json").write_bytes(canonical_json(file.dump()))
        there[key] = file

    # What is there is brought while the others are drawn; what turns out not to be as its record says is drawn behind them.
    with ThreadPoolExecutor(READERS, thread_name_prefix="bring") as pool:
        brought = pool.map(lambda piece: _brought(context, piece, working), known)
        wanted = {piece.key for piece in missing} - {piece.key for piece in known}
        _draw_all(context, films, wanted, working, made)
        there |= {piece.key: file for piece, file in zip(known, brought, strict=True) if file is not None}
    broken = {piece.key for piece in known} - there.keys()
    _draw_all(context, films, broken, working, made)
    drawn = len(wanted) + len(broken)
    count = len(films[0].pieces) if len(films) == 1 else len(pieces)
    for piece in pieces.values():
        (working / piece.name).rename(context.staging / piece.name)
    files.remove(working)
    return StageResult(
        kind=context.kind.kind,
        parts=tuple(there[key] for key in pieces),
        message=f"{drawn} of {count} pieces drawn",
        story=StoryStatus(pieces=count, pieces_made=sum(not part.brought for part in there.values())),
    )


def _draw_all(
    context: Context,
    films: Sequence[Film],
    wanted: set[str] | frozenset[str],
    folder: Path,
    made: Callable[[StageFile], None],
) -> None:
    """Draw the pieces of these keys; one that several films show is drawn with the first of them."""
    left, told = set(wanted), 0
    for whole in films:
        own = [piece for piece in {piece.key: piece for piece in whole.pieces}.values() if piece.key in left]
        part = (told, len(own), max(1, len(wanted)))
        _draw(context, whole, own, folder, context.document.limits.threads, made, part=part)
        left -= {piece.key for piece in own}
        told += len(own)


def _left(working: Path, pieces: Mapping[str, Piece]) -> dict[str, StageFile]:
    """Pieces that an earlier attempt of this very stage has left, whole; everything else goes."""
    found = {}
    for path in working.glob("*.json"):
        with suppress(ValueError):
            file = StageFile.model_validate_json(path.read_bytes())
            if path.stem in pieces and files.matches(working / pieces[path.stem].name, file.size_bytes, file.sha256):
                found[path.stem] = file
    for path in working.iterdir():
        if path.stem not in found:
            files.remove(path)
    return found


def _brought(context: Context, piece: Piece, folder: Path) -> StageFile | None:
    """The piece, if the namespace's cache had it; it lies in the folder then."""
    record = Kept(context, PIECE_PARTS).bring(piece.key, folder)
    if record is None or [part.path for part in record.parts] != [piece.name]:
        files.remove(folder / piece.name)
        return None
    return record.parts[0].model_copy(update={"brought": True})


def _draw(  # noqa: PLR0917 - what is drawn, where, and who hears of it
    context: Context, whole: Film, wanted: Sequence[Piece], folder: Path, at_once: int, made: Callable[[StageFile], None],
    *, part: tuple[int, int, int] = (0, 1, 1),
) -> None:  # fmt: skip
    """Draw pieces of one film; `part`: so many pieces were drawn before, these are so many, of so many in all."""
    before, own, all_ = part

    def told(done: int, total: int) -> None:
        context.check()
        if done % whole.manifest.fps == 0:
            context.progress((before * total + done * own) * 100 // (total * all_), f"Drawing {done} of {total} frames")

    def record(piece: Piece, black: int) -> None:
        made(stored(folder / piece.name).model_copy(update={"measured": Measured(black_frames=black)}))

    if wanted:
        whole.make(folder, wanted, told, record, workers=at_once)
