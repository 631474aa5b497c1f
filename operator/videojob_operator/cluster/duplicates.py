"""Which VideoJobs of a namespace share an idempotency key, and which of them is the one that is worked on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob_api.names import Reason

from ..runtime.cache import Store, uid_of
from .api import Raw, metadata


class Duplicates:
    """An index over the cached VideoJobs by (namespace, key); keys are immutable.

    Args:
        store: the VideoJobs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uids: dict[tuple[str, str], set[str]] = {}

    def note(self, raw: Raw) -> None:
        """A VideoJob is new, has changed or is gone."""
        place = _place(raw)
        if place is None:
            return
        uid = uid_of(raw)
        if self._store.get(uid) is not None:
            self._uids.setdefault(place, set()).add(uid)
        elif known := self._uids.get(place):
            known.discard(uid)
            if not known:
                del self._uids[place]

    def first(self, uid: str) -> str | None:
        """Name of the VideoJob that had this one's key first; None when that is this one, or it has no key.

        What was accepted stays accepted. Among the others the oldest is the first, then the one with the lower UID; what
        has failed as a duplicate does not count.
        """
        raw = self._store.get(uid)
        place = _place(raw) if raw is not None else None
        if place is None:
            return None
        found = [other for each in self._uids.get(place, ()) if (other := self._store.get(each)) is not None]
        first = min((other for other in found if not _is_duplicate(other)), key=_rank, default=None)
        return None if first is None or uid_of(first) == uid else str(metadata(first).get("name"))


def _place(raw: Raw) -> tuple[str, str] | None:
    spec = raw.get("spec")
    key = spec.get("idempotencyKey") if isinstance(spec, Mapping) else None
    return (str(metadata(raw).get("namespace", "")), str(key)) if key else None


def _rank(raw: Raw) -> tuple[bool, str, str]:
    return not _status(raw).get("plan"), str(metadata(raw).get("creationTimestamp", "")), uid_of(raw)


def _is_duplicate(raw: Raw) -> bool:
    failure = _status(raw).get("failure")
    return isinstance(failure, Mapping) and failure.get("code") == Reason.DUPLICATE and not _status(raw).get("plan")


def _status(raw: Raw) -> Mapping[str, Any]:
    status = raw.get("status")
    return status if isinstance(status, Mapping) else {}
