"""status.history, the progress_update events, percent by the seeds' bands."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from builders import Scene
from videojob_api import bands
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import (
    StageStatus,
    VideoJobStatus,
)
from videojob_operator.decide.history import KEPT
from videojob_operator.decide.report import percent

# ---------------------------------------------------------------- history


def told(scene: Scene) -> list[tuple[int, str, str, str | None]]:
    return [(entry.sequence, entry.event, entry.phase, entry.stage) for entry in scene.status.history]


def test_every_transition_stands_in_the_history_once() -> None:
    """A-009, S-015: the phases and stages a late subscriber has missed, with the events' names."""
    scene = Scene.of().settle()
    scene.news("transcode", 50).settle()
    scene.succeed("main-a1").settle()
    assert told(scene) == [
        (1, "progress_update", "Queued", None),
        (2, "progress_update", "Running", "Ingest"),
        (3, "progress_update", "Running", "Transcode"),
        (4, "processing_completed", "Succeeded", "Commit"),
    ]
    assert [entry.percent for entry in scene.status.history] == [0, 0, 50, 100]


def test_a_failure_ends_the_history_with_its_event() -> None:
    """S-015."""
    scene = Scene.of(retry={"maxAttempts": 2}).settle()
    scene.fail("main-a1").settle().tick(10).settle()
    scene.fail("main-a2").settle()
    entry = scene.status.history[-1]
    assert (entry.event, entry.phase, entry.attempt) == ("processing_failed", "Failed", 2)
    assert entry.message is not None
    assert "exited with code 75" in entry.message
    attempts = [(entry.phase, entry.attempt) for entry in scene.status.history]
    assert {("Running", 1), ("Running", 2)} <= set(attempts)


def test_twenty_transitions_are_kept_and_numbers_are_not_used_again() -> None:
    scene = Scene.of(retry={"maxAttempts": 20, "backoffSeconds": 0, "maxBackoffSeconds": 0}).settle()
    for attempt in range(1, 15):
        scene.fail(f"main-a{attempt}").settle()
    numbers = [entry.sequence for entry in scene.status.history]
    assert len(numbers) == KEPT
    assert numbers == list(range(numbers[0], numbers[0] + KEPT))
    assert numbers[0] > 1


def test_a_stage_that_begins_is_told_once_an_attempt() -> None:
    """S-015: progress_update at stage changes only; percent alone tells nothing."""
    scene = Scene.of().settle()
    for share in (10, 40, 80):
        scene.news("transcode", share).settle()
    said = [event.message for event in scene.events if event.reason == "progress_update"]
    assert said == ["Ingest: 0%", "Transcode: 18%"]


def test_a_stage_that_begins_may_wait_for_its_turn_in_the_write_budget() -> None:
    """A-012: the write is one of progress, however many stages a pod runs through."""
    scene = Scene.of().settle()
    found = scene.news("transcode", 1).look()
    assert found.progress_only
    assert [str(event.reason) for event in found.events] == ["progress_update"]


# ---------------------------------------------------------------- percent


@dataclass(frozen=True)
class Case:
    name: str
    type: str
    done: tuple[str, ...]
    running: dict[str, int]
    expect: int


STORY = ("SceneParsing", "AudioGeneration", "ImageGeneration", "VideoComposition", "ThumbnailGeneration")
CASES = (
    Case("nothing has begun", "Story", (), {}, 0),
    Case("scenes are at 10 (S-007)", "Story", STORY[:1], {}, 10),
    Case("audio and images begin at 10 (S-008)", "Story", STORY[:1], {"AudioGeneration": 0, "ImageGeneration": 0}, 10),
    Case("half of the two is 20 (S-008)", "Story", STORY[:2], {"ImageGeneration": 0}, 20),
    Case("audio ends at 30 (S-008)", "Story", STORY[:3], {}, 30),
    Case("composition goes from 30 to 80 (S-009)", "Story", STORY[:3], {"VideoComposition": 50}, 55),
    Case("the video is there at 80 (S-009)", "Story", STORY[:4], {}, 80),
    Case("the thumbnail at 95 (S-010)", "Story", STORY, {}, 95),
    Case("metadata up to 100 (S-011, S-012)", "Story", (*STORY, "Finalization"), {}, 100),
    Case("initialized is 0 (A-003)", "Avatar", (), {"Upload": 0}, 0),
    Case("uploaded is 20 (A-003)", "Avatar", ("Upload",), {}, 20),
    Case("detection runs from 25 (A-003)", "Avatar", ("Upload",), {"Detection": 0}, 25),
    Case("detected is 40 (A-003)", "Avatar", ("Upload", "Detection"), {}, 40),
    Case("background removal runs from 50 (A-003)", "Avatar", ("Upload", "Detection"), {"BackgroundRemoval": 0}, 50),
    Case("removed is 60 (A-003)", "Avatar", ("Upload", "Detection", "BackgroundRemoval"), {}, 60),
    Case("the provider is at 70 with the upload (A-003)", "Avatar", ("Upload",), {"AvatarGeneration": 0}, 70),
    Case("at 75 it works (A-003)", "Avatar", ("Upload",), {"AvatarGeneration": 50}, 75),
    Case("at 80 it is done (A-003)", "Avatar", ("Upload", "AvatarGeneration"), {}, 80),
    Case("finalizing runs from 90 (A-003)", "Avatar", ("AvatarGeneration",), {"Finalizing": 0}, 90),
    Case("completed is 100 (A-003)", "Avatar", ("AvatarGeneration", "Finalizing", "Delivery"), {}, 100),
    Case("a transcode's longest stage goes from 10 to 90", "Transcode", ("Ingest",), {"Transcode": 50}, 50),
    Case("a stage that nobody knows counts nothing", "Transcode", ("Ingest", "Invented"), {}, 10),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_percent_by_the_seeds_bands(case: Case) -> None:
    """S-007 to S-012, A-003, T-011."""
    stages = [StageStatus(name=name, group="main", state="Succeeded", progress=100) for name in case.done]
    stages += [StageStatus(name=name, group="main", state="Running", progress=p) for name, p in case.running.items()]
    assert percent(VideoJobStatus(type=case.type, stages=tuple(stages))) == case.expect


def test_rows_of_stages_and_bands_say_the_same() -> None:
    for row in KINDS.values():
        for table in bands.BANDS.values():
            if row.stage in table:
                assert row.band == (table[row.stage].low, table[row.stage].high)


@pytest.mark.parametrize(
    ("stage", "at", "expect"),
    [
        ("Upload", 0, "initialized"),
        ("Upload", 20, "upload_complete"),
        ("Detection", 25, "detection_running"),
        ("Detection", 40, "detection_complete"),
        ("BackgroundRemoval", 50, "background_removal_running"),
        ("BackgroundRemoval", 60, "background_removal_complete"),
        ("AvatarGeneration", 70, "did_upload"),
        ("AvatarGeneration", 75, "did_processing"),
        ("AvatarGeneration", 80, "did_complete"),
        ("Finalizing", 90, "finalizing"),
        ("Finalizing", 99, "finalizing"),
        ("Delivery", 99, "finalizing"),
        ("Delivery", 100, "completed"),
    ],
)
def test_the_seeds_names_of_the_avatar_stages(stage: str, at: int, expect: str) -> None:
    """A-003, C17."""
    assert bands.seed_name("Avatar", stage, at) == expect


def test_other_stages_have_their_own_names_in_the_seeds_spelling() -> None:
    """S-013."""
    assert bands.seed_name("Story", "SceneParsing", 5) == "scene_parsing"
    assert bands.seed_name("Story", "VideoComposition", 40) == "video_composition"
    assert bands.seed_name("Story", "AudioGeneration,ImageGeneration", 20) == "audio_generation", (
        "in parallel: the first"
    )
    assert bands.seed_name("Transcode", "Transcode", 40) == "transcode"
