"""ffprobe's JSON as it is read: rotation, uneven rates, shapes, and what is no video (case 67)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from videojob_worker.base.errors import Permanent
from videojob_worker.media.packets import Span
from videojob_worker.media.probe import Probe, read


def video(**more: Any) -> dict[str, Any]:
    return {
        "index": 0, "codec_type": "video", "codec_name": "h264", "width": 1920, "height": 1080, "pix_fmt": "yuv420p",
        "avg_frame_rate": "30/1", "r_frame_rate": "30/1", "duration": "10.0", "disposition": {"default": 1}, **more,
    }  # fmt: skip


def probe(*streams: dict[str, Any], duration: str | None = "10.0", packets: dict[int, Span] | None = None) -> Probe:
    return read({"format": {"duration": duration}, "streams": list(streams)}, packets or {})


SOUND = {"index": 1, "codec_type": "audio", "codec_name": "aac", "channels": 2, "duration": "10.2"}
COVER = video(index=2, codec_name="mjpeg", width=500, height=500, disposition={"attached_pic": 1})


@pytest.mark.parametrize(
    ("written", "degrees", "shown"),
    [(-90, 90, (1080, 1920)), (90, 270, (1080, 1920)), (180, 180, (1920, 1080)), (-180, 180, (1920, 1080)),
     (0, 0, (1920, 1080)), ("nonsense", 0, (1920, 1080)), (float("inf"), 0, (1920, 1080))],
)  # fmt: skip
def test_rotation_counts_clockwise_and_turns_the_size(written: Any, degrees: int, shown: tuple[int, int]) -> None:
    found = probe(video(side_data_list=[{"side_data_type": "Display Matrix", "rotation": written}])).video
    assert (found.rotation, (found.width, found.height)) == (degrees, shown)


@pytest.mark.parametrize(
    ("average", "real", "variable", "rate"),
    [
        ("30/1", "30/1", False, Fraction(30)),
        ("30000/1001", "30000/1001", False, Fraction(30000, 1001)),
        ("2997/100", "30000/1001", False, Fraction(2997, 100)),
        ("20/1", "30/1", True, Fraction(30)),
        ("18/1", "60/1", True, Fraction(60)),
        ("23/1", "90000/1", True, Fraction(24000, 1001)),
        ("70/1", "1000/1", True, Fraction(60)),
        ("0/0", "25/1", False, Fraction(25)),
        ("0/0", "0/0", False, Fraction(25)),
    ],
)
def test_uneven_frames_are_laid_out_to_a_common_rate(average: str, real: str, variable: bool, rate: Fraction) -> None:
    found = probe(video(avg_frame_rate=average, r_frame_rate=real)).video
    assert (found.variable, found.rate) == (variable, rate)


def test_cover_art_is_no_video() -> None:
    found = probe(SOUND, COVER, video(index=3))
    assert found.video.index == 3
    assert found.audio is not None
    with pytest.raises(Permanent, match="no video stream, only sound") as raised:
        probe(SOUND, COVER)
    assert raised.value.code == "InvalidFileType"


def test_the_default_stream_wins_over_the_first() -> None:
    assert probe(video(disposition={"default": 0}), video(index=5)).video.index == 5


def test_pixels_that_are_not_square_are_shown_wider() -> None:
    assert probe(video(width=720, height=576, sample_aspect_ratio="64:45")).video.width == 1024
    assert probe(video(width=720, height=576, sample_aspect_ratio="0:1")).video.width == 720


def test_duration_falls_back_to_streams_and_then_to_packets() -> None:
    assert probe(video(), SOUND, duration=None).duration_ms == 10_200
    packets = {0: Span(30, 0, 1200, 1234)}
    assert probe(video(duration="N/A"), duration=None, packets=packets).duration_ms == 1234


SUBTITLES = {"index": 2, "codec_type": "subtitle", "codec_name": "subrip", "duration": "90.0"}


def test_only_the_picture_and_the_sound_that_are_used_last() -> None:
    """A subtitle track or a second sound may last longer than the film; a header counts them in."""
    found = probe(video(), SOUND, {**SOUND, "index": 3, "duration": "50"}, SUBTITLES, duration="90.0")
    assert (found.duration_ms, found.announced_ms) == (10_200, 90_000)
    assert (found.lasts_ms(audio=True), found.lasts_ms(audio=False)) == (10_200, 10_000)


def test_matroska_tells_durations_in_tags_and_nonsense_in_them_is_passed_over() -> None:
    untold = video(duration="N/A", tags={"DURATION": "01:00:02.500000000"})
    assert probe(untold, SUBTITLES, duration="9000").duration_ms == 3_602_500
    for text in ("x" * 1000, "-1:00:00.0", "99999999:00:00.0", "", None):
        odd = probe(video(duration="N/A", tags={"DURATION": text}), SUBTITLES, duration="90.0")
        assert (odd.video.duration_ms, odd.duration_ms) == (None, 90_000)


@pytest.mark.parametrize("average", ["0/0", "1000/1"])
def test_a_clock_s_resolution_is_no_frame_rate(average: str) -> None:
    """A browser's recorder writes 1000/1: what its packets say counts."""
    recorded = video(avg_frame_rate=average, r_frame_rate="1000/1", duration="N/A")
    found = probe(recorded, duration=None, packets={0: Span(60, 0, 2360, 2400)}).video
    assert (found.average_rate, found.rate, found.variable) == (Fraction(25), Fraction(25), True)


def test_hdr_and_interlacing_are_seen() -> None:
    found = probe(video(color_transfer="smpte2084", field_order="tb", avg_frame_rate="25/1", r_frame_rate="50/1")).video
    assert found.hdr
    assert (found.transfer, found.primaries, found.matrix) == ("smpte2084", None, None)
    assert found.interlaced
    assert not found.variable


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (video(width=0), "CorruptMedia"),
        (video(codec_name=None), "CorruptMedia"),
        (video(width=12000, height=12000), "UnsafeInput"),
        (video(width=65535, height=16), "UnsafeInput"),
    ],
)
def test_what_cannot_be_decoded_safely_is_refused(stream: dict[str, Any], code: str) -> None:
    """Case 66: sizes that no memory holds."""
    with pytest.raises(Permanent) as raised:
        probe(stream)
    assert raised.value.code == code
