"""What is kept by its content: single sentences, pictures, pieces of video (S-056).

First in the job's folder, where the next attempt finds it; then, by commit, in the namespace's cache, from where other
VideoJobs take it. Like the whole cache it only ever saves work: whatever is wrong with an entry, the work is done as without it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from videojob_api.contract import StageResult, content_key
from videojob_api.keeping import KEPT_SECONDS

from ..base.errors import disk_full
from ..storage import files
from ..storage.cache import Cache
from ..storage.records import STAGE_FILE, intact
from .context import Context


class Kept:
    """Entries of one kind.

    Args:
        context: the stage that uses them.
        kind: kind of the entries, a row of KEPT_SECONDS.
        seconds: an older entry of the namespace is not taken; None: however old it is.
    """

    def __init__(self, context: Context, kind: str, seconds: int | None = None) -> None:
        self._context, self._kind, self._seconds = context, kind, seconds
        self._own = Cache(context.store.processed, context.check)
        shared = context.document.cache
        self._shared = Cache(Path(context.document.store.cache), context.check) if shared is not None else None

    def find(self, key: str) -> Path | None:
        """Folder of an entry, whole: of this job, or brought from another one's. None when there is none, or it is too old."""
        folder = self._own.entry(self._kind, self._name(key))
        record = self.record(key)
        if record is not None and intact(folder, record):
            return folder
        files.remove(folder)
        return folder if self._brought(key) else None

    def _name(self, key: str) -> str:
        """What an entry is called. A stage that a redrive wants anew takes no other entries than its own, by its own key: its
        retries still pay for nothing twice.
        """
        task = self._context.task
        return content_key(self._kind, 1, {"anew": task.key}, (key,)) if task.anew else key

    def record(self, key: str) -> StageResult | None:
        """What is known of an entry that was found."""
        return self._own.record(self._kind, self._name(key))

    def folder(self, key: str) -> Path:
        """An empty folder to write an entry's files into."""
        folder = self._context.staging / f".{key}"
        files.remove(folder)
        folder.mkdir()
        return folder

    def keep(self, key: str, record: StageResult, folder: Path) -> Path:
        """Keep what was written into `folder`; answers where it lies now. Raises Resource when the volume is full."""
        if not self._owned(key, record, folder):
            raise disk_full(f"a {self._kind}")
        return self._own.entry(self._kind, self._name(key))

    def _brought(self, key: str) -> bool:
        folder = self.folder(key)
        record = self.bring(key, folder)
        if record is None:
            files.remove(folder)
        return record is not None and self._owned(key, record, folder)

    def known(self, key: str) -> bool:
        """Whether another VideoJob's entry is there and young enough; whether it is whole shows when it is brought."""
        if self._shared is None:
            return False
        try:
            name = self._name(key)
            return self._shared.record(self._kind, name) is not None and not self._old(
                self._shared.entry(self._kind, name)
            )
        except OSError:
            return False

    def bring(self, key: str, folder: Path) -> StageResult | None:
        """Copy the files of another VideoJob's entry into a folder; None when it is not there, too old or not as it says."""
        if self._shared is None:
            return None
        try:
            name = self._name(key)
            record = self._shared.record(self._kind, name)
            if record is None or self._old(self._shared.entry(self._kind, name)):
                return None
            return record if self._shared.bring(self._kind, name, record, folder) else None
        except OSError as error:
            self._context.log.warning("the cache could not be read", extra={"error": str(error)})
            return None

    def _old(self, entry: Path) -> bool:
        """By the time it was made: that of its use is the folder's."""
        return self._seconds is not None and time.time() - (entry / STAGE_FILE).stat().st_mtime > self._seconds

    def _owned(self, key: str, record: StageResult, folder: Path) -> bool:
        """Put an entry into the job's folder; False when the volume is full."""
        sources = {part.path: folder / part.path for part in record.parts}
        kept = self._own.keep(self._kind, self._name(key), record, sources, self._context.staging.name.lstrip("."))
        files.remove(folder)
        return kept


def once(context: Context, kind: str, key: str, work: Callable[[], StageResult]) -> StageResult:
    """A stage's files and result by the content they follow from: as another VideoJob of the namespace has made them, else by
    doing the work. What came out lesser than was asked for is not kept: with more memory it may come out better.
    """
    if context.document.cache is None:
        return work()
    shelf = Kept(context, kind, KEPT_SECONDS[kind])
    there = shelf.find(key)
    known = shelf.record(key) if there is not None else None
    if there is not None and known is not None:
        for part in known.parts:
            shutil.copyfile(there / part.path, context.staging / part.path)
        return known.model_copy(update={"kind": context.kind.kind, "cached": True})
    made = work()
    if not made.degraded:
        folder = shelf.folder(key)
        for part in made.parts:
            shutil.copyfile(context.staging / part.path, folder / part.path)
        # what it was computed on, and when, is not true of who takes it
        shelf.keep(key, made.model_copy(update={"kind": kind, "accelerator": None}), folder)
    return made
