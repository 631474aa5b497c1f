"""The arithmetic of profiles: sizes, shapes, rates."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videojob_api.profiles import BUILTIN_PROFILES, Geometry, aspect_ratio, fit, kilobits, object_name
from videojob_api.v1alpha1 import VideoEncoding

HD = VideoEncoding(width=1280, height=720, bitrate="2500k")
SD = VideoEncoding(width=854, height=480, bitrate="1500k")


@dataclass(frozen=True)
class Case:
    """A source as shown, the box of a profile, and what comes out."""

    name: str
    box: VideoEncoding
    source: tuple[int, int, Fraction]
    expect: tuple[int, int, Fraction]


CASES = (
    Case("the usual", HD, (1920, 1080, Fraction(30)), (1280, 720, Fraction(30))),
    Case("the odd box of 480p is filled", SD, (1920, 1080, Fraction(30)), (854, 480, Fraction(30))),
    Case("an upright source turns the box", HD, (1080, 1920, Fraction(30)), (720, 1280, Fraction(30))),
    Case("a small source is not enlarged", HD, (640, 360, Fraction(25)), (640, 360, Fraction(25))),
    Case("a wide source keeps its shape", HD, (2560, 1080, Fraction(24)), (1280, 540, Fraction(24))),
    Case("a square source", HD, (2000, 2000, Fraction(30)), (720, 720, Fraction(30))),
    Case("an odd source becomes even", HD, (641, 361, Fraction(30)), (640, 360, Fraction(30))),
    Case("an odd source loses a pixel and gains none", HD, (323, 181, Fraction(30)), (322, 180, Fraction(30))),
    Case("a box a pixel above the source", SD, (855, 479, Fraction(30)), (854, 478, Fraction(30))),
    Case("a fast source is thinned out", HD, (1280, 720, Fraction(120)), (1280, 720, Fraction(60))),
    Case("film's rate stays a fraction", HD, (1280, 720, Fraction(24000, 1001)), (1280, 720, Fraction(24000, 1001))),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_t_006_a_source_is_fitted_into_the_box(case: Case) -> None:
    assert fit(case.box, *case.source) == Geometry(*case.expect)


@given(st.integers(16, 8192), st.integers(16, 8192), st.sampled_from([HD, SD]))
def test_a_picture_is_even_and_within_the_box(width: int, height: int, box: VideoEncoding) -> None:
    made = fit(box, width, height, Fraction(30))
    longer, shorter = max(made.width, made.height), min(made.width, made.height)
    assert made.width % 2 == made.height % 2 == 0
    assert longer <= box.width
    assert shorter <= box.height
    assert made.width <= width
    assert made.height <= height


@given(st.integers(400, 8192), st.integers(400, 8192))
def test_a_picture_keeps_its_shape(width: int, height: int) -> None:
    made = fit(HD, width, height, Fraction(30))
    if min(made.width, made.height) >= 100:
        assert made.width / made.height == pytest.approx(width / height, rel=0.03)


@pytest.mark.parametrize(
    ("width", "height", "expect"),
    [
        (1920, 1080, "16:9"), (854, 480, "16:9"), (1080, 1920, "9:16"), (640, 480, "4:3"), (720, 720, "1:1"),
        (1000, 300, "10:3"),
    ],
)  # fmt: skip
def test_c7_a_shape_in_small_numbers(width: int, height: int, expect: str) -> None:
    assert aspect_ratio(width, height) == expect


@pytest.mark.parametrize(("given_name", "expect"), [("webm_720p", "webm-720p"), ("720p", "720p")])
def test_the_seeds_name_means_the_object(given_name: str, expect: str) -> None:
    assert object_name(given_name) == expect
    assert expect in BUILTIN_PROFILES


def test_bit_rates_are_kilobits() -> None:
    assert kilobits("2500k") == 2500
