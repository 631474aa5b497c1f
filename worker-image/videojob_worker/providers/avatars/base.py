"""What every provider of avatars is given, what it answers, and how its video is brought home."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from videojob_api.avatar.params import Animator

from ...base.errors import Recoverable
from ..calling import Means, Service

AVATAR_ERROR = "AvatarGenerationError"
"""`failure.code` of every provider of avatars."""
FIELD = "avatar.provider"
MAX_VIDEO_BYTES = 2 << 30
VIDEO = "avatar.mp4"
"""The kept video's name."""


class Ledger(Protocol):
    """What is known of one request, over attempts and crashes."""

    def read(self) -> dict[str, str]:
        """What was written last; empty at first."""

    def write(self, known: Mapping[str, str]) -> None:
        """Keep this instead: on the disk before anything goes on."""

    def claim(self, name: str) -> bool:
        """Take a name, once for ever: False when somebody has taken it before, be it a pod that ought to be gone."""


@dataclass(frozen=True)
class Dealing:
    """One provider, and what is on record of one request to it."""

    choice: Animator
    means: Means
    ledger: Ledger
    keep: Path
    """Folder for the finished video; it outlives the attempt, like the ledger."""
    tag: str
    """The request's own name: the same for every attempt of the same work, and nobody else's."""
    told: Callable[[int, str], None]
    """Hears percent and one sentence."""


@dataclass(frozen=True)
class Errand(Dealing):
    """The same with one portrait and one voice: what may be asked for."""

    image: Path
    """The portrait: PNG or JPEG of our own making."""
    audio: Path
    """The voice: WAV or MP3 of our own making."""


@dataclass(frozen=True)
class Performance:
    """A finished video."""

    path: Path
    size_bytes: int
    sha256: str
    id: str | None = None
    """What the provider calls it."""
    notes: tuple[str, ...] = ()
    """What was asked for and could not be met, one sentence each."""


class AvatarProvider(Protocol):
    """A way to make a portrait speak."""

    version: ClassVar[int]
    """Raised when the same request gives another video; part of the stage's key."""

    def perform(self, errand: Errand) -> Performance:
        """Make the video, or go on where an earlier attempt was.

        Raises:
            Permanent: it cannot be made, or nobody knows whether it was paid for (MaybeBilled).
            External, Recoverable, Resource: another attempt may go on.
        """

    def withdraw(self, dealing: Dealing) -> tuple[str, ...]:
        """Leave nothing at the provider of a request that nobody goes on with; ask for nothing, and pay nothing. A video that was
        paid is brought home first, so that whoever drives the work again need not pay again. What cannot be told is said.

        Raises:
            Permanent, External, Recoverable: something stays there; the message says what.
        """


def service(name: str) -> Service:
    """A provider as its failures name it."""
    return Service(name, AVATAR_ERROR, FIELD, many=False)


def kept(errand: Dealing) -> Performance | None:
    """The video that an earlier attempt brought home, if it is whole."""
    known = errand.ledger.read()
    path = errand.keep / VIDEO
    if "sha256" not in known or path.is_symlink() or not path.is_file():
        return None
    size, digest = path.stat().st_size, _digest(path)
    return Performance(path, size, digest, known.get("id")) if digest == known["sha256"] else None


def bring(errand: Dealing, made: Path, known: Mapping[str, str]) -> Performance:
    """Keep a finished video beside the ledger, and note that it is there; only then may a copy elsewhere be deleted."""
    with made.open("rb") as file:
        os.fsync(file.fileno())
    digest, size = _digest(made), made.stat().st_size
    target = errand.keep / VIDEO
    made.replace(target)
    folder = os.open(errand.keep, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    errand.ledger.write({**known, "sha256": digest})
    return Performance(target, size, digest, known.get("id"))


def looks_like_video(who: Service, head: bytes) -> None:
    """Raise Recoverable for first bytes that begin no MP4: a page that apologises is no video."""
    if head[4:8] != b"ftyp":
        raise Recoverable(
            AVATAR_ERROR, f"{who.name}: what came is no MP4 video", hint="another attempt asks for the same video again"
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
