"""A small record in the job's folder that outlives attempts and crashes: what was asked of somebody who is paid for it.

Every write is on the disk before anything goes on. It holds names and digests, no credentials.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

from ..base.errors import Permanent
from . import files

MAX_BYTES = 65_536


class Ledger:
    """One request's record."""

    def __init__(self, path: Path) -> None:
        if path.parent.is_symlink() or path.is_symlink():
            raise Permanent(
                "UnsafeInput", f"the job's {path.parent.name}/ holds a symbolic link", hint="remove it from the store"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._known = self._load()

    def _load(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        try:
            found = json.loads(self._path.read_bytes()[:MAX_BYTES])
            if not isinstance(found, dict):
                raise TypeError("no object")  # noqa: TRY301 - told like anything else that cannot be read
            return {str(key): str(value) for key, value in found.items()}
        except (ValueError, TypeError):
            raise Permanent(
                "MaybeBilled", f"{self._path.parent.name}/{self._path.name} in the job's folder cannot be read, so that nobody "
                "knows what was asked and paid for", hint="look at the provider; then remove the file and retry",
            ) from None  # fmt: skip

    def read(self) -> dict[str, str]:
        """What was written last."""
        return dict(self._known)

    def write(self, known: Mapping[str, str]) -> None:
        """Keep this instead, on the disk."""
        files.write_atomic(self._path, json.dumps(dict(known), indent=2, ensure_ascii=False).encode() + b"\n")
        self._known = dict(known)

    def claim(self, name: str) -> bool:
        """Take a name, once for ever and for all pods that see the folder."""
        path = self._path.with_name(f"{self._path.stem}.{hashlib.sha256(name.encode()).hexdigest()[:16]}.claim")
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o664))
        except FileExistsError:
            return False
        files.sync(path.parent)
        return True
