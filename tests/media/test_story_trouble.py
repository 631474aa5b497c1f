"""What can go wrong with a story: who stands in, what ends the job, what is only said (S-038 to S-041, S-048, S-049, S-064)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from programs import program
from storybench import StoryBench
from village import SCENES, ended, heard, luma, pictured, village
from webserver import WebServer, reply, serve


@pytest.fixture
def bench(tmp_path: Path) -> StoryBench:
    return village(tmp_path)


@pytest.fixture
def service() -> Any:
    with serve({}) as server:
        yield server


def pexels(server: WebServer) -> dict[str, Any]:
    return {"name": "pexels", "endpoint": server.url("/v1"), "secretName": "images", "timeoutSeconds": 5}


def test_s_038_a_provider_that_is_down_is_a_text_card_and_degraded(bench: StoryBench, service: WebServer) -> None:
    """C14: the film is finished all the same, and says why it is not what was ordered."""
    service.pages["/v1/search"] = reply(b"", "500 Internal Server Error")
    (bench.root / "secrets/images").mkdir(parents=True)
    (bench.root / "secrets/images/key").write_text("a-key-of-pexels")
    asked = {"providers": [pexels(service)], "retries": 0}
    document = bench.story(scenes=SCENES[:2], images=asked, captions={"style": "none"}, effects=[])
    worked = ended(bench.run("work", document, VIDEOJOB_SECRETS=str(bench.root / "secrets")))
    images = next(stage for stage in worked.stages if stage.kind == "images")
    assert len(images.degraded) == 1
    assert images.degraded[0].startswith(
        "scenes s001, s002: a text card stands in for a picture: pexels: pexels (127.0.0.1)"
    )
    assert "a-key-of-pexels" not in images.degraded[0]
    ended(bench.run("commit", document))
    frames = luma(bench.published("video"))
    middle = frames[len(frames) // 4].astype(int)
    assert abs(int(np.median(middle)) - 28) <= 4  # #1a1a2e
    assert (middle[60:120] > 180).sum() > 50  # the words


@pytest.mark.parametrize(
    ("status", "failure", "code"),
    [("401 Unauthorized", "Permanent", 65), ("500 Internal Server Error", "Recoverable", 75)],
)
def test_s_041_deny_ends_the_job(bench: StoryBench, service: WebServer, status: str, failure: str, code: int) -> None:
    service.pages["/v1/search"] = reply(b"", status)
    (bench.root / "secrets/images").mkdir(parents=True)
    (bench.root / "secrets/images/key").write_text("a-key-of-pexels")
    asked = {"providers": [pexels(service), {"name": "card"}], "retries": 0}
    document = bench.story(scenes=SCENES[:1], images=asked, fallback={"policy": "Deny"})
    result = bench.run("work", document, VIDEOJOB_SECRETS=str(bench.root / "secrets"))
    assert result.failure is not None
    assert (result.failure.code, result.failure.failure_class, result.exit_code, result.failure.stage) == (
        "ImageGenerationError", failure, code, "ImageGeneration",
    )  # fmt: skip


def test_a_picture_that_only_its_decoder_finds_broken(bench: StoryBench) -> None:
    """S-038, S-041: whole by its structure, nonsense inside; the layout finds out, where no credentials are."""
    data = bytearray((bench.root / "stock/p0.png").read_bytes())
    data[200:400] = bytes(200)
    (bench.root / "stock/p0.png").write_bytes(bytes(data))
    scenes = pictured(["One night.", "Another night."])
    worked = ended(bench.run("work", bench.story(scenes=scenes)))
    layout = next(stage for stage in worked.stages if stage.kind == "layout")
    assert layout.degraded[0].startswith("scene s001: a text card stands in, the picture of named cannot be used: ")
    assert [scene.background.kind for scene in bench.scenes().scenes if scene.background] == ["card", "image"]
    denied = StoryBench(bench.root, "denied")
    result = denied.run("work", denied.story(scenes=scenes, fallback={"policy": "Deny"}))
    assert result.failure is not None
    assert (result.failure.code, result.failure.stage) == ("ImageGenerationError", "SceneLayout")
    assert result.failure.message.startswith("scene s001: the picture of named cannot be used")


def test_s_039_a_story_that_nobody_reads_aloud_is_published_in_silence(bench: StoryBench) -> None:
    """S-033, S-039: longer scenes, the words as captions, no speech; the gates know that there is none."""
    document = bench.story(scenes=SCENES[:1], voice={"providers": [{"name": "silent"}]})
    ended(bench.run("work", document))
    manifest = bench.scenes()
    published = ended(bench.run("commit", document)).stages[0].story
    assert heard(bench.published("video")).max() < 10
    assert published is not None
    assert published.narrator is None
    assert published.duration_ms == manifest.duration_ms


def test_music_lies_under_the_speech(bench: StoryBench) -> None:
    """Heard before and after the words; a file that is no music ends the job, and says which field named it."""
    tone = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=330:d=1", bench.root / "stock/tune.mp3"]
    subprocess.run(tone, check=True)
    story = {
        "scenes": [{"text": "One night.", "durationMs": 5000}],
        "music": {"uri": "store://stock/tune.mp3", "fadeMs": 100},
    }
    ended(bench.whole(**story))
    level = heard(bench.published("video"))
    assert level[3500:4500].max() > 200
    broken = StoryBench(bench.root, "broken")
    (bench.root / "stock/tune.mp3").write_bytes(b"no music at all")
    result = broken.run("work", broken.story(**story))
    assert result.failure is not None
    assert (result.failure.code, result.failure.stage) == ("InvalidFileType", "VideoJoin")
    assert "story.music.uri" in str(result.failure.hint)


@pytest.mark.parametrize("policy", ["Allow", "Deny"])
def test_s_040_what_cannot_be_joined_is_tried_again_and_nothing_stands_in(bench: StoryBench, policy: str) -> None:
    """A program that fails ends the attempt, to be repeated, whatever fallbacks are allowed (S-071)."""
    real = shutil.which("ffmpeg")
    broken = program(bench.root / "bin/ffmpeg", f'case "$*" in *concat*) exit 3;; esac\nexec {real} "$@"')
    story = bench.story(scenes=SCENES[:1], fallback={"policy": policy})
    result = bench.run("work", story, FFMPEG_PATH=str(broken))
    assert result.failure is not None
    assert (result.failure.code, result.failure.failure_class, result.exit_code, result.failure.stage) == (
        "CompositionError", "Recoverable", 75, "VideoJoin",
    )  # fmt: skip
    assert not bench.folder("join").exists()
    ended(bench.run("work", bench.story(2, scenes=SCENES[:1], fallback={"policy": policy})))


def test_a_volume_that_is_full_while_pieces_are_encoded_is_said_and_leaves_nothing(bench: StoryBench) -> None:
    """No fault of the story's; with room again the same pieces are drawn."""
    story = bench.story(scenes=SCENES)
    ended(bench.run("work", bench.only(story, "scenes", "audio", "images", "layout")))
    drawing = bench.only(story, "compose")
    result = bench.run("work", drawing, ("prlimit", "--fsize=9000"))
    assert result.failure is not None
    assert (result.failure.code, result.exit_code, result.failure.stage) == ("DiskFull", 73, "VideoComposition")
    assert not bench.folder("compose").exists()
    assert not list((bench.job / "processed/compose").rglob("*.mp4*"))
    ended(bench.run("work", bench.only(bench.story(2, scenes=SCENES), "compose")))
    assert len(bench.pieces()) == 3


def test_s_049_what_a_platform_would_not_take_is_said(bench: StoryBench) -> None:
    """S-047, S-048: the film is published all the same; the seeds' words stand beside it."""
    ended(bench.whole(scenes=SCENES[:1], platform="instagram_reels"))
    video = bench.manifest().outputs[0]
    assert video.validation is not None
    assert [(one.platform, one.message) for one in video.validation] == [
        ("instagram_reels", "Video aspect ratio not ideal for Instagram")
    ]
    assert bench.metadata()["validation"]["messages"] == ["Video aspect ratio not ideal for Instagram"]


def test_s_064_a_film_that_is_not_as_ordered_is_not_published(bench: StoryBench) -> None:
    """A story in the dark: nothing leaves the stage that measures."""
    dark = [{"text": "One night.", "image": {"color": "#000000"}}]
    result = bench.run("work", bench.story(scenes=dark, captions={"style": "none"}))
    assert result.failure is not None
    assert (result.failure.code, result.failure.stage, result.exit_code) == ("VerifyFailed", "VideoJoin", 75)
    assert "it is black for" in result.failure.message
    assert not bench.folder("join").exists()
    assert not (bench.job / "videos").exists()
