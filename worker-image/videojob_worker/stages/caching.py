"""Between a VideoJob's folder and the cache of its namespace: take a stage's outputs from there, and keep them there.

The cache only ever saves work. Whatever is wrong with an entry, or with the volume under it, the stage runs as without it.
"""

from __future__ import annotations

from pathlib import Path

from videojob_api import contract
from videojob_api.contract import StageResult
from videojob_api.keeping import KEPT_SECONDS, PIECE_PARTS
from videojob_api.stages import KINDS
from videojob_api.v1alpha1.sources import stored_digest

from ..base.errors import NotCached, WorkerError
from ..storage import files
from ..storage.cache import Cache, contents
from ..storage.records import intact, recorded
from .context import Context

PIECES_OF = "compose"
"""The stage whose work items are pieces of video."""


def take(context: Context) -> StageResult | None:
    """Copy the stage's outputs from the cache into the staging folder; None when they are not there, or not as they were.

    Raises NotCached when the attempt may do nothing else: it holds no slot for the work itself.
    """
    found = _taken(context) if context.document.cache is not None and context.kind.cacheable else None
    if found is None:
        for left in context.staging.iterdir():
            files.remove(left)
        if context.document.cache is not None and context.document.cache.only:
            raise NotCached(context.kind.stage)
    return found


def _taken(context: Context) -> StageResult | None:
    try:
        digest = _source(context)
        if digest is None or _refusal(context.final).exists():
            return None
        kind, key = context.kind.kind, contract.cache_key(context.task.key, digest)
        cache = _cache(context)
        found = cache.record(kind, key)
        if found is None:
            return None
        context.progress(50, "Taking what was made before from the cache")
        if kind != "verify" and not cache.bring(kind, key, found, context.staging):
            context.log.warning("an entry of the cache is not as it says", extra={"entry": f"{kind}/{key}"})
            return None
        if kind == "verify" and not _speaks_of(context, found):
            return None
    except OSError as error:
        context.log.warning("the cache could not be read", extra={"error": str(error)})
        return None
    uid = context.document.job.uid
    own = tuple(output.model_copy(update={"uri": f"store://jobs/{uid}/videos/{output.path}"}) for output in found.files)
    message = f"{len(own)} outputs from the cache" if own else "from the cache"
    return found.model_copy(update={"cached": True, "reused": False, "files": own, "message": message})


def refuse(context: Context) -> None:
    """These outputs failed a check: if they came from the cache, this VideoJob makes them itself next time."""
    folder = context.folder("transcode")
    found = recorded(folder)
    files.remove(folder)
    if found is not None and found.cached:
        _refusal(folder).touch()


def _refusal(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.refused")


def _source(context: Context) -> str | None:
    """Digest of the source, as far as it is known without reading it: by its URI, or by what ingest has measured."""
    if context.kind.kind == "ingest":
        order = context.document.cache
        return stored_digest(order.source) if order is not None else None
    found = recorded(context.folder("ingest"))
    return found.input.sha256 if found is not None and found.input is not None else None


def _speaks_of(context: Context, verified: StageResult) -> bool:
    """Whether a verdict is about the very bytes that lie in this job's folder; commit looks at the bytes themselves again."""
    made = recorded(context.folder("transcode"))
    return made is not None and contents(made) == contents(verified)


def _cache(context: Context) -> Cache:
    return Cache(Path(context.document.store.cache), context.check)


def keep(context: Context, verified: StageResult) -> None:
    """Keep what has just been published, by the stages that made it; note the use of what came from the cache.

    Called by the one container that decodes nothing, after the manifest is written. The source's digest is measured here,
    not taken from a record that a decoder wrote: a hostile input can spoil its own entry and no other.
    """
    order = context.document.cache
    if order is None or verified.input is None:
        return
    try:
        digest = stored_digest(order.source) or files.sha256_file(
            context.store.source(order.source, None), lambda _: context.check()
        )
        if digest != verified.input.sha256:
            return  # a file of the stock was replaced meanwhile
        for given in context.task.inputs:
            kind = KINDS.get(given.stage)
            if kind is not None and kind.cacheable:
                _keep(context, kind.kind, contract.cache_key(given.key, digest), order.mode)
    except (OSError, WorkerError) as error:
        context.log.warning("the cache could not be written", extra={"error": str(error)})


def keep_parts(context: Context) -> None:
    """Keep single sentences, pictures and pieces of a story for the namespace's other VideoJobs (S-056). Called by commit alone.

    An entry's name is its content's: what was asked for, of whom. Entries this job took from the cache are noted as used.
    """
    order = context.document.cache
    if order is None:
        return
    own, shared = Cache(context.store.processed, context.check), _cache(context)
    writer = context.staging.name.rpartition(".")[2]
    for stage in (*KEPT_SECONDS, PIECES_OF):
        for folder in sorted((context.store.processed / stage).glob("[0-9a-f]*")):
            try:
                record = own.record(stage, folder.name)
                for kind, name, entry in _entries(stage, folder.name, record) if record is not None else ():
                    if shared.record(kind, name) is not None:
                        shared.touch(kind, name)
                    elif order.mode == "ReadWrite" and intact(folder, entry):
                        sources = {part.path: folder / part.path for part in entry.parts}
                        shared.keep(kind, name, entry, sources, writer)
            except (OSError, WorkerError) as error:
                context.log.warning("the cache could not be written", extra={"error": str(error)})


def _entries(stage: str, name: str, record: StageResult) -> tuple[tuple[str, str, StageResult], ...]:
    """What a folder is kept as: as it is; but each file of the stage that draws pieces by its own name, which says what is seen
    in it, while its folder goes by the stage's key, too.
    """
    if stage != PIECES_OF:
        return ((stage, name, record),)
    return tuple(
        (PIECE_PARTS, Path(part.path).stem, StageResult(kind=PIECE_PARTS, parts=(plain,)))
        for part in record.parts
        for plain in (part.model_copy(update={"brought": None}),)
    )


def _keep(context: Context, kind: str, key: str, mode: str) -> None:
    made = recorded(context.folder(kind))
    if made is None or made.state != "Succeeded":
        return
    cache = _cache(context)
    if made.cached:
        cache.touch(kind, key)
    elif mode == "ReadWrite":
        names = () if kind == "verify" else tuple(output.path for output in made.files)
        sources = {name: context.store.videos / name for name in names}
        record = made.model_copy(update={"reused": False, "cached": False})
        if not cache.keep(kind, key, record, sources, context.staging.name.rpartition(".")[2]):
            context.log.info("too little space for the cache", extra={"entry": f"{kind}/{key}"})
