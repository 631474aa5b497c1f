"""Speech at one loudness: measured by EBU R128, then turned up or down as a whole, many sounds in one run of FFmpeg (S-064).

Two passes and a constant gain: the automatic one of a single pass breathes in every pause. What would clip is limited.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videojob_api.story.looks import SAMPLE_RATE

from ..base.errors import Recoverable
from .tools import RunTool, ffmpeg, file_url, flat, input_options, judge

AT_ONCE = 16
"""Sounds of one run."""
CEILING_DB = -1.5
"""Highest peak; lossy encoders add up to a decibel."""
SILENCE_LUFS = -60.0
"""Quieter than this is no speech."""
SHORT_MS = 600
"""A sound as short as this has no whole block of 400 ms that could be measured: silence is added to measure it."""

_SUMMARY = re.compile(
    r"\[Parsed_ebur128_(?P<place>\d+) @ [^\]]+\] Summary:.*?I:\s+(?P<lufs>-?[\d.]+|-inf|nan) LUFS.*?"
    r"Peak:\s+(?P<peak>-?[\d.]+|-inf|nan) dBFS",
    re.DOTALL,
)


@dataclass(frozen=True)
class Level:
    """How loud a sound is."""

    lufs: float
    """Integrated loudness."""
    peak_db: float
    """Its highest sample."""

    @property
    def silent(self) -> bool:
        """Whether nobody would hear it."""
        return not self.lufs > SILENCE_LUFS


@dataclass(frozen=True)
class Levelling:
    """One sound to bring to its loudness."""

    source: Path
    """WAV, mono."""
    target: Path
    """WAV, mono, SAMPLE_RATE."""
    rate: int
    """Samples a second of the source."""
    gain_db: float
    """How much louder."""
    limited: bool = False
    """Whether its peaks have to be held."""
    tempo_percent: int = 100
    """Change of rate."""
    semitones: int = 0
    """Change of pitch."""


def measure(paths: Sequence[Path], durations_ms: Sequence[int], run: RunTool) -> list[Level]:
    """Loudness of WAV files of our own. Raises Recoverable (FFmpegFailed)."""
    found: list[Level] = []
    for begin in range(0, len(paths), AT_ONCE):
        group = list(zip(paths, durations_ms, strict=True))[begin : begin + AT_ONCE]
        graph = ";".join(
            f"[{place}:a]{'apad=pad_dur=0.4,' if ms < SHORT_MS else ''}aresample=48000,"
            f"ebur128=framelog=verbose:peak=sample[m{place}]"
            for place, (_, ms) in enumerate(group)
        )
        argv = [*_begin([path for path, _ in group]), "-filter_complex", graph]
        for place in range(len(group)):
            argv += ["-map", f"[m{place}]", "-f", "null", "-"]
        finished = run(argv)
        if finished.code != 0:
            raise judge(finished, "measuring loudness")
        found += _levels(finished.stderr, len(group))
    return found


def _begin(paths: Sequence[Path]) -> list[str]:
    argv = [ffmpeg(), "-hide_banner", "-nostdin", "-nostats", "-y", "-threads", "1", "-filter_complex_threads", "1"]
    for path in paths:
        argv += [*flat(input_options("wav")), "-i", file_url(path)]
    return argv


def _levels(text: str, count: int) -> list[Level]:
    """Summaries in the order of the filters' numbers; the last one of each, since FFmpeg may build its graph twice."""
    rows = {
        int(match["place"]): Level(_number(match["lufs"]), _number(match["peak"])) for match in _SUMMARY.finditer(text)
    }
    if len(rows) != count:
        raise Recoverable("FFmpegFailed", f"ffmpeg measured {len(rows)} of {count} sounds", log_tail=text)
    return [rows[place] for place in sorted(rows)]


def _number(text: str) -> float:
    value = float(text)
    return -math.inf if math.isnan(value) else value


def levelling(
    source: Path, target: Path, *, rate: int, level: Level, lufs: int, tempo_percent: int = 100, semitones: int = 0
) -> Levelling:
    """The gain that brings a sound to its loudness."""
    gain = round(lufs - level.lufs, 2)
    return Levelling(
        source, target, rate, gain, level.peak_db + gain > CEILING_DB, tempo_percent=tempo_percent, semitones=semitones
    )


def chain(work: Levelling) -> str:
    """The filters of one sound."""
    steps = []
    factor = 2 ** (work.semitones / 12)
    if work.semitones:
        steps += [f"asetrate={round(work.rate * factor)}", f"aresample={work.rate}"]
    tempo = work.tempo_percent / 100 / factor
    if abs(tempo - 1) > 1e-6:
        steps.append(f"atempo={tempo:.6f}")
    steps += [f"aresample={SAMPLE_RATE}", f"volume={work.gain_db}dB:precision=float"]
    if work.limited:
        limit = 10 ** (CEILING_DB / 20)
        steps.append(f"alimiter=limit={limit:.4f}:level=disabled:latency=1:attack=2:release=60")
    return ",".join([*steps, "aformat=sample_fmts=s16:channel_layouts=mono"])


def level(works: Sequence[Levelling], run: RunTool) -> None:
    """Write every sound at its loudness. Raises Recoverable (FFmpegFailed) or Resource."""
    for begin in range(0, len(works), AT_ONCE):
        group = works[begin : begin + AT_ONCE]
        graph = ";".join(f"[{place}:a]{chain(work)}[l{place}]" for place, work in enumerate(group))
        argv = [*_begin([work.source for work in group]), "-filter_complex", graph]
        for place, work in enumerate(group):
            argv += ["-map", f"[l{place}]", "-c:a", "pcm_s16le", "-bitexact", "-f", "wav", file_url(work.target)]
        finished = run(argv)
        if finished.code != 0:
            raise judge(finished, "bringing speech to its loudness")
