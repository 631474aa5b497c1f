"""From names in a task document to places on a volume. Nothing a stranger wrote decides where a path leads (case 65)."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from videojob_api.contract import StorePaths, debug_folder

from ..base.errors import Permanent

_HINT = "put a regular file into the store, for example with `videojob submit --file`"


def vetted_file(root: Path, relative: str, what: str) -> Path:
    """The absolute path of a regular file below `root`.

    Refuses `..` and absolute names, symbolic links anywhere below the root, hard links (the other name may belong to
    somebody else), folders, pipes and devices. Raises Permanent: SourceNotFound or UnsafeInput.
    """
    parts = Path(relative).parts
    if not parts or Path(relative).is_absolute() or ".." in parts or "\0" in relative:
        raise Permanent("UnsafeInput", f"{what} has a name that leads out of its folder: {relative!r}", hint=_HINT)
    path = root.resolve()
    for part in parts:
        path /= part
        try:
            facts = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            raise Permanent("SourceNotFound", f"{what} does not exist in the store", hint=_HINT) from None
        if stat.S_ISLNK(facts.st_mode):
            raise Permanent("UnsafeInput", f"{what} is a symbolic link", hint=_HINT)
    if not stat.S_ISREG(facts.st_mode):
        raise Permanent("UnsafeInput", f"{what} is not a regular file", hint=_HINT)
    if facts.st_nlink != 1:
        raise Permanent("UnsafeInput", f"{what} is a hard link: it has {facts.st_nlink} names", hint=_HINT)
    return path


class Store:
    """The folders a container was given, and the places of everything in them."""

    def __init__(self, paths: StorePaths) -> None:
        self.job = Path(paths.job)
        self.scratch = Path(paths.scratch)
        self._roots = {"inbox": Path(paths.inbox), "stock": Path(paths.stock)}

    def source(self, uri: str, name: str | None) -> Path:
        """The vetted path of `store://inbox/<sha256>`, `store://stock/<path>` or `store://uploads/<sha256>`."""
        scheme, _, place = uri.partition("://")
        root, _, relative = place.partition("/")
        if scheme == "store" and root == self.uploads.name:
            return vetted_file(
                self.job, place, f"the source {name or uri}"
            )  # a link in place of uploads/ is refused, too
        if scheme != "store" or root not in self._roots:
            raise Permanent("UnsafeInput", "the source is neither in inbox, nor in stock, nor in uploads", hint=_HINT)
        return vetted_file(self._roots[root], relative, f"the source {name or uri}")

    def stage(self, kind: str, key: str) -> Path:
        """Final folder of a stage's outputs."""
        return self.job / "processed" / kind / key

    def staging(self, kind: str, key: str, attempt: int, pod_uid: str) -> Path:
        """Where an attempt writes until it is done; the pod's UID keeps a ghost of it apart."""
        return self.job / "processed" / kind / f".{key}.a{attempt}.{pod_uid}"

    def debug(self, group: str, attempt: int, index: int | None = None) -> Path:
        """Where an attempt leaves what helps to understand it; of a fan-out, each work item by itself."""
        return self.job / debug_folder(group, attempt, index)

    @property
    def processed(self) -> Path:
        """All stages' outputs before publication."""
        return self.job / "processed"

    @property
    def uploads(self) -> Path:
        """What was fetched, by its sha256."""
        return self.job / "uploads"

    @property
    def videos(self) -> Path:
        """Published files."""
        return self.job / "videos"

    @property
    def manifest(self) -> Path:
        """Written last; outputs count as published from then on."""
        return self.job / "manifest.json"

    def space(self) -> tuple[int, int]:
        """Free space and size of the volume the job's folder lies on, in bytes."""
        return space(self.job)


def space(place: Path | int) -> tuple[int, int]:
    """Free space and size of the volume that a folder, or an open descriptor, lies on, in bytes."""
    facts = os.statvfs(place)
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
