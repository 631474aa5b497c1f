"""A graph in which every stage does nothing: List -> Left and Right in parallel -> Item once for each listed item -> Join.

Only tests use it. No row of RECIPES names it, so that no spec leads to it; `Config.recipes` is the one way in, and what
fills that from the outside is `Settings.noop`, which no chart sets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from videojob_api import stages
from videojob_api.noop import NoopParams
from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec

from .base import Recipe, Step

MOST = 8


def noop(parallelism: int = MOST, **params: NoopParams) -> Recipe:
    """A recipe with these parameters by stage kind; every other stage does nothing at once, and three items are listed."""
    given = {"nooplist": NoopParams(items=3)} | params

    def recipe(_spec: VideoJobSpec, _plan: PlanStatus) -> tuple[Step, ...]:
        return _steps(given, parallelism)

    return recipe


def by_external_id(spec: VideoJobSpec, _plan: PlanStatus) -> tuple[Step, ...]:
    """The same with the parameters as JSON in `spec.externalId`, for an operator that runs in a process of its own:
    `{"nooplist": {"items": 5}, "noopitem": {"fails": [{"item": 2}]}, "parallelism": 2}`.
    """
    try:
        found: Any = json.loads(spec.external_id or "{}")
    except ValueError:
        found = {}
    values: dict[str, Any] = found if isinstance(found, dict) else {}
    given = {kind: NoopParams.model_validate(value) for kind, value in values.items() if isinstance(value, dict)}
    return _steps({"nooplist": NoopParams(items=3)} | given, int(values.get("parallelism", MOST)))


def _steps(given: Mapping[str, NoopParams], parallelism: int) -> tuple[Step, ...]:
    def params(row: stages.StageKind) -> NoopParams:
        return given.get(row.kind, NoopParams())

    listing, left, right = stages.NOOP_LIST, stages.NOOP_LEFT, stages.NOOP_RIGHT
    item, join = stages.NOOP_ITEM, stages.NOOP_JOIN
    return (
        Step(listing, params(listing), after=()),
        Step(left, params(left), ("nooplist",), after=("nooplist",)),
        Step(right, params(right), ("nooplist",), after=("nooplist",)),
        Step(
            item, params(item), ("noopleft", "noopright"), after=("noopleft", "noopright"), items_of="nooplist",
            parallelism=parallelism,
        ),
        Step(join, params(join), ("noopitem",), after=("noopitem",)),
    )  # fmt: skip
