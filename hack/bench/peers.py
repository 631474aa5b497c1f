"""What people use today for such a film: a script of FFmpeg's zoompan, and MoviePy 2.2.1, installed into a folder of its own."""

from __future__ import annotations

import subprocess
import time
import venv
from pathlib import Path

from bench.storyfilm import FPS, SCENE_SECONDS, SIZE, Bench, ffmpeg

USUAL_CRF = 23
"""What such scripts ask for, and x264's own default."""


def zoompan(bench: Bench, scenes: int) -> float:
    """The script that people use: each picture enlarged to 8000 pixels against the jitter of whole pixels, then joined."""
    since, rows = time.monotonic(), []
    for number in range(scenes):
        out = bench.folder / f"z{number}.mp4"
        move = (
            f"scale=8000:-1,zoompan=z='1+0.25*on/{FPS * SCENE_SECONDS}':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)':"
            f"d={FPS * SCENE_SECONDS}:s={SIZE[0]}x{SIZE[1]}:fps={FPS},fade=in:0:15,fade=out:{FPS * SCENE_SECONDS - 15}:15,"
            "format=yuv420p"
        )
        code = ["-c:v", "libx264", "-preset", bench.preset, "-crf", str(bench.crf)]
        argv: list[str | Path] = [ffmpeg(), "-v", "error", "-y", "-i", bench.folder / f"p{number}.jpg", "-vf", move]
        argv += ["-frames:v", str(FPS * SCENE_SECONDS), *code, out]
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        rows.append(f"file '{out}'")
    listing = bench.folder / "z.txt"
    listing.write_text("\n".join(rows), encoding="utf-8")
    argv = [
        ffmpeg(),
        "-v",
        "error",
        "-y",
        "-f",
        "concat",
        "-safe",
        "0",
        "-i",
        listing,
        "-c",
        "copy",
        bench.folder / "z.mp4",
    ]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - since


def moviepy(bench: Bench, python: Path, scenes: int, crf: int) -> tuple[float, int]:
    """MoviePy as the seed writes it, at the same preset; no captions, which it would draw at extra cost. Seconds, and bytes."""
    script = f"""
import sys
from moviepy import CompositeVideoClip, ImageClip, concatenate_videoclips, vfx
clips = []
for n in range({scenes}):
    clip = ImageClip(f"{bench.folder}/p{{n}}.jpg").resized(width={SIZE[0]}).with_duration({SCENE_SECONDS})
    clip = clip.resized(lambda t: 1 + 0.05 * t).with_position("center")
    made = CompositeVideoClip([clip], size={SIZE}).with_duration({SCENE_SECONDS})
    clips.append(made.with_effects([vfx.FadeIn(0.5), vfx.FadeOut(0.5)]))
concatenate_videoclips(clips).write_videofile("{bench.folder}/m.mp4", fps={FPS}, codec="libx264", preset="{bench.preset}",
    ffmpeg_params=["-crf", "{crf}"], audio=False, logger=None)
"""
    since = time.monotonic()
    subprocess.run([python, "-c", script], check=True, stdin=subprocess.DEVNULL)
    return time.monotonic() - since, (bench.folder / "m.mp4").stat().st_size


def moviepy_python(folder: Path) -> Path:
    """A Python with MoviePy 2.2.1, in a folder of its own."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "moviepy==2.2.1"], check=True)
    return python
