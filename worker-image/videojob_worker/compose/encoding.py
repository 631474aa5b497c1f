"""What pieces of a film are encoded with, and FFmpeg's arguments for all else. Pure; nothing is run here.

A piece is encoded in strands of one group of pictures, each by one thread: then the same frames give the same bytes, also under a
cap on bursts, and as many strands as there are cores are encoded side by side, which keeps the cores busier than threads inside
one encoder do. All have the same headers and begin with a closed group of pictures: they are joined without being touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videojob_api.profiles import kilobits
from videojob_api.story import looks
from videojob_api.story.looks import SAMPLE_RATE
from videojob_api.story.platforms import quality
from videojob_api.story.segments import Segment

from .measuring import LISTENING

GOP_SECONDS = 4
"""Most seconds from one keyframe to the next: players can jump to each."""
X264 = "stitchable=1:scenecut=0:bframes=2:b-pyramid=none:deadzone-inter=15:deadzone-intra=8"
"""Cuts are where pieces begin. Two plain B-frames: with three, one of which others refer to, an encoder of 1080p holds 30 MiB
more, and moving stills come out a tenth larger at the same quality. Less of the fine detail of stills is rounded away than by
default (21, 11): a VMAF point more for a tenth more bits (`make bench-quality`)."""
TIMESCALE = 1000
"""Ticks a frame: MP4 holds times in whole ticks."""
AUDIO_BITRATE = "128k"
"""At rates like this FFmpeg's `fast` coder is the better one, its manual says; it takes two fifths of the other one's time."""
MARKS = {"color_range": "tv", "colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709"}
"""What every video of ours says of its colours: unmarked ones of small pictures are shown by other coefficients (BT.601)."""
COLOURS = tuple(part for name, value in MARKS.items() for part in (f"-{name}", value))
"""The same as arguments."""
_STRANGERS = (
    "-max_pixels",
    str(8192 * 4352),
    "-max_streams",
    "64",
    "-probesize",
    "10000000",
    "-analyzeduration",
    "10000000",
)
"""Bounds for what strangers made: no header makes a decoder ask for more (case 66)."""
_PLAIN = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")


@dataclass(frozen=True)
class Encoding:
    """How pieces are compressed (S-024, S-058, S-059, C2)."""

    crf: int
    maxrate: str
    preset: str
    width: int
    height: int
    fps: int
    build: str = ""
    """Versions of what reads clips and writes pieces: others make other bytes, and pieces of two encoders do not join."""

    x264: str = X264
    """What else libx264 is told."""

    @classmethod
    def of(cls, asked: looks.Encoding, size: tuple[int, int], fps: int, build: str = "") -> Encoding:
        """What a story asks for."""
        row = quality(asked)
        return cls(row.crf, row.maxrate, row.preset, *size, fps, build)

    def dump(self) -> dict[str, Any]:
        """All that shapes a piece's bytes, for its key."""
        return {
            "crf": self.crf, "maxrate": self.maxrate, "preset": self.preset, "gop": GOP_SECONDS, "codec": "libx264",
            "x264": self.x264, "build": self.build,
        }  # fmt: skip


def _head(program: str) -> list[str]:
    return [program, "-hide_banner", "-nostdin", "-v", "warning", "-nostats"]


def file(path: Path) -> str:
    """A path FFmpeg can only read as a file."""
    return f"file:{path.absolute()}"


def options(code: Encoding) -> dict[str, str]:
    """How libx264 is opened for a strand of a piece."""
    bits = kilobits(code.maxrate)
    return {
        "threads": "1", "preset": code.preset, "profile": "high", "crf": str(code.crf), "maxrate": f"{bits}k",
        "bufsize": f"{2 * bits}k", "g": str(code.fps * GOP_SECONDS), "flags": "+bitexact+cgop", "x264-params": code.x264, **MARKS,
    }  # fmt: skip


def container(code: Encoding) -> dict[str, str]:
    """How a piece's file is written."""
    return {"fflags": "+bitexact", "video_track_timescale": str(code.fps * TIMESCALE)}


def concat_list(pieces: Sequence[Path], durations: Sequence[Segment], fps: int) -> str:
    """The list that the concat demuxer reads, with each piece's exact duration: headers hold it in coarser ticks."""
    rows = ["ffconcat version 1.0"]
    for path, segment in zip(pieces, durations, strict=True):
        quoted = file(path).replace("'", "'\\''")
        rows += [f"file '{quoted}'", f"duration {_seconds(segment.frames, fps)}"]
    return "\n".join(rows) + "\n"


def _seconds(frames: int, fps: int) -> str:
    micros = (frames * 1_000_000 + fps // 2) // fps
    return f"{micros // 1_000_000}.{micros % 1_000_000:06d}"


def join(program: str, listing: Path, sound: Path | None, target: Path, fps: int) -> list[str]:
    """All pieces and the sound to one file; nothing is encoded again."""
    second = ["-f", "mp4", "-protocol_whitelist", "file", "-i", file(sound)] if sound is not None else []
    return [
        *_head(program),
        "-f", "concat", "-safe", "0", "-protocol_whitelist", "file", "-auto_convert", "0", "-i", file(listing), *second,
        "-map", "0:v:0", *(["-map", "1:a:0"] if sound is not None else []), *_PLAIN, "-c", "copy",
        "-video_track_timescale", str(fps * TIMESCALE), "-movflags", "+faststart", "-f", "mp4", file(target),
    ]  # fmt: skip


def sound(program: str, source: Path, target: Path) -> list[str]:
    """The laid sound, PCM, to AAC once."""
    return [
        *_head(program), "-f", "wav", "-protocol_whitelist", "file", "-i", file(source), *_PLAIN,
        "-c:a", "aac", "-aac_coder", "fast", "-b:a", AUDIO_BITRATE, "-ac", "2", "-ar", str(SAMPLE_RATE), "-flags:a", "+bitexact",
        "-f", "mp4", file(target),
    ]  # fmt: skip


def listening(program: str, source: Path) -> list[str]:
    """Measure the laid sound: silences are told on standard output, the loudness at the end of standard error."""
    return [
        program, "-hide_banner", "-nostdin", "-nostats", "-v", "info", "-f", "wav", "-protocol_whitelist", "file",
        "-i", file(source), "-af", LISTENING, "-f", "null", "-",
    ]  # fmt: skip


def music(program: str, source: Path, demuxer: str, target: Path, seconds: float) -> list[str]:
    """A stranger's music to plain PCM, repeated until it is long enough."""
    return [
        *_head(program), *_STRANGERS, "-stream_loop", "-1", "-f", demuxer, "-protocol_whitelist", "file",
        "-format_whitelist", demuxer, "-i", file(source), "-map", "0:a:0", *_PLAIN, "-t", f"{seconds:.3f}",
        "-ac", "2", "-ar", str(SAMPLE_RATE),
        "-c:a", "pcm_s16le", "-f", "wav", file(target),
    ]  # fmt: skip


def clip(  # noqa: PLR0917 - a passage of a file, in a shape, to a pipe
    program: str, source: Path, demuxer: str, encoding: Encoding, first_frame: int, frames: int, target: Path
) -> list[str]:
    """A passage of a clip as raw frames that fill the picture, repeated when it is too short."""
    width, height = encoding.width, encoding.height
    fill = (
        f"fps={encoding.fps}:round=near,scale={width}:{height}:force_original_aspect_ratio=increase:flags=bicubic:"
        f"out_range=tv:out_color_matrix=bt709,crop={width}:{height},setsar=1,format=yuv420p,"
        f"trim=start_frame={first_frame}:end_frame={first_frame + frames}"
    )
    return [
        *_head(program), "-y", *_STRANGERS, "-stream_loop", "-1", "-threads", "1", "-f", demuxer, "-protocol_whitelist", "file",
        "-format_whitelist", demuxer, "-i", file(source), "-map", "0:v:0", "-an", "-vf", fill, "-frames:v", str(frames),
        "-f", "rawvideo", file(target),
    ]  # fmt: skip
