"""Thumbnail, metadata, the mark of synthetic media, gates."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stories import manifest, scene, texture
from videojob_api.story.looks import ThumbnailParams
from videojob_api.story.params import OwnMetadata
from videojob_api.story.platforms import PLATFORMS
from videojob_worker.compose import gates, marks, measuring, metadata, thumbnail
from videojob_worker.compose.fonts import FontBook
from videojob_worker.compose.gates import Measured, Wanted
from videojob_worker.compose.measuring import Listener
from videojob_worker.compose.metadata import Facts
from videojob_worker.compose.text import Typesetter


# ---------------------------------------------------------------- thumbnail
@pytest.mark.parametrize(("duration", "moment"), [(60_000, 2000), (2001, 2000), (2000, 1000), (800, 400)])
def test_the_moment_is_two_seconds_or_the_middle(duration: int, moment: int) -> None:
    """S-042, C12."""
    assert thumbnail.moment_ms(ThumbnailParams(), duration) == moment


def test_a_thumbnail_has_the_videos_size_a_bar_and_the_real_title(tmp_path: Path) -> None:
    """S-042, S-043: 200 px of rgba(0,0,0,180) at the bottom, letters of 48 px, JPEG; marked as synthetic."""
    white = Image.new("RGB", (1080, 1920), "#FFFFFF")
    setter = Typesetter(FontBook([tmp_path]))
    story, target = manifest([scene("", 30)], size=(1080, 1920)), tmp_path / "t.jpg"
    thumbnail.make(white, ThumbnailParams(), story, setter, target, title="The tower")
    with Image.open(target) as made:
        assert (made.format, made.size) == ("JPEG", (1080, 1920))
        pixels = np.asarray(made.convert("L"))
    assert pixels[:1716].min() > 245
    bar = pixels[1724:]
    assert abs(int(np.median(bar)) - round(255 * (255 - 180) / 255)) <= 3
    letters = np.argwhere(bar > 200)
    assert 25 <= np.ptp(letters[:, 0]) <= 55
    assert abs(letters[:, 1].mean() - 540) < 20
    assert marks.read(target) == marks.COMPOSITE


def test_another_title_is_another_picture_and_none_is_no_bar(tmp_path: Path) -> None:
    setter, story = Typesetter(FontBook([tmp_path])), manifest([scene("", 30)])
    made = []
    for title in ("One", "Two", "word " * 60, ""):
        thumbnail.make(
            texture(320, 180), ThumbnailParams(width=640, height=360), story, setter, tmp_path / "t.jpg", title=title
        )
        made.append((tmp_path / "t.jpg").read_bytes())
        assert Image.open(tmp_path / "t.jpg").size == (640, 360)
    assert len(set(made)) == 4


def test_whatever_shapes_a_thumbnail_is_in_its_name(tmp_path: Path) -> None:
    """And nothing else is: without a bar the title is no matter."""
    setter = Typesetter(FontBook([tmp_path]))

    def name(frame: str = "f", title: str = "The tower", **look: Any) -> str:
        return thumbnail.key(frame, ThumbnailParams(**look), title, "en", setter)

    others = [
        name("g"),
        name(title="The sea"),
        name(quality=80),
        name(width=640, height=360),
        name(title_overlay=False),
    ]
    assert len({name(), *others}) == 6
    assert name() == name()
    assert name(title_overlay=False) == name(title="The sea", title_overlay=False)


# ---------------------------------------------------------------- the mark
def box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), name) + data


def test_the_mark_is_a_box_behind_the_film(tmp_path: Path) -> None:
    film = tmp_path / "f.mp4"
    plain = box(b"ftyp", b"isom") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"abcd" + box(b"uuid", b"x" * 20)
    film.write_bytes(plain)
    assert marks.read(film) is None
    marks.mark(film)
    assert film.read_bytes()[: len(plain)] == plain
    assert marks.read(film) == "http://cv.iptc.org/newscodes/digitalsourcetype/compositeSynthetic"


@pytest.mark.parametrize(
    "data", [b"", b"\x00\x00\x00", box(b"mdat", b"")[:6], struct.pack(">I4s", 4, b"mdat"), b"\xff" * 64]
)
def test_what_bears_no_mark_is_read_without_harm(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    assert marks.read(tmp_path / "x") is None


def test_a_mark_that_is_cut_off_is_lost(tmp_path: Path) -> None:
    film = tmp_path / "f.mp4"
    film.write_bytes(box(b"ftyp", b"isom"))
    marks.mark(film)
    film.write_bytes(film.read_bytes()[:-10])
    assert marks.read(film) is None


# ---------------------------------------------------------------- metadata
@pytest.mark.parametrize(
    ("sentences", "text"),
    [
        (["One.", "Two.", "Three."], "One. Two."),
        ([], ""),
        (["  A\n b. "], "A b."),
        (["x" * 300], "x" * 197 + "..."),
        (["word " * 60], ("word " * 39).rstrip() + "..."),
    ],
)
def test_a_description_is_two_sentences_of_at_most_200_characters(sentences: list[str], text: str) -> None:
    """S-044."""
    assert metadata.description(sentences) == text
    assert len(metadata.description(sentences)) <= 200


def test_tags_and_hashtags_are_the_seeds() -> None:
    """S-045, S-046."""
    text = "An ancient mystery story: artifacts of discovery, journey, exploration, adventure. Storytelling!"
    found = metadata.tags(text, "sci fi")
    assert found == (
        "sci fi", "story", "adventure", "mystery", "discovery", "journey", "exploration", "ancient", "artifact",
    )  # fmt: skip
    assert metadata.hashtags("sci fi", found) == (
        "#scifi", "#story", "#adventure", "#mystery", "#discovery", "#storytelling", "#shortfilm", "#aiart", "#creative",
    )  # fmt: skip
    assert metadata.tags("history", "") == ("general",)


def test_the_document_has_every_field_of_the_seed() -> None:
    """S-044, S-029: facts as measured, not as ordered."""
    made = metadata.document(
        title="T", genre="", sentences=["One.", "Two."], facts=Facts(1080, 1920, 61_500, 123, 30), language="en",
        created_at=datetime(2026, 1, 2, tzinfo=UTC), credits_=["A", "A", "B"], synthetic=marks.COMPOSITE,
    )  # fmt: skip
    assert made == {
        "title": "T",
        "description": "One. Two.",
        "tags": ["general"],
        "hashtags": ["#general", "#storytelling", "#shortfilm", "#aiart", "#creative"],
        "duration": 61.5,
        "created_at": "2026-01-02T00:00:00+00:00",
        "format": {"resolution": "1080x1920", "aspect_ratio": "9:16", "codec": "h264", "file_size": 123, "fps": 30},
        "genre": "general",
        "language": "en",
        "source": "story_generator",
        "synthetic": marks.COMPOSITE,
        "credits": ["A", "B"],
    }


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"title": "Tonight"}, ("Tonight", "One. Two.", ["general"], ["#general", *metadata.HASHTAGS])),
        ({"description": "Come in."}, ("T", "Come in.", ["general"], ["#general", *metadata.HASHTAGS])),
        (
            {"tags": ["sea", "old lamp"]},
            ("T", "One. Two.", ["sea", "old lamp"], ["#general", "#sea", "#oldlamp", *metadata.HASHTAGS]),
        ),
        ({"hashtags": ["#sea"]}, ("T", "One. Two.", ["general"], ["#sea"])),
        ({"tags": [], "hashtags": []}, ("T", "One. Two.", [], [])),
    ],
    ids=["a title", "a description", "tags, of which hashtags are made", "hashtags", "none at all"],
)  # fmt: skip
def test_s_044_to_s_046_what_the_user_says_himself_wins(own: dict[str, Any], said: tuple[Any, ...]) -> None:
    made = metadata.document(
        title="T", genre="", sentences=["One.", "Two."], facts=Facts(1080, 1920, 61_500, 123, 30), language="en",
        created_at=datetime(2026, 1, 2, tzinfo=UTC), synthetic=marks.COMPOSITE, own=OwnMetadata.model_validate(own),
    )  # fmt: skip
    assert (made["title"], made["description"], made["tags"], made["hashtags"]) == said


# ---------------------------------------------------------------- gates
GOOD = Measured(300, 10_000, 10_021, black_ms=900, silence_ms=2000, lufs=-16.2, synthetic=marks.COMPOSITE)
WANTED = Wanted(frames=300, fps=30, narrated=True, lufs=-16.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ()),
        ({"frames": 299}, ("it has 299 pictures, 300 were ordered",)),
        ({"video_ms": 9800, "audio_ms": 9800}, ("it lasts 9800 ms, 10000 ms were ordered",)),
        ({"audio_ms": 10_100}, ("its picture ends at 10000 ms, its sound at 10100 ms",)),
        ({"black_ms": 5001}, ("it is black for 5001 of 10000 ms",)),
        ({"silence_ms": 9500}, ("it is silent for 9500 of 10021 ms",)),
        ({"synthetic": None}, ("it has lost its mark of synthetic media",)),
        ({"lufs": -22.0}, ("its loudness is -22.0 LUFS, -16.0 were ordered",)),
        ({"lufs": -70.0}, ("nothing is heard in it",)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_gate_says_what_is_wrong(change: dict[str, float | None], said: tuple[str, ...]) -> None:
    """S-064: duration, drift, black, silence, loudness, the mark."""
    assert gates.problems(WANTED, replace(GOOD, **change)) == said  # type: ignore[arg-type]


def test_a_silent_story_may_be_silent() -> None:
    quiet = replace(GOOD, silence_ms=10_000, lufs=-70.0)
    assert gates.problems(replace(WANTED, narrated=False), quiet) == ()


def test_what_the_pass_prints_is_added_up() -> None:
    listener = Listener()
    for line in (
        "frame:0    pts:0       pts_time:0",
        "lavfi.silence_start=2.25",
        "lavfi.silence_end=3",
        "lavfi.silence_end=9",
        "garbage",
    ):
        listener.feed(line)
    assert listener.silence_ms(10_000) == 750
    listener.feed("lavfi.silence_start=9.5")
    assert listener.silence_ms(10_000) == 1250


@pytest.mark.parametrize(
    ("luma", "lit_rows", "expected"),
    [(16, 0, True), (20, 0, True), (21, 0, False), (16, 1, True), (16, 2, False), (28, 0, False)],
    ids=["black", "hardly", "just not", "a line of light", "two lines of light", "a dark card"],
)
def test_a_frame_is_black_when_hardly_any_of_its_pixels_is_lit(luma: int, lit_rows: int, expected: bool) -> None:
    """S-064: at most a fiftieth of the pixels, wherever they are."""
    for rows in (slice(0, lit_rows), slice(3, 3 + lit_rows)):
        frame = np.full((60, 80), luma, np.uint8)
        frame[rows] = 235
        assert measuring.is_black(frame) is expected


@pytest.mark.parametrize(
    ("platform", "facts", "said"),
    [
        ("instagram_reels", (1080, 1920, 90_000, 104_857_600), ()),
        ("instagram_reels", (1080, 1920, 90_000, 104_857_601), ("Video exceeds Instagram file size limit",)),
        ("instagram_reels", (1080, 1920, 90_001, 1), ("Video exceeds Instagram duration limit",)),
        ("instagram_reels", (1920, 1080, 1000, 1), ("Video aspect ratio not ideal for Instagram",)),
        ("instagram_reels", (1078, 1920, 1000, 1), ()),
        ("tiktok", (1080, 1920, 180_001, 1), ("Video exceeds TikTok duration limit",)),
        ("youtube", (1920, 1080, 36_000_000, 1), ()),
    ],
)
def test_platforms_say_it_in_the_seeds_words(
    platform: str, facts: tuple[int, int, int, int], said: tuple[str, ...]
) -> None:
    """S-048, S-049, C7."""
    width, height, duration, size = facts
    assert said == gates.platform_problems(
        PLATFORMS[platform], width=width, height=height, duration_ms=duration, size_bytes=size
    )
