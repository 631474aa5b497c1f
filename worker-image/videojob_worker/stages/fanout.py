"""Work items of a fan-out: the list that a stage leaves, which items a container works on, and what they left.

Each item's outputs lie in a folder of their own, by the item's content: what an edited list has kept is not made again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from videojob_api import fanout
from videojob_api.contract import StageInput, StageResult, StageTask, TaskDocument
from videojob_api.fanout import WorkList

from ..base.errors import BadConfig, Recoverable
from ..storage import files
from ..storage.paths import Store, vetted_file
from ..storage.records import intact, recorded

GONE = "they may have expired; a retry makes them anew"


@dataclass(frozen=True)
class Item:
    """One work item."""

    index: int
    """Its place in the list."""
    value: Any
    """The item as listed."""
    key: str
    """Its content key."""


def leave(folder: Path, kind: str, key: str, items: Collection[Any]) -> WorkList:
    """Write the list of work items into a stage's staging folder. ValueError when there are none, or too many."""
    body = fanout.list_bytes(items)
    (folder / fanout.LIST_FILE).write_bytes(body)
    return WorkList(
        uri=fanout.list_uri(kind, key), sha256=sha256(body).hexdigest(), size_bytes=len(body), items=len(items)
    )


def whole(folder: Path, result: StageResult) -> bool:
    """Whether the list that a finished stage left is still as it says; True for one that left none."""
    given = result.work_list
    return given is None or files.matches(folder / fanout.LIST_FILE, given.size_bytes, given.sha256)


def items_of(store: Store, given: StageInput | StageTask, known: WorkList | None) -> tuple[Item, ...]:
    """The work items of a fan-out, in order.

    Args:
        store: where the job's folder lies.
        given: the fan-out: its own task, or the input of a stage that reads its outputs.
        known: what the stage that listed them recorded, where the document does not say.

    Raises:
        Recoverable: the list is not there, or not as the document says.
    """
    listed = given.work_list or known
    if listed is None:
        raise Recoverable("ResultInvalid", f"nobody listed the work items that {given.items_of} should have", hint=GONE)
    relative = listed.uri.removeprefix("store://processed/")
    if relative == listed.uri:
        raise BadConfig("BadDocument", f"the work list {listed.uri} does not lie in processed/")
    path = vetted_file(store.processed, relative, f"the work list of {given.items_of}")
    body = path.read_bytes() if path.stat().st_size == listed.size_bytes else b""
    if sha256(body).hexdigest() != listed.sha256:
        raise Recoverable("ResultInvalid", f"the work list of {given.items_of} is not as it was written", hint=GONE)
    try:
        values = fanout.read_list(body)
    except ValueError as error:
        raise Recoverable("ResultInvalid", f"the work list of {given.items_of}: {error}", hint=GONE) from error
    return tuple(Item(index, value, fanout.item_key(given.key, value)) for index, value in enumerate(values))


def chosen(document: TaskDocument, items: Sequence[Item], completion_index: int | None) -> tuple[Item, ...]:
    """The items that this container works on: one in an Indexed Job, else all. Raises BadConfig."""
    if document.indexes is None:
        return tuple(items)
    index = item_of(document, completion_index)
    if index is None or index >= len(items):
        raise BadConfig("BadDocument", f"work item {index} is none of the {len(items)} that are listed")
    return (items[index],)


def item_of(document: TaskDocument, completion_index: int | None) -> int | None:
    """The work item that a completion index of an Indexed Job stands for; None in any other Job. Raises BadConfig."""
    if document.indexes is None:
        return None
    left = fanout.read_indexes(document.indexes)
    if completion_index is None or not 0 <= completion_index < len(left):
        raise BadConfig(
            "BadDocument",
            f"the document is of an Indexed Job of {len(left)} work items, and ${fanout.INDEX_VARIABLE} is {completion_index}",
            hint="the Job needs completionMode Indexed",
        )
    return left[completion_index]


def together(kind: str, results: Sequence[StageResult]) -> StageResult:
    """The result of a fan-out that ran in one container."""
    return StageResult(
        kind=kind,
        reused=all(result.reused for result in results),
        cached=all(result.cached for result in results),
        items=len(results),
        message=f"{len(results)} items",
    )


def present(store: Store, given: StageInput) -> tuple[int, ...]:
    """Indexes of the items whose outputs are there and whole; none when the list itself is not."""
    try:
        items = items_of(store, given, None)
    except (BadConfig, Recoverable, OSError):
        return ()
    return tuple(item.index for item in items if outcome(store, given.stage, item) is not None)


def outcome(store: Store, kind: str, item: Item) -> StageResult | None:
    """What an item left, if it succeeded and is whole."""
    folder = store.stage(kind, item.key)
    found = recorded(folder)
    return found if found is not None and found.state == "Succeeded" and intact(folder, found) else None
