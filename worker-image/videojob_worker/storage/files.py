"""Files that are either whole or absent: digests, atomic writes, renames that survive a power cut."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

CHUNK = 1 << 20


def sha256_file(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """Hexadecimal sha256 of a file, read in pieces; `on_bytes` hears the number read so far and may raise to end it.

    Never follows a symbolic link.
    """
    digest, done = hashlib.sha256(), 0
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW)) as file:
        while piece := file.read(CHUNK):
            digest.update(piece)
            done += len(piece)
            if on_bytes is not None:
                on_bytes(done)
    return digest.hexdigest()


def matches(path: Path, size_bytes: int, sha256: str) -> bool:
    """Whether a regular file of exactly this content lies there."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != size_bytes:
        return False
    return sha256_file(path) == sha256


def sync(path: Path) -> None:
    """Bring a file's bytes, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that readers see the old one or the new one, whole; never through a link that lies there. Pods of one
    VideoJob may write it at the same time, each with the same process id: the last one wins, and none spoils another's.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o664)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)


def publish_folder(staging: Path, final: Path) -> None:
    """Make a finished staging folder the final one, its files on the disk first. An older final one is replaced."""
    for entry in staging.iterdir():
        sync(entry)
    sync(staging)
    remove(final)
    staging.rename(final)
    sync(final.parent)


def move(source: Path, target: Path) -> None:
    """Move a file within one volume; both folders reach the disk."""
    sync(source)
    source.rename(target)
    sync(target.parent)


def remove(path: Path) -> None:
    """Remove a file or a whole folder if it is there; links are removed, not followed."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
