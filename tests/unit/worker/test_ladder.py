"""From a probe and profiles to FFmpeg's exact arguments; the golden files are in tests/golden/argv, one argument a line."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest

from videojob_api.contract import OutputPlan
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1.videoprofile import Thumbnail, VideoEncoding, VideoProfileSpec
from videojob_worker.media import ladder
from videojob_worker.media.probe import AudioStream, Probe, VideoStream

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "argv"
FIVE = tuple(BUILTIN_PROFILES)

VIDEO = VideoStream(
    index=0, codec="h264", width=1920, height=1080, rotation=0, average_rate=Fraction(30), rate=Fraction(30),
    variable=False, duration_ms=30_000, pixel_format="yuv420p", interlaced=False,
)  # fmt: skip
FULL_HD = Probe(30_000, VIDEO, AudioStream(1, "aac", 2))


def plan(name: str) -> OutputPlan:
    spec = BUILTIN_PROFILES[name]
    return OutputPlan(name=spec.output_name or name, profile=name, spec=spec)


def arguments(probe: Probe, plans: tuple[OutputPlan, ...], demuxer: str = "mov") -> list[str]:
    video = probe.video
    rungs = ladder.rungs(plans, video.width, video.height, video.rate, audio=probe.audio is not None)
    return ladder.arguments(
        "ffmpeg",
        Path("/store/inbox/source"),
        demuxer,
        probe=probe,
        ladder=rungs,
        folder=Path("/store/job/out"),
        threads=2,
    )


@dataclass(frozen=True)
class Case:
    name: str
    probe: Probe
    profiles: tuple[str, ...] = FIVE
    demuxer: str = "mov"


CASES = (
    Case("five-profiles", FULL_HD),
    Case(
        "default-profiles-upright",
        Probe(9000, replace(VIDEO, width=1080, height=1920), None),
        ("720p", "480p", "thumbnail"),
    ),
    Case(
        "variable-rate",
        Probe(9000, replace(VIDEO, average_rate=Fraction(18), variable=True), None),
        ("360p",),
        "matroska",
    ),
    Case("interlaced", Probe(9000, replace(VIDEO, rate=Fraction(25), interlaced=True), None), ("360p",), "avi"),
    Case(
        "hdr", Probe(9000, replace(VIDEO, transfer="smpte2084", width=3840, height=2160), None), ("720p", "thumbnail")
    ),
    Case("thumbnail-alone", FULL_HD, ("thumbnail",)),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_argv_is_exactly_the_golden_one(case: Case) -> None:
    """T-006, T-007. Write the files anew with VIDEOJOB_GOLDEN=write and read the difference."""
    path = GOLDEN / f"{case.name}.txt"
    text = "\n".join(arguments(case.probe, tuple(plan(name) for name in case.profiles), case.demuxer)) + "\n"
    if os.environ.get("VIDEOJOB_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def value(argv: list[str], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_every_input_is_pinned_and_fenced() -> None:
    """Case 64 and 66: allow-lists, the demuxer by name, bounds, and only file: paths."""
    argv = arguments(FULL_HD, (plan("720p"),))
    before = argv[: argv.index("-i")]
    assert {"-protocol_whitelist", "-format_whitelist", "-max_pixels", "-max_streams", "-probesize", "-f"} <= set(
        before
    )
    assert value(argv, "-protocol_whitelist") == "file"
    assert value(argv, "-format_whitelist") == "mov"
    assert value(argv, "-i") == "file:/store/inbox/source"
    assert argv[-1] == "file:/store/job/out/720p.mp4"
    assert "-nostdin" in argv


def test_hostile_names_stay_names() -> None:
    """Case 59: what looks like an option, a shell or a protocol is only a file's name."""
    rungs = ladder.rungs((plan("360p"),), 640, 360, Fraction(30), audio=False)
    for name in ("-i", "concat:a|b", "$(reboot)", "; rm -rf", "%03d", "a'b\"c", "http:"):
        argv = ladder.arguments(
            "ffmpeg", Path("/in") / name, "mov", probe=FULL_HD, ladder=rungs, folder=Path("/out") / name, threads=1
        )
        assert argv[argv.index("-i") + 1] == f"file:/in/{name}"
        assert argv[-1] == f"file:/out/{name}/360p.mp4"
        assert argv.count("-i") == 1


def test_equal_shapes_are_scaled_once() -> None:
    """720p and webm_720p share one scaler; the smaller rungs are made from the larger ones."""
    graph = value(arguments(FULL_HD, tuple(plan(name) for name in FIVE)), "-filter_complex")
    assert graph.count("scale=1280:720") == 1
    assert graph.count("scale=854:480") == 1
    assert graph.count("[0:0]") == 1


def test_a_still_is_never_asked_for_behind_the_last_frame() -> None:
    spec = VideoProfileSpec(thumbnail=Thumbnail(at_percent=100))
    plans = (OutputPlan(name="end", profile="end", spec=spec),)
    assert "gte(t\\,29.933)" in value(arguments(FULL_HD, plans), "-filter_complex")
    one_frame = Probe(33, replace(VIDEO, duration_ms=33), None)
    assert "gte(t\\,0.000)" in value(arguments(one_frame, plans), "-filter_complex")


def test_a_lower_top_rate_thins_only_its_own_rung() -> None:
    rendition = BUILTIN_PROFILES["360p"].rendition
    assert rendition is not None
    slow = VideoEncoding(width=640, height=360, bitrate="500k", max_frame_rate=10)
    spec = VideoProfileSpec(rendition=rendition.model_copy(update={"video": slow}))
    argv = arguments(FULL_HD, (OutputPlan(name="slow", profile="slow", spec=spec), plan("720p")))
    assert value(argv, "-filter_complex").count("fps=fps=10/1") == 1
    assert [argv[at + 1] for at, word in enumerate(argv) if word == "-g"] == ["20", "60"]
