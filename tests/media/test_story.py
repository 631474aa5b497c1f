"""Stories through all stages, from documents to published files, measured in the files alone (S-007 to S-023, S-038 to S-065)."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pysubs2
import pytest
from PIL import Image

from storybench import READS, SEES, StoryBench
from videojob_api.contract import canonical_json
from videojob_api.story.scenes import SceneManifest
from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec
from videojob_operator.decide.recipes.story import story as recipe
from videojob_worker.compose import marks, picture
from village import HEIGHT, SCENES, TEXT, WIDTH, ended, heard, luma, pictured, probed, village
from workbench import wait_for


@pytest.fixture
def bench(tmp_path: Path) -> StoryBench:
    return village(tmp_path)


def onsets(manifest: SceneManifest) -> list[int]:
    return [round(scene.start_frame * 1000 / manifest.fps) for scene in manifest.scenes]


def test_s_013_the_documents_here_are_those_that_the_operator_makes() -> None:
    """What each stage reads and sees, in one pod and with its pieces as work items."""
    spec = VideoJobSpec.model_validate({"story": {"script": {"text": TEXT}}})
    for mode in ("Compact", "Spread"):
        plan = PlanStatus.model_construct(execution=mode)
        steps = {step.kind.kind: step for step in recipe(spec, plan)}
        assert list(steps) == list(READS)
        for kind, step in steps.items():
            listed = (step.items_of,) if step.items_of else ()
            assert {*step.reads, *step.sees, *listed} == {*READS[kind], *SEES.get(kind, ())}, kind


def test_a_story_is_published_as_it_was_ordered(bench: StoryBench) -> None:
    """S-016, S-020, S-022, S-023, S-029, S-030, S-042 to S-046, S-064, S-065: onsets measured from the file alone agree."""
    texts = [scene["text"] for scene in SCENES]
    document = bench.story(
        scenes=pictured(texts, effects=["ken_burns"], transition={"kind": "cut"}), title="The light", genre="mystery"
    )
    ended(bench.run("work", document))
    manifest, layout = bench.scenes(), bench.record("layout")
    done = ended(bench.run("commit", document))
    film = bench.published("video")

    # The running sum, to the frame; picture and sound end together.
    streams = {stream["codec_type"]: stream for stream in probed(film)["streams"]}
    ends = list(itertools.accumulate(scene.frames for scene in manifest.scenes))
    assert [scene.start_frame for scene in manifest.scenes] == [0, *ends[:-1]]
    assert int(streams["video"]["nb_read_packets"]) == ends[-1]
    assert float(streams["video"]["duration"]) == pytest.approx(ends[-1] / 30, abs=0.001)
    assert float(streams["audio"]["duration"]) == pytest.approx(ends[-1] / 30, abs=0.05)
    assert (streams["video"]["width"], streams["video"]["height"], streams["video"]["r_frame_rate"]) == (
        320,
        180,
        "30/1",
    )

    # Each scene's cut, first letters and first sound, from the file alone.
    frames, level = luma(film).astype(int), heard(film)
    change = np.abs(np.diff(frames[:, :100], axis=0)).mean(axis=(1, 2))
    cuts = sorted(int(at) + 1 for at in np.argsort(change)[-(len(manifest.scenes) - 1) :])
    assert cuts == ends[:-1]
    letters = (frames[:, 120:] > 180).sum(axis=(1, 2)) > 15
    for start, scene in zip(onsets(manifest), manifest.scenes, strict=True):
        first = scene.start_frame + int(np.argmax(letters[scene.start_frame :]))
        sounds = start + int(np.argmax(level[start : start + 1000] > 500))
        assert abs(first * 1000 / 30 - start) <= 100, scene.id
        assert abs(sounds - start) <= 100, scene.id

    # The sidecar says what is said, when it is said.
    subtitles = pysubs2.load(str(bench.published("captions-srt")))
    assert " ".join(line.plaintext.replace("\n", " ") for line in subtitles) == " ".join(text.strip() for text in texts)
    for start in onsets(manifest):
        assert min(abs(line.start - start) for line in subtitles) <= 100
    assert bench.published("captions-vtt").read_text().startswith("WEBVTT")

    # The still picture is the frame at 2 s, below it a bar with the title.
    with Image.open(bench.published("thumbnail")) as still:
        grey = np.asarray(still.convert("L")).astype(int)
    assert grey.shape == (HEIGHT, WIDTH)
    assert np.abs(grey[:100] - frames[60][:100]).mean() < 12
    assert (grey[150:] > 200).any()
    assert np.median(grey[150:]) < 40

    # What is said about it, and what it says of itself.
    said = bench.metadata()
    assert said["title"] == "The light"
    assert said["description"] == " ".join(text.strip() for text in texts[:2])
    assert said["tags"][0] == "mystery"
    assert said["hashtags"] == ["#mystery", "#storytelling", "#shortfilm", "#aiart", "#creative"]
    assert said["duration"] == pytest.approx(ends[-1] / 30, abs=0.002)
    assert said["format"] | {"file_size": 0} == {
        "resolution": "320x180", "aspect_ratio": "16:9", "codec": "h264", "fps": 30, "file_size": 0,
    }  # fmt: skip
    assert said["format"]["file_size"] == film.stat().st_size
    assert said["source"] == "story_generator"
    assert marks.read(film) == marks.read(bench.published("thumbnail")) == marks.COMPOSITE
    outputs = {output.name: output for output in bench.manifest().outputs}
    assert list(outputs) == ["video", "captions-srt", "captions-vtt", "thumbnail", "metadata"]
    assert outputs["video"].synthetic == "compositeSynthetic"
    for output in outputs.values():
        data = (bench.job / output.path).read_bytes()
        assert (output.size_bytes, output.sha256) == (len(data), hashlib.sha256(data).hexdigest())

    # What status is told.
    (result,) = done.stages
    assert result.story is not None
    assert result.files == bench.manifest().outputs
    assert (result.story.scenes, result.story.pieces, result.story.pieces_made) == (3, 3, 3)
    assert result.story.narrator == "offline (flite:slt)"
    assert layout.story is not None
    assert layout.story.duration_ms == manifest.duration_ms == result.story.duration_ms
    assert not (bench.job / "processed").exists()


def test_a_thumbnail_bears_no_letters_of_captions(bench: StoryBench) -> None:
    """S-042, S-043: burnt words stand in the film's frame at that moment, and nothing but the picture in the thumbnail."""
    asked = {"scenes": pictured(["The lighthouse had been dark for thirty long years."], effects=["ken_burns"])}
    ended(bench.whole(**asked, thumbnail={"atMs": 1500, "titleOverlay": False}, captions={"size": 90}))
    frame = luma(bench.published("video"))[45].astype(int)
    with Image.open(bench.published("thumbnail")) as still:
        grey = np.asarray(still.convert("L")).astype(int)
    assert (frame[100:] > 200).sum() > 200
    assert (grey > 140).sum() == 0
    letters = np.abs(frame - grey) > 40
    assert letters[100:].sum() > 200
    assert np.abs(frame[:90] - grey[:90]).mean() < 4


def test_a_commit_that_is_repeated_changes_nothing(bench: StoryBench) -> None:
    document = bench.story(scenes=[{"text": "One night."}])
    ended(bench.run("work", document))
    ended(bench.run("commit", document))
    before = (bench.job / "manifest.json").read_bytes()
    again = ended(bench.run("commit", document))
    assert (again.stages[0].reused, (bench.job / "manifest.json").read_bytes()) == (True, before)
    other = ended(bench.run("work", bench.story(scenes=[{"text": "Another night."}])))
    assert other.exit_code == 0
    refused = bench.run("commit", bench.story(scenes=[{"text": "Another night."}]))
    assert refused.failure is not None
    assert refused.failure.code == "ManifestConflict"


def test_m2_one_edited_sentence_is_one_new_piece(bench: StoryBench) -> None:
    """S-056: another VideoJob of the namespace makes the edited scene alone; all other pieces are the same bytes."""
    texts = [scene["text"] for scene in SCENES]
    document = bench.story(scenes=pictured(texts))
    ended(bench.run("work", document))
    first, order = bench.pieces(), bench.piece_keys()
    ended(bench.run("commit", document))
    texts[1] = "Nobody at all in the village ever spoke of it again."
    second = StoryBench(bench.root, "edited")
    ended(second.run("work", second.story(scenes=pictured(texts))))
    again, now = second.pieces(), second.piece_keys()
    assert [a == b for a, b in zip(order, now, strict=True)] == [True, False, True]
    assert all(first[key] == again[key] for key in order if key in now)
    made = second.record("compose").story
    assert made is not None
    assert (made.pieces, made.pieces_made) == (3, 1)
    (told,) = (second.job / "debug/main-a1/compose.pieces.txt").read_text().splitlines()
    assert told.startswith(f"{now[1]}.mp4: scene s002, ")
    assert "libx264 (PyAV " in told
    assert "crf=28" in told
    published = ended(second.run("commit", second.story(scenes=pictured(texts)))).stages[0].story
    assert published is not None
    assert published.pieces_made == 1
    frames = round(second.metadata()["duration"] * 30)
    assert int(probed(second.published("video"))["streams"][0]["nb_read_packets"]) == frames


def test_m2_pictures_are_not_looked_at_again_whose_pieces_the_namespace_has(
    bench: StoryBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-055: they were drawn from these very bytes. A new one is looked at."""
    texts = [scene["text"] for scene in SCENES]
    ended(bench.whole(scenes=pictured(texts)))
    looked: list[str] = []
    read = picture.read

    def reading(path: Path, **how: Any) -> Any:
        looked.append(hashlib.sha256(path.read_bytes()).hexdigest())
        return read(path, **how)

    monkeypatch.setattr(picture, "read", reading)
    second, asked = StoryBench(bench.root, "edited"), pictured(texts)
    new = bench.root / "stock/p3.png"
    asked[1]["image"] = {"uri": "store://stock/p3.png"}
    assert second.here(second.only(second.story(scenes=asked), "scenes", "audio", "images", "layout")) == 0
    assert looked == [hashlib.sha256(new.read_bytes()).hexdigest()]


def test_m2_a_piece_that_is_spoilt_in_the_cache_is_drawn_behind_the_new_one(bench: StoryBench) -> None:
    """S-056: its record is there and its bytes are not; what comes out is as if the cache had not had it."""
    texts = [scene["text"] for scene in SCENES]
    document = bench.story(scenes=pictured(texts))
    ended(bench.run("work", document))
    key = bench.piece_keys()[0]
    ended(bench.run("commit", document))
    (spoilt,) = bench.root.rglob(f"piece/{key}/{key}.mp4")
    good = spoilt.read_bytes()
    spoilt.write_bytes(bytes(len(good)))
    texts[1] = "Nobody at all in the village ever spoke of it again."
    second = StoryBench(bench.root, "edited")
    ended(second.run("work", second.story(scenes=pictured(texts))))
    assert second.record("compose").message == "2 of 3 pieces drawn"
    made = second.record("compose").story
    assert made is not None
    assert made.pieces_made == 2
    assert second.pieces()[key] == good


def test_m2_the_thumbnail_is_drawn_anew_where_its_frame_or_its_title_has_changed(bench: StoryBench) -> None:
    """S-042, S-056: of the first scene; another sentence later leaves it the same bytes, which another VideoJob has drawn."""
    texts, early = [scene["text"] for scene in SCENES], {"thumbnail": {"atMs": 500}}
    first = bench.whole(scenes=pictured(texts), title="The lamp", **early)
    ended(first)
    drawn = bench.published("thumbnail").read_bytes()
    changes: dict[str, dict[str, Any]] = {
        "later": {"scenes": pictured([*texts[:-1], "Nobody ever spoke of it again."]), "title": "The lamp"},
        "title": {"scenes": pictured(texts), "title": "The tower"},
        "frame": {"scenes": pictured(texts, effects=["ken_burns"]), "title": "The lamp"},
    }
    for name, change in changes.items():
        other = StoryBench(bench.root, name)
        ended(other.run("work", other.story(**change, **early)))
        found = other.record("thumbnail")
        assert found.cached == (name == "later"), name
        path = other.folder("thumbnail") / found.files[0].path
        assert (path.read_bytes() == drawn) == (name == "later"), name


def test_m2_where_two_scenes_are_seen_at_once_the_passages_are_renewed_too(bench: StoryBench) -> None:
    """S-020: five pieces of three scenes; the passages take no time of their own."""
    texts = [scene["text"] for scene in SCENES]
    into = {"transition": {"kind": "dissolve", "durationMs": 400}}
    document = bench.story(scenes=pictured(texts, **into))
    ended(bench.run("work", document))
    order = bench.piece_keys()
    ended(bench.run("commit", document))
    texts[1] = "Nobody at all in the village ever spoke of it again."
    second = StoryBench(bench.root, "edited")
    ended(second.run("work", second.story(scenes=pictured(texts, **into))))
    assert [a == b for a, b in zip(order, second.piece_keys(), strict=True)] == [True, False, False, False, True]
    assert second.record("compose").message == "3 of 5 pieces drawn"
    film = second.folder("join") / "video.mp4"
    assert int(probed(film)["streams"][0]["nb_read_packets"]) == second.scenes().total_frames


def test_another_picture_leaves_the_sound_as_it_is(bench: StoryBench) -> None:
    texts = [scene["text"] for scene in SCENES[:2]]
    ended(bench.whole(scenes=pictured(texts)))
    second = StoryBench(bench.root, "edited")
    swapped = pictured(texts)
    swapped[1]["image"] = {"uri": "store://stock/p3.png"}
    ended(second.run("work", second.story(scenes=swapped)))
    commands = (second.job / "debug/main-a1/join.commands.txt").read_text()
    assert "aac" not in commands
    assert second.record("join").message == f"{second.scenes().duration_ms / 1000:.1f} s of 2 pieces, 1 of them new"


def test_s_056_a_file_that_was_replaced_under_its_name_is_another_picture(bench: StoryBench) -> None:
    """S-055: named by a scene, or found by its words: what lies in the stock now is seen, whatever the cache has of before."""
    texts = [scene["text"] for scene in SCENES[:2]]
    (bench.root / "stock/village.png").write_bytes((bench.root / "stock/p1.png").read_bytes())
    scenes = [*pictured(texts[:1]), {"text": texts[1]}]
    asked: dict[str, Any] = {
        "scenes": scenes,
        "images": {"providers": [{"name": "files"}]},
        "captions": {"style": "none"},
    }
    ended(bench.whole(**asked))
    before = bench.manifest().pieces
    for name, other in (("p0.png", "p2.png"), ("village.png", "p3.png")):
        path, data = bench.root / "stock" / name, (bench.root / "stock" / other).read_bytes()
        kept = path.stat()
        path.write_bytes(data)
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        again = StoryBench(bench.root, f"after {name}")
        ended(again.whole(**asked))
        after = again.manifest().pieces
        changed = [a.sha256 != b.sha256 for a, b in zip(before, after, strict=True)]
        assert changed == [piece.made for piece in after] == [name == "p0.png", name == "village.png"]
        before = after


# ---------------------------------------------------------------- work items


def test_a_killed_item_repeats_alone(bench: StoryBench) -> None:
    """Each piece a work item of its own, as in an Indexed Job: one is killed while it is drawn, the others stay as they are."""
    whole = bench.story(spread=True, scenes=pictured([scene["text"] for scene in SCENES], durationMs=6000))
    ended(bench.run("work", bench.only(whole, "scenes", "audio", "images", "layout")))
    whole = bench.listed(whole)
    compose = bench.only(whole, "compose", indexes="0-2")
    for index in ("0", "2"):
        ended(bench.run("work", compose, JOB_COMPLETION_INDEX=index))
    before = bench.pieces()
    assert set(before) == {key for place, key in enumerate(bench.piece_keys()) if place != 1}

    doomed = bench.start("work", compose, JOB_COMPLETION_INDEX="1")
    wait_for(doomed.stdout, lambda record: record.get("message") == "encoding")
    doomed.kill()
    doomed.wait()
    assert set(bench.pieces()) == set(before)

    left = bench.only(whole, "compose", indexes="1", attempt=2)
    again = ended(bench.run("work", left, JOB_COMPLETION_INDEX="0"))
    assert (again.index, again.stages[0].reused) == (1, False)
    after = bench.pieces()
    assert {key: after[key] for key in before} == before
    assert set(after) == set(bench.piece_keys())

    ended(bench.run("work", bench.only(whole, "join")))
    ended(bench.run("work", bench.only(whole, "thumbnail")))
    joined = bench.record("join")
    assert joined.story is not None
    assert (joined.story.pieces, joined.story.pieces_made) == (3, 3)
    ended(bench.run("commit", bench.only(whole, "finalize")))
    assert int(probed(bench.published("video"))["streams"][0]["nb_read_packets"]) == 3 * 180

    # Another VideoJob's work item takes the piece from where it was kept.
    second = StoryBench(bench.root, "again")
    whole = second.story(spread=True, scenes=pictured([scene["text"] for scene in SCENES], durationMs=6000))
    ended(second.run("work", second.only(whole, "scenes", "audio", "images", "layout")))
    item = second.only(second.listed(whole), "compose", indexes="0-2")
    taken = ended(second.run("work", item, JOB_COMPLETION_INDEX="2"))
    assert (taken.index, taken.stages[0].cached) == (2, True)
    assert second.pieces() == {second.piece_keys()[2]: after[second.piece_keys()[2]]}


@pytest.mark.parametrize("spread", [False, True], ids=["one pod", "work items"])
def test_s_056_a_redrive_from_the_composition_takes_no_piece_that_was_kept(bench: StoryBench, spread: bool) -> None:
    """Drawn again, whatever the namespace's cache, the job's folder or an ended attempt has; what was before it is taken up."""
    story = {"scenes": pictured([scene["text"] for scene in SCENES])}
    ended(bench.whole(**story))
    second = StoryBench(bench.root, "again")
    document = second.story(spread=spread, **story)
    if spread:
        ended(second.run("work", second.only(document, "scenes", "audio", "images", "layout")))
        ended(second.run("work", second.only(second.listed(document), "compose")))
    else:
        ended(second.run("work", document))
        assert second.record("compose").message == "0 of 3 pieces drawn"
    pieces, earlier = second.pieces(), second.job / f"processed/compose/.{second.keys['compose']}.pieces"
    earlier.mkdir()
    redriven = second.story(2, spread=spread, anew="compose", **story)
    if spread:
        done = ended(second.run("work", second.only(second.listed(redriven), "compose")))
        assert (done.stages[0].reused, done.stages[0].cached) == (False, False)
        assert len(list((second.job / "processed/compose").glob("[0-9a-f]*/*.mp4"))) == 6
    else:
        done = ended(second.run("work", redriven))
        assert [stage.kind for stage in done.stages if stage.reused] == ["scenes", "audio", "images", "layout"]
        assert second.record("compose").message == "3 of 3 pieces drawn"
        assert "aac" in (second.job / "debug/main-a2/join.commands.txt").read_text()
    drawn = (second.job / "debug").glob("*-a2/compose.pieces.txt")
    assert sum(len(path.read_text().splitlines()) for path in drawn) == 3
    assert second.pieces() == pieces, "the same frames are the same bytes"


def test_a_redrive_from_the_narration_speaks_again(bench: StoryBench) -> None:
    """S-034: no sentence that was kept is taken; its own retries take what it has spoken."""
    story = {"scenes": [{"text": "One night."}], "captions": {"style": "none"}}
    document = bench.story(**story)
    ended(bench.run("work", bench.only(document, "scenes", "audio")))
    kept = set((bench.job / "processed/voice").iterdir())
    redriven = bench.story(2, anew="audio", **story)
    ended(bench.run("work", bench.only(redriven, "audio")))
    again = set((bench.job / "processed/voice").iterdir())
    assert (len(kept), len(again)) == (1, 2)
    shutil.rmtree(bench.folder("audio"))
    ended(bench.run("work", bench.only(redriven | {"attempt": 3}, "audio")))
    assert set((bench.job / "processed/voice").iterdir()) == again


def test_an_attempt_that_is_ended_leaves_its_whole_pieces_to_the_next(bench: StoryBench) -> None:
    """In one pod: what was drawn when the pod was killed is taken up; a piece that is not whole is drawn anew."""
    story = {"scenes": pictured([scene["text"] for scene in SCENES])}
    document = bench.story(**story)
    ended(bench.run("work", document))
    pieces, order, records = bench.pieces(), bench.piece_keys(), bench.record("compose").parts
    for kind in ("compose", "join", "thumbnail"):
        shutil.rmtree(bench.job / "processed" / kind)
    working = bench.job / f"processed/compose/.{bench.keys['compose']}.pieces"
    working.mkdir(parents=True)
    for record in records:
        if record.path != f"{order[2]}.mp4":
            (working / f"{record.path[:-4]}.json").write_bytes(canonical_json(record.dump()))
    (working / f"{order[0]}.mp4").write_bytes(pieces[order[0]])
    (working / f"{order[1]}.mp4").write_bytes(pieces[order[1]][:-2000])
    (working / f"{order[2]}.mp4").write_bytes(pieces[order[2]][:-2000])
    (working / f".{order[2]}.mp4.part").write_bytes(b"x")
    earlier = working.with_name(f".{'0' * 32}.pieces")  # of another redrive
    earlier.mkdir()
    (earlier / f"{order[1]}.mp4").write_bytes(pieces[order[1]])
    ended(bench.run("work", bench.story(2, **story)))
    assert bench.record("compose").message == "2 of 3 pieces drawn"
    assert bench.pieces() == pieces
    assert not list(working.parent.glob(".*"))
