"""What comes out is what the profiles say, whatever goes in; judged by ffprobe, not by the worker."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clips import Clips, turn
from videojob_api.contract import MAX_MESSAGE_BYTES, OutputPlan
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1.status import InputStatus
from videojob_api.v1alpha1.videoprofile import VideoProfileSpec
from workbench import FIVE, Workbench, plans


def probe(path: Path) -> dict[str, Any]:
    """Facts of the first video stream, and of the sound, as ffprobe sees them."""
    argv = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    facts = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    found = {stream["codec_type"]: stream for stream in facts["streams"]}
    return {**found["video"], "sound": found.get("audio"), "seconds": float(facts["format"].get("duration", 0))}


def test_five_profiles_from_one_decode(bench: Workbench, clips: Clips) -> None:
    """T-006: sizes, codecs, sound, keyframes and the index in front; T-012: logs; commit's message stays whole."""
    bench.outputs = plans(FIVE)
    result = bench.put(clips("camera"), "trailer.mp4").both()
    assert result.exit_code == 0
    assert bench.entries() == {"debug", "videos", "manifest.json"}
    assert (bench.root / "message").stat().st_size <= MAX_MESSAGE_BYTES
    files = {output.name: bench.job / output.path for output in result.stages[0].files}
    seen = {name: probe(path) for name, path in files.items()}
    assert {name: (facts["codec_name"], facts["width"], facts["height"]) for name, facts in seen.items()} == {
        "720p": ("h264", 1280, 720),
        "480p": ("h264", 854, 480),
        "360p": ("h264", 640, 360),
        "webm_720p": ("vp9", 1280, 720),
        "thumbnail": ("mjpeg", 320, 180),
    }
    sounds = {
        name: facts["sound"] and (facts["sound"]["codec_name"], facts["sound"]["channels"])
        for name, facts in seen.items()
    }
    assert sounds == {
        "720p": ("aac", 2), "480p": ("aac", 2), "360p": ("aac", 2), "webm_720p": ("opus", 2), "thumbnail": None,
    }  # fmt: skip
    assert all(abs(facts["seconds"] - 2) < 0.1 for name, facts in seen.items() if name != "thumbnail")
    assert all(facts["pix_fmt"] == "yuv420p" for name, facts in seen.items() if name != "thumbnail")
    head = files["720p"].read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")
    manifest = bench.manifest()
    assert manifest.outputs == result.stages[0].files
    assert manifest.input.filename == "trailer.mp4"
    assert manifest.tools["ffmpeg"]


def test_one_by_one_makes_the_same_bytes_with_one_encoder_at_a_time(bench: Workbench, clips: Clips) -> None:
    """Case 30: the smaller working size after all the memory an attempt may get; with one thread equal bytes are promised."""
    bench.outputs, bench.run_limits = plans(FIVE), {"threads": 1}
    bench.put(clips("camera"), "trailer.mp4")
    whole = bench.run()
    together = {output.name: output.sha256 for output in bench.recorded("transcode").files}
    assert whole.exit_code == 0
    assert len(commands(bench)) == 1
    shutil.rmtree(bench.job)
    bench.job.mkdir()
    document = bench.document()
    document["stages"][1]["workingSize"] = "OneByOne"
    small = bench.run("work", document)
    assert small.exit_code == 0
    assert {output.name: output.sha256 for output in bench.recorded("transcode").files} == together
    assert [line.count("-c:v") for line in commands(bench)] == [1] * 5
    said = [record["progress"] for record in bench.logs if record.get("progress", {}).get("stage") == "transcode"]
    percents = [sample["percent"] for sample in said]
    assert percents == sorted(percents)


def commands(bench: Workbench) -> list[str]:
    """FFmpeg's encoding commands of the attempt."""
    lines = (bench.job / "debug" / "main-a1" / "transcode.commands.txt").read_text().splitlines()
    return [line for line in lines if "-progress" in line]


def test_a_thumbnail_shows_the_asked_moment(bench: Workbench, tmp_path: Path) -> None:
    """T-006: at 10 %, from the same decode: the clip is red before and blue after one tenth."""
    red, blue = "color=red:s=320x180:r=20:d=0.2", "color=blue:s=320x180:r=20:d=1.8"
    graph = ["-f", "lavfi", "-i", red, "-f", "lavfi", "-i", blue, "-filter_complex", "[0][1]concat"]
    clip = tmp_path / "flag.mp4"
    subprocess.run(["ffmpeg", "-v", "error", *graph, str(clip)], check=True)
    bench.outputs = plans(("thumbnail",))
    result = bench.put(clip).both()
    argv = ["ffmpeg", "-v", "error", "-i", str(bench.job / result.stages[0].files[0].path), "-vf", "scale=1:1"]
    pixel = subprocess.run([*argv, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    assert pixel[0] < 60
    assert pixel[2] > 200


@dataclass(frozen=True)
class Case:
    """A clip, what ingest finds, and the shape of its 360p rendition."""

    clip: str
    container: str
    found: dict[str, Any]
    size: tuple[int, int]
    rate: str
    sound: str | None = None


CASES = (
    Case("rotated", "mp4", {"width": 180, "height": 320, "rotation": 90}, (180, 320), "30/1"),
    Case("upside-down", "mp4", {"width": 320, "height": 180, "rotation": 180}, (320, 180), "30/1"),
    Case("portrait", "mp4", {"width": 180, "height": 320, "rotation": 0}, (180, 320), "30/1"),
    Case("odd", "mp4", {"width": 323, "height": 181}, (322, 180), "30/1"),
    Case("tiny", "mp4", {"width": 16, "height": 16}, (16, 16), "30/1"),
    Case("silent", "mkv", {"audio_codec": None}, (320, 180), "30/1"),
    Case("one-frame", "mp4", {"audio_codec": None}, (320, 180), "30/1"),
    Case("ten-bit", "mkv", {"video_codec": "h264"}, (320, 180), "30/1"),
    Case("hdr", "mp4", {"video_codec": "h264"}, (320, 180), "30/1"),
    Case("surround", "mkv", {"audio_codec": "flac"}, (320, 180), "30/1", "aac"),
    Case("interlaced", "mp4", {"frame_rate": "25/1"}, (320, 240), "25/1"),
    Case("anamorphic", "mp4", {"width": 524, "height": 288}, (524, 288), "30/1"),
    Case("ntsc", "mp4", {"frame_rate": "30000/1001", "variable_frame_rate": False}, (320, 180), "30000/1001"),
    Case("variable", "mp4", {"variable_frame_rate": True}, (320, 180), "30/1", "aac"),
    Case("late-video", "mp4", {"audio_codec": "aac"}, (320, 180), "30/1", "aac"),
    Case("avi", "avi", {"video_codec": "mpeg4"}, (320, 180), "30/1", "aac"),
    Case("mov", "mov", {"video_codec": "mjpeg"}, (320, 180), "30/1"),
    Case("webm", "webm", {"video_codec": "vp8"}, (320, 180), "30/1"),
    Case("no-duration", "webm", {"duration_ms": 1000}, (320, 180), "30/1"),
    Case("half-marked-hdr", "mp4", {}, (320, 180), "30/1"),
    Case("hlg-without-matrix", "mp4", {}, (320, 180), "30/1"),
    Case("wide-colours", "mp4", {}, (320, 180), "30/1"),
    Case("recorded", "webm", {"variable_frame_rate": True}, (320, 180), "24000/1001"),
    Case("long-second-sound", "mp4", {"duration_ms": 1000}, (320, 180), "30/1", "aac"),
    Case("long-second-sound-mkv", "mkv", {}, (320, 180), "30/1", "aac"),
    Case("long-sound", "mp4", {"duration_ms": 5000}, (320, 180), "30/1", "aac"),
    Case("long-sound-live", "mkv", {}, (320, 180), "30/1", "aac"),
    Case("short-sound", "mp4", {"duration_ms": 5000}, (320, 180), "30/1", "aac"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.clip)
def test_every_kind_of_source_comes_out_right(case: Case, bench: Workbench, clips: Clips) -> None:
    """Case 67: rotation applied, uneven frames laid out, odd sizes, HDR, fields, more channels, no sound."""
    bench.outputs = plans(("360p", "thumbnail"))
    result = bench.put(clips(case.clip)).both()
    found = bench.manifest().input
    assert isinstance(found, InputStatus)
    assert found.container == case.container
    assert {key: getattr(found, key) for key in case.found} == case.found
    film, still = (bench.job / output.path for output in result.stages[0].files)
    facts = probe(film)
    assert (facts["width"], facts["height"]) == case.size
    assert facts["pix_fmt"] == "yuv420p"
    assert facts["r_frame_rate"] == case.rate
    assert not [entry for entry in facts.get("side_data_list", []) if entry.get("rotation")]
    assert (facts["sound"] or {}).get("codec_name") == case.sound
    assert facts.get("color_transfer") not in ("smpte2084", "arib-std-b67")
    assert abs(facts["seconds"] * 1000 - found.duration_ms) <= 100
    assert (probe(still)["width"], probe(still)["height"]) == (320, 180)


SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\none\n\n2\n00:00:08,000 --> 00:00:09,000\ntwo\n"


def copied(folder: Path, clip: Path, suffix: str, *arguments: str) -> Path:
    """A clip with its streams copied into another file."""
    path = folder / f"copy.{suffix}"
    argv = ["ffmpeg", "-v", "error", "-i", str(clip), *arguments, str(path)]
    subprocess.run(argv, check=True, cwd=folder)
    return path


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "mov_text"), ("mkv", "srt")])
def test_subtitles_that_outlast_the_film(
    suffix: str, codec: str, bench: Workbench, clips: Clips, tmp_path: Path
) -> None:
    """Case 67: what is not used does not count: a whole film is not called truncated."""
    (tmp_path / "s.srt").write_text(SUBTITLES)
    more = ["-i", "s.srt", "-map", "0", "-map", "1", "-c", "copy", "-c:s", codec]
    bench.put(copied(tmp_path, clips("small"), suffix, *more)).both()
    assert bench.manifest().outputs[0].duration_ms is not None
    assert abs(bench.manifest().outputs[0].duration_ms - 1000) <= 100


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_slide_show_s_last_picture_stands_for_long(
    suffix: str, bench: Workbench, clips: Clips, tmp_path: Path
) -> None:
    """Case 67: one packet that lasts six seconds. Matroska writes no duration with it."""
    long_last = ["-c", "copy", "-an", "-bsf:v", "setts=duration='if(eq(N,29),6/TB,DURATION)'"]
    slides = copied(tmp_path, clips("small"), "mp4", *long_last)
    bench.put(slides if suffix == "mp4" else copied(tmp_path, slides, suffix, "-c", "copy")).both()
    lasts = bench.manifest().outputs[0].duration_ms
    assert lasts is not None
    assert lasts > {"mp4": 6000, "mkv": 900}[suffix]


def test_a_silent_profile_of_a_source_with_longer_sound(bench: Workbench, clips: Clips) -> None:
    """Case 67: the picture alone counts where the sound is left out."""
    rendition = BUILTIN_PROFILES["360p"].rendition
    assert rendition is not None
    silent = VideoProfileSpec(rendition=rendition.model_copy(update={"audio": None}))
    bench.outputs = [OutputPlan(name="silent", profile="silent", spec=silent).dump()]
    result = bench.put(clips("long-sound")).both()
    facts = probe(bench.job / result.stages[0].files[0].path)
    assert facts["sound"] is None
    assert abs(facts["seconds"] - 1) < 0.1


def test_a_long_recording_without_a_duration(bench: Workbench, tmp_path: Path) -> None:
    """Its packets' list, 4 MiB and more, is read line by line."""
    clip = tmp_path / "live.webm"
    source = ["-f", "lavfi", "-i", "color=black:s=16x16:r=100:d=1500", "-c:v", "libvpx", "-deadline", "realtime"]
    argv = ["ffmpeg", "-v", "error", *source, "-cpu-used", "8", "-b:v", "10k", "-f", "webm", "-live", "1", str(clip)]
    subprocess.run(argv, check=True)
    bench.outputs = plans(("thumbnail",))
    bench.put(clip).run("work")
    found = bench.recorded("ingest").input
    assert found is not None
    assert found.duration_ms == 1_500_000


def test_an_upright_picture_is_turned_and_not_only_marked(bench: Workbench, tmp_path: Path) -> None:
    """T-006 on a phone's clip: what was on the left is on top after a quarter turn clockwise."""
    clip, turned = tmp_path / "a.mp4", tmp_path / "b.mp4"
    sides = "color=white:s=160x180:d=0.5[a];color=black:s=160x180:d=0.5[b];[a][b]hstack"
    subprocess.run(["ffmpeg", "-v", "error", "-filter_complex", sides, str(clip)], check=True)
    result = bench.put(turn(clip, turned, -90)).both()
    assert bench.manifest().input.rotation == 90
    argv = ["ffmpeg", "-v", "error", "-i", str(bench.job / result.stages[0].files[0].path), "-frames:v", "1"]
    argv += ["-vf", "scale=1:2", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    top, bottom = subprocess.run(argv, capture_output=True, check=True).stdout
    assert top > 200
    assert bottom < 50


def test_keyframes_stand_two_seconds_apart_and_groups_are_closed(bench: Workbench, clips: Clips) -> None:
    """Every rung can be cut and joined at the same moments."""
    bench.outputs = plans(("480p", "360p"))
    result = bench.put(clips("long")).both()
    for output in result.stages[0].files:
        argv = [
            "ffprobe",
            "-v",
            "error",
            "-select_streams",
            "v",
            "-skip_frame",
            "nokey",
            "-show_entries",
            "frame=pts_time",
        ]
        frames = subprocess.run(
            [*argv, "-of", "csv=p=0", str(bench.job / output.path)], capture_output=True, check=True
        )
        times = [float(line.strip(",")) for line in frames.stdout.decode().split() if line.strip(",")]
        assert len(times) == 6
        assert all(abs(time - 2 * place) < 0.01 for place, time in enumerate(times))


def test_with_one_thread_the_same_document_gives_the_same_bytes(tmp_path: Path, clips: Clips) -> None:
    """Two attempts in two stores: every output's sha256 is equal."""
    seen = []
    for name in ("one", "two"):
        bench = Workbench(tmp_path / name)
        bench.run_limits = {"threads": 1}
        bench.outputs = plans(FIVE)
        seen.append([(output.name, output.sha256) for output in bench.put(clips("small")).both().stages[0].files])
    assert len(seen[0]) == 5
    assert seen[0] == seen[1]


def test_without_ffprobe_the_same_facts_are_found(bench: Workbench, clips: Clips, tmp_path: Path) -> None:
    """PyAV answers where a machine has FFmpeg alone."""
    alone = tmp_path / "bin"
    alone.mkdir()
    ffmpeg = subprocess.run(
        ["sh", "-c", "command -v ffmpeg"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (alone / "ffmpeg").symlink_to(ffmpeg)
    bench.put(clips("rotated"))
    result = bench.run("work", PATH=str(alone))
    assert result.exit_code == 0, result
    found = bench.recorded("ingest").input
    assert found is not None
    assert (found.width, found.height, found.rotation, found.duration_ms) == (180, 320, 90, 1000)
    assert "videojob_worker.media.pyav" in (bench.job / "debug/main-a1/ingest.commands.txt").read_text()
