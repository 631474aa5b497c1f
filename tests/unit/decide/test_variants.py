"""Variants in the operator: which Jobs, keys and Secrets they have, and which outputs are believed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import CONFIG
from storyboard import ONLINE_VOICE, TEXT, Tale, published, story_spec
from videojob_api.contract import canonical_json
from videojob_api.story.tasks import FinalizeParams, SceneParsingParams
from videojob_api.v1alpha1 import OutputStatus, StoryStatus
from videojob_api.v1alpha1.story_status import VariantStatus
from videojob_operator.decide.bounds import MAX_BYTES, size
from videojob_operator.decide.estimate import estimate, learn
from videojob_operator.decide.job.results import MAX_OUTPUTS_BYTES
from videojob_operator.decide.rates import Rates
from videojob_operator.decide.recipes.story import expected_ms, outputs
from videojob_operator.render.pod import secrets

SQUARE = {"name": "square", "aspectRatio": "1:1"}
B = {"name": "b", "thumbnail": {"title": "It fell!"}}
DE = {"name": "de", "language": "de", "script": {"text": "Eine Feige fiel."}}


def begun(*variants: dict[str, Any], mode: str = "Spread", **fields: Any) -> Tale:
    """A story with variants, begun."""
    return Tale.begin(mode, story={"variants": list(variants), **fields.pop("story", {})}, **fields)


def renewed(*variants: dict[str, Any], mode: str) -> list[str]:
    """Stages whose keys differ from those of the story without variants."""
    plain = {stage.name: stage.key for stage in begun(mode=mode).status.stages}
    return [stage.name for stage in begun(*variants, mode=mode).status.stages if stage.key != plain[stage.name]]


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_another_thumbnail_renews_what_shows_it_alone(mode: str) -> None:
    """S-067: the film's stages are what they were, so that nothing is encoded again."""
    assert renewed(B, mode=mode) == ["ThumbnailGeneration", "Finalization"]


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_another_film_goes_through_the_same_stages(mode: str) -> None:
    """No group, no Job more: what films share is found in one stage."""
    plain, other = begun(mode=mode), begun(SQUARE, DE, B, mode=mode)
    assert plain.status.plan is not None
    assert other.status.plan is not None
    assert other.status.plan.groups == plain.status.plan.groups


def test_the_stage_that_reads_scripts_is_told_of_films_and_of_no_thumbnail() -> None:
    task = begun(SQUARE, DE, B).launched("scenes").document.stages[0]
    given = SceneParsingParams.model_validate(task.params).story.variants or ()
    assert [(one.name, one.language) for one in given] == [("square", None), ("de", "de")]


def test_a_variants_voice_from_a_service_has_its_pod_and_its_secret() -> None:
    voice = {"providers": [{"name": "polly", "secretName": "aws", "region": "eu-west-1"}]}
    scene = begun({**DE, "voice": voice}, story={"voice": ONLINE_VOICE}, mode="Compact")
    assert scene.status.plan is not None
    assert [group.name for group in scene.status.plan.groups if group.online] == ["audio"]
    scene.ok("main")
    assert {name for name, _ in secrets(scene.launched("audio"))} == {"speech", "aws"}
    offline = begun({**DE, "voice": voice}, mode="Compact")
    assert offline.status.plan is not None
    assert [group.name for group in offline.status.plan.groups if group.online] == ["audio"]


def test_each_film_is_held_against_its_own_platform() -> None:
    scene = begun(
        {"name": "reels", "platform": "instagram_reels"}, SQUARE, mode="Compact", story={"platform": "tiktok"}
    )
    task = scene.launched("main").document.stages[-1]
    given = FinalizeParams.model_validate(task.params)
    assert [given.platform, *(take.platform for take in given.takes or ())] == ["tiktok", "instagram_reels", "tiktok"]


def test_all_outputs_of_all_variants_are_wanted_and_no_others() -> None:
    """S-030, case 44."""
    spec = story_spec(story={"variants": [SQUARE, B]})
    assert outputs(spec)[5:] == (
        "video-square", "thumbnail-square", "metadata-square", "captions-srt-square", "captions-vtt-square", "thumbnail-b",
    )  # fmt: skip
    done = begun(SQUARE, B, mode="Compact").ok("main", finalize={"files": published(spec)})
    assert done.status.phase == "Succeeded"
    assert {one.name for one in done.status.outputs} == set(outputs(spec))
    less = begun(SQUARE, B, mode="Compact").ok("main", finalize={"files": published()})
    assert (less.status.phase, less.status.outputs) == ("Running", ())


@pytest.mark.parametrize(
    ("texts", "variant", "expect"),
    [
        (["", " "], {"aspectRatio": "1:1"}, []),
        (["", "A fig."], {"aspectRatio": "1:1"}, ["captions-srt", "captions-srt-x"]),
        (["", ""], {"texts": ["", "A fig."]}, ["captions-srt-x"]),
        (["A fig."], {"texts": [" "]}, ["captions-srt"]),
        ([""], {"script": {"text": "A fig."}}, ["captions-srt-x"]),
    ],
)
def test_a_film_without_a_word_has_no_captions(texts: list[str], variant: dict[str, Any], expect: list[str]) -> None:
    """S-019: scenes may be silent, all of them too."""
    story = {"script": None, "scenes": [{"text": text} for text in texts], "variants": [{"name": "x", **variant}]}
    assert [name for name in outputs(story_spec(story=story)) if name.startswith("captions-srt")] == expect


def test_the_most_outputs_fit_a_status_and_words_that_do_not_are_not_believed() -> None:
    """Case 57."""
    many = [{"name": f"variant-no-{n:05}", "aspectRatio": "1:1"} for n in range(5)]
    spec = story_spec(story={"variants": many})
    files = [_long(one, 500) for one in published(spec)]
    assert len(files) == 30
    assert MAX_OUTPUTS_BYTES - 2000 < sum(len(canonical_json(one.dump())) for one in files) <= MAX_OUTPUTS_BYTES
    done = begun(*many, mode="Compact").ok("main", finalize={"files": tuple(files)})
    assert done.status.phase == "Succeeded"
    assert size(done.status) <= MAX_BYTES
    long = tuple(_long(one, 800) for one in files)
    assert begun(*many, mode="Compact").ok("main", finalize={"files": long}).status.outputs == ()


def _long(output: OutputStatus, total: int) -> OutputStatus:
    return output.model_copy(
        update={"media_type": "t" * (total - len(canonical_json(output.dump())) + len(output.media_type))}
    )


def test_an_estimate_counts_all_films() -> None:
    """What is learnt from a story of one film holds for one of three."""
    rates = learn(Rates(), Tale.begin("Compact").tick(20).ok("main").status)
    scene = begun(SQUARE, DE, mode="Compact")
    scene.set(rates=rates)
    films = tuple(VariantStatus(name=name, duration_ms=8234) for name in ("square", "de"))
    one = estimate(scene.seen, scene.status.model_copy(update={"story": StoryStatus(duration_ms=8234)}))
    all_ = StoryStatus(duration_ms=8234, variants=films)
    three = estimate(scene.seen, scene.status.model_copy(update={"story": all_}))
    assert one is not None
    assert three is not None
    assert (three.cpu_seconds or 0) > 1.5 * (one.cpu_seconds or 0)


def test_a_story_of_many_films_is_as_long_as_all_of_them() -> None:
    """So that Auto spreads it."""
    one = expected_ms(story_spec(story={"script": {"text": TEXT}}))
    assert expected_ms(story_spec(story={"script": {"text": TEXT}, "variants": [SQUARE, DE, B]})) == 3 * one
    mode = {"config": replace(CONFIG, spread_story_ms=2 * one)}
    assert len(begun(mode="Auto", **mode).jobs) == 1
    assert "main-a1" not in begun(SQUARE, mode="Auto", **mode).jobs
