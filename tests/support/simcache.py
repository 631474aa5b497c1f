"""The namespaces' caches in the simulation: what was published, and what an attempt finds of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from videojob_api import names
from videojob_api.contract import StageTask, TaskDocument
from videojob_api.stages import KINDS
from videojob_operator.cluster.observe import also_of


class SimCache:
    """Entries by namespace, kind and key."""

    def __init__(self) -> None:
        self.entries: set[tuple[str, str, str]] = set()
        self.swept: Callable[[str, int], bool] = lambda _uid, _attempt: False
        """Whether sweeps take all caches just before that attempt of that VideoJob looks."""

    def hits(
        self, document: TaskDocument, mine: Iterable[StageTask], made: set[tuple[str, str, str]]
    ) -> frozenset[str] | None:
        """Kinds that come from the cache; None when the attempt may do no work and would have to. What an earlier attempt
        made is there anyway.
        """
        if self.swept(document.job.uid, document.attempt):
            self.entries.clear()
        if document.cache is None:
            return frozenset()
        work, home = [stage for stage in mine if KINDS[stage.kind].cacheable], document.job.namespace
        there = [stage for stage in work if (home, stage.kind, stage.key) in self.entries]
        missing = [s for s in work if s not in there and (document.job.uid, s.kind, s.key) not in made]
        return None if missing and document.cache.only else frozenset(stage.kind for stage in there)

    def keep(self, document: TaskDocument, stage: StageTask) -> None:
        """A stage has ended; a commit keeps what it has published."""
        if stage.kind == "commit" and document.cache is not None and document.cache.mode == "ReadWrite":
            given = [one for one in stage.inputs if KINDS[one.stage].cacheable]
            self.entries |= {(document.job.namespace, one.stage, one.key) for one in given}


def check_slot(manifest: dict[str, Any]) -> list[str]:
    """Violations by a Job that is created: what holds a slot of class cache may do no work, and nothing else is forbidden to; a
    Job holds a slot of each class that its stages take.
    """
    meta, template = manifest["metadata"], manifest["spec"]["template"]
    task = TaskDocument.model_validate_json(template["metadata"]["annotations"][names.ANNOTATION_TASK])
    slot, also = meta["labels"].get(names.LABEL_SLOT), also_of(meta["labels"])
    classes = {row.slot for stage in task.stages if (row := KINDS[stage.kind]).slot is not None}
    if (slot is not None and len(classes) != 1 + len(also)) or (also and classes != {slot, *also}):
        return [f"A-005: Job {meta['name']} does work of {sorted(classes)} and holds {slot} and {also}"]
    if (slot == names.CACHE_SLOT) == (task.cache is not None and task.cache.only):
        return []
    return [f"I7: Job {meta['name']} may work and holds slot {slot}, or the other way round"]
