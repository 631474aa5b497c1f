"""The FFmpeg programs: where they are, the fences every call gets, and what their last words mean."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ..base.errors import BadConfig, Permanent, Recoverable, WorkerError, disk_full, out_of_memory
from ..base.process import Finished

MAX_PIXELS = 8192 * 4352
"""Largest picture that is decoded: 8K with its padding. A header may announce more than any memory holds (case 66)."""
MAX_STREAMS = 64
PROBE_BYTES = 10_000_000
ANALYZE_MICROSECONDS = 10_000_000


class RunTool(Protocol):
    """Runs a short program under a stage's fences; `on_line` gets what it prints line by line, else it is kept."""

    def __call__(self, argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
        """Run it to its end."""


def find(name: str) -> str | None:
    """Path of `ffmpeg` or `ffprobe`: `$FFMPEG_PATH`, for ffprobe the one beside it, else from PATH (S-054)."""
    named = os.environ.get("FFMPEG_PATH")
    if named:
        path = Path(named) if name == "ffmpeg" else Path(named).with_name(name)
        if name == "ffmpeg" or path.exists():
            return str(path)
    return shutil.which(name)


def ffmpeg() -> str:
    """Path of ffmpeg. Raises BadConfig with the remedy."""
    path = find("ffmpeg")
    if path is None:
        raise BadConfig(
            "ToolMissing", "ffmpeg was not found", hint="install ffmpeg (apt-get install ffmpeg) or set FFMPEG_PATH"
        )
    return path


def file_url(path: Path) -> str:
    """A path FFmpeg can only read as a file: names such as `concat:x` or `-i` mean nothing special (case 59)."""
    return f"file:{path.absolute()}"


def input_options(demuxer: str) -> dict[str, str | int]:
    """What stands before every `-i`: pinned demuxer, allow-lists, bounds (case 64, 66)."""
    return {
        "f": demuxer,
        "protocol_whitelist": "file",
        "format_whitelist": demuxer,
        "max_pixels": MAX_PIXELS,
        "max_streams": MAX_STREAMS,
        "probesize": PROBE_BYTES,
        "analyzeduration": ANALYZE_MICROSECONDS,
    }


def flat(options: dict[str, str | int]) -> list[str]:
    """Options as arguments, in the dictionary's order."""
    return [part for name, value in options.items() for part in (f"-{name}", str(value))]


_VERSIONS: dict[tuple[str, int], str] = {}
"""What a program at a path said, by the time it was written: several stages of a container ask."""


def version(run: RunTool) -> str:
    """FFmpeg's version, such as `5.1.9-0+deb12u1`."""
    path = ffmpeg()
    program = (path, Path(path).stat().st_mtime_ns if Path(path).exists() else 0)
    if program not in _VERSIONS:
        text = run([path, "-hide_banner", "-version"]).stdout.decode("utf-8", "replace")
        match = re.match(r"ffmpeg version (\S+)", text)
        if match is None:
            return "unknown"
        _VERSIONS[program] = match[1]
    return _VERSIONS[program]


_CORRUPT = (
    "Invalid data found", "moov atom not found", "could not find codec parameters", "Could not find codec parameters",
    "End of file", "error reading header", "Invalid argument", "does not contain any stream", "Picture size",
    "Decoder (codec", "Failed to read frame size", "EBML header parsing failed", "Invalid NAL unit",
)  # fmt: skip


def judge(finished: Finished, doing: str) -> WorkerError:
    """The error behind a non-zero exit, by the tool's own words."""
    tail = finished.stderr.strip()
    if "max_streams" in tail:
        return Permanent(
            "UnsafeInput", f"the file has more than {MAX_STREAMS} streams", hint="keep one video and one audio stream"
        )
    if "No space left on device" in tail or "File too large" in tail or "Disk quota exceeded" in tail:
        return disk_full(finished.tool, tail)
    if "Cannot allocate memory" in tail or "Error allocating" in tail:
        return out_of_memory(finished.tool, tail)
    if finished.code < 0:
        return Recoverable(
            "FFmpegFailed", f"{finished.tool} was ended by signal {-finished.code} while {doing}", log_tail=tail
        )
    return Recoverable("FFmpegFailed", f"{finished.tool} failed with code {finished.code} while {doing}", log_tail=tail)


def judge_reading(finished: Finished, doing: str) -> WorkerError:
    """The same for a call that only reads an input: what it cannot make sense of is the input's fault."""
    error = judge(finished, doing)
    if isinstance(error, Recoverable) and finished.code > 0 and any(word in finished.stderr for word in _CORRUPT):
        return Permanent(
            "CorruptMedia",
            f"the file cannot be read as a video: {_last_line(finished.stderr)}",
            hint="play the file locally; if it plays, re-encode it to MP4 (H.264 and AAC) and submit again",
            log_tail=finished.stderr.strip(),
        )
    return error


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return re.sub(r"file:\S*/", "", lines[-1])[:200] if lines else "no reason given"
