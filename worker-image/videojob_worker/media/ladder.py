"""One decode, every output: from a probe and profiles to FFmpeg's exact arguments. Pure; nothing is run here.

The picture is decoded, straightened and laid out to a constant rate once, then scaled down in a cascade: each rung is
made from the next larger one, which costs a third less than scaling each from the source. Everything that writes dates or
versions is switched off, so that with one thread the same document gives the same bytes. With more, x264 under a cap on
bursts does not: its threads read each other's running estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from videojob_api import profiles
from videojob_api.contract import OutputPlan
from videojob_api.v1alpha1.videoprofile import Rendition, Thumbnail

from . import tools
from .probe import Probe

GOP_SECONDS = 2
"""Distance of keyframes: every rung can be cut and joined at the same moments."""
MEDIA_TYPES = {"mp4": "video/mp4", "webm": "video/webm", "jpg": "image/jpeg"}
SCALER = "bicubic"


@dataclass(frozen=True)
class Rung:
    """One output of the ladder, its exact shape decided."""

    plan: OutputPlan
    width: int
    height: int
    frame_rate: Fraction | None
    """Frames a second; None for a still picture."""
    audio: bool
    """Whether it has sound."""

    @property
    def suffix(self) -> str:
        """File name extension."""
        return self.plan.spec.rendition.container if self.plan.spec.rendition is not None else "jpg"

    @property
    def file_name(self) -> str:
        """Name of the file in the stage's folder and in `videos/`."""
        return f"{self.plan.name}.{self.suffix}"

    @property
    def media_type(self) -> str:
        """MIME type."""
        return MEDIA_TYPES[self.suffix]


def rungs(plans: Sequence[OutputPlan], width: int, height: int, rate: Fraction, *, audio: bool) -> tuple[Rung, ...]:
    """Decide every output's shape from the source as shown (T-006). Units: pixels, frames a second."""
    decided = []
    for plan in plans:
        rendition, thumbnail = plan.spec.rendition, plan.spec.thumbnail
        if rendition is not None:
            fitted = profiles.fit(rendition.video, width, height, rate)
            decided.append(
                Rung(plan, fitted.width, fitted.height, fitted.frame_rate, audio and rendition.audio is not None)
            )
        elif thumbnail is not None:
            decided.append(Rung(plan, thumbnail.width, thumbnail.height, None, audio=False))
    return tuple(decided)


def arguments(
    program: str,
    source: Path,
    demuxer: str,
    *,
    probe: Probe,
    ladder: Sequence[Rung],
    folder: Path,
    threads: int,
    only: Sequence[Rung] = (),
) -> list[str]:
    """The command that makes every rung into `folder`, or those in `only`, and reports progress on standard output. What it
    makes does not depend on what else it makes: a rung is scaled from the next larger one of the whole ladder either way.
    """
    opened = ffmpeg.input(tools.file_url(source), threads=threads, **_named(tools.input_options(demuxer)))
    picture = _straighten(opened[str(probe.video.index)], probe)
    wanted = only or ladder
    films = [rung for rung in wanted if rung.plan.spec.rendition is not None]
    stills = [rung for rung in wanted if rung.plan.spec.thumbnail is not None]
    shapes = [(rung.width, rung.height) for rung in ladder if rung.plan.spec.rendition is not None]
    branches = _split(picture, bool(films) + len(stills))
    made: dict[str, Any] = {}
    if films:
        made.update(_cascade(branches.pop(0), films, shapes, probe))
    for still, branch in zip(stills, branches, strict=True):
        made[still.plan.name] = _still(branch, still, probe)
    outputs = []
    for rung in wanted:
        streams = [made[rung.plan.name]]
        if rung.audio and probe.audio is not None:
            streams.append(opened[str(probe.audio.index)])
        outputs.append(ffmpeg.output(*streams, tools.file_url(folder / rung.file_name), **_encoding(rung, threads)))
    return list(
        ffmpeg.compile(
            ffmpeg.merge_outputs(*outputs),
            cmd=[
                program, "-hide_banner", "-nostdin", "-v", "warning", "-nostats", "-progress", "pipe:1",
                "-filter_complex_threads", str(threads),
            ],
        )
    )  # fmt: skip


def _named(options: dict[str, str | int]) -> dict[str, str | int]:
    """ffmpeg-python's own word for the format."""
    return {("format" if name == "f" else name): value for name, value in options.items()}


def _straighten(stream: Any, probe: Probe) -> Any:
    """What is done once, on the source's own size: fields woven to frames, uneven frames to a constant rate.

    FFmpeg itself applies the rotation before the first filter.
    """
    if probe.video.interlaced:
        stream = stream.filter("bwdif", mode="send_frame", deint="interlaced")
    return stream.filter("fps", fps=_fraction(probe.video.rate), round="near")


def _cascade(stream: Any, films: Sequence[Rung], all_shapes: Sequence[tuple[int, int]], probe: Probe) -> dict[str, Any]:
    """Scale to each distinct shape of the ladder, large to small, each from the one before, down to the last that one of the
    films has, and hand out one branch per film.
    """
    shapes = sorted(set(all_shapes), key=lambda shape: (-shape[0] * shape[1], shape))
    needed = max(shapes.index((rung.width, rung.height)) for rung in films)
    shapes = shapes[: needed + 1]
    made: dict[str, Any] = {}
    for place, (width, height) in enumerate(shapes):
        stream = stream.filter("scale", width, height, flags=SCALER, out_range="tv")
        if place == 0 and probe.video.hdr:
            stream = tone_map(stream, probe)
        stream = stream.filter("setsar", "1").filter("format", "yuv420p")
        users = [rung for rung in films if (rung.width, rung.height) == (width, height)]
        last = place == len(shapes) - 1
        branches = _split(stream, len(users) + (not last))
        for rung, branch in zip(users, branches, strict=False):
            thinner = rung.frame_rate is not None and rung.frame_rate < probe.video.rate
            made[rung.plan.name] = (
                branch.filter("fps", fps=_fraction(rung.frame_rate or Fraction(1)), round="near") if thinner else branch
            )
        stream = branches[-1]
    return made


def tone_map(stream: Any, probe: Probe) -> Any:
    """HDR light to the range of ordinary screens, after scaling, where there are fewer pixels to convert.

    Many recorders mark the light only: zscale refuses a conversion from colours that are not named, so those of HDR are.
    """
    video = probe.video
    said = {
        "color_trc": video.transfer,
        "color_primaries": video.primaries or "bt2020",
        "colorspace": video.matrix or "bt2020nc",
    }
    return (
        stream.filter("setparams", **said)
        .filter("zscale", transfer="linear", npl=100)
        .filter("format", "gbrpf32le")
        .filter("zscale", primaries="bt709")
        .filter("tonemap", tonemap="hable", desat=0)
        .filter("zscale", transfer="bt709", matrix="bt709", range="tv")
    )


def _still(stream: Any, rung: Rung, probe: Probe) -> Any:
    """Exactly one frame: the first at or after the wanted moment, filling the picture, the rest cropped evenly."""
    spec = rung.plan.spec.thumbnail or Thumbnail()
    # The last frame begins one frame before the end; one more is left for rounding in the header.
    last_ms = max(0, probe.video_ms - ceil(2000 / probe.video.rate))
    moment = Fraction(min(probe.video_ms * spec.at_percent // 100, last_ms), 1000)
    stream = stream.filter("select", f"isnan(prev_selected_t)*gte(t,{float(moment):.3f})").filter(
        "scale", rung.width, rung.height, flags=SCALER, force_original_aspect_ratio="increase", out_range="tv"
    )
    stream = stream.filter("crop", rung.width, rung.height)
    if probe.video.hdr:
        stream = tone_map(stream, probe)
    return (
        stream.filter("setsar", "1")
        .filter("scale", rung.width, rung.height, flags=SCALER, out_range="pc")
        .filter("format", "yuvj420p")
    )


def _split(stream: Any, count: int) -> list[Any]:
    """As many branches as there are users; one needs no split."""
    if count <= 1:
        return [stream]
    node = stream.filter_multi_output("split", count)
    return [node[place] for place in range(count)]


def _encoding(rung: Rung, threads: int) -> dict[str, Any]:
    """Encoder and muxer options of one output."""
    spec = rung.plan.spec
    common = {"map_metadata": -1, "map_chapters": -1, "fflags": "+bitexact", "flags:v": "+bitexact", "threads": threads}
    if spec.thumbnail is not None:
        # A raw JPEG stream of one picture is a JPEG file; image2 would read `%d` in the path as a counter.
        return {
            **common, "format": "mjpeg", "c:v": "mjpeg", "q:v": _quantizer(spec.thumbnail.quality), "frames:v": 1,
            "huffman": "optimal",
        }  # fmt: skip
    rendition = spec.rendition
    if rendition is None or rung.frame_rate is None:
        raise ValueError(f"output {rung.plan.name} is neither rendition nor thumbnail")
    options = {
        **common,
        **_video(rendition, rung.frame_rate),
        "max_muxing_queue_size": 4096,
        "format": rendition.container,
    }
    if rendition.container == "mp4":
        options["movflags"] = "+faststart"
    if rung.audio and rendition.audio is not None:
        options |= {
            "c:a": {"aac": "aac", "opus": "libopus"}[rendition.audio.codec],
            "b:a": rendition.audio.bitrate,
            "ac": rendition.audio.channels,
            "ar": 48000,
            # Holes in the sound are filled with silence and a late start is padded: sound never runs away from picture.
            "af": "aresample=async=1:first_pts=0",
            "flags:a": "+bitexact",
        }
    return options


def _video(rendition: Rendition, rate: Fraction) -> dict[str, Any]:
    """The picture's encoder: average bit rate with a cap on bursts, closed groups of pictures of even length."""
    video = rendition.video
    kilobits, gop = profiles.kilobits(video.bitrate), max(1, round(rate * GOP_SECONDS))
    if video.codec == "h264":
        return {
            "c:v": "libx264", "preset": video.preset, "profile:v": "high",
            "b:v": video.bitrate, "maxrate": f"{kilobits * 3 // 2}k", "bufsize": f"{kilobits * 2}k",
            "g": gop, "keyint_min": gop, "sc_threshold": 0, "flags:v": "+bitexact+cgop",
        }  # fmt: skip
    return {
        # One pass of libvpx holds its average only at a constant rate with cyclic refresh (aq-mode 3): without it, grain
        # made files a third larger than asked for. The cap on keyframes keeps them from overshooting.
        "c:v": "libvpx-vp9", "row-mt": 1, "tile-columns": 2, "g": gop, "keyint_min": gop,
        "b:v": video.bitrate, "minrate": video.bitrate, "maxrate": video.bitrate, "bufsize": video.bitrate,
        "max-intra-rate": 300, "aq-mode": 3, "lag-in-frames": 0,
        "deadline": "realtime", "cpu-used": VP9_EFFORT[video.preset],
    }  # fmt: skip


VP9_EFFORT = {
    "ultrafast": 8, "superfast": 7, "veryfast": 6, "faster": 5, "fast": 4, "medium": 4, "slow": 4, "slower": 4,
}  # fmt: skip
"""libvpx's `cpu-used` for the presets' names. Below 4 it takes several times as long and no longer holds the rate."""


def _quantizer(quality: int) -> int:
    """FFmpeg's JPEG scale runs from 2 (best) to 31."""
    return round(2 + (100 - quality) * 29 / 99)


def _fraction(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
