"""The exact commands of pieces and joins: one thread, closed groups, bounds for what strangers made."""

from __future__ import annotations

from pathlib import Path

from stories import film, manifest, plain, scene, spoken
from videojob_api.story import platforms
from videojob_api.story.looks import Captions, Transition, TransitionKind
from videojob_api.story.looks import Encoding as Asked
from videojob_api.story.params import Script, StoryParams
from videojob_api.story.segments import Segment
from videojob_worker.compose import encoding
from videojob_worker.compose.encoding import Encoding
from videojob_worker.compose.fonts import FontBook


def after(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_qualities_and_compression_options() -> None:
    """S-024, S-058, S-059, C2: the quality's values unless the user's own stand."""

    def code(**asked: object) -> Encoding:
        params = StoryParams(script=Script(text="x"), encoding=Asked.model_validate(asked))
        return Encoding.of(params.encoding, (1080, 1920), 30, "7")

    assert (code().crf, code().maxrate, code().preset) == (23, "8000k", "superfast")
    assert (code(quality="Draft").crf, code(quality="Draft").maxrate) == (28, "2000k")
    assert (code(quality="High").crf, code(quality="High").preset) == (18, "superfast")
    assert code(quality="High", crf=30, maxrate="900k", preset="veryfast") == Encoding(
        30, "900k", "veryfast", 1080, 1920, 30, "7"
    )


def test_s_025_a_draft_is_what_the_compositor_made_by_default() -> None:
    """1920x1080, 30 frames a second, H.264, AAC, at most 2M."""
    params = StoryParams(script=Script(text="x"), encoding=Asked(quality="Draft"), aspect_ratio="16:9")
    size, code = platforms.size(params), Encoding.of(params.encoding, platforms.size(params), params.fps)
    assert (size, params.fps, code.maxrate) == ((1920, 1080), 30, "2000k")
    assert encoding.options(code)["maxrate"] == "2000k"
    assert after(encoding.sound("ffmpeg", Path("/a.wav"), Path("/a.m4a")), "-c:a") == "aac"


def test_a_piece_is_encoded_by_one_thread_with_headers_that_join() -> None:
    code = Encoding(23, "8000k", "superfast", 1920, 1080, 25)
    assert encoding.options(code) == {
        "threads": "1", "preset": "superfast", "profile": "high", "crf": "23", "maxrate": "8000k", "bufsize": "16000k",
        "g": "100", "flags": "+bitexact+cgop",
        "x264-params": "stitchable=1:scenecut=0:bframes=2:b-pyramid=none:deadzone-inter=15:deadzone-intra=8",
        "color_range": "tv", "colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709",
    }  # fmt: skip
    assert encoding.container(code) == {"fflags": "+bitexact", "video_track_timescale": "25000"}


def test_a_list_for_the_join_survives_any_path_and_states_exact_durations() -> None:
    text = encoding.concat_list(
        [Path("/it's/a.mp4"), Path("/b.mp4")], [Segment("scene", 0, 0, 0, 31), Segment("scene", 1, 0, 31, 1)], 30
    )
    assert text == (
        "ffconcat version 1.0\nfile 'file:/it'\\''s/a.mp4'\nduration 1.033333\nfile 'file:/b.mp4'\nduration 0.033333\n"
    )


def test_what_strangers_made_is_read_within_bounds() -> None:
    """Case 66: pinned demuxer, files only, no more pixels and streams than allowed."""
    code = Encoding(23, "8000k", "superfast", 1920, 1080, 30)
    for argv in (
        encoding.music("ffmpeg", Path("/m"), "mp3", Path("/o.wav"), 3.5),
        encoding.clip("ffmpeg", Path("/m"), "mp3", code, 0, 9, Path("/p")),
    ):
        at = argv.index("-i")
        before = argv[:at]
        assert after(before, "-f") == after(before, "-format_whitelist") == "mp3"
        assert after(before, "-protocol_whitelist") == "file"
        assert {"-max_pixels", "-max_streams"} <= set(before)


def test_the_key_of_a_piece_follows_from_what_is_seen_and_by_whom_it_is_encoded(tmp_path: Path) -> None:
    """M2, S-056: position, title and sound are not seen."""
    fonts = FontBook([tmp_path])
    first, second = scene("", 30, background=plain("#111111")), scene("", 40, background=plain("#222222"))

    def keys(*scenes: object, crf: int = 12, **more: object) -> list[str]:
        found = manifest(scenes, **more)  # type: ignore[arg-type]  # scenes all the same
        return [piece.key for piece in film(found, tmp_path, crf=crf, fonts=fonts).pieces]

    one = keys(first, second)
    assert keys(second, first) == one[::-1]
    assert keys(first, second, title="Another") == one
    assert set(keys(first, second, crf=13)).isdisjoint(one)
    assert set(keys(first, second, captions=Captions(size=50))).isdisjoint(one)
    assert keys(first.model_copy(update={"frames": 31}), second)[1] == one[1]


def test_in_a_long_story_exactly_what_was_edited_is_made_again(tmp_path: Path) -> None:
    """M2: of 36 scenes in two languages, sentence 5 lengthened and picture 17 swapped; passages only where both are seen."""
    fonts = FontBook([tmp_path])

    def story(kind: TransitionKind, *, edited: bool) -> dict[str, tuple[str, int]]:
        scenes = []
        for number in range(1, 37):
            text = f"Sentence number {number}." if number % 2 else f"これは{number}番目の文です。"
            if edited and number == 5:
                text += " And it goes on."
            colour = "#ABCDEF" if edited and number == 17 else f"#{number:06X}"
            frames = 150 + (17 if edited and number == 5 else 0)
            look = {"effects": ("fade_in", "fade_out", "ken_burns"), "transition": Transition(kind=kind)}
            scenes.append(scene(text, frames, background=plain(colour), speech=spoken(text), **look))
        found = film(manifest(scenes, captions=Captions(style="karaoke")), tmp_path, fonts=fonts).pieces
        return {piece.key: (piece.segment.kind, piece.segment.scene + 1) for piece in found}

    for kind, wanted in (
        ("fade", {("scene", 5), ("scene", 17)}),
        (
            "dissolve",
            {("scene", 5), ("scene", 17), ("join", 4), ("join", 5), ("join", 16), ("join", 17)},
        ),
    ):  # fmt: skip
        before, after_ = story(kind, edited=False), story(kind, edited=True)  # type: ignore[arg-type]  # kinds of the table
        assert {after_[key] for key in after_.keys() - before.keys()} == wanted
        assert len(before) == len(after_) == (36 if kind == "fade" else 71)
