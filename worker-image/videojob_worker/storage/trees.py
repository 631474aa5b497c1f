"""Folders that strangers may have filled: counted and destroyed through descriptors, one level at a time.

No symbolic link is ever followed, no depth of folders costs stack or descriptors, and nothing outside the folder that was
opened first can be reached (case 65).
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

MAX_DEPTH = 32
"""Folders inside folders that are counted; ours are five deep at most."""
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass
class Usage:
    """What a tree holds."""

    files: int = 0
    size_bytes: int = 0
    written: float = 0.0
    """When anything in it was last written to, in seconds since the epoch by the volume's clock."""

    def add(self, other: Usage) -> None:
        """Take another tree in."""
        self.files += other.files
        self.size_bytes += other.size_bytes
        self.written = max(self.written, other.written)


@contextmanager
def opened(name: str | Path, parent: int | None = None) -> Iterator[int]:
    """A descriptor of a folder that is one: a link in its place raises OSError."""
    fd = os.open(name, _FOLDER, dir_fd=parent)
    try:
        yield fd
    finally:
        os.close(fd)


def names(fd: int) -> list[str]:
    """What lies in a folder, in a stable order."""
    return sorted(os.listdir(fd))


def look(name: str, parent: int) -> os.stat_result | None:
    """The facts about an entry itself, never about what it points to; None when it is not there."""
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None


def is_folder(facts: os.stat_result | None) -> bool:
    """Whether it is a folder, and no link to one."""
    return facts is not None and stat.S_ISDIR(facts.st_mode)


def is_file(facts: os.stat_result | None) -> bool:
    """Whether it is a regular file."""
    return facts is not None and stat.S_ISREG(facts.st_mode)


def written(facts: os.stat_result, now: float) -> float:
    """When an entry was last written to. A time in the future was set by somebody, or by a clock that has been put back: the
    change time, which nobody can set, counts then.
    """
    return facts.st_mtime if facts.st_mtime <= now else min(facts.st_ctime, now)


def now_on(fd: int) -> float:
    """The volume's own time: what it stamps on a file that is written now. A node's clock may be an hour off (case 46)."""
    name = f".clock-{os.getpid()}"
    try:
        os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=fd))
        try:
            return os.stat(name, dir_fd=fd, follow_symlinks=False).st_mtime
        finally:
            os.unlink(name, dir_fd=fd)
    except OSError:
        return time.time()  # not even an empty file has room


def measure(name: str, parent: int, now: float, depth: int = 0) -> Usage:
    """What lies at an entry, itself included; what is absurdly deep, or was closed by its owner, is not looked into."""
    facts = look(name, parent)
    if facts is None:
        return Usage()
    if not is_folder(facts):
        return Usage(1, facts.st_size, written(facts, now))
    found = Usage(written=written(facts, now))
    if depth >= MAX_DEPTH:
        return found
    with suppress(PermissionError), opened(name, parent) as fd:
        for entry in names(fd):
            found.add(measure(entry, fd, now, depth + 1))
    return found


class Trash:
    """A hidden folder of the store, in which what is to go disappears at once, and is then destroyed.

    Args:
        root: descriptor of the namespace's part of the volume.
        check: called now and then; raises to stop.
    """

    NAME = ".sweep"

    def __init__(self, root: int, check: Callable[[], None] = lambda: None) -> None:
        self._check = check
        if look(self.NAME, root) is not None and not is_folder(look(self.NAME, root)):
            os.unlink(self.NAME, dir_fd=root)
        with suppress(FileExistsError):
            os.mkdir(self.NAME, 0o770, dir_fd=root)
        self._fd = os.open(self.NAME, _FOLDER, dir_fd=root)
        self._number = 0
        self.destroyed = Usage()
        """Files destroyed so far."""

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._fd)

    def take(self, name: str, parent: int) -> None:
        """Make an entry disappear from where it is, and destroy it. Raises OSError; what was taken then goes next time."""
        place = self._place()
        os.rename(name, place, src_dir_fd=parent, dst_dir_fd=self._fd)
        self._destroy(place)

    def empty(self) -> None:
        """Destroy what an earlier sweep, ended in the middle, has left."""
        for name in names(self._fd):
            self._destroy(name)

    def _place(self) -> str:
        while True:
            self._number += 1
            name = f"{os.getpid()}-{self._number}"
            if look(name, self._fd) is None:
                return name

    def _destroy(self, name: str) -> None:
        """Every folder found on the way is first moved up to the trash itself, so that no tree is too deep."""
        waiting = [name]
        while waiting:
            self._check()
            name = waiting.pop()
            facts = look(name, self._fd)
            if facts is None:
                continue
            if not is_folder(facts):
                self._unlink(name, self._fd, facts)
                continue
            with self._opened(name) as fd:
                for entry in names(fd):
                    inside = look(entry, fd)
                    if inside is None:
                        continue
                    if is_folder(inside):
                        place = self._place()
                        os.rename(entry, place, src_dir_fd=fd, dst_dir_fd=self._fd)
                        waiting.append(place)
                    else:
                        self._unlink(entry, fd, inside)
            os.rmdir(name, dir_fd=self._fd)

    @contextmanager
    def _opened(self, name: str) -> Iterator[int]:
        """A folder of the trash, made accessible if its owner had closed it."""
        os.chmod(name, 0o700, dir_fd=self._fd)
        with opened(name, self._fd) as fd:
            yield fd

    def _unlink(self, name: str, parent: int, facts: os.stat_result) -> None:
        os.unlink(name, dir_fd=parent)
        self.destroyed.files += 1
        self.destroyed.size_bytes += facts.st_size
