"""Stages, groups, containers and content keys."""

from __future__ import annotations

import pytest

from builders import Scene, a_spec
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import PlanStatus
from videojob_operator.decide import recipes


def plan_of(threads: int = 2) -> PlanStatus:
    scene = Scene.of().settle()
    assert scene.status.plan is not None
    return scene.status.plan.model_copy(update={"threads": threads})


def test_compact_is_one_group_with_a_container_for_each_trust() -> None:
    """Stages of the same trust share a container; commit decodes nothing and is alone."""
    steps = recipes.steps(a_spec(), plan_of())
    (group,) = recipes.groups(steps, "Compact")
    assert (group.name, group.slot, group.stages) == ("main", "cpu", ("Ingest", "Transcode", "Verify", "Commit"))
    assert recipes.containers(group.stages) == {
        "Ingest": "work", "Transcode": "work", "Verify": "work", "Commit": "commit",
    }  # fmt: skip


def test_spread_is_a_group_for_each_stage_named_after_its_kind() -> None:
    groups = recipes.groups(recipes.steps(a_spec(), plan_of()), "Spread")
    assert [(g.name, g.slot) for g in groups] == [
        ("ingest", "cpu"), ("transcode", "cpu"), ("verify", "cpu"), ("commit", None),
    ]  # fmt: skip


def test_a_container_is_not_used_twice_when_trust_alternates() -> None:
    assert recipes.containers(("Ingest", "Commit", "Verify")) == {
        "Ingest": "work",
        "Commit": "commit",
        "Verify": "work-2",
    }


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_every_stage_reads_what_an_earlier_one_made(mode: str) -> None:
    """Keys are the same in every grouping, so that an attempt in another mode would reuse what is there."""
    plan = plan_of()
    steps = recipes.steps(a_spec(mode), plan)
    known = recipes.keys(steps, 2)
    made: set[tuple[str, str]] = set()
    for group in recipes.groups(steps, mode):  # type: ignore[arg-type]
        for task in recipes.tasks(steps, group.stages, known):
            assert {(i.stage, i.key) for i in task.inputs} <= made
            made.add((task.kind, task.key))
            KINDS[task.kind].params.model_validate(task.params)
    assert known == recipes.keys(recipes.steps(a_spec("Spread"), plan), 2)


def test_a_key_changes_with_what_it_depends_on_and_with_nothing_else() -> None:
    base = recipes.keys(recipes.steps(a_spec(), plan_of()), 2)
    threads = recipes.keys(recipes.steps(a_spec(), plan_of()), 4)
    assert base["ingest"] == threads["ingest"]
    assert base["transcode"] != threads["transcode"]
    assert base["commit"] != threads["commit"]
    priority = recipes.keys(recipes.steps(a_spec(priority="High"), plan_of()), 2)
    assert priority == base


def test_an_unknown_stage_or_kind_of_work_is_empty_not_an_error() -> None:
    """Case 55: a status of a later version."""
    assert recipes.kind_of("Teleport") is None
    assert recipes.containers(("Teleport",)) == {}
    assert set(recipes.RECIPES) == {"Transcode"}


def test_the_recorded_keys_are_followed_even_if_the_operator_changes() -> None:
    """An upgrade between two stages (case 55): other threads, the same keys."""
    scene = Scene.of("Spread").settle()
    before = {stage.name: stage.key for stage in scene.status.stages}
    scene.set(config=scene.seen.config.__class__("another-image", threads=16))
    scene.succeed("ingest-a1").settle()
    action = next(a for plan in reversed(scene.plans) for a in plan.actions)
    document = action.document  # type: ignore[union-attr]
    assert document.group == "transcode"
    assert document.stages[0].key == before["Transcode"]
    assert document.limits.threads == 2
    assert action.image == "videojob-worker:test"  # type: ignore[union-attr]
