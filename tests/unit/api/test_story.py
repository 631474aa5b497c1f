"""The contract of a story: durations, running sum, fits, cuts, pieces, shapes (S-017 to S-028, S-039, S-065, C3, C4, C7)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from videojob_api.story import platforms, timing
from videojob_api.story.looks import SAMPLE_RATE, Encoding, Transition
from videojob_api.story.params import SceneInput, Script, Splitting, StoryParams
from videojob_api.story.scenes import AssetRef, Background, Scene, SceneManifest, Speech, Word, frames_ms
from videojob_api.story.segments import segment_key, segments


def scene(frames: int, **more: object) -> Scene:
    given_values = {
        "text": "Some words.",
        "spoken": "Some words.",
        "id": "s",
        "basis": "words",
        "start_frame": 0,
        "index": 0,
    }
    return Scene.model_validate(given_values | {"frames": frames, "effects": ("fade_in", "fade_out")} | more)


def manifest(*scenes: Scene, fps: int = 30) -> SceneManifest:
    laid = timing.laid_out(scenes, fps, 500)
    return SceneManifest(title="T", language="en", width=1080, height=1920, fps=fps, scenes=laid)  # type: ignore[arg-type]


# ---------------------------------------------------------------- how long a scene lasts


@dataclass(frozen=True)
class Lasts:
    """A scene's text and what is known of it, and how long it lasts why."""

    name: str
    text: str
    expect: tuple[int, str]
    speech_ms: int | None = None
    given_ms: int | None = None
    silent: bool = False


LASTS = (
    Lasts("S-065, C4: measured speech and its pause", "One two three.", (3512, "speech"), speech_ms=3212),
    Lasts("S-017: 2.5 words a second", "one two three four five", (2000, "words")),
    Lasts("S-018: nothing to say", "", (5000, "default")),
    Lasts("marks are no words", "- ... !", (5000, "default")),
    Lasts("C4: a limit cuts nothing", "word " * 100, (40_000, "words")),
    Lasts("C4: nor stretches it", "word", (400, "words")),
    Lasts("S-065: speech is longer than what was given", "word", (3300, "speech"), speech_ms=3000, given_ms=2000),
    Lasts("what was given is longer", "word", (9000, "given"), speech_ms=3000, given_ms=9000),
    Lasts("a silent scene lasts as given", "", (700, "given"), given_ms=700),
    Lasts("S-039: nobody reads it", "one two three four five", (3000, "words"), silent=True),
    Lasts("S-039: the factor comes after the limits", "word " * 30, (18_000, "words"), silent=True),
    Lasts("S-039: also to the default", "", (7500, "default"), silent=True),
    Lasts("Japanese counts two signs as a word", "むかしむかしあるところに", (2400, "words")),
)


@pytest.mark.parametrize("case", LASTS, ids=lambda case: case.name)
def test_a_scene_lasts(case: Lasts) -> None:
    found = timing.scene_ms(
        case.text, Splitting(), speech_ms=case.speech_ms, pause_ms=300, given_ms=case.given_ms, silent=case.silent
    )
    assert (found.duration_ms, found.basis) == case.expect


@given(st.integers(1, 600_000), st.sampled_from([24, 25, 30, 50, 60]))
def test_s_065_whole_frames_hold_the_speech_and_sound_has_whole_samples(ms: int, fps: int) -> None:
    frames = timing.whole_frames(ms, fps)
    assert frames * 1000 >= ms * fps > (frames - 1) * 1000 or frames == 1
    assert timing.frame_samples(frames, fps) * fps == frames * SAMPLE_RATE


# ---------------------------------------------------------------- the target


@dataclass(frozen=True)
class Fits:
    """Speech, target, and what rate and pause come of it."""

    name: str
    speech_ms: tuple[int, ...]
    target_ms: int | None
    expect: tuple[int, int]
    note: str | None = None
    rate_open: bool = True


FITS = (
    Fits("S-002: no target, nothing changes", (3000, 3000), None, (100, 300)),
    Fits("S-002: pauses give way first", (3000, 3000), 7000, (100, 500)),
    Fits("S-002: then the rate slows", (3000, 3000), 10_000, (86, 1500)),
    Fits("S-002: then the rate hurries", (3000, 3000), 5600, (112, 121)),
    Fits("S-002: what is too long says so", (3000, 3000), 3000, (125, 100), "give a shorter script"),
    Fits("S-002: what is too short says so", (3000, 3000), 60_000, (80, 1500), "give a longer script"),
    Fits("S-002: recorded speech keeps its rate", (3000, 3000), 10_000, (100, 1500), "with speech at 100 %", False),
    Fits("nothing is spoken", (), 10_000, (100, 300), "give a longer script"),
)


@pytest.mark.parametrize("case", FITS, ids=lambda case: case.name)
def test_a_fit(case: Fits) -> None:
    found = timing.fit(
        case.speech_ms, 0, rate_percent=100, pause_ms=300, target_ms=case.target_ms, rate_open=case.rate_open
    )
    assert (found.rate_percent, found.pause_ms) == case.expect
    assert (case.note in found.note) if case.note and found.note else found.note == case.note


def test_s_002_limits_of_the_rate_are_those_of_what_was_asked() -> None:
    found = timing.fit((3000, 3000), 0, rate_percent=120, pause_ms=300, target_ms=3000, asked_percent=100)
    assert (found.rate_percent, found.pause_ms) == (125, 100)
    slow = timing.fit((3000, 3000), 0, rate_percent=120, pause_ms=0, target_ms=20_000, asked_percent=100)
    assert slow.rate_percent == 80


@given(st.lists(st.integers(200, 20_000), min_size=1, max_size=40), st.integers(0, 30_000), st.integers(1000, 400_000))
def test_s_002_a_fit_keeps_its_limits_and_tells_what_it_missed(speech: list[int], fixed: int, target: int) -> None:
    found = timing.fit(speech, fixed, rate_percent=100, pause_ms=300, target_ms=target)
    assert 80 <= found.rate_percent <= 125
    assert 100 <= found.pause_ms <= 1500
    assert found.note is not None or abs(found.expected_ms - target) <= max(500, target // 20)


# ---------------------------------------------------------------- where scenes stand

KINDS = ("fade", "cut", "dissolve", "slide", "wipe", "zoom")
SCENES = st.lists(st.tuples(st.integers(1, 400), st.sampled_from(KINDS), st.integers(0, 5000)), min_size=1, max_size=12)


@given(SCENES, st.sampled_from([24, 25, 30, 50, 60]))
def test_s_020_the_total_is_the_running_sum_and_pieces_leave_no_gap(
    given_scenes: list[tuple[int, str, int]], fps: int
) -> None:
    whole = manifest(
        *(scene(frames, transition={"kind": kind, "durationMs": ms}) for frames, kind, ms in given_scenes), fps=fps
    )
    assert whole.total_frames == sum(frames for frames, _, _ in given_scenes)
    at = 0
    for piece in segments(whole):
        assert piece.start_frame == at
        at += piece.frames
    assert at == whole.total_frames


def test_s_020_a_manifest_whose_starts_are_no_running_sum_is_refused() -> None:
    whole = manifest(scene(60), scene(60))
    late = (whole.scenes[0], whole.scenes[1].model_copy(update={"start_frame": 50}))
    with pytest.raises(ValidationError, match="begins at frame 50, not 60"):
        SceneManifest.model_validate(whole.model_copy(update={"scenes": late}).model_dump())


@pytest.mark.parametrize(
    ("name", "transition", "tail", "head", "pieces"),
    [
        ("S-021: fades of half a second in each scene", Transition(), ("fade", 15), ("fade", 15), 2),
        ("a longer fade takes half from either side", Transition(duration_ms=2000), ("fade", 30), ("fade", 30), 2),
        ("a cut leaves the scenes' own fades", Transition(kind="cut"), ("fade", 15), ("fade", 15), 2),
        ("a dissolve is a piece of its own", Transition(kind="dissolve"), ("dissolve", 7), ("dissolve", 8), 3),
        ("one of no length is a cut", Transition(kind="wipe", duration_ms=0), ("cut", 0), ("cut", 0), 2),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cut(name: str, transition: Transition, tail: tuple[str, int], head: tuple[str, int], pieces: int) -> None:
    whole = manifest(scene(90, transition=transition), scene(90))
    assert (whole.scenes[0].tail.kind, whole.scenes[0].tail.frames) == tail
    assert (whole.scenes[1].head.kind, whole.scenes[1].head.frames) == head
    assert len(segments(whole)) == pieces
    assert (whole.scenes[0].head.frames, whole.scenes[1].tail.frames) == (15, 15)


def keys(whole: SceneManifest) -> list[str]:
    return [segment_key(whole, piece, 1, {"crf": 23}) for piece in segments(whole)]


def test_one_longer_scene_is_one_new_piece() -> None:
    first = [scene(60 + place, text=f"scene {place}") for place in range(6)]
    second = [*first]
    second[4] = scene(200, text="scene 4, longer")
    changed = [a != b for a, b in zip(keys(manifest(*first)), keys(manifest(*second)), strict=True)]
    assert changed == [False, False, False, False, True, False]


def test_a_new_picture_renews_its_scene_and_the_joins_beside_it() -> None:
    dissolve = {"kind": "dissolve"}
    first = [scene(60, text=f"scene {place}", transition=dissolve) for place in range(4)]
    second = [*first]
    picture = Background(kind="image", file=AssetRef(stage="images", path="x.png", sha256="a" * 64))
    second[1] = scene(60, text="scene 1", transition=dissolve, background=picture)
    changed = [a != b for a, b in zip(keys(manifest(*first)), keys(manifest(*second)), strict=True)]
    assert changed == [False, True, True, True, False, False, False]


def test_another_place_in_the_story_is_no_new_piece() -> None:
    one, two, three = (scene(60, text=text) for text in ("one", "two", "three"))
    assert sorted(keys(manifest(one, two, three))) == sorted(keys(manifest(three, one, two)))


def test_the_sound_alone_renews_no_piece_but_its_words_do() -> None:
    def spoken(digest: str, end_ms: int) -> SceneManifest:
        file = AssetRef(stage="audio", path="a.wav", sha256=digest * 64)
        word = Word(text="Some", start_ms=0, end_ms=end_ms)
        return manifest(scene(60, speech=Speech(file=file, samples=48_000, provider="p", voice="v", words=(word,))))

    assert keys(spoken("a", 300)) == keys(spoken("b", 300))
    assert keys(spoken("a", 300)) != keys(spoken("a", 400))


def test_times_for_people_are_the_nearest_millisecond() -> None:
    assert [frames_ms(frames, 30) for frames in (0, 1, 2, 3, 30)] == [0, 33, 67, 100, 1000]
    file = AssetRef(stage="audio", path="a.wav", sha256="a" * 64)
    assert Speech(file=file, samples=48_001, provider="p", voice="v").duration_ms == 1001


# ---------------------------------------------------------------- shapes and what is refused


@pytest.mark.parametrize(
    ("given_values", "expect"),
    [
        ({}, (1080, 1920)),
        ({"platform": "youtube"}, (1920, 1080)),
        ({"platform": "youtube-shorts"}, (1080, 1920)),
        ({"platform": "instagram_post"}, (1080, 1080)),
        ({"platform": "youtube", "aspect_ratio": "1:1"}, (1080, 1080)),
        ({"width": 640, "height": 360}, (640, 360)),
    ],
    ids=[
        "C3: upright without a platform",
        "C3: the platform decides",
        "S-027",
        "S-028",
        "S-026: the shape asked for",
        "own",
    ],
)
def test_a_storys_size(given_values: dict[str, object], expect: tuple[int, int]) -> None:
    params = StoryParams.model_validate({"script": {"text": "x"}} | given_values)
    assert platforms.size(params) == expect


def test_s_027_limits_of_the_seeds_and_the_day_they_hold_from() -> None:
    limits = {name: row.max_duration_ms for name, row in platforms.PLATFORMS.items()}
    assert (limits["tiktok"], limits["youtube"]) == (180_000, None)
    assert (limits["youtube_shorts"], limits["instagram_reels"]) == (60_000, 90_000)
    assert platforms.PLATFORMS["instagram_reels"].max_bytes == 104_857_600
    assert all(row.as_of for row in platforms.PLATFORMS.values())


def test_an_unknown_platform_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"unknown platform myspace; known: facebook, instagram_post"):
        platforms.platform("myspace")


@pytest.mark.parametrize(
    ("width", "height", "expect"),
    [(1080, 1920, "9:16"), (608, 1080, "9:16"), (1080, 1350, "4:5"), (1920, 1080, None)],
)
def test_c7_a_shape_is_recognised_with_tolerance(width: int, height: int, expect: str | None) -> None:
    assert platforms.shape(width, height, platforms.PLATFORMS["instagram_reels"].accepts) == expect


def test_c2_qualities_and_s_059_the_users_own_values() -> None:
    rows = platforms.QUALITIES
    assert (rows["Draft"].maxrate, rows["Standard"].crf, rows["Standard"].maxrate, rows["High"].crf) == (
        "2000k", 23, "8000k", 18,
    )  # fmt: skip
    params = StoryParams(script=Script(text="x"), encoding=Encoding(quality="High", crf=0, preset="slow"))
    assert platforms.quality(params.encoding) == platforms.Quality(0, rows["High"].maxrate, "slow")


@pytest.mark.parametrize(
    ("given_values", "text"),
    [
        ({}, "exactly one of script.text, script.uri, script.configMap and scenes"),
        ({"script": {"text": "a", "uri": "store://stock/a"}}, "script has more than one of text, uri and configMap"),
        ({"script": {"text": "a"}, "scenes": [{}]}, "exactly one of"),
        ({"script": {"text": "a"}, "width": 100}, "width and height go together"),
        ({"script": {"text": "a"}, "fps": 29}, "24, 25, 30, 50 or 60"),
    ],
)
def test_s_003_what_does_not_fit_is_refused(given_values: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        StoryParams.model_validate(given_values)


def test_defaults_are_the_seeds() -> None:
    params = StoryParams(scenes=(SceneInput(),))
    assert (params.splitting.min_ms, params.splitting.max_ms, params.splitting.default_ms) == (2000, 10_000, 5000)
    assert (params.effects, params.effect_ms) == (("fade_in", "fade_out"), 500)
    assert (params.transition.kind, params.transition.duration_ms, params.fps) == ("fade", 500, 30)
    assert (params.voice.cache_seconds, params.images.cache_seconds) == (30 * 86_400, 7 * 86_400)
    assert (params.images.retries, params.images.providers[0].timeout_seconds) == (3, 30)
    assert (params.thumbnail.at_ms, params.thumbnail.quality, params.thumbnail.title_overlay) == (2000, 90, True)
