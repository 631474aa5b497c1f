"""Which stages a kind of work has, in which order, and how they are grouped into Jobs. One recipe a file, one row here."""

from __future__ import annotations

from collections.abc import Sequence

from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec

from .avatar import avatar
from .base import MAIN, Recipe, Step, apart, containers, groups, joined, joins, keys, kind_of, tasks, until
from .story import story
from .transcode import transcode

RECIPES: dict[str, Recipe] = {"Transcode": transcode, "Story": story, "Avatar": avatar}
"""Recipe of each `status.type`."""


def steps(spec: VideoJobSpec, plan: PlanStatus, given: Sequence[tuple[str, Recipe]] = ()) -> tuple[Step, ...]:
    """Stages of a job in order; empty for a kind of work that this version does not know.

    Args:
        spec: what is asked for.
        plan: what is on record.
        given: recipes that take the place of the table's, by kind of work (`Config.recipes`).
    """
    recipe = (RECIPES | dict(given)).get(spec.type)
    return recipe(spec, plan) if recipe is not None else ()


__all__ = [
    "MAIN", "RECIPES", "Recipe", "Step", "apart", "containers", "groups", "joined", "joins", "keys", "kind_of", "steps",
    "tasks", "until",
]  # fmt: skip
