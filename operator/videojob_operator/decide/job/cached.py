"""The cache: a group of which nothing is done again does not wait for those whose work is.

The operator cannot see the store. What it knows is which stages the namespace's VideoJobs have published before, by content key
(`Observed.cached`), and that may be out of date. So a group of which every key is known asks for a slot of a class of its own,
of which there are enough and each is held for a second, and its document forbids it to work: where the cache has lost an entry,
the attempt ends at once, counts against no retry, and the group queues up like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from videojob_api import contract, names
from videojob_api.contract import CacheOrder
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_api.v1alpha1.sources import stored_digest

from .. import recipes
from ..recipes import Step
from ..world import Observed
from .draft import Group

KEEPING = frozenset({
    "commit", "prompt", "audio", "images", "layout", "compose", "join", "finalize", "speak", "detect", "matte", "deliver",
})  # fmt: skip
"""Stages that put into the cache, or take from it, what no stage is as a whole."""


def slot_of(seen: Observed, status: VideoJobStatus, spec: VideoJobSpec, group: Group) -> str | None:
    """Class of the slot the group's next attempt asks for."""
    return names.CACHE_SLOT if group.plan.slot is not None and _known(seen, status, spec, group) else group.plan.slot


def _known(seen: Observed, status: VideoJobStatus, spec: VideoJobSpec, group: Group) -> bool:
    """Whether all its work has been published before. An attempt that has failed, or found the cache empty, is not followed by
    another one of this kind.
    """
    if status.plan is None or spec.cache.mode == "Off" or not seen.config.cache or group.failures or group.disruptions:
        return False
    rows = [(stage, recipes.kind_of(stage.name)) for stage in group.stages]
    work = [(stage, row) for stage, row in rows if row is None or row.trust != "commit"]
    if not work or not all(row is not None and row.cacheable and stage.key in seen.cached for stage, row in work):
        return False
    try:
        source = _source(recipes.steps(spec, status.plan, seen.config.recipes))
    except ValidationError:
        return False  # the launch says what is wrong with the plan
    # A file of the stock may be another one by now: only a reader of its bytes can tell.
    return source is not None and stored_digest(source) is not None


def order(
    seen: Observed, spec: VideoJobSpec, steps: Sequence[Step], tasks: Sequence[contract.StageTask], *, only: bool
) -> CacheOrder | None:
    """What an attempt of these tasks is told about the cache."""
    # What stories and avatars keep are sentences, pictures, masks, by keys of their own: there is no one source.
    source = _source(steps) if spec.transcode is not None else ""
    concerned = any(KINDS[task.kind].cacheable or task.kind in KEEPING for task in tasks)
    if spec.cache.mode == "Off" or not seen.config.cache or source is None or not concerned:
        return None
    return CacheOrder(mode=spec.cache.mode, source=source, only=only)


def _source(steps: Sequence[Step]) -> str | None:
    """URI of the file that the first stage reads."""
    params = next((step.params for step in steps if step.kind.kind == "ingest"), None)
    return params.source.uri if isinstance(params, contract.IngestParams) else None
