"""How pictures that were found lie in the store: kept by what was asked for, and copied beside the manifest that names them."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

from videojob_api.contract import StageFile, StageResult, canonical_json
from videojob_api.keeping import PICTURE_PARTS
from videojob_api.story.scenes import AssetRef, Background

from ..base.errors import Permanent
from ..media import sniff as sniffing
from ..providers.images import intact
from ..providers.images.base import IMAGE_ERROR, Picture
from ..providers.images.chain import Found
from ..storage import cache, files
from ..storage.records import stored
from .context import Context
from .kept import Kept
from .scenes import written

PICTURE, TELLS_FILE = "picture", "picture.json"
MAX_PICTURE_BYTES = 64 << 20
MAX_CLIP_BYTES = 2 << 30
"""Largest files that are taken as a background."""


class Shelf:
    """Pictures by their key, for so many seconds (S-035, S-056)."""

    def __init__(self, context: Context, seconds: int) -> None:
        self._kept = Kept(context, PICTURE_PARTS, seconds)
        self._lock = threading.RLock()  # scenes are asked for side by side, and two may want the same

    def get(self, name: str) -> Picture | None:
        """The picture of that key, if it is young enough and whole."""
        with self._lock:
            folder = self._kept.find(name)
        if folder is None:
            return None
        tells = json.loads((folder / TELLS_FILE).read_bytes())
        path = folder / f"{PICTURE}.{tells['suffix']}"
        return Picture(tells["kind"], path=path, suffix=tells["suffix"], credit=tells["credit"])

    def put(self, name: str, picture: Picture) -> Picture:
        """Keep a picture; answers it where it lies now. Raises Resource when the volume is full."""
        if picture.path is None:
            return picture
        with self._lock:
            there = self.get(name)
            return there if there is not None else self._put(name, picture, picture.path)

    def _put(self, name: str, picture: Picture, path: Path) -> Picture:
        folder = self._kept.folder(name)
        file = folder / f"{PICTURE}.{picture.suffix}"
        cache.copy(path, file)
        tells = {"kind": picture.kind, "suffix": picture.suffix, "credit": picture.credit}
        record = StageResult(
            kind=PICTURE_PARTS, parts=(stored(file), written(folder, TELLS_FILE, canonical_json(tells)))
        )
        return replace(picture, path=self._kept.keep(name, record, folder) / file.name)


def readable(path: Path, kind: str) -> None:
    """Raise Permanent for a file that is no whole picture or clip, by its structure: this may run beside credentials."""
    size = path.stat().st_size
    if size > (MAX_CLIP_BYTES if kind == "clip" else MAX_PICTURE_BYTES):
        raise Permanent(IMAGE_ERROR, f"the file has {size} bytes, which is too large", hint="scale it down, or cut it")
    if kind == "clip":
        sniffing.sniff(path)
    else:
        intact.check(path)


def background(context: Context, found: Found, made: dict[str, StageFile]) -> Background:
    """A background as the manifest has it, its file copied beside: named by its content, so that equal ones are one file."""
    picture = found.picture
    plain = picture.background(found.provider)
    if picture.path is None:
        return plain
    digest = files.sha256_file(picture.path, lambda _: context.check())
    name = f"{digest[:32]}.{picture.suffix}"
    if name not in made:
        cache.copy(picture.path, context.staging / name, context.check)
        made[name] = stored(context.staging / name)
        if made[name].sha256 != digest:
            raise Permanent(IMAGE_ERROR, f"the file of {found.provider} changed while it was read", hint="try again")
    return plain.model_copy(update={"file": AssetRef(stage=context.kind.kind, path=name, sha256=digest)})
