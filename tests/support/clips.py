"""Short test clips, drawn by FFmpeg itself: nothing is downloaded and nothing binary is kept in the repository."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path


def ffmpeg() -> str:
    """Path of ffmpeg. Raises AssertionError with the remedy: the media tests judge real files."""
    path = shutil.which("ffmpeg")
    assert path is not None, "the media tests need ffmpeg and ffprobe: apt-get install ffmpeg"
    return path


def make(path: Path, arguments: Sequence[str]) -> Path:
    """Run FFmpeg with these arguments, the output last; a failure shows FFmpeg's own words."""
    done = subprocess.run([ffmpeg(), "-v", "error", "-y", *arguments, str(path)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return path


def camera(width: int, height: int, *, rate: str = "30", seconds: float = 2) -> list[str]:
    """Inputs like a camera's: moving detail under noise."""
    source = f"mandelbrot=s={width}x{height}:r={rate}:start_scale=0.5:end_scale=0.1,noise=alls=8:allf=t,format=yuv420p"
    return ["-t", str(seconds), "-f", "lavfi", "-i", source]


def tone(seconds: float = 2, layout: str = "stereo") -> list[str]:
    """A sound that is never silent."""
    return ["-t", str(seconds), "-f", "lavfi", "-i", f"anoisesrc=a=0.2:c=pink:seed=1,aformat=channel_layouts={layout}"]


H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "24"]
AAC = ["-c:a", "aac", "-b:a", "64k"]


class Clips:
    """Clips by name, each made once per test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, name: str) -> Path:
        """The clip of that name."""
        suffix, arguments = RECIPES[name]
        path = self._folder / f"{name}.{suffix}"
        if path.exists():
            return path
        degrees = ROTATED.get(name)
        if degrees is None:
            return make(path, arguments)
        return turn(make(self._folder / f"{name}.upright.{suffix}", arguments), path, degrees)


def turn(clip: Path, path: Path, degrees: int) -> Path:
    """Copy a clip with a display matrix that turns it by counter-clockwise degrees; the pictures stay as they are."""
    if _new():
        return make(path, ["-display_rotation", str(degrees), "-i", str(clip), "-c", "copy"])
    return make(path, ["-i", str(clip), "-c", "copy", "-metadata:s:v:0", f"rotate={degrees % 360}"])


def _new() -> bool:
    """Whether this FFmpeg sets a rotation by option (6.0 and later) rather than by metadata."""
    banner = subprocess.run([ffmpeg(), "-hide_banner", "-h", "full"], capture_output=True, check=False).stdout
    return b"display_rotation" in banner


ROTATED = {"rotated": -90, "upside-down": 180}
"""Counter-clockwise degrees of the display matrix: a phone held upright writes -90."""

RECIPES: dict[str, tuple[str, list[str]]] = {
    "camera": ("mp4", [*camera(1280, 720), *tone(), *H264, *AAC]),
    "small": ("mp4", [*camera(320, 180, seconds=1), *tone(1), *H264, *AAC]),
    "long": ("mp4", [*camera(320, 180, seconds=1), *H264, "-vf", "loop=loop=11:size=30,setpts=N/30/TB"]),
    "rotated": ("mp4", [*camera(320, 180, seconds=1), *H264]),
    "upside-down": ("mp4", [*camera(320, 180, seconds=1), *H264]),
    "portrait": ("mp4", [*camera(180, 320, seconds=1), *H264]),
    "odd": ("mp4", [*camera(323, 181, seconds=1), *H264, "-pix_fmt", "yuv444p"]),
    "tiny": ("mp4", [*camera(16, 16, seconds=1), *H264]),
    "long-hd": ("mp4", [*camera(1280, 720, seconds=1), *H264, "-vf", "loop=loop=9:size=30,setpts=N/30/TB"]),
    "huge": ("mov", ["-f", "lavfi", "-i", "color=black:s=9000x5000", "-frames:v", "1", "-c:v", "png", "-pix_fmt", "gray"]),
    "half-gone": ("mkv", [*camera(320, 180, seconds=4), *H264, "-g", "10"]),
    "silent": ("mkv", [*camera(320, 180, seconds=1), *H264]),
    "audio-only": ("mp4", [*tone(1), *AAC]),
    "one-frame": ("mp4", [*camera(320, 180), "-frames:v", "1", *H264]),
    "ten-bit": ("mkv", [*camera(320, 180, seconds=1), *H264, "-pix_fmt", "yuv420p10le"]),
    "hdr": (
        "mp4",
        [
            *camera(320, 180, seconds=1), *H264, "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020",
            "-color_trc", "smpte2084", "-colorspace", "bt2020nc",
        ],
    ),
    "surround": ("mkv", [*camera(320, 180, seconds=1), *tone(1, "7.1"), *H264, "-c:a", "flac"]),
    "interlaced": ("mp4", [*camera(320, 240, rate="50", seconds=1), *H264, "-vf", "tinterlace=4", "-flags", "+ilme+ildct"]),
    "anamorphic": ("mp4", [*camera(360, 288, seconds=1), *H264, "-vf", "setsar=16/11"]),
    "ntsc": ("mp4", [*camera(320, 180, rate="30000/1001", seconds=1), *H264]),
    # Every third frame is missing in the first half and two of three in the second.
    "variable": (
        "mp4",
        [
            *camera(320, 180, seconds=3), *tone(3), *H264, *AAC, "-fps_mode", "vfr",
            "-vf", "select='if(lt(n,45),mod(n,3),not(mod(n,3)))'",
        ],
    ),
    "late-video": ("mp4", ["-itsoffset", "0.5", *camera(320, 180, seconds=1), *tone(2), *H264, *AAC]),
    "avi": ("avi", [*camera(320, 180, seconds=1), *tone(1), "-c:v", "mpeg4", "-q:v", "4", "-c:a", "libmp3lame"]),
    "mov": ("mov", [*camera(320, 180, seconds=1), "-c:v", "mjpeg", "-q:v", "4"]),
    "webm": ("webm", [*camera(320, 180, seconds=1), "-c:v", "libvpx", "-deadline", "realtime", "-b:v", "300k"]),
    # Written as to a pipe, like a browser's recorder does: no duration, no index.
    "no-duration": ("webm", [*camera(320, 180, seconds=1), "-c:v", "libvpx", "-b:v", "300k", "-f", "webm", "-live", "1"]),
    "half-marked-hdr": ("mp4", [*camera(320, 180, seconds=1), *H264, "-pix_fmt", "yuv420p10le", "-color_trc", "smpte2084"]),
    "hlg-without-matrix": (
        "mp4",
        [
            *camera(320, 180, seconds=1), *H264, "-pix_fmt", "yuv420p10le", "-color_trc", "arib-std-b67",
            "-color_primaries", "bt2020",
        ],
    ),
    "wide-colours": (
        "mp4", [*camera(320, 180, seconds=1), *H264, "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020"],
    ),
    # As a browser records: uneven frames on a clock of milliseconds, no duration, no rate.
    "recorded": (
        "webm",
        [
            *camera(320, 180, rate="1000", seconds=1), "-vf", "select='not(mod(n,41))*lt(mod(n,7),5)'",
            "-fps_mode", "vfr", "-enc_time_base", "1/1000", "-c:v", "libvpx", "-deadline", "realtime", "-f", "webm",
            "-live", "1",
        ],
    ),
    "long-second-sound": (
        "mp4", [*camera(320, 180, seconds=1), *tone(1), *tone(5), *H264, *AAC, "-map", "0", "-map", "1", "-map", "2"],
    ),
    "long-second-sound-mkv": (
        "mkv", [*camera(320, 180, seconds=1), *tone(1), *tone(5), *H264, *AAC, "-map", "0", "-map", "1", "-map", "2"],
    ),
    "long-sound": ("mp4", [*camera(320, 180, seconds=1), *tone(5), *H264, *AAC]),
    "long-sound-live": (
        "mkv", [*camera(320, 180, seconds=1), *tone(5), *H264, *AAC, "-f", "matroska", "-live", "1"],
    ),
    "short-sound": ("mp4", [*camera(320, 180, seconds=5), *tone(1), *H264, *AAC]),
}  # fmt: skip
"""Suffix and FFmpeg's arguments of each clip."""
