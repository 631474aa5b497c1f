"""Fan-out: one stage over many work items, each an index of one Indexed Job; how items, and sets of them, are written down.

A stage lists the items in a file of its own outputs. What remains of them to be done is a set of indexes in the form that
Kubernetes has for `status.completedIndexes`: `0-3,7`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from .v1alpha1.base import StatusModel
from .v1alpha1.fanout import MAX_ITEMS

MAX_LIST_BYTES = 1 << 20
"""Largest file of work items."""
LIST_FILE = "items.json"
"""Its name in the folder of the stage that made it."""
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"
"""Where Kubernetes tells a container of an Indexed Job which index it is."""
_PARTS = re.compile(r"[0-9]{1,4}(-[0-9]{1,4})?(,[0-9]{1,4}(-[0-9]{1,4})?)*")


def read_indexes(text: str | None) -> tuple[int, ...]:
    """The indexes of `0-3,7`, in order; empty for an empty text. ValueError for anything else that is no such list."""
    if not text:
        return ()
    if _PARTS.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is no list of indexes such as 0-3,7")
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if not numbers or (found and numbers[0] <= found[-1]):
            raise ValueError(f"{text[:40]!r}: indexes rise from left to right")
        found.extend(numbers)
    return tuple(found)


def write_indexes(indexes: Iterable[int]) -> str:
    """The text of a set of indexes, `0-3,7`; empty for none."""
    runs: list[tuple[int, int]] = []
    for index in sorted(set(indexes)):
        if runs and index == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def all_indexes(count: int) -> str:
    """The text of every index of that many items."""
    return write_indexes(range(count))


def _checked(text: str) -> str:
    if not read_indexes(text):
        raise ValueError("names no index; give at least one, for example 0")
    return text


Indexes = Annotated[str, AfterValidator(_checked)]
"""A set of indexes that is not empty, as text."""


class WorkList(StatusModel):
    """The file that names the work items of a fan-out."""

    uri: str
    """`store://processed/<stage>/<key>/items.json`: it lies in the folder of the stage that made it."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of its bytes."""
    size_bytes: Annotated[int, Field(gt=0, le=MAX_LIST_BYTES)]
    """Size in bytes."""
    items: Annotated[int, Field(ge=1, le=MAX_ITEMS)]
    """Number of items in it."""


def list_uri(kind: str, key: str) -> str:
    """Where the stage of that kind and key leaves its list."""
    return f"store://processed/{kind}/{key}/{LIST_FILE}"


def list_bytes(items: Collection[Any]) -> bytes:
    """The file of a list of items. ValueError for none, for too many, and for a file that grows too large."""
    if not 1 <= len(items) <= MAX_ITEMS:
        raise ValueError(f"{len(items)} work items; from 1 to {MAX_ITEMS} are permitted")
    body = json.dumps({"version": 1, "items": list(items)}, ensure_ascii=False, sort_keys=True).encode() + b"\n"
    if len(body) > MAX_LIST_BYTES:
        raise ValueError(f"the list of work items has {len(body)} bytes, {MAX_LIST_BYTES} is the most")
    return body


def read_list(body: bytes) -> tuple[Any, ...]:
    """The items of such a file. ValueError when it is none."""
    value = json.loads(body)
    items = value.get("items") if isinstance(value, dict) and value.get("version") == 1 else None
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise ValueError("no list of work items of version 1")
    return tuple(items)


def item_key(key: str, item: Any) -> str:
    """Content key of one item's outputs: the stage's own key, and the item. Equal items share their outputs, and an edited
    list makes anew only what differs.
    """
    body = json.dumps({"key": key, "item": item}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(body).hexdigest()[:32]
