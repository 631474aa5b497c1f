"""A video of a person instead of a photograph, from apply to its end on this machine (A-041)."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import clips
import films
from films import made
from videojob_worker.compose import marks
from videojob_worker.vision import backgrounds
from videojob_worker.vision.detectors import open_detector
from videojob_worker.vision.matting import cut_out, open_matter, refine
from videojob_worker.vision.people import find

GREEN, COLOUR = (0x00, 0xC0, 0x40), "#00C040"
RATE = 16_000


def sound(path: Path) -> np.ndarray[Any, Any]:
    """A file's sound on the file's own clock."""
    argv = [
        clips.ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ac", "1",
        "-ar", str(RATE), "-f", "s16le", "-",
    ]  # fmt: skip
    return np.frombuffer(subprocess.run(argv, capture_output=True, check=True).stdout, "<i2").astype(np.float64)


def begins(samples: np.ndarray[Any, Any]) -> list[float]:
    """Seconds at which it becomes loud after silence."""
    loud = np.convolve(np.abs(samples), np.ones(160) / 160, "same") > 800
    starts = np.flatnonzero(np.diff(loud.astype(int)) == 1) / RATE
    found = [float(starts[0])] if not loud[0] else [0.0]
    for start in starts:
        if start > found[-1] + 0.2:
            found.append(float(start))
    return found


def overlap(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], told: np.ndarray[Any, Any]) -> float:
    """IoU of two masks where it is told."""
    return float((one & other & told).sum() / ((one | other) & told).sum())


def flicker(masks: list[np.ndarray[Any, Any]]) -> float:
    """How much masks change from frame to frame where nothing changes but what the camera moves."""
    return float(np.abs(np.diff(films.held(masks), axis=0)).mean())


def seen(frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """How far each pixel is from the plain background: 1 is surely the person."""
    return np.clip(np.abs(frame.astype(np.float32) - GREEN).max(axis=2) / 140, 0, 1)


def encoded(folder: Path, pictures: list[np.ndarray[Any, Any]]) -> list[np.ndarray[Any, Any]]:
    """Pictures after an encoder like that of the finished video."""
    raw = folder / "single.rgb"
    raw.write_bytes(b"".join(picture.tobytes() for picture in pictures))
    shape = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{films.SIZE}x{films.SIZE}", "-r", str(films.RATE)]
    look = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"
    made = clips.make(folder / "single.mp4", [*shape, "-i", str(raw), "-vf", look, "-c:v", "libx264", "-crf", "20"])
    return films.pictures(made)


def test_a_person_of_a_video_is_cut_out_frame_by_frame(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Found, followed, calm, as long as the input and in time with it, marked; the same video is cut once (A-037)."""
    clip = films.astronaut(tmp_path / "clip.mp4")
    status = made(tmp_path, clip, matting={"color": COLOUR})
    assert status.phase == "Succeeded", status.failure
    stages = {stage.name: stage for stage in status.stages}
    assert stages["Detection"].message == "Detected 1 person, selected person #1"
    assert stages["Detection"].notes == ("seen in 10 of 10 looks at 50 frames",)
    assert "moves no mouth" in stages["AvatarGeneration"].notes[0]
    assert [output.name for output in status.outputs] == ["video", "thumbnail"]
    assert all(output.synthetic == "compositeSynthetic" for output in status.outputs)
    video = tmp_path / "out/greeting/video.mp4"
    assert marks.read(video) == marks.COMPOSITE

    shown, given = films.pictures(video), films.pictures(clip)
    assert len(shown) == len(given) == 50
    assert abs(status.outputs[0].duration_ms - 2000) <= 40
    heard, said = begins(sound(video)), begins(sound(clip))
    assert len(heard) == len(said) == 4
    assert max(abs(one - other) for one, other in zip(heard, said, strict=True)) < 0.03

    assert max(np.abs(np.median(frame[:40, :40].reshape(-1, 3), axis=0) - GREEN).max() for frame in shown) < 6
    masks = [np.abs(frame.astype(int) - GREEN).max(axis=2) > 70 for frame in shown]
    truths, told = films.outlines(tmp_path)
    fits = [overlap(*each) for each in zip(masks, truths, told, strict=True)]
    late = [
        np.mean([overlap(masks[at], truths[at + shift], told[at + shift]) for at in range(3, 47)])
        for shift in (-2, -1, 0, 1, 2)
    ]
    detector, matter = open_detector(), open_matter()
    box = find(detector, given[0]).persons[0].box
    plain = backgrounds.plain(COLOUR, (films.SIZE, films.SIZE))
    alone = [
        backgrounds.place(cut_out(frame, refine(frame, matter.matte(frame, box), doubts=False)), plain)
        for frame in given
    ]
    calm, single = (flicker([seen(frame) for frame in some]) for some in (shown, encoded(tmp_path, alone)))
    with capsys.disabled():
        lags = ", ".join(f"{fit:.3f}" for fit in late)
        text = f"IoU mean {np.mean(fits):.3f}, least {min(fits):.3f}; by frames of lag from -2 to 2: {lags}"
        sys.stdout.write(f"\nfinished video of a person: {text}; flicker {calm / single:.2f} of single frames'\n")
    assert min(fits) > 0.88
    assert int(np.argmax(late)) == 2, "the mask is in time with the person"
    assert calm < 0.85 * single

    again = made(tmp_path, clip, "again", matting={"color": COLOUR})
    assert [stage.name for stage in again.stages if stage.state == "Cached"] == ["Detection", "BackgroundRemoval"]


def test_a_voice_that_is_spoken_lies_under_the_video_and_silence_behind_it(tmp_path: Path) -> None:
    """With words, and captions of them; the background stays where nobody is cut out; the video decides how long it is."""
    clip = films.astronaut(tmp_path / "clip.mp4")
    status = made(
        tmp_path,
        clip,
        audio=None,
        speech={"text": "Hello."},
        captions={"sidecars": ["vtt"]},
        matting={"matter": "none"},
    )
    assert status.phase == "Succeeded", status.failure
    assert [output.name for output in status.outputs] == ["video", "thumbnail", "captions-vtt"]
    video = tmp_path / "out/greeting/video.mp4"
    assert abs(status.outputs[0].duration_ms - 2000) <= 40
    heard = np.abs(sound(video))
    assert heard[: RATE // 2].max() > 2000
    assert heard[-RATE // 2 :].max() < 200, "the video's own beeps are not heard"
    shown, given = films.pictures(video), films.pictures(clip)
    assert (
        np.mean([np.abs(one[:200].astype(int) - other[:200]).mean() for one, other in zip(shown, given, strict=True)])
        < 8
    )


def test_a_picture_that_begins_after_the_sound_stays_in_time(tmp_path: Path) -> None:
    """Phones begin to record sound first: a flash that comes with a beep comes with it afterwards, too."""
    still = clips.make(
        tmp_path / "clip.mkv",
        [
            "-itsoffset", "0.4", *films.still(films.FOLDER / "astronaut.png", 1.6), "-f", "lavfi", "-i",
            "aevalsrc='0.4*sin(660*2*PI*t)*between(t,1.2,1.4)':s=48000:d=2", "-vf",
            "scale=320:320,drawbox=t=fill:color=white:enable='between(t,1.19,1.39)',format=yuv420p", *clips.H264, *clips.AAC,
        ],
    )  # fmt: skip
    status = made(tmp_path, still, matting={"matter": "none"})
    assert status.phase == "Succeeded", status.failure
    video = tmp_path / "out/greeting/video.mp4"
    bright = [at for at, frame in enumerate(films.pictures(video)) if frame.mean() > 235]
    beep = begins(sound(video))[0]
    assert abs(beep - 1.2) < 0.04
    assert abs(bright[0] / 25 - beep) < 0.04


PROGRAM = """#!/bin/sh
cp "$2" "{kept}"
lasts=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$4")
exec ffmpeg -v error -y -loop 1 -framerate 25 -i "$2" -i "$4" -t "$lasts" -c:v libx264 -pix_fmt yuv420p -c:a aac "$6"
"""
"""A provider of one's own that keeps the picture it was given."""


def test_a_provider_of_pictures_gets_the_frame_that_shows_the_face_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """D-ID, HTTP and programs take a portrait: here all frames but the last third are out of focus."""
    program, kept = tmp_path / "bin/videojob-avatar-default", tmp_path / "kept.png"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(kept=kept))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    blurred = "gblur=sigma=6:enable='lt(t,1)',format=yuv420p"
    sound_of = ["-f", "lavfi", "-t", "1.5", "-i", films.BEEPS]
    clip = clips.make(
        tmp_path / "clip.mp4",
        [*films.still(films.FOLDER / "astronaut.png", 1.5), *sound_of, "-vf", blurred, *clips.H264, *clips.AAC],
    )
    said = {"audio": None, "speech": {"text": "A picture may speak for longer than the video lasts."}}
    status = made(tmp_path, clip, provider={"name": "command"}, matting={"matter": "none"}, **said)
    assert status.phase == "Succeeded", status.failure
    stages = {stage.name: stage for stage in status.stages}
    assert stages["Upload"].message.startswith("the best frame of a video, 512x512, ")
    assert status.outputs[0].duration_ms > 2000
    with Image.open(kept) as opened, Image.open(films.FOLDER / "astronaut.png") as best:
        wrong = np.abs(np.asarray(opened).astype(int) - np.asarray(best.convert("RGB")))
    assert wrong.mean() < 6


FULL = "-vf scale=out_color_matrix=bt709:out_range=pc -color_range pc -colorspace bt709"


@pytest.mark.parametrize("how", ["", FULL], ids=["a small video without a mark", "a marked video of the full range"])
def test_a_provider_s_colours_are_shown_as_players_show_its_file(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is published says how its colours are coded, and is coded so."""
    program = tmp_path / "bin/videojob-avatar-default"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(kept=tmp_path / "kept.png").replace("-pix_fmt", f"{how} -pix_fmt"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    said = {"audio": None, "speech": {"text": "Green."}, "matting": {"color": COLOUR}, "provider": {"name": "command"}}
    status = made(tmp_path, films.FOLDER / "astronaut.png", **said)
    assert status.phase == "Succeeded", status.failure
    video = tmp_path / "out/greeting/video.mp4"
    with Image.open(tmp_path / "out/greeting/video_thumb.jpg") as still:
        pictures = [*films.pictures(video), np.asarray(still.convert("RGB"))]
    for picture in pictures:
        assert np.abs(np.median(picture[:40, :40].reshape(-1, 3), axis=0) - GREEN).max() < 10
    marked = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=color_space", str(video)], capture_output=True, check=True
    )
    assert b"color_space=bt709" in marked.stdout


def test_two_people_of_a_video_each_have_one_of_their_own(tmp_path: Path) -> None:
    """A-039: the one on the left is not seen in the video of the one on the right."""
    two = "[0:v]scale=360:360,split[a][b];[b]hflip,scale=300:300[c];[a]pad=800:360:20:0:color=gray[d];[d][c]overlay=480:60"
    clip = clips.make(
        tmp_path / "clip.mp4",
        [
            "-loop", "1", "-framerate", "10", "-t", "1", "-i", str(films.FOLDER / "astronaut.png"), "-f", "lavfi", "-t", "1",
            "-i", films.BEEPS, "-filter_complex", f"{two},format=yuv420p[v]", "-map", "[v]", "-map", "1:a", *clips.H264,
            *clips.AAC,
        ],
    )  # fmt: skip
    status = made(tmp_path, clip, detection={"select": "All"}, matting={"color": COLOUR})
    assert status.phase == "Succeeded", status.failure
    assert [output.name for output in status.outputs] == ["video-1", "thumbnail-1", "video-2", "thumbnail-2"]
    left, right = (films.pictures(tmp_path / f"out/greeting/video-{number}.mp4") for number in (1, 2))
    for pictures, empty, full in ((left, slice(560, 700), slice(100, 280)), (right, slice(100, 280), slice(560, 700))):
        for frame in pictures:
            seen = np.abs(frame.astype(int) - GREEN).max(axis=2) > 70
            assert seen[80:340, empty].mean() < 0.02
            assert seen[80:340, full].mean() > 0.4


# ---------------------------------------------------------------- what cannot be


def _plain(path: Path, *more: str, seconds: float = 1) -> Path:
    return clips.make(
        path,
        [*clips.camera(320, 240, rate="25", seconds=seconds), *clips.tone(seconds), *clips.H264, *clips.AAC, *more],
    )


def _nobody(folder: Path) -> Path:
    moved = ["-vf", "scale=600:400,crop=320:240:x='100+40*t':y=80,format=yuv420p"]  # a cat
    return clips.make(
        folder / "clip.mp4",
        [*films.still(films.FOLDER / "chelsea.png", 1.2), *clips.tone(1.2), *moved, *clips.H264, *clips.AAC],
    )


def _leaving(folder: Path) -> Path:
    gone = "scale=320:320,drawbox=t=fill:color=gray:enable='gte(t,0.6)',format=yuv420p"
    return clips.make(
        folder / "clip.mp4",
        [*films.still(films.FOLDER / "astronaut.png", 2), *clips.tone(), "-vf", gone, *clips.H264, *clips.AAC],
    )


def _long(folder: Path) -> Path:
    return clips.make(
        folder / "clip.mp4",
        ["-f", "lavfi", "-i", "color=gray:s=64x64:r=5:d=61", *clips.tone(1), *clips.H264, *clips.AAC],
    )


def _cut(folder: Path) -> Path:
    whole = _plain(folder / "whole.mp4", "-movflags", "+faststart")
    (folder / "clip.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    return folder / "clip.mp4"


def _cut_stream(folder: Path) -> Path:
    whole = clips.make(folder / "whole.mkv", [*clips.camera(320, 240, seconds=4), *clips.H264, "-g", "10"])
    (folder / "clip.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return folder / "clip.mkv"


def _playlist(folder: Path) -> Path:
    (folder / "clip.mp4").write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    )
    return folder / "clip.mp4"


def _soundless(folder: Path) -> Path:
    return clips.make(folder / "clip.mp4", [*clips.tone(1), *clips.AAC])


def _tiny(folder: Path) -> Path:
    return clips.make(folder / "clip.mp4", [*clips.camera(48, 48, seconds=1), *clips.tone(1), *clips.H264, *clips.AAC])


def _short(folder: Path) -> Path:
    return films.astronaut(folder / "clip.mp4", seconds=0.6)


SAID: dict[str, Any] = {"audio": None, "speech": {"text": "This sentence lasts for longer than so short a video does."}}
CUT = "avatar.image: the file is truncated"


@pytest.mark.parametrize(
    ("clip", "fields", "code", "said"),
    [
        pytest.param(_nobody, {}, "NoPersons", "No persons detected .* looks at the video", id="a video without a person"),
        pytest.param(_leaving, {}, "NoPersons", "was lost in 7 of 10 looks", id="a person who leaves"),
        pytest.param(_long, {}, "DurationTooLong", "avatar.image: .* lasts 61.0 s, the limit is 60 s", id="too long"),
        pytest.param(_cut, {}, "CorruptMedia", CUT, id="a truncated mp4, case 61"),
        pytest.param(_cut_stream, SAID, "CorruptMedia", CUT, id="a truncated mkv, case 61"),
        pytest.param(_playlist, {}, "InvalidImageType", r"an HLS playlist \(m3u8\); allowed: .*mp4", id="an m3u8, case 64"),
        pytest.param(_soundless, {}, "InvalidFileType", "avatar.image: .*no video stream, only sound", id="only sound"),
        pytest.param(_tiny, {}, "ImageTooSmall", "avatar.image: the video is 48x48", id="too small"),
        pytest.param(_short, SAID, "DurationTooLong", "avatar.speech: .* lasts .* avatar.image 0.6 s", id="a longer voice"),
    ],
)  # fmt: skip
def test_what_is_no_video_of_a_person_fails_at_once_with_a_remedy(
    clip: Callable[[Path], Path], fields: dict[str, Any], code: str, said: str, tmp_path: Path
) -> None:
    """A-044, T-021: Permanent, the field and what helps."""
    failure = made(tmp_path, clip(tmp_path), **fields).failure
    assert failure is not None
    assert (failure.code, failure.failure_class) == (code, "Permanent")
    assert re.search(said, failure.message), failure.message
    assert failure.hint
