"""What a video is: ffprobe's JSON under the same fences as every decode, read into one frozen value.

`read` is pure (JSON in, `Probe` out) so that its rules are tested on tables; `probe` runs the program.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..base.errors import Permanent
from . import tools

STANDARD_RATES = tuple(
    Fraction(rate) for rate in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)
"""Rates that uneven frames are laid out to."""
HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
ENTRIES = (
    "format=format_name,duration,nb_streams:"
    "stream=index,codec_type,codec_name,width,height,pix_fmt,sample_aspect_ratio,avg_frame_rate,r_frame_rate,duration,"
    "start_time,field_order,color_transfer,channels,sample_rate,bits_per_raw_sample,nb_read_packets:"
    "stream_disposition=default,attached_pic,still_image:stream_side_data=rotation"
)
"""Facts that are asked for; tags and attachments, which strangers fill at will, are not (case 66)."""
_HINT_NO_VIDEO = "send a file with a picture; sound alone cannot be transcoded"


@dataclass(frozen=True)
class VideoStream:
    """The picture."""

    index: int
    codec: str
    width: int
    """Pixels as shown: sample aspect ratio and rotation applied."""
    height: int
    rotation: int
    """Degrees by which players turn the stored picture clockwise: 0, 90, 180 or 270."""
    average_rate: Fraction
    """Average frames a second."""
    rate: Fraction
    """Constant rate the outputs are laid out to: the average, or for uneven frames the next standard rate."""
    variable: bool
    """Whether frames come at uneven distances."""
    duration_ms: int | None
    pixel_format: str
    interlaced: bool
    hdr: bool
    """Whether its light is coded for HDR screens (PQ or HLG)."""
    packets: int | None = None
    """Packets, when they were counted."""


@dataclass(frozen=True)
class AudioStream:
    """The sound."""

    index: int
    codec: str
    channels: int


@dataclass(frozen=True)
class Probe:
    """A file as FFmpeg sees it."""

    duration_ms: int
    video: VideoStream
    audio: AudioStream | None

    @property
    def video_ms(self) -> int:
        """Duration of the picture alone."""
        return self.video.duration_ms or self.duration_ms


def probe(path: Path, demuxer: str, run: tools.RunTool, *, count_packets: bool = False) -> Probe:
    """Probe a file with its demuxer pinned.

    Raises Permanent (CorruptMedia, UnsafeInput, InvalidFileType) for what cannot be a video.
    """
    facts = _ask(path, demuxer, run, ("-count_packets",) if count_packets else ())
    found = read(facts)
    if found.duration_ms > 0:
        return found
    # Recorders in browsers leave the duration out: the last packet tells it.
    return read(facts, fallback_ms=_last_packet_ms(path, demuxer, run))


def read(facts: dict[str, Any], fallback_ms: int = 0) -> Probe:
    """Make a Probe of ffprobe's JSON (`-show_format -show_streams`). Raises Permanent, see `probe`."""
    streams = [stream for stream in facts.get("streams", []) if isinstance(stream, dict)]
    videos = [stream for stream in streams if stream.get("codec_type") == "video" and not _is_picture(stream)]
    sounds = [stream for stream in streams if stream.get("codec_type") == "audio" and stream.get("codec_name")]
    if not videos:
        raise Permanent(
            "InvalidFileType",
            "Invalid file type: the file has no video stream" + (", only sound" if sounds else ""),
            hint=_HINT_NO_VIDEO,
        )
    video = _preferred(videos)
    duration_ms = _ms(facts.get("format", {}).get("duration"))
    if duration_ms is None:
        durations = [_ms(stream.get("duration")) for stream in (video, *sounds)]
        duration_ms = max((value for value in durations if value is not None), default=fallback_ms)
    return Probe(duration_ms=duration_ms, video=_video(video), audio=_audio(_preferred(sounds)) if sounds else None)


def _video(stream: dict[str, Any]) -> VideoStream:
    width, height = int(stream.get("width") or 0), int(stream.get("height") or 0)
    if width <= 0 or height <= 0 or not stream.get("codec_name"):
        raise Permanent(
            "CorruptMedia",
            "the file cannot be read as a video: its picture has no size or no known codec",
            hint="re-encode it to MP4 (H.264 and AAC) and submit again",
        )
    if width * height > tools.MAX_PIXELS or max(width, height) > 16384:
        raise _too_large(f"{width}x{height}")
    shape = _ratio(stream.get("sample_aspect_ratio"), ":") or Fraction(1)
    if Fraction(1, 8) <= shape <= 8:
        width = max(1, round(width * shape))
    rotation = _rotation(stream)
    if rotation in (90, 270):
        width, height = height, width
    average, real = _ratio(stream.get("avg_frame_rate")), _ratio(stream.get("r_frame_rate"))
    average = average or real or Fraction(25)
    interlaced = stream.get("field_order") in ("tt", "bb", "tb", "bt")
    variable = real is not None and not interlaced and abs(real - average) * 100 > average
    return VideoStream(
        index=int(stream["index"]),
        codec=str(stream["codec_name"]),
        width=width,
        height=height,
        rotation=rotation,
        average_rate=average,
        rate=_constant(average, real) if variable else min(average, Fraction(240)),
        variable=variable,
        duration_ms=_ms(stream.get("duration")),
        pixel_format=str(stream.get("pix_fmt") or "unknown"),
        interlaced=interlaced,
        hdr=stream.get("color_transfer") in HDR_TRANSFERS,
        packets=_count(stream.get("nb_read_packets")),
    )


def _too_large(size: str) -> Permanent:
    return Permanent(
        "UnsafeInput",
        f"the picture has {size} pixels, more than {tools.MAX_PIXELS} in all or 16384 a side",
        hint="scale it down to 8K or less and submit again",
    )


def _constant(average: Fraction, real: Fraction | None) -> Fraction:
    """The rate uneven frames are laid out to: the stream's own base rate if it is a common one, so that its fastest
    passages stay smooth; else the next common rate above the average.
    """
    for rate in STANDARD_RATES:
        if real is not None and abs(real - rate) * 1000 < rate and rate >= average:
            return rate
    return next((rate for rate in STANDARD_RATES if rate * 1000 >= average * 999), STANDARD_RATES[-1])


def _audio(stream: dict[str, Any]) -> AudioStream:
    return AudioStream(int(stream["index"]), str(stream["codec_name"]), int(stream.get("channels") or 0))


def _preferred(streams: list[dict[str, Any]]) -> dict[str, Any]:
    """The stream marked as default, else the first."""
    return next((stream for stream in streams if stream.get("disposition", {}).get("default")), streams[0])


def _is_picture(stream: dict[str, Any]) -> bool:
    """Cover art is no video."""
    marks = stream.get("disposition", {})
    return bool(marks.get("attached_pic") or marks.get("still_image"))


def _rotation(stream: dict[str, Any]) -> int:
    """Clockwise degrees. The display matrix counts the other way round; shears and odd angles go to the nearest quarter."""
    for entry in stream.get("side_data_list", []):
        try:
            return round(-float(entry["rotation"]) / 90) * 90 % 360
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return 0


def _ratio(text: Any, separator: str = "/") -> Fraction | None:
    """A positive fraction, or None for `0/0`, `0:1`, `N/A`."""
    try:
        above, below = str(text).split(separator)
        value = Fraction(int(above), int(below))
    except (ValueError, ZeroDivisionError):
        return None
    return value if value > 0 else None


def _ms(text: Any) -> int | None:
    """Milliseconds of ffprobe's seconds; None for `N/A` and nonsense."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return round(value * 1000) if 0 < value < 10**9 else None


def _count(text: Any) -> int | None:
    return int(text) if str(text).isdigit() else None


def _command(path: Path, demuxer: str, wanted: tuple[str, ...]) -> list[str]:
    """Command of ffprobe, or the same questions to PyAV where there is no ffprobe."""
    program = tools.find("ffprobe")
    if program is None:
        return [sys.executable, "-m", "videojob_worker.media.pyav", *wanted, demuxer, str(path.absolute())]
    options = tools.flat(tools.input_options(demuxer))
    return [program, "-hide_banner", "-v", "error", *options, "-of", "json", *wanted, "-i", tools.file_url(path)]


def _ask(path: Path, demuxer: str, run: tools.RunTool, more: tuple[str, ...]) -> dict[str, Any]:
    finished = run(_command(path, demuxer, ("-show_entries", ENTRIES, *more)))
    bomb = re.search(r"Picture size ([0-9]+x[0-9]+) (exceeds|is invalid)", finished.stderr)
    if bomb is not None:
        raise _too_large(bomb[1])
    if finished.code != 0:
        raise tools.judge_reading(finished, "probing the file")
    return _json(finished.stdout)


def _last_packet_ms(path: Path, demuxer: str, run: tools.RunTool) -> int:
    """Where the last packet ends, for files that do not say how long they are."""
    finished = run(
        _command(path, demuxer, ("-show_entries", "packet=pts_time,duration_time", "-select_streams", "v:0"))
    )
    if finished.code != 0:
        raise tools.judge_reading(finished, "measuring the file")
    ends = [
        (_ms(packet.get("pts_time")) or 0) + (_ms(packet.get("duration_time")) or 0)
        for packet in _json(finished.stdout).get("packets", [])
    ]
    if not ends:
        raise Permanent(
            "CorruptMedia",
            "the file cannot be read as a video: it holds no pictures",
            hint="the recording or upload was cut off: submit the whole file",
        )
    return max(1, *ends) if len(ends) > 1 else max(1, ends[0])


def _json(data: bytes) -> dict[str, Any]:
    value = json.loads(data or b"{}")
    return value if isinstance(value, dict) else {}
