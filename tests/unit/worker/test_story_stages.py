"""What the stages of a story decide without running anything (S-044 to S-049, S-056, S-064; cases 63, 64)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import stages as support
from stories import manifest, scene, spoken
from videojob_api.contract import StageFile, StageResult
from videojob_api.story.looks import Music
from videojob_api.story.scenes import Background, Scene
from videojob_api.story.tasks import FinalizeParams, JoinParams
from videojob_api.v1alpha1.status import OutputStatus
from videojob_worker.base.errors import Permanent, Recoverable
from videojob_worker.media import tunes
from videojob_worker.stages import caching, finalize, join
from videojob_worker.stages.filming import marked, output
from videojob_worker.stages.kept import Kept
from videojob_worker.storage.records import STAGE_FILE, written

LONG = " ".join(f"word{number}" for number in range(12))


@dataclass(frozen=True)
class Case:
    name: str
    given: Any
    expect: Any


SOUNDS = (
    Case(
        "a narration of some seconds has its own loudness", {"scenes": [scene(LONG, speech=spoken(LONG))]}, (True, -16)
    ),
    Case("two words have none", {"scenes": [scene("Oh no", speech=spoken("Oh no"))]}, (True, None)),
    Case(
        "nor has one under music",
        {"scenes": [scene(LONG, speech=spoken(LONG))], "music": Music(uri="store://stock/a.mp3")},
        (True, None),
    ),
    Case("nobody speaks", {"scenes": [scene(LONG)]}, (False, None)),
)


@pytest.mark.parametrize("case", SOUNDS, ids=lambda case: case.name)
def test_s_064_what_a_film_is_held_against(case: Case) -> None:
    whole = manifest(**case.given)
    wanted = join.wanted(whole, JoinParams().loudness_lufs)
    assert (wanted.narrated, wanted.lufs) == case.expect
    assert wanted.frames == whole.total_frames


FORMS = {
    b"ID3\x04": "mp3", b"\xff\xfb\x90\x00": "mp3", b"OggS\x00": "ogg", b"fLaC\x00": "flac", b"RIFF\x00\x00\x00\x00WAVE": "wav",
    b"\x00\x00\x00\x20ftypM4A ": "mov", b"\x1aE\xdf\xa3": "matroska",
}  # fmt: skip


@pytest.mark.parametrize("head", FORMS, ids=lambda head: FORMS[head])
def test_music_goes_by_its_first_bytes(head: bytes, tmp_path: Path) -> None:
    (tmp_path / "tune").write_bytes(head + bytes(100))
    assert tunes.demuxer(tmp_path / "tune") == FORMS[head]


@pytest.mark.parametrize(
    "data", [b"", b"#EXTM3U\nfile:///etc/passwd", b"ffconcat version 1.0", b"\xff\xf1aac", b"RIFF0000AVI "]
)
def test_what_is_no_music_reaches_no_decoder(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "tune").write_bytes(data)
    with pytest.raises(Permanent, match="none of mp3, m4a, ogg, flac, wav") as caught:
        tunes.demuxer(tmp_path / "tune")
    assert caught.value.code == "InvalidFileType"


# ---------------------------------------------------------------- what is said about a film


def film(size: tuple[int, int] = (1080, 1920), duration_ms: int = 30_000, size_bytes: int = 1000) -> OutputStatus:
    context_free = StageFile(path="video.mp4", size_bytes=size_bytes, sha256="0" * 64)
    return OutputStatus(
        name="video", profile="story", uri="store://jobs/x/videos/video.mp4", media_type="video/mp4", width=size[0],
        height=size[1], duration_ms=duration_ms, synthetic="compositeSynthetic", **context_free.model_dump(),
    )  # fmt: skip


PLATFORMS = (
    Case("as the platform likes it", ("instagram_reels", film()), []),
    Case("no platform, no limits", (None, film((16, 1600), 10**9, 10**12)), []),
    Case(
        "everything beyond it",
        ("instagram_reels", film((1000, 300), 90_001, 104_857_601)),
        [
            "Video exceeds Instagram file size limit",
            "Video exceeds Instagram duration limit",
            "Video aspect ratio not ideal for Instagram",
        ],
    ),
    Case(
        "a minute and no more",
        ("youtube_shorts", film(duration_ms=61_000)),
        ["Video exceeds YouTube Shorts duration limit"],
    ),
)


@pytest.mark.parametrize("case", PLATFORMS, ids=lambda case: case.name)
def test_s_049_the_seeds_say_what_a_platform_would_not_take(case: Case) -> None:
    """S-047, S-048, C7."""
    name, given = case.given
    said = finalize.limits(FinalizeParams(platform=name), given)
    assert [one.message for one in said] == case.expect
    assert {one.platform for one in said} <= {name}


def test_s_044_metadata_is_of_whole_sentences_and_names_whom_to_thank() -> None:
    """A sentence that was divided while it was spoken is one again; S-045, S-046."""
    thanks = Background(kind="card", credit="Photo by Ada on Pexels")
    texts = ("The mystery of the old map,", "which nobody had read.", "A journey began.", "It ended well.")
    scenes: list[Scene] = [scene(text, background=thanks) for text in texts]
    said = finalize.described(
        FinalizeParams(platform="tiktok"), manifest(scenes, title="The map"), film(), (), "fantasy"
    )
    assert said["description"] == "The mystery of the old map, which nobody had read. A journey began."
    assert said["tags"] == ["fantasy", "mystery", "journey"]
    assert said["credits"] == ["Photo by Ada on Pexels"]
    assert (said["title"], said["genre"], said["duration"]) == ("The map", "fantasy", 30)
    assert said["validation"] == {"platform": "tiktok", "asOf": "2025-11-04", "messages": []}


def test_s_044_metadata_of_the_users_own_reach_the_file() -> None:
    own = {"title": "Tonight", "description": "Come in.", "tags": ["sea"], "hashtags": ["#sea"]}
    params = FinalizeParams.model_validate({"metadata": own})
    said = finalize.described(params, manifest([scene("A fig fell.")], title="The map"), film(), (), "fantasy")
    assert {name: said[name] for name in own} == own


def test_a_text_has_neither_size_nor_codec(tmp_path: Path) -> None:
    made = StageFile(path="video.srt", size_bytes=3, sha256="0" * 64)
    found = output(support.context(tmp_path, "one", "join"), "captions-srt", "application/x-subrip", made)
    assert (found.width, found.video_codec, found.aspect_ratio) == (None, None, None)
    assert found.uri == "store://jobs/one/videos/video.srt"


def test_a_film_without_its_mark_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"\x00\x00\x00\x08free")
    with pytest.raises(Recoverable, match="has lost its mark of synthetic media"):
        marked(tmp_path / "film.mp4", "video")


# ---------------------------------------------------------------- pieces, for other VideoJobs


def piece(folder: Path, *keys: str) -> None:
    """What compose leaves: one file for each piece, named by its key."""
    folder.mkdir(parents=True)
    parts = []
    for key in keys:
        (folder / f"{key}.mp4").write_bytes(key.encode())
        parts.append(StageFile(path=f"{key}.mp4", size_bytes=len(key), sha256=hashlib.sha256(key.encode()).hexdigest()))
    (folder / STAGE_FILE).write_bytes(written(StageResult(kind="compose", parts=tuple(parts))))


def test_s_056_pieces_are_kept_by_what_is_seen_in_them(tmp_path: Path) -> None:
    """Whether one container drew all of them or each its own."""
    context = support.context(tmp_path, kind="finalize")
    piece(tmp_path / "one/processed/compose/aaaa", "a1", "a2")
    piece(tmp_path / "one/processed/compose/bbbb", "b1")
    piece(tmp_path / "one/processed/compose/.cccc.a1.pod", "c1")
    caching.keep_parts(context)
    assert sorted(path.name for path in (tmp_path / "cache/piece").iterdir()) == ["a1", "a2", "b1"]
    folder = tmp_path / "taken"
    folder.mkdir()
    kept = Kept(support.context(tmp_path, "two", "compose"), "piece")
    assert kept.bring("a2", folder) is not None
    assert (folder / "a2.mp4").read_bytes() == b"a2"
    assert kept.bring("c1", folder) is None
    (tmp_path / "cache/piece/b1/b1.mp4").write_bytes(b"xx")
    assert kept.bring("b1", folder) is None
