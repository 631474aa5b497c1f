"""Facts of a media file, read from the file itself by another library than the one that made it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np


@dataclass(frozen=True)
class Facts:
    """What a file is."""

    size: int
    codec: str
    width: int
    height: int
    seconds: float | None
    """None for a still picture."""
    frame_rate: float | None
    video_kbps: int | None
    """Average of the video stream alone."""
    audio: str | None


def probe(path: Path) -> Facts:
    """Read every packet: durations and bit rates are counted, not believed."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        audio = container.streams.audio[0] if container.streams.audio else None
        size, count, end = 0, 0, 0.0
        for packet in container.demux(video):
            if packet.size and packet.time_base is not None:
                size += packet.size
                count += 1
                if packet.pts is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        moving = count > 1
        return Facts(
            size=path.stat().st_size,
            codec=video.codec_context.name,
            width=video.codec_context.width,
            height=video.codec_context.height,
            seconds=round(end, 2) if moving else None,
            frame_rate=round(count / end, 2) if moving else None,
            video_kbps=round(size * 8 / end / 1000) if moving else None,
            audio=audio.codec_context.name if audio is not None else None,
        )


def table(found: dict[str, Facts]) -> str:
    """One line a file."""
    rows: list[tuple[str, ...]] = [("FILE", "SIZE", "CODEC", "PICTURE", "SECONDS", "FPS", "VIDEO KBIT/S", "AUDIO")]
    for name, facts in found.items():
        rows.append(
            (
                name,
                f"{facts.size / 2**20:.1f} MiB" if facts.size >= 2**20 else f"{facts.size / 2**10:.1f} KiB",
                facts.codec,
                f"{facts.width}x{facts.height}",
                *(
                    "-" if value is None else str(value)
                    for value in (facts.seconds, facts.frame_rate, facts.video_kbps)
                ),
                facts.audio or "-",
            )
        )
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def loudness(path: Path) -> float:
    """Integrated loudness of a file's sound by EBU R128, in LUFS; below -70 for silence. RuntimeError with FFmpeg's words."""
    argv = [
        "ffmpeg",
        "-hide_banner",
        "-nostdin",
        "-nostats",
        "-i",
        str(path),
        "-map",
        "0:a",
        "-af",
        "ebur128",
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    found = re.findall(r"^\s*I:\s*(-?[0-9.]+) LUFS", done.stderr, re.MULTILINE)
    if done.returncode != 0:
        raise RuntimeError(f"the loudness of {path.name} could not be measured: {done.stderr.strip()[-500:]}")
    return float(found[-1]) if found else float("-inf")


def cues(path: Path) -> list[tuple[float, float, str]]:
    """The captions of an SRT file: start and end in seconds, text."""
    stamp = r"(\d+):(\d+):(\d+),(\d+)"
    found = []
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        match = re.search(rf"{stamp} --> {stamp}\n(.*)", block, re.DOTALL)
        if match is not None:
            start, end = (
                int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000
                for h, m, s, ms in (match.groups()[:4], match.groups()[4:8])
            )
            found.append((start, end, " ".join(match[9].split())))
    return found


SMALL = (32, 18)
ALIKE = 24.0
"""Two frames that differ by less, on average of 0 to 255, may show the same picture, in whatever state of its zoom."""


def different(path: Path, moments: Sequence[float]) -> int:
    """How many different pictures are seen at these moments, in seconds, at least."""
    seen: list[np.ndarray] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        wanted = sorted(moments)
        for frame in container.decode(stream):
            if not wanted:
                break
            if frame.time is not None and frame.time >= wanted[0]:
                wanted.pop(0)
                small = frame.reformat(*SMALL, "rgb24").to_ndarray().astype(np.float32)
                if all(np.abs(small - other).mean() > ALIKE for other in seen):
                    seen.append(small)
    return len(seen)
