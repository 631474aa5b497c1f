"""Sweep: deletes what has expired in a namespace's part of a volume, and counts what is left (A-015, A-016, A-018, A-031).

It deletes what the operator says has expired, and by itself only what no VideoJob owns any more: the operator alone knows
who lives. Without an answer nothing is deleted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from videojob_api import contract
from videojob_api.keeping import KEPT_SECONDS
from videojob_api.sweeping import (
    GONE_SECONDS,
    MAX_ASKED,
    MAX_PROBLEMS,
    RETENTION_FILE,
    FolderVerdict,
    KeptRetention,
    SweepAnswer,
    SweepDocument,
    SweepQuestion,
    SweepResult,
    UploadVerdict,
)
from videojob_api.v1alpha1.mediastore import TierName, TierUse

from ..base.logs import Log
from . import trees
from .paths import space
from .trees import Trash, Usage

Ask = Callable[[SweepQuestion], SweepAnswer]
"""Raises External when there is no answer."""
UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
DIGEST = re.compile(r"[0-9a-f]{64}")
MAX_KEPT_BYTES = 4096
TIERS: tuple[TierName, ...] = ("uploads", "processed", "videos", "temp", "debug", "stock", "cache")
_JOB_TIERS: dict[str, TierName] = {"processed": "processed", "videos": "videos", "debug": "debug", "uploads": "uploads"}
T = TypeVar("T")


@dataclass(frozen=True)
class _Kept:
    """A folder's own file about its retention, as it was when it was looked at."""

    facts: tuple[int, int] | None
    """Inode and time; None when there is no such file."""
    value: KeptRetention | None
    """None when there is none, or when it is not whole."""


@dataclass
class Sweep:
    """One sweep of one namespace's part of a volume."""

    document: SweepDocument
    ask: Ask
    log: Log
    check: Callable[[], None] = lambda: None
    """Raises when it is time to stop."""
    use: dict[TierName, Usage] = field(default_factory=lambda: {tier: Usage() for tier in TIERS})
    problems: list[str] = field(default_factory=list)
    deleted_folders: int = 0

    def run(self) -> SweepResult:
        """Ask, delete, count. Raises OSError when the volume is not there, External when nobody answers."""
        with trees.opened(Path(self.document.root)) as root:
            self._answer()  # before anything is touched: is there somebody who knows who lives?
            self._now = trees.now_on(root)
            self._trash = Trash(root, self.check)
            try:
                self._trash.empty()
                for name, part in (("inbox", self._inbox), ("jobs", self._jobs), ("cache", self._cache)):
                    if trees.is_folder(trees.look(name, root)):
                        with trees.opened(name, root) as fd:
                            part(fd)
                self._count("stock", "stock", root)
                free, capacity = space(root)
            finally:
                self._trash.close()
        return SweepResult(
            uid=self.document.uid,
            number=self.document.number,
            cutoff=self.document.cutoff,
            tiers=tuple(
                TierUse(name=tier, files=found.files, size_bytes=found.size_bytes) for tier, found in self.use.items()
            ),
            deleted_files=self._trash.destroyed.files,
            deleted_bytes=self._trash.destroyed.size_bytes,
            deleted_folders=self.deleted_folders,
            free_bytes=free,
            capacity_bytes=capacity,
            problems=tuple(self.problems[:MAX_PROBLEMS]),
        )

    # ------------------------------------------------------------ uploads

    def _inbox(self, fd: int) -> None:
        uploads: dict[str, os.stat_result] = {}
        for name in trees.names(fd):
            facts = trees.look(name, fd)
            if facts is None:
                continue
            if DIGEST.fullmatch(name) and not trees.is_folder(facts):
                uploads[name] = facts
            elif name.endswith(".part") and self._age(facts) > self._leftover():
                self._take(name, fd)
            else:
                self._count("temp" if name.startswith(".") else "uploads", name, fd)
        for batch in _batches(list(uploads)):
            for verdict in self._answer(uploads=batch).uploads:
                if verdict.sha256 in uploads:
                    self._upload(verdict, uploads[verdict.sha256], fd)

    def _upload(self, verdict: UploadVerdict, before: os.stat_result, fd: int) -> None:
        """One upload; one that came again, or was asked for, since it was listed is another one."""
        limit = self._tier("uploads")
        if verdict.state == "Expired":
            limit = min(limit, GONE_SECONDS)  # whoever has just sent it again is about to name it
        facts = trees.look(verdict.sha256, fd)
        same = facts is not None and (facts.st_ino, facts.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        if verdict.state == "Kept" or facts is None or not same or self._age(facts) < limit:
            self._count("uploads", verdict.sha256, fd)
        else:
            self._take(verdict.sha256, fd)

    # ------------------------------------------------------------ folders of VideoJobs

    def _jobs(self, fd: int) -> None:
        found = [name for name in trees.names(fd) if UID.fullmatch(name) and trees.is_folder(trees.look(name, fd))]
        for batch in _batches(found):
            before: dict[str, _Kept] = {}
            for uid in batch:
                with self._noting(f"jobs/{uid}"), trees.opened(uid, fd) as folder:
                    before[uid] = _kept(folder)
            for verdict in self._answer(folders=tuple(before)).folders:
                if verdict.uid in before:
                    with self._noting(f"jobs/{verdict.uid}"):
                        self._folder(verdict, before[verdict.uid], fd)

    def _folder(self, verdict: FolderVerdict, before: _Kept, fd: int) -> None:
        if verdict.state == "Gone":
            self._gone(verdict.uid, before, fd)
            return
        with trees.opened(verdict.uid, fd) as folder:
            if verdict.state == "Settled":
                self._settled(verdict, before, folder)
            for name in trees.names(folder):
                if name == "processed":
                    self._processed(folder, None)
                elif name != "videos" or verdict.state == "Settled":  # the operator adds what was published since
                    self._count(_tier_of(name), name, folder)

    def _gone(self, uid: str, kept: _Kept, fd: int) -> None:
        """A folder without a VideoJob: what it keeps about itself decides; what cannot be read is in doubt, and stays."""
        with trees.opened(uid, fd) as folder:
            unreadable = kept.facts is not None and kept.value is None
            wanted = kept.value is not None and (kept.value.hold or kept.value.deletion_policy == "Retain")
            if unreadable:
                self._problem(f"jobs/{uid}/{RETENTION_FILE} cannot be read: delete the folder by hand")
            keep = unreadable or wanted or _kept(folder).facts != kept.facts
        if not keep and self._now - trees.measure(uid, fd, self._now).written >= GONE_SECONDS:
            if self._take(uid, fd):
                self.deleted_folders += 1
                self.log.info("deleted the folder of a VideoJob that is gone", extra={"uid": uid})
            return
        with trees.opened(uid, fd) as folder:
            for name in trees.names(folder):
                self._count(_tier_of(name), name, folder)

    def _settled(self, verdict: FolderVerdict, before: _Kept, folder: int) -> None:
        """An ended VideoJob's tiers. What its folder keeps is read again: an attempt that began meanwhile wrote it anew."""
        if verdict.kept is None or _kept(folder).facts != before.facts:
            return
        for tier in () if verdict.kept.hold else verdict.expired:
            if _kept(folder).facts != before.facts:
                return
            if trees.look(tier, folder) is not None and self._take(tier, folder):
                self.log.info("deleted what had expired", extra={"uid": verdict.uid, "tier": tier})
        if not verdict.kept.hold:
            self._processed(folder, verdict.temp_seconds)
        _keep(verdict.kept, before, folder)

    def _processed(self, folder: int, temp_seconds: int | None) -> None:
        """Staging folders below `processed/`: with an age they go, without one everything is counted."""
        if not trees.is_folder(trees.look("processed", folder)):
            return
        with trees.opened("processed", folder) as processed:
            for kind in trees.names(processed):
                if not trees.is_folder(trees.look(kind, processed)):
                    if temp_seconds is None:
                        self._count("processed", kind, processed)
                    continue
                with trees.opened(kind, processed) as stages:
                    for name in trees.names(stages):
                        leftover = name.startswith(".")
                        if temp_seconds is None:
                            self._count("temp" if leftover else "processed", name, stages)
                        elif leftover and self._now - trees.measure(name, stages, self._now).written > temp_seconds:
                            self._take(name, stages)

    # ------------------------------------------------------------ the rest

    def _cache(self, fd: int) -> None:
        """Entries are copies that can be made again: they go by the time since their last use alone, and what a writer that
        died has left beside them much earlier.
        """
        for kind in trees.names(fd):
            if not trees.is_folder(trees.look(kind, fd)):
                self._count("cache", kind, fd)
                continue
            with self._noting(f"cache/{kind}"), trees.opened(kind, fd) as entries:
                for name in trees.names(entries):
                    found = trees.measure(name, entries, self._now)
                    limit = (
                        self._leftover()
                        if name.startswith(".")
                        else max(self._tier("processed"), KEPT_SECONDS.get(kind, 0))
                    )
                    if self._now - found.written > limit:
                        self._take(name, entries)
                    else:
                        self.use["cache"].add(found)

    def _answer(self, folders: Sequence[str] = (), uploads: Sequence[str] = ()) -> SweepAnswer:
        self.check()
        return self.ask(
            SweepQuestion(
                uid=self.document.uid, cutoff=self.document.cutoff, folders=tuple(folders), uploads=tuple(uploads)
            )
        )

    def _tier(self, name: str) -> int:
        return int(getattr(self.document.retention, f"{name}_seconds"))

    def _leftover(self) -> int:
        """Age at which what was never finished goes: whoever is at it writes more often than that."""
        return max(self._tier("temp"), contract.HEARTBEAT_SECONDS * 60)

    def _age(self, facts: os.stat_result) -> float:
        return self._now - trees.written(facts, self._now)

    def _count(self, tier: TierName, name: str, parent: int) -> None:
        with self._noting(name):
            self.use[tier].add(trees.measure(name, parent, self._now))

    def _take(self, name: str, parent: int) -> bool:
        """Delete an entry; whether that worked."""
        with self._noting(name):
            self._trash.take(name, parent)
            return True
        return False

    def _noting(self, what: str) -> suppress:
        return _Noting(self._problem, what)

    def _problem(self, text: str) -> None:
        self.problems.append(text[:200])
        self.log.warning(text)


class _Noting(suppress):
    """An entry that cannot be read or deleted is noted, and the sweep goes on with the next one."""

    def __init__(self, note: Callable[[str], None], what: str) -> None:
        super().__init__(OSError)
        self._note, self._what = note, what

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if isinstance(error, FileNotFoundError):
            return True  # somebody was faster
        if isinstance(error, OSError):
            self._note(f"{self._what}: {error.strerror or error}")
            return True
        return False


def _batches(found: Sequence[T]) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(found), MAX_ASKED):
        yield tuple(found[start : start + MAX_ASKED])


def _tier_of(name: str) -> TierName:
    """The tier of an entry of a job's folder; manifest and the like belong to what they describe."""
    return _JOB_TIERS.get(name, "temp" if name.startswith(".") else "videos")


def _kept(folder: int) -> _Kept:
    """What a job's folder keeps about its own retention; never through a link."""
    facts = trees.look(RETENTION_FILE, folder)
    if facts is None:
        return _Kept(None, None)
    known = (facts.st_ino, facts.st_mtime_ns)
    try:
        fd = os.open(RETENTION_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        try:
            data = os.read(fd, MAX_KEPT_BYTES)
        finally:
            os.close(fd)
        return _Kept(known, KeptRetention.model_validate(json.loads(data)))
    except (OSError, ValueError, ValidationError):
        return _Kept(known, None)


def _keep(wanted: KeptRetention, known: _Kept, folder: int) -> None:
    """Write what the folder is to keep, if it differs; readers see the old file or the new one."""
    if known.value == wanted:
        return
    name = f".{RETENTION_FILE}.{os.getpid()}.tmp"
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o664, dir_fd=folder)
    with os.fdopen(fd, "wb") as file:
        file.write(json.dumps(wanted.dump()).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(name, RETENTION_FILE, src_dir_fd=folder, dst_dir_fd=folder)
