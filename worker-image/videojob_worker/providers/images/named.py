"""The very file that the user named for a scene: of the stock, or of the inbox by its digest (S-019, S-037)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from videojob_api.story.params import Provider

from ...base.errors import Permanent
from ..calling import Means
from .base import IMAGE_ERROR, SIGNATURES, Picture, Wish
from .files import STOCK, named

INBOX = "store://inbox/"
HEAD_BYTES = 64
CLIPS = ((4, b"ftyp", "mp4"), (0, b"\x1aE\xdf\xa3", "mkv"), (8, b"AVI ", "avi"))
"""Where the first bytes of clips say what they are."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_HINT = "name store://stock/<folder>/<file>, store://inbox/<sha256> or an https:// URL in story.scenes[].image.uri"


class Named:
    """A file of the store, taken as it is."""

    version: ClassVar[int] = 1
    keeps: ClassVar[bool] = False

    def find(self, wish: Wish, choice: Provider, means: Means) -> Picture | None:  # noqa: ARG002 - every provider is asked alike
        """Raises Permanent for a file that is not there, or is neither a picture nor a clip."""
        uri = wish.hint.uri or ""
        if uri.startswith(STOCK):
            return named(uri, means.stock)
        if not uri.startswith(INBOX) or means.inbox is None:
            raise Permanent(IMAGE_ERROR, f"{uri or 'no file'} is no picture or clip of the store", hint=_HINT)
        digest = uri.removeprefix(INBOX)
        path = means.inbox / digest
        if not _DIGEST.fullmatch(digest) or path.is_symlink() or not path.is_file():
            raise Permanent(
                IMAGE_ERROR, f"{uri} does not exist in the store", hint="upload it: videojob submit --file, then retry"
            )
        return looked(path, uri)


def looked(path: Path, what: str) -> Picture:
    """A file without a name that says what it is, by its first bytes. Raises Permanent."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for start, suffix in SIGNATURES.items():
        if head.startswith(start) and (suffix != "webp" or head[8:12] == b"WEBP"):
            return Picture("image", path=path, suffix=suffix)
    for at, mark, suffix in CLIPS:
        if head[at:].startswith(mark):
            return Picture("clip", path=path, suffix=suffix)
    raise Permanent(IMAGE_ERROR, f"{what} is neither a picture nor a clip", hint="give a JPEG, PNG, WebP or MP4")
