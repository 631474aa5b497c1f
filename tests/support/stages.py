"""A stage about to run, without a runner: for what stages have in common."""

from __future__ import annotations

from pathlib import Path

from videojob_api import contract
from videojob_api.contract import CacheOrder, StageTask, TaskDocument
from videojob_api.stages import KINDS
from videojob_api.v1alpha1.base import StatusModel
from videojob_worker.base.logs import json_log
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.stages.context import Context
from videojob_worker.storage.paths import Store

ORDER = CacheOrder(mode="ReadWrite", source="")


def context(
    root: Path, uid: str = "one", kind: str = "images", *, order: CacheOrder | None = ORDER, params: StatusModel | None = None,
) -> Context:  # fmt: skip
    """A stage of a VideoJob in a namespace's part of a volume."""
    for name in ("cache", "inbox", "stock", "tmp"):
        (root / name).mkdir(exist_ok=True)
    paths = contract.StorePaths(
        job=str(root / uid), scratch=str(root / "tmp"),
        **{name: str(root / name) for name in ("inbox", "stock", "cache")},
    )  # fmt: skip
    task = StageTask(kind=kind, container="work", key=kind.ljust(32, "0"), params={})
    document = TaskDocument(
        job=contract.Identity(namespace="team", name=uid, uid=uid), group="main", attempt=1, stages=(task,),
        store=paths, cache=order,
    )  # fmt: skip
    store = Store(paths)
    found = Context(
        secrets=root / "secrets", document=document, task=task, kind=KINDS[kind], params=params or StatusModel(),
        store=store, debug=root, staging=store.staging(kind, task.key, 1, f"pod-{uid}"), final=store.stage(kind, task.key),
        stop=Stop(), deadline=Deadline(600), log=json_log(), tell=lambda *_: None,
    )  # fmt: skip
    found.staging.mkdir(parents=True)
    return found
