"""Videos as telephones and cameras leave them in the place of an avatar's portrait (A-041): upright, even, in true colours."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import clips
import films
import stages as support
from videojob_api.avatar.tasks import FILM_FILE, UploadParams
from videojob_api.v1alpha1 import StoredFile
from videojob_worker.media import probe
from videojob_worker.stages import upload

Picture = np.ndarray[Any, Any]
PHOTO = films.FOLDER / "astronaut.png"
ACROSS, UP = 512, 384
"""The photograph without its lower quarter, so that lying and standing differ."""
SPEED, BAR = 200, 40
"""Pixels a second of a white bar on black, and its width."""
LIGHT = "zscale=transfer=linear:npl=203,format=gbrpf32le"
UNPACKED = f"format=gbrp,setparams=color_trc=bt709:color_primaries=bt709:colorspace=gbr,{LIGHT}"
FINE = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "12"]


def brought(folder: Path, clip: Path) -> Path:
    """The video as the stage Upload leaves it for all others."""
    (folder / "stock").mkdir()
    clip = clip.rename(folder / "stock" / clip.name)
    itself = StoredFile(uri=f"store://stock/{clip.name}")
    context = support.context(folder, kind="upload", params=UploadParams(image=itself, audio=itself, moving=True))
    upload.run(context)
    return context.staging / FILM_FILE


def told(film: Path, fact: str) -> str:
    """A fact of a file's picture, as its header has it."""
    argv = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", f"stream={fact}", "-of", "csv=p=0"]
    return subprocess.run([*argv, str(film)], capture_output=True, check=True, text=True).stdout.strip()


def photo(width: int = ACROSS, height: int = UP) -> Picture:
    """What the photograph looks like at a size."""
    with Image.open(PHOTO) as opened:
        whole = np.asarray(opened.convert("RGB"))[:UP]
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def still(path: Path, look: str, *asked: str) -> Path:
    """A second of the photograph, with a sound."""
    cut = f"crop={ACROSS}:{UP}:0:0,{look}"
    return clips.make(path, [*films.still(PHOTO, 1), *clips.tone(1), "-vf", cut, *FINE, *asked, *clips.AAC])


def wrong(frame: Picture, truth: Picture) -> float:
    """Mean difference of two pictures in steps of 255."""
    return float(np.abs(frame.astype(int) - truth).mean())


# ---------------------------------------------------------------- shape and place


@dataclass(frozen=True)
class Shape:
    """A clip, and what it is upright with square pixels."""

    name: str
    look: str
    asked: tuple[str, ...]
    size: tuple[int, int]
    turned: int = 0
    """Degrees of its display matrix, counter-clockwise."""


PLAIN = ("-pix_fmt", "yuv420p")
SHAPES = (
    Shape("lying", "null", PLAIN, (512, 384)),
    Shape("turned by metadata to the right", "transpose=cclock", PLAIN, (512, 384), -90),
    Shape("turned by metadata to the left", "transpose=clock", PLAIN, (512, 384), 90),
    Shape("upside down", "hflip,vflip", PLAIN, (512, 384), 180),
    Shape("odd in both directions", "scale=323:243,setsar=1", ("-pix_fmt", "yuv444p"), (324, 244)),
    Shape("odd and turned", "scale=323:243,setsar=1,transpose=cclock", ("-pix_fmt", "yuv444p"), (324, 244), -90),
    Shape("narrow pixels", "scale=384:384,setsar=4/3", PLAIN, (512, 384)),
    Shape("narrow pixels, and turned", "scale=384:384,setsar=4/3,transpose=cclock", PLAIN, (384, 288), -90),
    Shape("larger than is used", "scale=2048:1536", PLAIN, (1280, 960)),
)


@pytest.mark.parametrize("case", SHAPES, ids=lambda case: case.name)
def test_a_video_stands_upright_in_square_pixels_of_even_sides(case: Shape, tmp_path: Path) -> None:
    """Rotation marks, odd sizes, pixels that are not square: the person looks as a player shows them."""
    clip = still(tmp_path / "clip.mp4", case.look, *case.asked)
    if case.turned:
        clip = clips.turn(clip, tmp_path / "turned.mp4", case.turned)
    film = brought(tmp_path, clip)
    pictures = films.pictures(film)
    assert (len(pictures), told(film, "avg_frame_rate")) == (25, "25/1")
    assert {(frame.shape[1], frame.shape[0]) for frame in pictures} == {case.size}
    assert max(wrong(frame, photo(*case.size)) for frame in pictures) < 6


# ---------------------------------------------------------------- colours


@dataclass(frozen=True)
class Colour:
    """How the photograph's light was written, and how far from it what is read may be."""

    name: str
    look: str
    asked: tuple[str, ...]
    most: float = 4.0


def marked(primaries: str, transfer: str, matrix: str) -> tuple[str, ...]:
    """What a file says of its colours."""
    return ("-color_primaries", primaries, "-color_trc", transfer, "-colorspace", matrix)


def _hdr(transfer: str) -> str:
    """The photograph's white at 203 cd/m2, as BT.2408 has it."""
    return f"{UNPACKED},zscale=primaries=bt2020,zscale=transfer={transfer}:matrix=bt2020nc:range=tv:npl=203,format=yuv420p10le"


DIM = 26.0
"""HDR keeps room for what is brighter than paper: its middle greys are darker afterwards."""
COLOURS = (
    Colour("no mark at all", "format=yuv420p", ()),
    Colour(
        "bt709, narrow range", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p", marked("bt709", "bt709", "bt709")
    ),
    Colour(
        "bt709, full range", "scale=out_color_matrix=bt709:out_range=pc,format=yuvj420p",
        (*marked("bt709", "bt709", "bt709"), "-color_range", "pc"),
    ),
    Colour("HDR10", _hdr("smpte2084"), marked("bt2020", "smpte2084", "bt2020nc"), DIM),
    Colour("HDR10 that names its light alone", _hdr("smpte2084"), ("-color_trc", "smpte2084"), DIM),
    Colour("HLG, as telephones write it", _hdr("arib-std-b67"), marked("bt2020", "arib-std-b67", "bt2020nc"), DIM),
    Colour(
        "wide colours of ordinary light",
        f"{UNPACKED},zscale=primaries=bt2020,zscale=transfer=2020_10:matrix=bt2020nc:range=tv:npl=203,format=yuv420p10le",
        marked("bt2020", "bt2020-10", "bt2020nc"),
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", COLOURS, ids=lambda case: case.name)
def test_colours_are_those_of_an_ordinary_screen(case: Colour, tmp_path: Path) -> None:
    """HDR is brought to the range that models and encoders know, with its hues; nobody is green or washed out."""
    film = brought(tmp_path, still(tmp_path / "clip.mp4", case.look, *case.asked))
    assert told(film, "color_transfer") not in probe.HDR_TRANSFERS
    frame, truth = films.pictures(film)[12].astype(int), photo().astype(int)
    assert wrong(frame, truth) < case.most
    for colour in range(3):
        assert np.corrcoef(frame[..., colour].ravel(), truth[..., colour].ravel())[0, 1] > 0.99
    shares = [picture.mean((0, 1)) / picture.mean() for picture in (frame, truth)]
    assert np.abs(shares[0] - shares[1]).max() < 0.03, "no channel outweighs the others more than in the photograph"
    assert np.percentile(frame, 99) > 180, "what was white is bright"


# ---------------------------------------------------------------- time


def bar(folder: Path, rate: str, look: str, *asked: str, seconds: float = 2) -> Path:
    """A bar that moves evenly, filmed at a rate, then treated."""
    scene = f"color=black:s=480x128:r={rate}:d={seconds}[b];color=white:s={BAR}x128:r={rate}:d={seconds}[w]"
    moving = f"{scene};[b][w]overlay=x='{SPEED}*t':eval=frame,{look}[v]"
    return clips.make(
        folder / "clip.mp4",
        [
            *clips.tone(seconds),
            "-filter_complex",
            moving,
            "-map",
            "[v]",
            "-map",
            "0:a",
            *FINE,
            *asked,
            *PLAIN,
            *clips.AAC,
        ],
    )


def places(frame: Picture) -> Picture:
    """Where the bar's left edge is in each row, in pixels."""
    return np.argmax(frame[..., 1] > 127, axis=1)


UNEVEN = "select='if(lt(t,1),mod(n,3),not(mod(n,4)))'"
"""Of every three frames the first is missing, then three of every four."""


@dataclass(frozen=True)
class Pace:
    """When frames come, how many there are afterwards, and at which rate."""

    name: str
    clip: Callable[[Path], Path]
    rate: Fraction
    count: int
    late: float
    """Most seconds by which a frame may show another moment than its own."""


PACES = (
    Pace("even", lambda folder: bar(folder, "25", "null"), Fraction(25), 50, 0.015),
    Pace("NTSC", lambda folder: bar(folder, "30000/1001", "null"), Fraction(30000, 1001), 60, 0.015),
    Pace("faster than is needed", lambda folder: bar(folder, "60", "null"), Fraction(30), 60, 0.02),
    Pace("slow motion", lambda folder: bar(folder, "120", "null"), Fraction(30), 60, 0.02),
    Pace("uneven", lambda folder: bar(folder, "30", UNEVEN, "-fps_mode", "vfr"), Fraction(30), 57, 0.11),
    Pace(
        "interlaced", lambda folder: bar(folder, "50", "tinterlace=interleave_top", "-flags", "+ilme+ildct"), Fraction(25),
        50, 0.03,
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", PACES, ids=lambda case: case.name)
def test_each_frame_shows_its_own_moment_and_one_moment_alone(case: Pace, tmp_path: Path) -> None:
    """Uneven frames are laid out to a constant rate without running away from the sound; fields are no combs."""
    film = brought(tmp_path, case.clip(tmp_path))
    pictures = films.pictures(film)
    assert Fraction(told(film, "avg_frame_rate")) == case.rate
    assert abs(len(pictures) - case.count) <= 1
    for number, frame in enumerate(pictures):
        rows = places(frame)
        assert np.ptp(rows) <= 2, f"frame {number} shows more than one moment"
        assert abs(float(np.median(rows)) / SPEED - number / case.rate) <= case.late, number


# ---------------------------------------------------------------- all of it


def test_what_a_telephone_films_becomes_an_avatar(tmp_path: Path) -> None:
    """Ten bits of HLG in HEVC, lying with a mark that turns it, frames at uneven distances: the person is found, upright and cut
    out, in colours of an ordinary screen, as long as it was filmed.
    """
    look = f"crop={UP}:{ACROSS}:64:0,{_hdr('arib-std-b67')},transpose=cclock,{UNEVEN}"
    asked = [
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=error",
        "-crf",
        "16",
        "-tag:v",
        "hvc1",
    ]
    lying = clips.make(
        tmp_path / "lying.mov",
        [
            *films.still(PHOTO, 2), "-f", "lavfi", "-t", "2", "-i", films.BEEPS, "-vf", look, "-fps_mode", "vfr", *asked,
            *marked("bt2020", "arib-std-b67", "bt2020nc"), *clips.AAC,
        ],
    )  # fmt: skip
    clip = clips.turn(lying, tmp_path / "clip.mov", -90)
    status = films.made(tmp_path, clip, matting={"color": "#00C040"})
    assert status.phase == "Succeeded", status.failure
    assert status.avatar.person_detection.total_persons == 1
    video = tmp_path / "out/greeting/video.mp4"
    assert abs(status.outputs[0].duration_ms - 1960) < 80
    frames = films.pictures(video)
    assert {frame.shape for frame in frames} == {(ACROSS, UP, 3)}
    with Image.open(PHOTO) as opened:
        truth = np.asarray(opened.convert("RGB"))[:, 64 : 64 + UP].astype(int)
    face, corner = (slice(85, 165), slice(128, 190)), (slice(0, 60), slice(340, UP))
    for frame in frames:
        assert np.abs(frame[corner].astype(int) - (0x00, 0xC0, 0x40)).mean() < 12
        seen, wanted = frame[face].astype(int), truth[face]
        assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.97
        assert wrong(seen, wanted) < 40
