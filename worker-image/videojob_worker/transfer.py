"""Files in and out through a waiting pod: `hold` waits, `receive` takes one upload, `send` gives one file out.

A person's own `videojob` command starts these three by exec; the operator never does. The other end speaks first and says how
many bytes come, so that no end of input is needed; `receive` answers with a JSON line that says whether it has them already,
and with another at the very end, since container runtimes cut the input as soon as a process closes its output. Whatever goes
wrong is said on that line too, while the rest of the input is still read and dropped: an end that stops reading would leave
the other one hanging. While they compute or wait for the disk, empty lines on standard error say that they live: the other
end takes silence for a dead line.

Each file is a process of its own, so this module loads little: no models, none of the stages.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from videojob_api.exits import ExitCode
from videojob_api.places import SCRATCH, STORE_INBOX, STORE_JOB

CHUNK = 256 * 1024
"""Bytes moved at once; the size that goes through exec fastest."""
STALE_PART_SECONDS = 3600
"""Parts of uploads that died are removed when this old."""
ACTIVITY = ".videojob-transfer"
"""File below the scratch folder whose time says when something last moved; `hold` ends by it."""
ACTIVITY_SECONDS = 5.0
"""It is renewed this often during a transfer."""
ALIVE_SECONDS = 10.0
"""A sign of life goes out this often while nothing else does; the other end waits for a minute."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class TransferError(Exception):
    """A transfer that cannot be finished: a code for programs, a sentence for people, an exit code."""

    def __init__(self, code: str, message: str, exit_code: ExitCode = ExitCode.PERMANENT) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit_code = exit_code


@dataclass(frozen=True)
class Input:
    """Where bytes come from: `read` returns at most so many, empty at the end; `more` says whether any wait already."""

    read: Callable[[int], bytes]
    more: Callable[[], bool]

    @classmethod
    def of_fd(cls, fd: int) -> Input:
        """Read a file descriptor directly: nothing is kept back in a buffer."""

        def more() -> bool:
            if not select.select([fd], [], [], 0)[0]:
                return False
            return bool(os.read(fd, 1))

        return cls(lambda size: os.read(fd, size), more)


def _sign_of_life() -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"\n")


class Activity:
    """Tells `hold` that something moves, and the other end that somebody works."""

    def __init__(
        self, scratch: Path, *, sign: Callable[[], None] = _sign_of_life, every_seconds: float = ALIVE_SECONDS
    ) -> None:
        self._path = scratch / ACTIVITY
        self._told = float("-inf")
        self._sign = sign
        self._every_seconds = every_seconds

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Give signs of life while the block computes or waits for the disk, which may be silent for minutes."""
        over = threading.Event()

        def live() -> None:
            while not over.wait(self._every_seconds):
                self.tell(now=True)
                self._sign()

        thread = threading.Thread(target=live, name="signs of life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def tell(self, *, now: bool = False) -> None:
        """Renew the time, at most every few seconds unless `now`; a scratch folder that is full harms nothing."""
        if now or time.monotonic() - self._told >= ACTIVITY_SECONDS:
            self._told = time.monotonic()
            with contextlib.suppress(OSError):
                self._path.touch()

    def age_seconds(self) -> float:
        """Seconds since something last moved, infinite if nothing ever did."""
        try:
            return max(0.0, time.time() - self._path.stat().st_mtime)
        except OSError:
            return float("inf")


def _size(count: int) -> str:
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def check_sha256(value: str) -> str:
    """The digest itself; TransferError unless it is 64 lower-case hexadecimal digits (so no path can hide in it)."""
    if _SHA256.fullmatch(value) is None:
        raise TransferError("BadRequest", f"{value!r} is not a sha256: 64 lower-case hexadecimal digits are expected")
    return value


def digest_of(path: Path, activity: Activity) -> str:
    """sha256 of a file's bytes."""
    digest = hashlib.sha256()
    with activity.working(), path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
            activity.tell()
    return digest.hexdigest()


def probe(inbox: Path, sha256: str, activity: Activity, name: str | None = None) -> dict[str, Any]:
    """Whether this upload is already there, whole: its digest is computed again, a name alone proves nothing."""
    path = inbox / (check_sha256(sha256) if name is None else "/".join(parts_below(name)))
    if path.is_symlink() or not path.is_file() or digest_of(path, activity) != sha256:
        return {"ok": True, "found": False}
    os.utime(path)  # somebody is about to use it: its time in the store begins anew
    return {"ok": True, "found": True, "sha256": sha256, "sizeBytes": path.stat().st_size}


def _prepare(inbox: Path, length: int, max_bytes: int) -> None:
    if length < 0:
        raise TransferError("BadRequest", f"--length {length} is negative: announce the number of bytes that come")
    if length > max_bytes:
        raise TransferError(
            "FileTooLarge", f"File too large: {_size(length)} were announced, at most {_size(max_bytes)} are allowed"
        )
    if not inbox.is_dir():
        raise TransferError("StoreMissing", f"{inbox} is not there: mount the store's inbox at it", ExitCode.CONFIG)
    for part in inbox.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > STALE_PART_SECONDS:
                part.unlink()
    disk = os.statvfs(inbox)
    if disk.f_bavail * disk.f_frsize < length:
        raise TransferError(
            "DiskFull",
            f"The store has {_size(disk.f_bavail * disk.f_frsize)} free, {_size(length)} are needed",
            ExitCode.RESOURCE,
        )


def _blocks(source: Input, length: int, activity: Activity) -> Iterator[bytes]:
    """Exactly `length` bytes of the input; TransferError for fewer, and for more that wait already."""
    left = length
    while left:
        block = source.read(min(CHUNK, left))
        if not block:
            raise TransferError("ShortRead", f"The input ended after {length - left} of {length} announced bytes")
        left -= len(block)
        activity.tell()
        yield block
    if source.more():
        raise TransferError("TooLong", f"More bytes came than the {length} announced: the file changed on the way")


def receive(
    source: Input,
    inbox: Path,
    *,
    length: int,
    max_bytes: int,
    sha256: str,
    activity: Activity,
    name: str | None = None,
    sync: Callable[[int], None] = os.fsync,
) -> dict[str, Any]:
    """Take one upload of exactly `length` bytes into `inbox/<sha256>`, or under a name below it: all of it or nothing.

    A file of that name is replaced. The bytes go to a hidden part file, are forced to disk, and get their name last. Raises
    TransferError (FileTooLarge, ShortRead, TooLong, WrongDigest, DiskFull, StoreMissing, BadRequest); the part file is gone
    then.
    """
    check_sha256(sha256)
    _prepare(inbox, length, max_bytes)
    part = inbox / f".{sha256[:16]}.{secrets.token_hex(8)}.part"
    digest = hashlib.sha256()
    try:
        target = inbox / sha256 if name is None else _place(inbox, name)
        with part.open("xb") as file:
            for block in _blocks(source, length, activity):
                digest.update(block)
                file.write(block)
            with activity.working():
                file.flush()
                sync(file.fileno())
        if digest.hexdigest() != sha256:
            raise TransferError(
                "WrongDigest", f"The bytes that came have sha256 {digest.hexdigest()}, announced was {sha256}"
            )
        with activity.working():
            part.replace(target)
            _sync_folder(target.parent, sync)
    except OSError as error:
        code = "DiskFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "DiskError"
        kind = ExitCode.RESOURCE if error.errno in _DISK_ERRORS else ExitCode.RECOVERABLE
        raise TransferError(code, f"Writing to the store failed: {error.strerror}", kind) from error
    finally:
        part.unlink(missing_ok=True)
    return {"ok": True, "sha256": sha256, "sizeBytes": length}


def _sync_folder(folder: Path, sync: Callable[[int], None]) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(fd)
    finally:
        os.close(fd)


def parts_below(path: str) -> list[str]:
    """The parts of a path that leads down; TransferError (BadRequest) for another one."""
    parts = path.split("/")
    if any(part in {"", ".", ".."} or "\x00" in part for part in parts):
        raise TransferError("BadRequest", f"{path!r} is not a path below the folder, such as videos/720p.mp4")
    return parts


def _place(root: Path, name: str) -> Path:
    """Where a named file goes, its folders made. Links that lie on the way are not followed: TransferError."""
    *above, last = parts_below(name)
    folder = root
    for part in above:
        folder /= part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise TransferError("BadRequest", f"{name}: {part} is a file or a link, not a folder")
        folder.mkdir(exist_ok=True)
    if (folder / last).is_dir():
        raise TransferError("BadRequest", f"{name} is a folder: give the file another name")
    return folder / last


def open_below(root: Path, path: str) -> IO[bytes]:
    """Open a regular file below `root`, whatever the path says: no way up, no absolute path, no symbolic link.

    Raises TransferError (BadRequest, NotFound).
    """
    parts = parts_below(path)
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for index, part in enumerate(parts):
            last = index == len(parts) - 1
            # O_NONBLOCK: opening a pipe that somebody put there must not wait for its writer.
            kind = os.O_NONBLOCK if last else os.O_DIRECTORY
            below = os.open(part, os.O_RDONLY | os.O_NOFOLLOW | kind, dir_fd=fd)
            os.close(fd)
            fd = below
        file = os.fdopen(fd, "rb")
    except OSError as error:
        os.close(fd)
        raise TransferError("NotFound", f"{path}: {error.strerror}") from error
    if not os.path.isfile(f"/proc/self/fd/{file.fileno()}"):  # noqa: PTH113 - a descriptor, not a path of ours
        file.close()
        raise TransferError("NotFound", f"{path}: not a regular file")
    return file


def send(root: Path, path: str, sink: IO[bytes], activity: Activity) -> None:
    """Give one file out: a JSON line with its length, its bytes, a JSON line with the sha256 of what was sent.

    Raises TransferError before anything was written, or in the middle when the file shrank; the receiver sees then that
    bytes are missing.
    """
    with open_below(root, path) as file:
        length = os.fstat(file.fileno()).st_size
        sink.write(json.dumps({"ok": True, "sizeBytes": length}).encode() + b"\n")
        digest = hashlib.sha256()
        for block in _blocks(Input(file.read, lambda: False), length, activity):
            digest.update(block)
            sink.write(block)
        sink.write(json.dumps({"ok": True, "sha256": digest.hexdigest()}).encode() + b"\n")
        sink.flush()


def hold(idle_seconds: float, activity: Activity) -> None:
    """Wait for transfers to be started by exec; return when nothing moved for `idle_seconds`, or on SIGTERM.

    So a pod whose owner vanished ends by itself.
    """
    # Blocked and waited for: process 1 of a container gets no signal it has no handler for.
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    activity.tell(now=True)
    while (left := idle_seconds - activity.age_seconds()) > 0:
        if signal.sigtimedwait(signals, min(left, 60.0)) is not None:
            return


def _answer(out: IO[bytes], result: dict[str, Any]) -> None:
    out.write(json.dumps(result).encode() + b"\n")
    out.flush()


def _drain(fd: int) -> None:
    with contextlib.suppress(OSError):
        while os.read(fd, CHUNK):
            pass


def receive_command(args: argparse.Namespace, stdin: int, out: IO[bytes]) -> int:
    """`receive`: say on a JSON line whether the file is there already; else read it from a descriptor, answer another line.
    The exit code.
    """
    activity = Activity(args.scratch)
    activity.tell(now=True)
    try:
        there = probe(args.inbox, args.sha256, activity, args.name)
        _answer(out, there)
        if there["found"]:
            return ExitCode.OK
        result = receive(
            Input.of_fd(stdin),
            args.inbox,
            length=args.length,
            max_bytes=args.max_bytes,
            sha256=args.sha256,
            activity=activity,
            name=args.name,
        )
    except TransferError as error:
        _answer(out, {"ok": False, "code": error.code, "error": error.message})
        _drain(stdin)
        return error.exit_code
    finally:
        activity.tell(now=True)
    _answer(out, result)
    return ExitCode.OK


def send_command(args: argparse.Namespace, out: IO[bytes]) -> int:
    """`send`: write one file, return the exit code."""
    activity = Activity(args.scratch)
    activity.tell(now=True)
    try:
        send(args.root, args.path, out, activity)
    except TransferError as error:
        _answer(out, {"ok": False, "code": error.code, "error": error.message})
        return error.exit_code
    finally:
        activity.tell(now=True)
    return ExitCode.OK


def _hold_command(args: argparse.Namespace) -> int:
    hold(args.idle_seconds, Activity(args.scratch))
    return ExitCode.OK


def add_subcommands(subparsers: Any) -> None:
    """Add `hold`, `receive` and `send` to the worker's command line.

    Each sets `func`, a function from the parsed arguments to the exit code.
    """
    waiting = subparsers.add_parser("hold", help="wait for transfers, end when idle")
    waiting.add_argument("--idle-seconds", type=float, default=300.0, help="end after so long without a transfer")
    waiting.set_defaults(func=_hold_command)

    taking = subparsers.add_parser("receive", help="take one upload from standard input into the inbox")
    taking.add_argument("--inbox", type=Path, default=Path(STORE_INBOX), help="the store's inbox")
    taking.add_argument("--name", help="path below that folder, instead of its digest")
    taking.add_argument("--length", type=int, required=True, help="bytes that come")
    taking.add_argument("--max-bytes", type=int, default=500 * 2**20, help="bytes allowed at most")
    taking.add_argument("--sha256", required=True, help="digest of the bytes that come")
    taking.set_defaults(func=lambda args: receive_command(args, sys.stdin.fileno(), sys.stdout.buffer))

    giving = subparsers.add_parser("send", help="write one file of the job's folder to standard output")
    giving.add_argument("path", help="path below the job's folder")
    giving.add_argument("--root", type=Path, default=Path(STORE_JOB), help="the job's folder")
    giving.set_defaults(func=lambda args: send_command(args, sys.stdout.buffer))

    for parser in (waiting, taking, giving):
        parser.add_argument("--scratch", type=Path, default=Path(SCRATCH), help="folder for the sign of life")
