"""The namespace's cache: `cache/<kind>/<key>/` holds a stage's files and its record, for every VideoJob of the namespace.

An entry appears by one rename, whole, and is never changed. Readers trust nothing all the same: what they copy out counts
only if each copied byte is as the record says. So nothing here is brought to the disk by force: a power cut costs an entry.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from videojob_api.contract import StageResult

from . import files
from .paths import space
from .records import STAGE_FILE, intact, members, recorded, written

PIECE = 64 << 20
"""Bytes copied between two looks at the clock."""


def copy(source: Path, target: Path, check: Callable[[], None] = lambda: None) -> None:
    """Copy a regular file to a new one. Blocks are shared where the volume can, but never the file itself: a hard link would
    let a later writer, or a sweep, reach both.

    `copy_file_range` and not the clone call: that one refuses two mounts of one volume on older kernels. Raises OSError.
    """
    given = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(given).st_mode):
            raise OSError(f"{source.name} is no regular file")
        made = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o664)
        try:
            _pour(given, made, check)
        finally:
            os.close(made)
    finally:
        os.close(given)


def _pour(given: int, made: int, check: Callable[[], None]) -> None:
    try:
        while os.copy_file_range(given, made, PIECE):
            check()
    except OSError:  # not on this kernel, or not between these two file systems: the plain way, from where it stopped
        os.lseek(given, os.lseek(made, 0, os.SEEK_CUR), os.SEEK_SET)
    while piece := os.read(given, files.CHUNK):
        left = memoryview(piece)
        while left:
            left = left[os.write(made, left) :]
        check()


class Cache:
    """The entries of one namespace.

    Args:
        root: the folder `cache` as it is mounted.
        check: called now and then; raises to stop.
    """

    def __init__(self, root: Path, check: Callable[[], None] = lambda: None) -> None:
        self._root = root
        self._check = check

    def entry(self, kind: str, key: str) -> Path:
        """Where a stage's outputs lie."""
        return self._root / kind / key

    def record(self, kind: str, key: str) -> StageResult | None:
        """An entry's record; None when there is no entry, or none that is whole."""
        found = recorded(self.entry(kind, key))
        return found if found is not None and (found.kind, found.state) == (kind, "Succeeded") else None

    def bring(self, kind: str, key: str, record: StageResult, folder: Path) -> bool:
        """Copy an entry's files into a folder; whether each is there and as the record says. Raises OSError.

        A sweep may take the entry away meanwhile: what is already open stays readable, what is not counts as missing.
        """
        for output in members(record):
            if Path(output.path).name != output.path or output.path.startswith("."):
                return False
            target = folder / output.path
            copy(self.entry(kind, key) / output.path, target, self._check)
            self._check()
            if not files.matches(target, output.size_bytes, output.sha256):
                return False
        return True

    def keep(self, kind: str, key: str, record: StageResult, sources: Mapping[str, Path], writer: str) -> bool:
        """Make an entry of these files, unless just that is there; whether it is there now. Raises OSError.

        An entry that is not whole, no longer as it says, or about other bytes makes room: what one VideoJob publishes fits
        together, and entries of several kinds are taken together. Of two writers at the same moment one wins.
        """
        final = self.entry(kind, key)
        if self._holds(kind, key, record, sources):
            self.touch(kind, key)
            return True
        size = sum(path.stat().st_size for path in sources.values())
        final.parent.mkdir(parents=True, exist_ok=True)
        if 2 * size > space(final.parent)[0]:
            return False  # copies that can be made again take no more than half of what is left
        staging = final.with_name(f".{key}.{writer}")
        files.remove(staging)
        staging.mkdir()
        try:
            for name, path in sources.items():
                copy(path, staging / name, self._check)
            (staging / STAGE_FILE).write_bytes(written(record))
            with suppress(OSError):
                staging.rename(final)
                return True
            broken = final.with_name(f"{staging.name}.old")
            final.rename(broken)  # a reader in the middle of it keeps what it has open
            files.remove(broken)
            staging.rename(final)
        finally:
            files.remove(staging)
        return True

    def _holds(self, kind: str, key: str, record: StageResult, sources: Mapping[str, Path]) -> bool:
        found = self.record(kind, key)
        if found is None or contents(found) != contents(record):
            return False
        own = found.model_copy(
            update={
                name: tuple(file for file in getattr(found, name) if file.path in sources)
                for name in ("files", "parts")
            }
        )
        return len(members(own)) == len(sources) and intact(self.entry(kind, key), own)

    def touch(self, kind: str, key: str) -> None:
        """An entry was of use: a sweep counts its age from now on."""
        with suppress(OSError):
            os.utime(self.entry(kind, key))


def contents(record: StageResult) -> frozenset[tuple[str, int, str]]:
    """The very bytes a record speaks of: names, sizes and digests."""
    return frozenset((output.path, output.size_bytes, output.sha256) for output in members(record))
