"""Stories: which Jobs, in which order, what each is told, and what becomes of what they say."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from builders import CONFIG, SHA, UID, a_failure
from storyboard import ONLINE_IMAGES, ONLINE_VOICE, PIECES, TEXT, Tale, published, story_spec
from videojob_api.contract import FetchPolicy, content_key
from videojob_api.stages import COMPOSE, STORY
from videojob_api.story.tasks import AudioParams, SceneParsingParams
from videojob_api.v1alpha1 import PlanStatus, StoryStatus, VideoJobSpec
from videojob_operator.decide import recipes
from videojob_operator.decide.bounds import MAX_BYTES, size
from videojob_operator.decide.estimate import estimate, learn
from videojob_operator.decide.rates import Rates
from videojob_operator.decide.recipes.story import expected_ms, outputs

SPREAD = ["scenes", "audio", "images", "layout", "compose", "join", "thumbnail", "finalize"]


@dataclass(frozen=True)
class Case:
    """A story, and the groups it is planned in."""

    name: str
    mode: str
    given: dict[str, Any]
    expect: list[str]
    online: list[str] = field(default_factory=list)


PLANS = (
    Case("one pod", "Compact", {}, ["main"]),
    Case("one pod a stage", "Spread", {}, SPREAD),
    Case(
        "a voice from a service", "Compact", {"story": {"voice": ONLINE_VOICE}}, ["main", "audio", "main-2"], ["audio"]
    ),
    Case(
        "pictures from a service",
        "Compact",
        {"story": {"images": ONLINE_IMAGES}},
        ["main", "images", "main-2"],
        ["images"],
    ),
    Case(
        "both from services",
        "Compact",
        {"story": {"voice": ONLINE_VOICE, "images": ONLINE_IMAGES}},
        ["main", "audio", "images", "main-2"],
        ["audio", "images"],
    ),
    Case(
        "both, spread",
        "Spread",
        {"story": {"voice": ONLINE_VOICE, "images": ONLINE_IMAGES}},
        SPREAD,
        ["audio", "images"],
    ),
    Case(
        "a picture behind a URL",
        "Compact",
        {"story": {"script": None, "scenes": [{"text": TEXT, "image": {"uri": "https://example.com/a.jpg"}}]}},
        ["main", "images", "main-2"],
        ["images"],
    ),
    Case("a preview of the voices", "Compact", {"stopAfter": "AudioGeneration"}, ["main"]),
    Case("a preview of the voices, spread", "Spread", {"stopAfter": "AudioGeneration"}, ["scenes", "audio"]),
    Case("a preview of the scenes", "Spread", {"stopAfter": "SceneParsing"}, ["scenes"]),
    Case("a short story, left to the operator", "Auto", {}, ["main"]),
    Case("a long story, left to the operator", "Auto", {"story": {"script": {"text": TEXT * 30}}}, SPREAD),
    Case("a short text for a long video", "Auto", {"story": {"targetDurationMs": 180_000}}, SPREAD),
)


@pytest.mark.parametrize("case", PLANS, ids=lambda case: case.name)
def test_a_story_is_planned_in_groups(case: Case) -> None:
    scene = Tale.begin(case.mode, **case.given)
    assert scene.status.plan is not None
    groups = scene.status.plan.groups
    assert [group.name for group in groups] == case.expect
    assert [group.name for group in groups if group.online] == case.online
    assert [stage for group in groups if group.online for stage in group.stages] == [
        {"audio": "AudioGeneration", "images": "ImageGeneration"}[name] for name in case.online
    ]


def test_a_run_without_a_cluster_keeps_a_long_story_in_one_pod() -> None:
    scene = Tale.begin("Auto", config=replace(CONFIG, spread_story_ms=None), story={"targetDurationMs": 180_000})
    assert scene.status.plan is not None
    assert scene.status.plan.execution == "Compact"


@pytest.mark.parametrize(
    ("story", "expect"),
    [
        ({"script": {"text": "one two three four five"}}, 2000),
        ({"script": {"uri": "store://stock/fig.md"}}, 0),
        ({"script": None, "scenes": [{"text": "one two three four five"}, {"durationMs": 700}, {}]}, 7700),
        ({"targetDurationMs": 5000}, 5000),
    ],
    ids=["words", "a file nobody has read", "scenes", "a target"],
)
def test_how_long_a_story_is_expected_to_last(story: dict[str, Any], expect: int) -> None:
    """S-017: 2.5 words a second, 5 s for a scene that says nothing."""
    assert expected_ms(story_spec(story=story)) == expect


# ---------------------------------------------------------------- order, percent


def test_speech_and_pictures_are_made_at_the_same_time() -> None:
    """S-008: the layout waits for both, whichever comes first."""
    scene = Tale.begin()
    assert list(scene.jobs) == ["scenes-a1"]
    scene.ok("scenes")
    assert scene.jobs.keys() >= {"audio-a1", "images-a1"}
    scene.ok("images")
    assert "layout-a1" not in scene.jobs
    scene.ok("audio")
    assert "layout-a1" in scene.jobs


def test_s_007_to_s_012_the_percent_of_each_stage_is_the_seeds() -> None:
    scene = Tale.begin()
    found = [scene.status.progress.percent]
    for group in ("scenes", "audio", "images", "layout"):
        scene.ok(group)
        found.append(scene.status.progress.percent)
    for index in range(PIECES):
        scene.piece(index)
        found.append(scene.status.progress.percent)
    for group in ("join", "thumbnail", "finalize"):
        scene.ok(group)
        found.append(scene.status.progress.percent)
    assert found == [0, 10, 20, 30, 30, 42, 55, 67, 80, 80, 95, 100]
    assert scene.status.phase == "Succeeded"


def test_s_013_the_stages_are_named_as_in_the_seeds() -> None:
    scene = Tale.begin("Compact")
    assert [stage.name for stage in scene.status.stages] == [
        "SceneParsing", "AudioGeneration", "ImageGeneration", "SceneLayout", "VideoComposition", "VideoJoin",
        "ThumbnailGeneration", "Finalization",
    ]  # fmt: skip
    assert scene.launched("main").document.containers() == ("work", "commit")


@pytest.mark.parametrize("mode", ["Compact", "Spread"])
def test_s_030_a_story_ends_with_its_outputs_and_its_metadata(mode: str) -> None:
    scene = Tale.begin(mode)
    if mode == "Compact":
        scene.ok("main")
    else:
        scene.ok("scenes", "audio", "images", "layout")
        for index in range(PIECES):
            scene.piece(index)
        scene.ok("join", "thumbnail", "finalize")
    status = scene.status
    assert status.phase == "Succeeded"
    assert [output.name for output in status.outputs] == [
        "video",
        "thumbnail",
        "metadata",
        "captions-srt",
        "captions-vtt",
    ]
    assert status.story is not None
    assert (status.story.scenes, status.story.pieces, status.story.narrator) == (PIECES, PIECES, "flite (slt)")
    assert status.story.duration_ms == 8234, "what was measured last"
    assert status.story.metadata is not None
    assert status.type == "Story"
    assert scene.condition("Degraded") is None
    # S-031: where the files are, how large, and when it was done.
    video, still = status.outputs[:2]
    assert (video.uri, still.uri) == (
        f"store://jobs/{UID}/videos/video.mp4",
        f"store://jobs/{UID}/videos/video_thumb.jpg",
    )
    assert (video.size_bytes, video.media_type) == (1000, "video/mp4")
    assert status.completion_time == scene.seen.now


def test_outputs_that_were_not_asked_for_are_not_believed() -> None:
    """Case 44: no captions were asked for, and captions were published."""
    scene = Tale.begin("Compact", story={"captions": {"sidecars": []}})
    scene.ok("main", finalize={"files": published()})
    assert scene.status.phase == "Running"
    assert scene.status.outputs == ()
    assert "report-main-a1" in scene.jobs, "what the store says of it is asked for"
    assert outputs(story_spec(story={"captions": {"sidecars": []}})) == ("video", "thumbnail", "metadata")


def test_a_preview_ends_without_outputs_and_tells_how_long_it_lasts() -> None:
    scene = Tale.begin("Compact", stopAfter="AudioGeneration").ok("main")
    assert scene.status.phase == "Succeeded"
    assert scene.condition("Ready") == ("True", "StoppedAfter")
    assert scene.status.outputs == ()
    assert scene.status.story is not None
    assert scene.status.story.duration_ms == 8200


# ---------------------------------------------------------------- pieces


def test_each_piece_is_an_item_and_a_lost_one_is_made_again_alone() -> None:
    """S-069: each piece has its own pod. One killed in the middle of a scene repeats that scene's index; the others go on."""
    scene = Tale.begin().ok("scenes", "audio", "images", "layout")
    first = scene.launched("compose")
    assert (first.completions, first.document.indexes) == (PIECES, "0-3")
    scene.piece(0).piece(1).piece(2, 137, disruption="EvictionByEvictionAPI").piece(3)
    scene.change("compose-a1", finished="Failed", finished_at=scene.seen.now, completed="0-1,3", failed="2").settle()
    again = scene.launched("compose")
    assert (again.document.attempt, again.document.indexes, again.completions) == (2, "2", 1)
    assert scene.piece(0).jobs.keys() >= {"join-a1"}
    stage = next(stage for stage in scene.status.stages if stage.name == "VideoComposition")
    assert (stage.disruptions, stage.failures) == (1, 0)


def keys(spec: VideoJobSpec, execution: str = "Spread") -> dict[str, str]:
    """Content keys by kind."""
    plan = PlanStatus(execution=execution, image="worker")  # type: ignore[arg-type]  # one of the two words
    return recipes.keys(recipes.steps(spec, plan), 2)


@pytest.mark.parametrize(
    ("edit", "execution", "same"),
    [
        ({"script": {"text": TEXT + " The end."}}, "Spread", {"compose"}),
        ({"script": {"text": TEXT + " The end."}}, "Compact", set()),
        ({"thumbnail": {"atMs": 500}}, "Spread", {"scenes", "audio", "images", "layout", "compose", "join"}),
        ({"quality": "High"}, "Spread", {"scenes", "audio", "images"}),
        ({"images": ONLINE_IMAGES}, "Spread", {"scenes", "audio", "compose"}),
        ({"genre": "mystery"}, "Spread", {"audio", "compose"}),
    ],
    ids=["a sentence", "a sentence, in one pod", "the thumbnail", "the quality", "other pictures", "the genre"],
)
def test_an_edit_renews_what_follows_from_it_and_nothing_else(
    edit: dict[str, Any], execution: str, same: set[str]
) -> None:
    """S-056, S-057. The key of spread pieces is the start of each piece's own: an edited sentence renews its piece alone."""
    before, after = keys(story_spec(), execution), keys(story_spec(story=edit), execution)
    expected = same - {"scenes", "audio"} if "genre" in edit else same
    found = {kind for kind in before if before[kind] == after[kind]}
    assert found == (expected | {"compose"} if "genre" in edit else expected)


def test_pieces_see_pictures_and_speech_without_depending_on_them() -> None:
    scene = Tale.begin().ok("scenes", "audio", "images", "layout")
    (task,) = scene.launched("compose").document.stages
    assert [given.stage for given in task.inputs] == ["layout", "audio", "images"]
    assert task.work_list is not None
    assert task.key == content_key("compose", COMPOSE.version, task.params, ())
    scene.piece(0).piece(1).piece(2).piece(3)
    (join,) = scene.launched("join").document.stages
    assert {given.stage: given.items_of for given in join.inputs} == {
        "layout": None,
        "compose": "layout",
        "audio": None,
    }


# ---------------------------------------------------------------- what a pod is told


def test_a_pod_that_asks_services_is_told_where_it_may_go() -> None:
    policy = FetchPolicy(allow_hosts=("*.example.com",))
    scene = Tale.begin("Compact", config=replace(CONFIG, fetch=policy), story={"voice": ONLINE_VOICE}).ok("main")
    document = scene.launched("audio").document
    assert [task.online for task in document.stages] == [True]
    assert document.fetch == policy
    assert scene.plans[0].status is not None
    first = scene.launched("main").document
    assert first.fetch is None
    assert not any(task.online for task in first.stages)


def test_c_14_the_policy_of_fallbacks_reaches_every_stage_that_could_take_one() -> None:
    scene = Tale.begin("Compact", fallback={"policy": "Deny"})
    policies = {task.kind: task.params.get("fallback") for task in scene.launched("main").document.stages}
    assert {kind for kind, given in policies.items() if given} == {"audio", "images", "layout"}
    assert all(given == {"policy": "Deny"} for given in policies.values() if given)


@pytest.mark.parametrize(("mode", "expect"), [("ReadWrite", "ReadWrite"), ("ReadOnly", "ReadOnly"), ("Off", None)])
def test_sentences_pictures_and_pieces_come_from_the_cache_as_the_spec_says(mode: str, expect: str | None) -> None:
    """S-034, S-035, S-056."""
    order = Tale.begin("Compact", cache={"mode": mode}).launched("main").document.cache
    assert (order.mode if order is not None else None) == expect
    assert order is None or order.source == ""


def test_a_script_in_a_config_map_is_named_and_never_read_by_the_operator() -> None:
    scene = Tale.begin("Spread", story={"script": {"configMapRef": {"name": "scripts", "key": "fig.md"}}})
    (task,) = scene.launched("scenes").document.stages
    script = SceneParsingParams.model_validate(task.params).story.script
    assert script.config_map is not None
    assert (script.text, script.config_map.name, script.config_map.key) == (None, "scripts", "fig.md")


@pytest.mark.parametrize(("mode", "groups"), [("Compact", ["fetch", "main"]), ("Spread", ["fetch", *SPREAD])])
def test_a_script_behind_a_url_is_fetched_first_and_named_by_its_bytes(mode: str, groups: list[str]) -> None:
    """S-001: in a pod of its own; keys follow from the bytes, and are on record before the Job that uses them."""
    scene = Tale.begin(mode, story={"script": {"uri": "https://docs.example/fig.md?sig=geheim"}})
    assert scene.status.plan is not None
    assert [group.name for group in scene.status.plan.groups] == groups
    assert [stage.name for stage in scene.status.stages if stage.key is not None] == ["Fetch"]
    assert scene.launched("fetch").document.stages[0].params["text"] is True
    scene.ok("fetch")
    assert all(stage.key for stage in scene.status.stages)
    task = scene.launched(groups[1]).document.stages[0]
    assert SceneParsingParams.model_validate(task.params).story.script.uri == f"store://uploads/{SHA}"
    assert "geheim" not in scene.status.model_dump_json()
    other = Tale.begin(mode, story={"script": {"uri": "http://other.example/copy.txt"}}).ok("fetch")
    assert [stage.key for stage in other.status.stages[1:]] == [stage.key for stage in scene.status.stages[1:]]


def test_a_scripts_secret_goes_to_its_fetch_alone() -> None:
    """S-001: as a transcode's source has it."""
    given = {"uri": "https://docs.example/fig.md", "secretName": "docs"}
    scene = Tale.begin("Compact", story={"script": given})
    assert scene.launched("fetch").document.stages[0].params["source"] == given
    scene.ok("fetch")
    assert not [task for task in scene.launched("main").document.stages if "docs" in str(task.params)]


def test_metadata_of_the_users_own_renew_the_publication_alone() -> None:
    """S-044: scenes, speech, pictures and film are what they were."""
    plain, own = Tale.begin(), Tale.begin(story={"metadata": {"tags": ["sea"]}})
    before = {stage.name: stage.key for stage in plain.status.stages}
    assert [stage.name for stage in own.status.stages if stage.key != before[stage.name]] == ["Finalization"]


@pytest.mark.parametrize(("mode", "groups"), [("Compact", ["prompt", "main"]), ("Spread", ["prompt", *SPREAD])])
def test_s_072_a_script_that_is_to_be_written_is_named_by_its_bytes(mode: str, groups: list[str]) -> None:
    """In a pod of its own, with its Secret; later stages follow from the text, and know nothing of who wrote it."""
    asked = {"prompt": "A fig falls.", "model": "small", "secretName": "writer"}
    scene = Tale.begin(mode, story={"script": {"fromPrompt": asked}, "genre": "fable", "language": "de"})
    assert scene.status.plan is not None
    assert [group.name for group in scene.status.plan.groups] == groups
    assert [group.name for group in scene.status.plan.groups if group.online] == ["prompt"]
    document = scene.launched("prompt").document
    (task,) = document.stages
    assert (task.params["prompt"]["prompt"], task.params["genre"], task.params["language"]) == (
        "A fig falls.",
        "fable",
        "de",
    )
    assert document.fetch is not None
    assert document.cache is not None
    assert [stage.name for stage in scene.status.stages if stage.key is not None] == ["ScriptWriting"]
    scene.ok("prompt")
    script = SceneParsingParams.model_validate(scene.launched(groups[1]).document.stages[0].params).story.script
    assert script.uri == f"store://uploads/{SHA}"
    assert scene.status.plan is not None
    assert scene.status.plan.fetched is not None, "shown by its digest"
    assert "writer" not in str(scene.launched(groups[1]).document)
    fetched = Tale.begin(mode, story={"script": {"uri": "https://a.example/x"}, "genre": "fable", "language": "de"}).ok(
        "fetch"
    )
    assert [stage.key for stage in fetched.status.stages[1:]] == [stage.key for stage in scene.status.stages[1:]]


def test_a_writer_that_tells_of_no_file_is_not_believed() -> None:
    scene = Tale.begin("Compact", story={"script": {"fromPrompt": {"prompt": "A fig.", "model": "small"}}})
    scene.ok("prompt", prompt={"fetched": None})
    assert "main-a1" not in scene.jobs


def test_a_long_script_that_is_to_be_written_is_spread() -> None:
    asked = {"prompt": "A fig falls.", "model": "small", "maxWords": 1000}
    assert expected_ms(story_spec(story={"script": {"fromPrompt": asked}})) == 400_000


def test_a_script_that_no_task_can_carry_is_refused_with_the_way_out() -> None:
    """16,384 characters are permitted; of Japanese ones they are 48 KiB."""
    scene = Tale.begin(story={"script": {"text": "\u7121" * 16_384}, "language": "ja"})
    assert scene.status.phase == "Failed"
    assert scene.status.failure is not None
    assert scene.status.failure.code == "PlanTooLarge"
    assert "videojob submit -f" in (scene.status.failure.hint or "")


def test_the_voices_are_told_what_concerns_them_and_no_more() -> None:
    scene = Tale.begin("Compact", story={"title": "The Last Fig", "targetDurationMs": 9000})
    task = next(task for task in scene.launched("main").document.stages if task.kind == "audio")
    given = AudioParams.model_validate(task.params)
    assert given.target_duration_ms == 9000
    assert "title" not in task.params


# ---------------------------------------------------------------- fallbacks


CARD = "a text card stands in for a picture: pexels: 429"
SILENT = "nobody could read the story aloud, so it is silent and its scenes last half as long again: azure: 401"


def test_s_038_and_s_039_a_fallback_shows_as_degraded_until_the_end_and_after() -> None:
    scene = Tale.begin().ok("scenes", "images", images={"degraded": (CARD,)})
    assert scene.condition("Degraded") == ("True", "ImageFallback")
    scene.ok("audio", audio={"degraded": (SILENT,)}).ok("layout")
    assert scene.condition("Degraded") == ("True", "VoiceFallback")
    for index in range(PIECES):
        scene.piece(index)
    scene.ok("join", "thumbnail", "finalize")
    assert scene.status.phase == "Succeeded"
    said = next(entry.message for entry in scene.status.conditions if entry.type == "Degraded")
    assert (SILENT in said, CARD in said) == (True, True)
    assert scene.told().count("ImageFallback") == 1
    assert scene.told().count("VoiceFallback") == 1


def test_a_redrive_that_needs_no_fallback_is_degraded_no_more() -> None:
    scene = Tale.begin().ok("scenes", "images", images={"degraded": (CARD,)})
    scene.bad("audio", 65, a_failure("TTSError", "Permanent", "AudioGeneration"))
    assert scene.condition("Degraded") == ("True", "ImageFallback")
    scene.ask(retry="again;from=ImageGeneration").settle()
    assert scene.condition("Degraded") is None


@pytest.mark.parametrize(
    ("code", "cause", "exit_code"), [("TTSError", "Permanent", 65), ("ImageGenerationError", "Permanent", 65)]
)
def test_s_041_with_deny_a_failing_provider_is_a_dead_letter(code: str, cause: str, exit_code: int) -> None:
    group = {"TTSError": "audio", "ImageGenerationError": "images"}[code]
    scene = Tale.begin(fallback={"policy": "Deny"}).ok("scenes").bad(group, exit_code, a_failure(code, cause, None))
    assert scene.status.phase == "Failed"
    assert scene.condition("DeadLettered") == ("True", "Permanent")
    assert scene.status.failure is not None
    assert scene.status.failure.code == code


def test_s_041_a_service_that_stays_away_is_one_too_once_its_retries_are_used_up() -> None:
    scene = Tale.begin(fallback={"policy": "Deny"}, retry={"maxAttempts": 2, "backoffSeconds": 1}).ok("scenes")
    away = a_failure("TTSError", "External", None)
    scene.bad("audio", 69, away)
    assert scene.status.phase != "Failed"
    scene.tick(60).settle()
    scene.bad("audio", 69, away)
    assert scene.status.phase == "Failed"
    assert scene.condition("DeadLettered") is not None


@pytest.mark.parametrize(
    ("start", "first"),
    [("video", "VideoComposition"), ("thumbnail", "ThumbnailGeneration"), ("captions-vtt", "VideoJoin")],
)
def test_a_redrive_from_an_output_means_the_stage_that_makes_it(start: str, first: str) -> None:
    scene = Tale.begin("Compact")
    scene.bad("main", 65, a_failure("CompositionError", "Permanent", "VideoJoin"))
    before = {stage.name: stage.key for stage in scene.status.stages}
    scene.ask(retry=f"again;from={start}").settle()
    renewed = [stage.name for stage in scene.status.stages if stage.key != before[stage.name]]
    assert renewed == list(before)[list(before).index(first) :]
    assert [stage.name for stage in scene.status.stages if stage.anew] == renewed
    assert {task.kind: bool(task.anew) for task in scene.launched("main").document.stages} == {
        row.kind: row.stage in renewed for row in STORY
    }


def test_a_worker_that_talks_too_much_fills_no_status() -> None:
    """Case 57: a fallback for each stage, in the longest sentences, with credentials in them."""
    long = tuple(f"{number} https://user:hunter2@example.com/{'x' * 5000}" for number in range(8))
    scene = Tale.begin("Compact")
    kinds = ("scenes", "audio", "images", "layout", "compose", "join", "thumbnail")
    scene.ok("main", **{kind: {"degraded": long, "notes": long} for kind in kinds})
    assert scene.status.phase == "Succeeded"
    assert size(scene.status) <= MAX_BYTES
    assert scene.condition("Degraded") is not None
    assert "hunter2" not in scene.status.model_dump_json()


# ---------------------------------------------------------------- when


def test_a_finished_story_teaches_how_long_its_like_will_take() -> None:
    """By the seconds that it lasts; before that is known, by the typical one."""
    rates = learn(Rates(), Tale.begin("Compact").tick(20).ok("main").status)
    scene = Tale.begin("Compact")
    scene.set(rates=rates)
    first = estimate(scene.seen, scene.status)
    assert first is not None
    assert first.cpu_seconds is None, "the typical one"
    known = scene.status.model_copy(update={"story": StoryStatus(duration_ms=8234)})
    found = estimate(scene.seen, known)
    longer = estimate(scene.seen, known.model_copy(update={"story": StoryStatus(duration_ms=82_340)}))
    assert found is not None
    assert longer is not None
    assert found.cpu_seconds == pytest.approx(8 * 3.5, rel=0.01)
    assert (longer.cpu_seconds or 0) > 2 * (found.cpu_seconds or 0)
