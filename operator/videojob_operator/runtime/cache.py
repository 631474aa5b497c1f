"""What this process knows of the cluster: objects by kind and UID, never older than what was known before.

Events may be lost, doubled or late, so an object is replaced only by a newer resourceVersion, a deletion is remembered
until no late event can resurrect it, and the answers to our own writes are put in at once (read your writes).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Raw = dict[str, Any]
"""An object as JSON has it: `metadata` with `uid`, `name` and `resourceVersion`."""


@dataclass(slots=True)
class _Entry:
    raw: Raw
    touched: float


def version(raw: Raw) -> int | None:
    """The resourceVersion as a number; None when it is none (then it cannot be compared)."""
    text = str(raw.get("metadata", {}).get("resourceVersion", ""))
    return int(text) if text.isdecimal() else None


def uid_of(raw: Raw) -> str:
    """The object's UID; empty when it has none."""
    return str(raw.get("metadata", {}).get("uid", ""))


def owner_of(raw: Raw) -> str | None:
    """UID of the controller that owns the object."""
    for reference in raw.get("metadata", {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference.get("uid", "")) or None
    return None


class Store:
    """All known objects of one kind.

    Args:
        clock: seconds on a clock that never goes back.
        keep_tombstones: seconds for which a deletion is remembered.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, keep_tombstones: float = 900.0) -> None:
        self._clock = clock
        self._keep = keep_tombstones
        self._entries: dict[str, _Entry] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._children: dict[str, set[str]] = {}
        self._tombstones: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def now(self) -> float:
        """The time on the clock by which objects are touched."""
        return self._clock()

    def __iter__(self) -> Iterator[Raw]:
        return (entry.raw for entry in list(self._entries.values()))

    def get(self, uid: str) -> Raw | None:
        """The object of that UID."""
        entry = self._entries.get(uid)
        return entry.raw if entry else None

    def by_name(self, namespace: str, name: str) -> Raw | None:
        """The object of that name; a re-created one shadows its predecessor."""
        uid = self._names.get((namespace, name))
        return self.get(uid) if uid else None

    def children(self, owner_uid: str) -> tuple[Raw, ...]:
        """Objects whose controller has that UID."""
        return tuple(self._entries[uid].raw for uid in sorted(self._children.get(owner_uid, ())))

    def is_news(self, raw: Raw) -> bool:
        """Whether `apply` would take it in: older versions and objects known to be deleted are no news."""
        uid = uid_of(raw)
        if not uid or uid in self._tombstones:
            return False
        known = self._entries.get(uid)
        if known is None:
            return True
        if known.raw["metadata"].get("resourceVersion") == raw["metadata"].get("resourceVersion"):
            return False
        old, new = version(known.raw), version(raw)
        return old is None or new is None or new > old

    def apply(self, raw: Raw) -> bool:
        """Take in an object; True when it is news."""
        uid = uid_of(raw)
        self.touch(uid)
        if not self.is_news(raw):
            return False
        known = self._entries.get(uid)
        if known is not None:
            self._unlink(known.raw)
        self._entries[uid] = _Entry(raw, self._clock())
        self._link(raw)
        return True

    def remove(self, uid: str) -> Raw | None:
        """Take in a deletion. Returns what was known; late events about this UID no longer count."""
        self._tombstones[uid] = self._clock()
        self._bury()
        entry = self._entries.pop(uid, None)
        if entry is None:
            return None
        self._unlink(entry.raw)
        return entry.raw

    def revive(self, uid: str) -> None:
        """An authoritative read found alive what was taken for deleted: a watch with a label selector reports an object
        that lost its label as deleted.
        """
        self._tombstones.pop(uid, None)

    def untouched_since(self, moment: float, within: Callable[[Raw], bool]) -> list[Raw]:
        """Objects of which nothing was heard since then: after an authoritative list, these are gone."""
        return [entry.raw for entry in self._entries.values() if entry.touched < moment and within(entry.raw)]

    def touch(self, uid: str) -> None:
        """Note that the object was seen alive."""
        if entry := self._entries.get(uid):
            entry.touched = self._clock()

    def _link(self, raw: Raw) -> None:
        meta = raw["metadata"]
        self._names[str(meta.get("namespace", "")), str(meta.get("name", ""))] = uid_of(raw)
        if owner := owner_of(raw):
            self._children.setdefault(owner, set()).add(uid_of(raw))

    def _unlink(self, raw: Raw) -> None:
        meta, uid = raw["metadata"], uid_of(raw)
        name = (str(meta.get("namespace", "")), str(meta.get("name", "")))
        if self._names.get(name) == uid:
            del self._names[name]
        owner = owner_of(raw)
        if owner and (siblings := self._children.get(owner)):
            siblings.discard(uid)
            if not siblings:
                del self._children[owner]

    def _bury(self) -> None:
        """Tombstones are in the order they were made: drop those that are old enough."""
        limit = self._clock() - self._keep
        for uid in list(self._tombstones):
            if self._tombstones[uid] >= limit:
                break
            del self._tombstones[uid]
