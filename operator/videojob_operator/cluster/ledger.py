"""What each store has to answer for: VideoJobs that ended, what they published, when it expires, who names which upload.

Counted as VideoJobs come and go, so that a look at a store costs no walk over all of them. Everything follows from the
VideoJobs in the cache, so a restart counts the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from videojob_api.names import DEFAULT_STORE, TERMINAL_PHASES
from videojob_api.v1alpha1 import RetentionStatus

from ..decide.store import Ended
from ..decide.tiers import times
from .api import Raw, metadata
from .observe import moment

Place = tuple[str, str]
"""Namespace and name of a MediaStore."""
INBOX = "store://inbox/"


@dataclass(frozen=True)
class Entry:
    """One VideoJob."""

    place: Place
    upload: str | None
    """Digest of the upload it names."""
    ended: Ended | None
    """None while it has not ended."""
    there: bool = False
    """Whether any output is not known to be gone."""


class Ledger:
    """Entries by VideoJob, and what follows from them by store and by upload."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._ended: dict[Place, dict[str, Entry]] = {}
        self._uploads: dict[tuple[str, str], set[str]] = {}

    def note(self, uid: str, raw: Raw | None) -> set[Place]:
        """Take in a VideoJob, None when it is gone. Returns the stores for which something has changed."""
        before = self._entries.get(uid)
        after = _entry(raw) if raw is not None else None
        if before == after:
            return set()
        if before is not None:
            self._ended.get(before.place, {}).pop(uid, None)
            if before.upload is not None:
                key = (before.place[0], before.upload)
                self._uploads.get(key, set()).discard(uid)
                if not self._uploads.get(key):
                    self._uploads.pop(key, None)
        self._entries.pop(uid, None)
        if after is not None:
            self._entries[uid] = after
            if after.ended is not None:
                self._ended.setdefault(after.place, {})[uid] = after
            if after.upload is not None:
                self._uploads.setdefault((after.place[0], after.upload), set()).add(uid)
        return {entry.place for entry in (before, after) if entry is not None and entry.ended is not None}

    def ended(self, place: Place) -> tuple[Ended, ...]:
        """VideoJobs of a store that have ended."""
        return tuple(entry.ended for entry in self._ended.get(place, {}).values() if entry.ended is not None)

    def due(self, place: Place, after: datetime | None, until: datetime) -> list[str]:
        """VideoJobs for which a sweep at `until` did something that one at `after` had not done."""
        return [
            uid
            for uid, entry in self._ended.get(place, {}).items()
            if entry.ended is not None
            and any(at <= until and (after is None or at > after) for at in entry.ended.expiries)
        ]

    def unaware(self, place: Place, swept: datetime) -> list[str]:
        """VideoJobs that may list outputs which a sweep has deleted."""
        return [
            uid
            for uid, entry in self._ended.get(place, {}).items()
            if entry.ended is not None and entry.there and any(at <= swept for at in entry.ended.expiries)
        ]

    def naming(self, namespace: str, sha256: str) -> set[str]:
        """VideoJobs that name an upload."""
        return set(self._uploads.get((namespace, sha256), ()))

    def of(self, place: Place) -> list[str]:
        """VideoJobs of a store that have ended."""
        return list(self._ended.get(place, {}))

    def place(self, uid: str) -> Place | None:
        """The store of a VideoJob."""
        entry = self._entries.get(uid)
        return entry.place if entry is not None else None


def _entry(raw: Raw) -> Entry:
    spec, status = _mapping(raw.get("spec")), _mapping(raw.get("status"))
    place = (str(metadata(raw).get("namespace", "")), str(spec.get("store") or DEFAULT_STORE))
    uri = str(_mapping(_mapping(spec.get("transcode")).get("source")).get("uri", ""))
    upload = uri.removeprefix(INBOX) if uri.startswith(INBOX) else None
    completed = moment(status.get("completionTime"))
    if status.get("phase") not in TERMINAL_PHASES or completed is None:
        return Entry(place, upload, None)
    outputs = [
        output
        for value in (status.get("outputs") or ())
        if (output := _mapping(value)).get("state", "Available") == "Available"
    ]
    try:
        known = RetentionStatus.model_validate(_mapping(status.get("retention")))
    except ValidationError:
        known = RetentionStatus()
    sizes = [size for output in outputs if isinstance(size := output.get("sizeBytes"), int)]
    return Entry(place, upload, Ended(completed, times(known), len(outputs), sum(sizes)), bool(outputs))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
