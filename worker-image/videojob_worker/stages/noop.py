"""Stages that do nothing, in the shape of a whole graph: what tests of the graph run on, and nothing else can ask for.

One lists work items, two run in parallel, one runs once for each item, one joins what the items left.
"""

from __future__ import annotations

import json
import time

from videojob_api.contract import StageResult
from videojob_api.noop import NoopParams

from ..base.errors import BadConfig, External, Permanent, Recoverable, WorkerError
from .context import Context

SLICE_SECONDS = 0.05
JOINED = "joined.json"


def run(context: Context) -> StageResult:
    """Take the time, and end, that the parameters say.

    Raises:
        WorkerError: of the class that the parameters say.
    """
    params = context.params
    if not isinstance(params, NoopParams):
        raise BadConfig("BadDocument", f"stage {context.kind.kind} got another stage's params")
    until = time.monotonic() + params.seconds
    while (left := until - time.monotonic()) > 0:
        context.check()
        context.progress(round(100 * (1 - left / params.seconds)), "Doing nothing")
        time.sleep(min(SLICE_SECONDS, left))
    for failure in params.fails:
        index = context.item.index if context.item is not None else None
        if failure.item == index and context.document.attempt <= failure.attempts:
            raise _error(failure.how)
    if context.kind.kind == "nooplist":
        listed = context.list_items([f"item {number}" for number in range(params.items)])
        return StageResult(kind=context.kind.kind, work_list=listed, message=f"{listed.items} items listed")
    if context.item is not None:
        (context.staging / "item.txt").write_text(str(context.item.value))
        return StageResult(kind=context.kind.kind, message=f"item {context.item.index}")
    if context.kind.kind == "noopjoin":
        texts = [(folder / "item.txt").read_text() for _, folder, _ in context.items("noopitem")]
        (context.staging / JOINED).write_text(json.dumps(texts))
        return StageResult(kind=context.kind.kind, message=f"{len(texts)} items joined")
    return StageResult(kind=context.kind.kind, message="nothing done")


def _error(how: str) -> WorkerError:
    text = f"{how}, as the parameters say"
    if how == "permanent":
        return Permanent("Noop", text)
    if how == "external":
        return External("Noop", text)
    return Recoverable("Noop", text)
