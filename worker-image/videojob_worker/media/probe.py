"""What a video is: ffprobe's JSON under the same fences as every decode, read into one frozen value.

`read` is pure (JSON in, `Probe` out) so that its rules are tested on tables; `probe` runs the program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..base.errors import Permanent
from . import packets as listing
from . import tools
from .packets import Span

STANDARD_RATES = tuple(
    Fraction(rate) for rate in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)
"""Rates that uneven frames are laid out to."""
HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})
ENTRIES = (
    "format=format_name,start_time,duration,nb_streams:"
    "stream=index,codec_type,codec_name,width,height,pix_fmt,sample_aspect_ratio,avg_frame_rate,r_frame_rate,duration,"
    "start_time,field_order,color_transfer,color_primaries,color_space,channels,sample_rate,bits_per_raw_sample,"
    "nb_read_packets:"
    "stream_disposition=default,attached_pic,still_image:stream_side_data=rotation:stream_tags=DURATION"
)
"""Facts that are asked for; other tags and attachments, which strangers fill at will, are not (case 66)."""
MAX_RATE = 120
"""Frames a second that a header is believed: browsers write the resolution of their clock there, 1000."""
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
    """Where it ends on the file's own clock, if that is known."""
    pixel_format: str
    interlaced: bool
    transfer: str | None = None
    """How its light is coded, if for HDR screens (PQ or HLG)."""
    primaries: str | None = None
    """Its colours, if it says so."""
    matrix: str | None = None
    """How its colours became brightness and two differences, if it says so."""
    packets: int | None = None
    """Packets, when they were counted."""

    @property
    def hdr(self) -> bool:
        """Whether its light is coded for HDR screens."""
        return self.transfer is not None


@dataclass(frozen=True)
class AudioStream:
    """The sound."""

    index: int
    codec: str
    channels: int
    duration_ms: int | None = None
    """Where it ends on the file's own clock, if that is known."""


@dataclass(frozen=True)
class Probe:
    """A file as FFmpeg sees it."""

    duration_ms: int
    """Duration of the picture and the sound that are used; subtitles and further tracks may last longer."""
    video: VideoStream
    audio: AudioStream | None
    announced_ms: int = 0
    """Duration of the whole file by its header; 0 if it tells none."""

    @property
    def video_ms(self) -> int:
        """Duration of the picture alone."""
        return self.video.duration_ms or self.duration_ms

    def lasts_ms(self, *, audio: bool) -> int:
        """Duration of an output with or without the sound."""
        sound = self.audio.duration_ms if audio and self.audio is not None else None
        return max(self.video_ms, sound or 0)


def probe(path: Path, demuxer: str, run: tools.RunTool, *, count_packets: bool = False) -> Probe:
    """Probe a file with its demuxer pinned.

    Raises Permanent (CorruptMedia, UnsafeInput, InvalidFileType) for what cannot be a video.
    """
    facts = _ask(path, demuxer, run, ("-count_packets",) if count_packets else ())
    found = read(facts)
    # Recorders in browsers leave the duration out, others tell only the longest stream's: the packets tell.
    unclear = len(facts["streams"]) > 1 and (
        found.video.duration_ms is None or (found.audio is not None and found.audio.duration_ms is None)
    )
    if found.duration_ms > 0 and found.video.average_rate <= MAX_RATE and not unclear:
        return found
    return read(facts, listing.spans(path, demuxer, run))


def read(facts: dict[str, Any], packets: Mapping[int, Span] = MappingProxyType({})) -> Probe:
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
    form = facts.get("format", {})
    start, announced = listing.seconds(form.get("start_time")), listing.ms(form.get("duration")) or 0
    alone = announced if len(streams) == 1 else None
    picture = _preferred(videos)
    video = _video(picture, packets.get(int(picture.get("index") or 0)))
    video = replace(video, duration_ms=_end_ms(picture, start, packets) or alone)
    audio = None
    if sounds:
        sound = _preferred(sounds)
        ends = _end_ms(sound, start, packets)
        audio = AudioStream(int(sound["index"]), str(sound["codec_name"]), int(sound.get("channels") or 0), ends)
    known = [stream.duration_ms for stream in (video, audio) if stream is not None]
    whole = max([value for value in known if value is not None], default=0)
    return Probe(announced if None in known and announced else whole, video, audio, announced)


def _end_ms(stream: dict[str, Any], start: float, packets: Mapping[int, Span]) -> int | None:
    """Where a stream ends, counted from the file's first moment: as it was measured, as its index or its tag says."""
    span = packets.get(int(stream.get("index") or 0))
    if span is not None:
        return max(1, span.end_ms - round(start * 1000))
    lasts = listing.ms(stream.get("duration"))
    if lasts is not None:
        return max(1, lasts + round((listing.seconds(stream.get("start_time")) - start) * 1000))
    tag = re.fullmatch(r"([0-9]{2,4}):([0-9]{2}):([0-9]{2}\.[0-9]{1,9})", str(stream.get("tags", {}).get("DURATION")))
    return listing.ms(int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) - start) if tag is not None else None


def _video(stream: dict[str, Any], measured: Span | None) -> VideoStream:
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
    if measured is not None and (average is None or average > MAX_RATE):
        average = measured.rate or average
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
        duration_ms=None,
        pixel_format=str(stream.get("pix_fmt") or "unknown"),
        interlaced=interlaced,
        transfer=stream.get("color_transfer") if stream.get("color_transfer") in HDR_TRANSFERS else None,
        primaries=_known(stream.get("color_primaries")),
        matrix=_known(stream.get("color_space")),
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


def _known(text: Any) -> str | None:
    return text if isinstance(text, str) and text not in ("unknown", "reserved") else None


def _count(text: Any) -> int | None:
    return int(text) if str(text).isdigit() else None


def _ask(path: Path, demuxer: str, run: tools.RunTool, more: tuple[str, ...]) -> dict[str, Any]:
    finished = run(listing.command(path, demuxer, ("-show_entries", ENTRIES, *more)))
    bomb = re.search(r"Picture size ([0-9]+x[0-9]+) (exceeds|is invalid)", finished.stderr)
    if bomb is not None:
        raise _too_large(bomb[1])
    if finished.code != 0:
        raise tools.judge_reading(finished, "probing the file")
    return _json(finished.stdout)


def measured(found: Probe, packets: Mapping[int, Span]) -> Probe:
    """The same with durations as the packets have them."""
    start = min(span.first_ms for span in packets.values())

    def end(index: int) -> int:
        return max(1, packets[index].end_ms - start) if index in packets else 1

    video = replace(found.video, duration_ms=end(found.video.index))
    audio = None if found.audio is None else replace(found.audio, duration_ms=end(found.audio.index))
    whole = replace(found, video=video, audio=audio)
    return replace(whole, duration_ms=whole.lasts_ms(audio=True))


def _json(data: bytes) -> dict[str, Any]:
    value = json.loads(data or b"{}")
    return value if isinstance(value, dict) else {}
