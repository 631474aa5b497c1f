"""Facts of a media file, read from the file itself by another library than the one that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av


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
