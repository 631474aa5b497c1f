"""Numbers that were promised: a changed default is a broken promise, so it fails here first."""

from __future__ import annotations

import pytest

from videojob_api.contract import default_timeout_seconds
from videojob_api.profiles import BUILTIN_PROFILES, DEFAULT_PROFILES
from videojob_api.v1alpha1 import DEFAULT_SLOTS, Retry, VideoJobSpec

MINIMAL = VideoJobSpec.model_validate({"transcode": {"source": {"uri": "store://stock/clip.mp4"}}})


@pytest.mark.parametrize(
    ("name", "container", "codec", "width", "height", "bitrate"),
    [
        ("720p", "mp4", "h264", 1280, 720, "2500k"),
        ("480p", "mp4", "h264", 854, 480, "1500k"),
        ("360p", "mp4", "h264", 640, 360, "800k"),
        ("webm-720p", "webm", "vp9", 1280, 720, "2000k"),
    ],
)
def test_t_006_the_four_built_in_renditions(
    name: str, container: str, codec: str, width: int, height: int, bitrate: str
) -> None:
    made = BUILTIN_PROFILES[name].rendition
    assert made is not None
    video = made.video
    assert (made.container, video.codec, video.width, video.height, video.bitrate) == (
        container, codec, width, height, bitrate,
    )  # fmt: skip


def test_t_006_the_built_in_thumbnail() -> None:
    still = BUILTIN_PROFILES["thumbnail"].thumbnail
    assert still is not None
    assert (still.width, still.height) == (320, 180)


def test_t_006_outputs_of_webm_720p_bear_the_name_it_always_had() -> None:
    assert BUILTIN_PROFILES["webm-720p"].output_name == "webm_720p"


def test_t_006_there_are_five() -> None:
    assert len(BUILTIN_PROFILES) == 5


def test_t_007_what_a_transcode_makes_by_default() -> None:
    assert MINIMAL.transcode is not None
    assert MINIMAL.transcode.profiles == DEFAULT_PROFILES == ("720p", "480p", "thumbnail")


def test_t_014_the_largest_input() -> None:
    assert MINIMAL.transcode is not None
    assert MINIMAL.transcode.limits.max_input_bytes == 500 * 2**20


def test_t_021_the_formats_let_in() -> None:
    assert MINIMAL.transcode is not None
    assert MINIMAL.transcode.limits.allowed_types == ("mp4", "mov", "avi", "mkv", "webm")


def test_x_003_the_default_priority() -> None:
    assert MINIMAL.priority == "Normal"


def test_x_004_and_a_005_slots_of_the_default_queue() -> None:
    assert {slot.name: slot.capacity for slot in DEFAULT_SLOTS} == {"cpu": 4, "yolo": 2, "birefnet": 1, "avatar": 5}


@pytest.mark.parametrize(
    ("duration_ms", "seconds"), [(None, 600), (10_000, 600), (60_000, 600), (60_001, 610), (3_600_000, 36_000)]
)
def test_x_005_the_default_timeout(duration_ms: int | None, seconds: int) -> None:
    assert default_timeout_seconds(duration_ms) == seconds


def test_x_006_attempts_and_waits() -> None:
    assert Retry() == MINIMAL.retry == Retry(max_attempts=3, backoff_seconds=2, multiplier=2, max_backoff_seconds=300)
