"""From a script or a list of scenes to a manifest (S-002, S-005, S-016 to S-020, S-027, S-067, C3, C4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from videojob_api.story.params import StoryParams
from videojob_api.story.scenes import SceneManifest
from videojob_worker.base.errors import Permanent
from videojob_worker.text.japanese import kana, number, phrases
from videojob_worker.text.parsing import parse
from videojob_worker.text.pieces import pieces

FIVE = "One two three four five. "


def story(script: str | None = None, **more: Any) -> SceneManifest:
    values = {"script": {"text": script}} if script is not None else {}
    return parse(StoryParams.model_validate(values | more), script)


def test_s_016_a_script_becomes_scenes_with_times() -> None:
    found = story(FIVE * 3, title="A title")
    assert [scene.text for scene in found.scenes] == ["One two three four five."] * 3
    assert [(scene.index, scene.id, scene.start_frame, scene.frames) for scene in found.scenes] == [
        (0, "s001", 0, 60), (1, "s002", 60, 60), (2, "s003", 120, 60),
    ]  # fmt: skip
    assert (found.title, found.width, found.height, found.fps, found.duration_ms) == ("A title", 1080, 1920, 30, 6000)
    assert {scene.basis for scene in found.scenes} == {"words"}


@pytest.mark.parametrize("title", ["", "   "])
def test_s_005_a_story_without_a_title(title: str) -> None:
    assert story(FIVE, title=title).title == "Untitled Story"


def test_s_019_an_explicit_list_overrides_the_splitter() -> None:
    found = story(
        scenes=[
            {"id": "intro", "text": "word " * 60},
            {"durationMs": 1500, "effects": ["ken_burns"], "transition": {"kind": "wipe"}},
            {},
        ]
    )
    assert [scene.id for scene in found.scenes] == ["intro", "s002", "s003"]
    assert [scene.frames for scene in found.scenes] == [24 * 30, 45, 150]
    assert [scene.basis for scene in found.scenes] == ["words", "given", "default"]
    assert found.scenes[1].effects == ("ken_burns",)
    assert found.scenes[0].effects == ("fade_in", "fade_out")
    assert (found.scenes[1].tail.kind, found.scenes[2].head.kind) == ("wipe", "wipe")


def test_s_067_scenes_are_moved_and_left_out_by_editing_the_list() -> None:
    scenes = [{"id": name, "text": FIVE} for name in ("a", "b", "c")]
    found = story(scenes=[scenes[2], scenes[0]])
    assert [(scene.id, scene.index, scene.start_frame) for scene in found.scenes] == [("c", 0, 0), ("a", 1, 60)]


def test_s_022_each_scene_bears_its_own_text() -> None:
    found = story(FIVE, text={"content": "-", "position": "center", "size": 60})
    overlay = found.scenes[0].overlays[0]
    assert (overlay.content, overlay.position, overlay.size) == (FIVE.strip(), "center", 60)
    assert story(FIVE).scenes[0].overlays == ()


def test_s_002_a_target_is_met_by_pauses_and_rate_and_what_is_missed_is_said() -> None:
    met, missed = story(FIVE * 10, targetDurationMs=24_000), story(FIVE, targetDurationMs=60_000)
    assert (met.rate_percent, met.pause_ms, met.notes) == (100, 400, ())
    assert missed.rate_percent == 80
    assert "the target of 60.0 s cannot be met" in missed.notes[0]


def test_s_027_a_story_too_long_for_its_platform_says_so() -> None:
    found = story(FIVE * 40, platform="youtube_shorts")
    assert (found.width, found.height) == (1080, 1920)
    assert found.notes == (
        "the story lasts 80.0 s, YouTube Shorts takes 60 s (as of 2025-11-04): shorten the script or set story.targetDuration",
    )


@dataclass(frozen=True)
class Refused:
    """A story that cannot be made, and why."""

    name: str
    values: dict[str, Any]
    script: str | None
    text: str


@pytest.mark.parametrize(
    "case",
    [
        Refused("nothing to read", {}, "[pause]\n\n---", "the script has no words to read"),
        Refused("an empty script", {}, "", "the script has no words to read"),
        Refused("too much", {}, FIVE * 501, "the script makes 501 scenes, 500 are the most"),
        Refused("an unknown platform", {"platform": "myspace"}, FIVE, "unknown platform myspace; known: facebook"),
    ],
    ids=lambda case: case.name,
)
def test_s_003_and_s_071_what_cannot_be_made_is_a_scene_generation_error(case: Refused) -> None:
    with pytest.raises(Permanent, match=case.text) as caught:
        story(case.script, **case.values)
    assert caught.value.code == "SceneGenerationError"
    assert caught.value.hint


# ---------------------------------------------------------------- words, and Japanese


@pytest.mark.parametrize(
    ("text", "language", "expect"),
    [
        ("Hello, world - yes!", "en", [("Hello,", "Hello,"), ("world -", "world"), ("yes!", "yes!")]),
        ("😀 Good 👍 day", "en", [("😀 Good 👍", "Good"), ("day", "day")]),
        ("*Very* good", "en", [("*Very*", "Very"), ("good", "good")]),
        ("昔々、山へ行った。", "ja", [("昔々、", "むかしむかし、"), ("山へ", "やまえ"), ("行った。", "いった。")]),
        ("你好，世界", "zh", [("你", "你"), ("好，", "好，"), ("世", "世"), ("界", "界")]),
        ("...", "en", []),
    ],
)
def test_words_know_their_place_and_their_reading(text: str, language: str, expect: list[tuple[str, str]]) -> None:
    found = pieces(text, language)
    assert [(piece.text, piece.reading) for piece in found] == expect
    assert all(text[piece.begin : piece.end] == piece.text for piece in found)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("彼は東京へ行った。", "かれわとうきょうえいった。"),
        ("お母さんを見た。", "おかあさんおみた。"),
        ("2024年3月5日、100円で3本買った。", "にせんにじゅうよねんさんがついつか、ひゃくえんでさんぼんかった。"),
        ("10分待った。4時20分に1人来た。", "じゅっぷんまった。よじにじゅっぷんにひとりきた。"),
        ("3,776メートル、3.5%、007", "さんぜんななひゃくななじゅうろくめーとる、さんてんごぱーせんと、ぜろぜろなな"),
        ("AIの時代", "えーあいのじだい"),
        ("カメラで撮る。", "かめらでとる。"),
        ("むかしむかし", "むかしむかし"),
    ],
)
def test_japanese_in_kana(text: str, expect: str) -> None:
    assert kana(text).replace("％", "%") == expect


def test_japanese_phrases_cover_the_text_in_order() -> None:
    text = "「お母さん！」と彼女は2回叫んだ。 そして、3人で学校へ行った。"
    at = 0
    for phrase in phrases(text):
        assert text[at : phrase.begin].strip("「 ") == ""
        at = phrase.end
    assert text[at:] == ""


@pytest.mark.parametrize(
    ("value", "expect"),
    [
        (0, "ぜろ"), (10, "じゅう"), (300, "さんびゃく"), (600, "ろっぴゃく"), (1000, "せん"), (3000, "さんぜん"),
        (8888, "はっせんはっぴゃくはちじゅうはち"),
        (10_000, "いちまん"), (10_001_000, "いっせんまんせん"), (100_000_000, "いちおく"),
    ],
)  # fmt: skip
def test_japanese_numbers(value: int, expect: str) -> None:
    assert number(value) == expect
