"""Every row of every table leads somewhere."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import get_args

import pytest

from videojob_api.avatar.params import AVATAR_KEYS
from videojob_api.bands import BANDS
from videojob_api.docs import field_docs
from videojob_api.profiles import BUILTIN_PROFILES, DEFAULT_PROFILES, object_name
from videojob_api.stages import COMMIT, INGEST, KINDS, NOOPS, STORY, TRANSCODE, VERIFY, StageKind
from videojob_api.story import tasks
from videojob_api.story.platforms import PLATFORMS
from videojob_api.v1alpha1 import DEFAULT_SLOTS, PlanStatus, VideoJobSpec
from videojob_api.v1alpha1.avatar import AvatarName
from videojob_api.v1alpha1.story_providers import ImageSource, PlatformName, VoiceName
from videojob_operator.cluster.rbac import ROLE_RULES, Rule
from videojob_operator.decide.recipes import RECIPES
from videojob_operator.settings import Settings
from videojob_worker.providers.avatars import AVATARS
from videojob_worker.providers.images import IMAGES
from videojob_worker.providers.voices import VOICES

by_stage = pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.kind)


@by_stage
def test_a_stage_kind_leads_to_the_module_that_runs_it(row: StageKind) -> None:
    """Rows are resolved on use, so that no import follows from adding one; here each is."""
    module = importlib.import_module(f"videojob_worker.stages.{row.module or row.kind}")
    assert list(inspect.signature(module.run).parameters) == ["context"]


@by_stage
def test_a_stage_kind_is_found_under_its_own_name(row: StageKind) -> None:
    assert KINDS[row.kind] is row


@by_stage
def test_a_stage_asks_for_less_memory_than_its_limit(row: StageKind) -> None:
    assert 0 < row.memory_mib <= row.memory_limit_mib


@by_stage
def test_a_stage_waits_for_a_slot_that_the_default_queue_has(row: StageKind) -> None:
    """X-004, A-005: a class that no queue lists would wait for ever."""
    assert row.slot is None or row.slot in {slot.name for slot in DEFAULT_SLOTS}


@by_stage
def test_every_parameter_says_what_it_means(row: StageKind) -> None:
    assert [name for name in row.params.model_fields if not field_docs(row.params).get(name)] == []


def test_the_percent_of_a_transcode_rises_without_a_gap() -> None:
    bands = [row.band for row in (INGEST, TRANSCODE, VERIFY, COMMIT)]
    assert [bands[0][0], *(end for _, end in bands)] == [*(start for start, _ in bands), 100]


def test_what_decodes_strangers_bytes_never_publishes() -> None:
    found = {row.kind for row in KINDS.values() if row.trust == "decode" and row not in NOOPS}
    assert found == {
        "ingest", "transcode", "verify", "scenes", "audio", "images", "layout", "compose", "join", "thumbnail",
        "speak", "upload", "detect", "matte", "animate", "finish",
    }  # fmt: skip


def test_the_percent_of_a_story_rises_as_the_seeds_have_it() -> None:
    """S-007 to S-012: 10, 10 to 30, 30 to 80, 80 to 95, 95 to 100."""
    drawn = {row.stage: row.band for row in STORY}
    assert drawn == {
        "SceneParsing": (0, 10), "AudioGeneration": (10, 30), "ImageGeneration": (10, 30), "SceneLayout": (30, 30),
        "VideoComposition": (30, 80), "VideoJoin": (80, 80), "ThumbnailGeneration": (80, 95), "Finalization": (95, 100),
    }  # fmt: skip
    for stage, known in BANDS["Story"].items():
        assert drawn[stage] == (known.low, known.high)


def test_providers_of_the_spec_are_those_of_the_worker() -> None:
    """S-032, S-036: a name that the API server takes leads to a row, and the operator knows whose pod needs which Secret."""
    assert set(get_args(VoiceName)) == set(VOICES)
    assert set(get_args(ImageSource)) == set(IMAGES)
    assert set(tasks.VOICE_KEYS) <= set(VOICES)
    assert {name: row.keys for name, row in IMAGES.items() if row.online} == tasks.IMAGE_KEYS
    assert set(get_args(PlatformName)) == set(PLATFORMS)


def test_providers_of_avatars_are_those_of_the_worker() -> None:
    """A-021: each has a row, but for the talking face, which is no provider; those online are known to the operator."""
    assert set(get_args(AvatarName)) == {*AVATARS, "builtin"}
    assert set(AVATAR_KEYS) < set(AVATARS)


def test_stages_that_do_nothing_are_out_of_reach() -> None:
    """No recipe of a released operator has them, and no chart asks for them."""
    spec = VideoJobSpec.model_validate({"transcode": {"source": {"uri": "store://stock/clip.mp4"}}})
    plan = PlanStatus(execution="Spread", image="worker")
    for recipe in RECIPES.values():
        assert not {step.kind for step in recipe(spec, plan)} & set(NOOPS)
    assert Settings(_env_file=None).noop is False
    chart = Path(__file__).resolve().parents[2] / "charts"
    assert not [path for path in chart.rglob("*") if path.is_file() and "VIDEOJOB_NOOP" in path.read_text("utf-8")]


@pytest.mark.parametrize("name", DEFAULT_PROFILES)
def test_a_default_profile_is_built_in(name: str) -> None:
    assert object_name(name) in BUILTIN_PROFILES


@pytest.mark.parametrize("name", BUILTIN_PROFILES)
def test_a_built_in_profile_bears_a_name_that_kubernetes_takes(name: str) -> None:
    assert object_name(name) == name


@pytest.mark.parametrize("rule", ROLE_RULES, ids=lambda rule: f"{rule.scope}: {', '.join(rule.resources)}")
def test_a_right_of_the_operator_is_narrow_and_has_a_reason(rule: Rule) -> None:
    assert rule.reason
    assert "secrets" not in rule.resources
    assert not {"*", "escalate", "bind", "impersonate"} & {*rule.verbs, *rule.resources, rule.api_group}
