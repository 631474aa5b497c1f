"""Variants, templates, previews, and lists of scenes that were trimmed and turned round: what is made, and what is not again."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from stories import texture
from storybench import StoryBench
from videojob_api.contract import RunResult
from videojob_api.story.variants import scenes_file
from videojob_cli.collecting import Ended
from videojob_cli.run import run

SCENES = [
    {"text": "There was an old well.", "image": {"uri": "store://stock/p0.png"}},
    {"text": "One summer it sang.", "image": {"uri": "store://stock/p1.png"}},
    {"text": "Nobody knew why.", "image": {"uri": "store://stock/p2.png"}},
]
GERMAN = ["Es war einmal ein Brunnen.", "In einem Sommer sang er.", "Niemand wusste, warum."]
SQUARE = {"name": "square", "aspectRatio": "1:1"}
DE = {"name": "de", "language": "de", "title": "Der Brunnen", "texts": GERMAN}
B = {"name": "b", "thumbnail": {"atMs": 4000, "title": "It sings!"}}


@pytest.fixture
def bench(tmp_path: Path) -> StoryBench:
    """A store with a picture for each scene."""
    found = StoryBench(tmp_path)
    for number in range(3):
        texture(320, 180, number).save(tmp_path / "stock" / f"p{number}.png")
    return found


def ended(result: RunResult) -> RunResult:
    assert result.exit_code == 0, result.failure
    return result


def streams(path: Path) -> dict[str, dict[str, Any]]:
    argv = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-count_packets", str(path)]
    found = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return {stream["codec_type"]: stream for stream in found["streams"]}


def sound(path: Path) -> bytes:
    argv = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a", "-f", "s16le", "-"]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def kept(bench: StoryBench, kind: str) -> int:
    """Sentences, sounds or pieces that a job has made and kept by their content."""
    return len(list((bench.job / "processed" / kind).glob("[0-9a-f]*")))


def drawn(bench: StoryBench) -> int:
    """How many pieces were encoded."""
    told = (bench.job / "debug/main-a1/compose.pieces.txt").read_text().splitlines()
    return sum("libx264" in line for line in told)


def test_variants_are_films_of_one_story_and_share_what_they_have_in_common(bench: StoryBench) -> None:
    """S-067: another shape has the same voice and sound, another language the same pictures, another thumbnail no encode."""
    document = bench.story(scenes=SCENES, title="The Well", transition={"kind": "cut"}, variants=[SQUARE, DE, B])
    ended(bench.run("work", document))
    assert kept(bench, "voice") == 6, "three sentences in each language"
    assert kept(bench, "sound") == 2, "the square film has the sound of the upright one"
    assert drawn(bench) == len(bench.pieces()) == 9
    told = {
        name: json.loads((bench.folder("layout") / scenes_file(name)).read_bytes())["scenes"] for name in ("", "de")
    }
    pictures = [[scene["background"]["file"]["sha256"] for scene in scenes] for scenes in told.values()]
    assert pictures[0] == pictures[1], "the same pictures behind other words"
    assert len(set(pictures[0])) == 3
    ended(bench.run("commit", document))
    story = bench.manifest().story
    assert story is not None
    assert [(one.name, one.title, one.language) for one in story.variants or ()] == [
        ("square", "The Well", "en"), ("de", "Der Brunnen", "de"),
    ]  # fmt: skip
    films = {name: streams(bench.published(name)) for name in ("video", "video-square", "video-de")}
    sizes = {name: (found["video"]["width"], found["video"]["height"]) for name, found in films.items()}
    assert sizes == {"video": (320, 180), "video-square": (1080, 1080), "video-de": (320, 180)}
    for found in films.values():
        assert abs(float(found["video"]["duration"]) - float(found["audio"]["duration"])) < 0.05
    assert (
        sound(bench.published("video")) == sound(bench.published("video-square")) != sound(bench.published("video-de"))
    )
    assert "Brunnen" in bench.published("captions-srt-de").read_text()
    said = json.loads(bench.published("metadata-de").read_bytes())
    assert (said["title"], said["description"]) == ("Der Brunnen", " ".join(GERMAN[:2]))
    own, other = (np.asarray(Image.open(bench.published(name))) for name in ("thumbnail", "thumbnail-b"))
    assert own.shape == other.shape
    assert np.abs(own[:100].astype(int) - other[:100]).mean() > 8, "another frame"
    assert np.abs(own[-30:].astype(int) - other[-30:]).mean() > 1, "another title"


def test_another_thumbnail_of_a_story_that_was_made_costs_no_encode(bench: StoryBench) -> None:
    """S-056, S-067: the next VideoJob of the namespace draws one frame."""
    ended(bench.whole(scenes=SCENES))
    second = StoryBench(bench.root, "again")
    document = second.story(scenes=SCENES, variants=[B])
    ended(second.run("work", document))
    assert not (second.job / "debug/main-a1/compose.pieces.txt").exists()
    assert kept(second, "voice") == 3
    assert [part.name for part in second.record("thumbnail").files] == ["thumbnail", "thumbnail-b"]


def test_takes_that_look_the_same_are_drawn_once_also_as_work_items(bench: StoryBench) -> None:
    """Two platforms of one shape: one list of pieces, each item one piece, and two films of them."""
    document = bench.story(
        spread=True, scenes=SCENES[:2], transition={"kind": "cut"}, platform="tiktok", width=None, height=None, fps=24,
        variants=[{"name": "reels", "platform": "instagram_reels"}, {"name": "de", "language": "de", "texts": GERMAN[:2]}],
    )  # fmt: skip
    ended(bench.run("work", bench.only(document, "scenes", "audio", "images", "layout")))
    keys = bench.piece_keys()
    assert len(keys) == len(set(keys)) == 4
    pieces = bench.only(bench.listed(document), "compose", indexes="0-3")
    for index in range(len(keys)):
        ended(bench.run("work", pieces, JOB_COMPLETION_INDEX=str(index)))
    rest = bench.only(bench.listed(document), "join", "thumbnail", "finalize")
    ended(bench.run("work", rest))
    ended(bench.run("commit", rest))
    films = {one.name for one in bench.manifest().outputs if one.video_codec == "h264"}
    assert films == {"video", "video-reels", "video-de"}
    both = [bench.published(name) for name in ("video", "video-reels")]
    assert sound(both[0]) == sound(both[1])
    assert json.loads(bench.published("metadata-reels").read_bytes())["validation"]["platform"] == "instagram_reels"


def test_a_list_that_was_trimmed_and_turned_round_makes_no_scene_again(bench: StoryBench) -> None:
    """S-019, S-067: leaving out and moving is editing the list; each piece goes by what is seen in it."""
    ended(bench.whole(scenes=SCENES, transition={"kind": "cut"}))
    second = StoryBench(bench.root, "shorter")
    document = second.story(scenes=[SCENES[2], SCENES[0]], transition={"kind": "cut"})
    ended(second.run("work", document))
    join = second.record("join").story
    assert join is not None
    assert (join.pieces, join.pieces_made) == (2, 0)
    manifest = second.scenes()
    assert [scene.text for scene in manifest.scenes] == [SCENES[2]["text"], SCENES[0]["text"]]
    ended(second.run("commit", document))
    told = second.published("captions-vtt").read_text()
    assert told.index("Nobody knew why") < told.index("There was an old well")
    assert "sang" not in told


def _documents(folder: Path, *bodies: tuple[str, str, dict[str, Any]]) -> Path:
    """Several YAML documents in one file."""
    path = folder / "stories.yaml"
    made = [
        {"apiVersion": "videojob.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in bodies
    ]
    path.write_text("---\n".join(yaml.safe_dump(each) for each in made))
    return path


def test_many_stories_of_one_template_are_documents_of_one_file(tmp_path: Path) -> None:
    """S-067, S-068, X-023: each by its own values; one is a preview of its voices, which publishes nothing."""
    template = {
        "blanks": [{"name": "city"}, {"name": "weather", "default": "sun"}],
        "defaults": {
            "title": "Good morning, {{city}}", "quality": "Draft", "aspectRatio": "1:1", "fps": 24,
            "script": {"text": "There is {{weather}} in {{city}}."}, "images": {"providers": [{"name": "gradient"}]},
        },
    }  # fmt: skip

    def by(city: str, **values: str) -> dict[str, Any]:
        return {"template": {"name": "morning", "values": {"city": city, **values}}}

    path = _documents(
        tmp_path,
        ("VideoProfile", "morning", {"story": template}),
        ("VideoJob", "oslo", {"story": by("Oslo", weather="snow")}),
        ("VideoJob", "rome", {"story": {**by("Rome"), "title": "Roma"}}),
        ("VideoJob", "heard", {"story": by("Bath"), "stopAfter": "AudioGeneration"}),
    )
    found: dict[str, Ended] = {one.view.name: one for one in run([path], file=None, output=tmp_path / "out")}
    assert {name: one.view.status.phase for name, one in found.items()} == dict.fromkeys(found, "Succeeded")
    for name, title, line in (
        ("oslo", "Good morning, Oslo", "There is snow in Oslo."),
        ("rome", "Roma", "There is sun in Rome."),
    ):
        assert json.loads((found[name].folder / "metadata.json").read_text())["title"] == title
        assert line in " ".join((found[name].folder / "video.srt").read_text().split())
    status = found["heard"].view.status
    assert (status.outputs, [stage.name for stage in status.stages]) == ((), ["SceneParsing", "AudioGeneration"])
    assert status.story is not None
    assert 1000 < (status.story.duration_ms or 0) < 4000
    told = json.loads((found["heard"].folder / "preview/scenes.json").read_text())
    heard = [found["heard"].folder / "preview" / scene["speech"]["file"]["path"] for scene in told["scenes"]]
    assert [path.read_bytes()[:4] for path in heard] == [b"RIFF"]
