"""ffprobe's questions answered by PyAV, for machines that have FFmpeg but no ffprobe.

A program of its own (`python3 -m videojob_worker.media.pyav [options] DEMUXER PATH`), so that hostile files are opened
under the same fences and watchdogs as with ffprobe, never inside the runner. It prints ffprobe's JSON, as far as
`probe.read` reads it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import av

from . import tools


def main(arguments: Sequence[str]) -> int:
    """Answer one question; 0, or 1 with the reason on standard error as ffprobe has it."""
    *asked, demuxer, path = arguments
    allowed = {
        name: str(value) for name, value in tools.input_options(demuxer).items() if name not in ("f", "max_pixels")
    }
    try:
        with av.open(f"file:{path}", format=demuxer, options=allowed) as container:
            if any(word.startswith("packet=") for word in asked):
                _packets(container)
                return 0
            answer = _facts(container, count="-count_packets" in asked)
    except (av.error.FFmpegError, OSError) as error:
        sys.stderr.write(f"Invalid data found: {error}\n")
        return 1
    sys.stdout.write(json.dumps(answer))
    return 0


def _packets(container: Any) -> None:
    """One line for each packet, as ffprobe's csv: stream, presentation, decoding, duration."""
    for packet in container.demux():
        if packet.size > 0 and packet.time_base is not None:
            times = (
                "N/A" if value is None else f"{float(value * packet.time_base):.6f}"
                for value in (packet.pts, packet.dts, packet.duration or None)
            )
            sys.stdout.write(",".join([str(packet.stream.index), *times]) + "\n")


def _facts(container: Any, *, count: bool) -> dict[str, Any]:
    streams = [_stream(stream) for stream in container.streams]
    counted = [0] * len(streams)
    turned = _rotation(container)
    if count:
        container.seek(0)
        for packet in container.demux():
            counted[packet.stream.index] += packet.size > 0
    for entry, packets in zip(streams, counted, strict=True):
        if count:
            entry["nb_read_packets"] = str(packets)
        if turned and entry["codec_type"] == "video":
            entry["side_data_list"] = [{"rotation": turned}]
    duration = None if container.duration is None else str(container.duration / av.time_base)
    start = None if container.start_time is None else str(container.start_time / av.time_base)
    return {
        "format": {"format_name": container.format.name, "start_time": start, "duration": duration},
        "streams": streams,
    }


def _stream(stream: Any) -> dict[str, Any]:
    codec = stream.codec_context
    picture = bool(stream.disposition & stream.disposition.attached_pic)
    entry: dict[str, Any] = {
        "index": stream.index,
        "codec_type": stream.type,
        "codec_name": codec.name if codec is not None else None,
        "disposition": {
            "default": int(bool(stream.disposition & stream.disposition.default)),
            "attached_pic": int(picture),
        },
        "start_time": None if stream.start_time is None else str(float(stream.start_time * stream.time_base)),
        "tags": {"DURATION": stream.metadata.get("DURATION")},
        "duration": None if stream.duration is None else str(float(stream.duration * stream.time_base)),
    }
    if stream.type == "video" and codec is not None:
        shape = stream.sample_aspect_ratio
        entry |= {
            "width": codec.width,
            "height": codec.height,
            "pix_fmt": codec.pix_fmt,
            "sample_aspect_ratio": f"{shape.numerator}:{shape.denominator}" if shape else "0:1",
            "avg_frame_rate": _fraction(stream.average_rate),
            "r_frame_rate": _fraction(stream.base_rate),
            "color_transfer": {16: "smpte2084", 18: "arib-std-b67"}.get(int(codec.color_trc or 0)),
        }
    if stream.type == "audio" and codec is not None:
        entry["channels"] = codec.channels
    return entry


def _rotation(container: Any) -> int:
    """The display matrix stands on decoded frames."""
    if not container.streams.video:
        return 0
    frame = next(container.decode(video=0), None)
    return int(getattr(frame, "rotation", 0)) if frame is not None else 0


def _fraction(value: Any) -> str:
    return "0/0" if value is None else f"{value.numerator}/{value.denominator}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
