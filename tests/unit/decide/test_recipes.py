"""Stages, groups, containers and content keys."""

from __future__ import annotations

import pytest

from builders import SHA, URL, Scene, a_result, a_spec, a_stage, a_url, ended
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import FetchedStatus, PlanStatus
from videojob_operator.decide import recipes
from videojob_operator.decide.world import CreateJob


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


# ---------------------------------------------------------------- URLs


def keys_of(scene: Scene) -> dict[str, str | None]:
    """Recorded keys by stage."""
    return {stage.name: stage.key for stage in scene.status.stages}


@pytest.mark.parametrize(
    ("mode", "groups"),
    [("Compact", ["fetch", "main"]), ("Spread", ["fetch", "ingest", "transcode", "verify", "commit"])],
)
def test_a_url_is_fetched_first_in_a_pod_of_its_own(mode: str, groups: list[str]) -> None:
    """A pod has one network: no decoder ever shares it with a fetch, however compact the rest is."""
    scene = Scene.of(mode, transcode=a_url()).settle()
    assert scene.status.plan is not None
    assert [group.name for group in scene.status.plan.groups] == groups
    assert recipes.containers(("Fetch",)) == {"Fetch": "fetch"}
    assert list(scene.jobs) == ["fetch-a1"]
    assert scene.succeed("fetch-a1").settle().jobs.keys() == {"fetch-a1", f"{groups[1]}-a1"}


def test_later_keys_follow_from_the_fetched_bytes_and_not_from_the_url() -> None:
    """They are recorded in the patch that records the fetch, before the Job that uses them."""
    first = Scene.of(transcode=a_url()).settle()
    assert [name for name, key in keys_of(first).items() if key is not None] == ["Fetch"]
    first.succeed("fetch-a1").settle()
    other = Scene.of(transcode=a_url("http://mirror.example/b.mp4")).settle().succeed("fetch-a1").settle()
    assert first.status.plan is not None
    assert first.status.plan.fetched is not None
    assert first.status.plan.fetched.uri == f"store://uploads/{SHA}"
    later = {name: key for name, key in keys_of(first).items() if name != "Fetch"}
    assert None not in later.values()
    assert later == {name: key for name, key in keys_of(other).items() if name != "Fetch"}
    assert keys_of(first)["Fetch"] != keys_of(other)["Fetch"]


def test_a_promised_digest_gives_the_same_keys_at_once() -> None:
    promised = Scene.of(transcode=a_url(sha256=SHA)).settle()
    fetched = Scene.of(transcode=a_url()).settle().succeed("fetch-a1").settle()
    assert {**keys_of(promised), "Fetch": None} == {**keys_of(fetched), "Fetch": None}


def test_only_the_fetch_ever_learns_the_url() -> None:
    """Case 62: stages that open the file get its digest; the policy goes where the network is."""
    scene = Scene.of(transcode=a_url()).settle().succeed("fetch-a1").settle()
    fetch, main = (a.document for plan in scene.plans for a in plan.actions if isinstance(a, CreateJob))
    assert fetch.stages[0].params["source"]["uri"] == URL
    assert fetch.fetch is not None
    assert main.fetch is None
    assert "media.example" not in str(main.dump())
    assert {stage.params["source"]["uri"] for stage in main.stages if "source" in stage.params} == {
        f"store://uploads/{SHA}"
    }
    assert "geheim" not in str(scene.status.dump())
    assert "geheim" not in str(scene.events)


@pytest.mark.parametrize(
    ("fetched", "why"),
    [
        (None, "tells nothing about the file"),
        (FetchedStatus(uri=f"store://inbox/{SHA}", size_bytes=5, sha256=SHA), "does not lie in the job's uploads"),
        (FetchedStatus(uri="store://uploads/../x", size_bytes=5, sha256="../x"), "does not lie in the job's uploads"),
        (FetchedStatus(uri=f"store://uploads/{SHA}", size_bytes=10**10, sha256=SHA), "10000000000 bytes, 524288000"),
        (FetchedStatus(uri=f"store://uploads/{'c' * 64}", size_bytes=5, sha256="c" * 64), "that the spec promises"),
    ],
)
def test_a_fetch_is_not_believed_blindly(fetched: FetchedStatus | None, why: str) -> None:
    scene = Scene.of(transcode=a_url(sha256=SHA)).settle()
    result = scene.result("fetch", ["fetch"], group="fetch")
    stage = result.stages[0].model_copy(update={"fetched": fetched})
    bad = result.model_copy(update={"stages": (stage,)})
    scene.pod("fetch-a1", ended("fetch", 0, bad)).settle()
    assert scene.status.plan is not None
    assert scene.status.plan.fetched is None
    report = a_result("commit", group="report-fetch", reported=(bad,))
    scene.pod("report-fetch-a1", ended("commit", 0, report)).settle()
    assert scene.status.failure is not None
    assert why in scene.status.failure.message


def test_another_file_than_the_fetched_one_is_not_taken_for_it() -> None:
    scene = Scene.of(transcode=a_url()).settle().succeed("fetch-a1").settle()
    stages = tuple(a_stage(kind, sha256="d" * 64) for kind in ("ingest", "transcode", "verify"))
    work = scene.result("work", ()).model_copy(update={"stages": stages})
    scene.pod("main-a1", ended("work", 0, work), ended("commit", 0, scene.result("commit", ["commit"]))).settle()
    assert scene.status.phase != "Succeeded"
    assert scene.status.input is None


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
    assert set(recipes.RECIPES) == {"Transcode", "Story", "Avatar"}


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
