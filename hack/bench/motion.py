"""`make bench-motion`: what a moving frame of 1080p costs by each way to make it, in CPU milliseconds of one run.

The table says why scenes are drawn as they are: no FFmpeg filter is both exact to a fraction of a pixel and cheap.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")

from bench.storyfilm import photograph  # noqa: E402 - found by the line above
from videojob_worker.compose import motion, picture  # noqa: E402 - the same
from videojob_worker.compose.planes import Frame  # noqa: E402 - the same

SIZE, FRAMES, FPS = (1920, 1080), 90, 30
FILTERS = (
    ("FFmpeg zoompan", "zoompan=z='1+0.05*on/30':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)'", "jumps by whole pixels"),
    (
        "FFmpeg zoompan on a picture of 8000 pixels",
        "scale=8000:-1,zoompan=z='1+0.05*on/30':x='iw/2-(iw/zoom/2)':y='ih/2-(ih/zoom/2)'",
        "jumps by a quarter of a pixel",
    ),
)
SCALED = (
    "loop=loop=-1:size=1,settb=1/30,setpts=N,scale=w='2*trunc(1920*(1+0.05*n/30)/2)':h='2*trunc(1080*(1+0.05*n/30)/2)':eval=frame,"
    "crop=1920:1080"
)
PERSPECTIVE = (
    "scale=1920:1080,loop=loop=-1:size=1,settb=1/30,setpts=N,perspective=eval=frame:interpolation=linear:"
    "x0='W/2-W/2/(1+0.05*on/30)':y0='H/2-H/2/(1+0.05*on/30)':x1='W/2+W/2/(1+0.05*on/30)':y1='H/2-H/2/(1+0.05*on/30)':"
    "x2='W/2-W/2/(1+0.05*on/30)':y2='H/2+H/2/(1+0.05*on/30)':x3='W/2+W/2/(1+0.05*on/30)':y3='H/2+H/2/(1+0.05*on/30)'"
)


def by_ffmpeg(image: Path, chain: str) -> float:
    """CPU milliseconds a frame of a filter chain, without an encoder."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise SystemExit("ffmpeg was not found: make packages")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    argv = [
        program,
        "-v",
        "error",
        "-i",
        str(image),
        "-vf",
        f"{chain},format=yuv420p",
        "-frames:v",
        str(FRAMES),
        "-f",
        "null",
        "-",
    ]
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / FRAMES * 1000


def by_drawing(draw: Callable[[int], object]) -> float:
    """CPU milliseconds a frame of a function."""
    draw(0)
    since = time.process_time()
    for number in range(FRAMES):
        draw(number)
    return (time.process_time() - since) / FRAMES * 1000


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="videojob-bench-") as made:
        image = Path(made) / "p.jpg"
        photograph(image, 1)
        opened: Image.Image = picture.read(image)
        window = motion.zoom_window(*SIZE, (960, 540))
        canvas = picture.canvas(opened, window)
        zoom = motion.Zoom(canvas, *SIZE, focus=(960, 540), rate=0.05)
        frame = Frame.blank(*SIZE)

        def warped(flags: int) -> Callable[[int], object]:
            def draw(number: int) -> None:
                step = motion.MAX_ZOOM / zoom.zoom(number / FPS)
                for plane, source, half in zip(frame.planes.all, canvas.all, (1, 2, 2), strict=True):
                    size = (SIZE[0] // half, SIZE[1] // half)
                    matrix = np.array([[step, 0, (source.shape[1] - size[0] * step) / 2], [0, step, 0]])
                    cv2.warpAffine(source, matrix, size, dst=plane, flags=flags | cv2.WARP_INVERSE_MAP)

            return draw

        rgb = np.asarray(opened.resize(SIZE))
        rows = [
            (
                "ours: four quarters of each plane, resized",
                by_drawing(lambda n: zoom.draw(n / FPS, frame.planes)),
                "exact",
            ),
            ("OpenCV warpAffine of each plane, linear", by_drawing(warped(cv2.INTER_LINEAR)), "to 1/32 of a pixel"),
            ("OpenCV warpAffine of each plane, cubic", by_drawing(warped(cv2.INTER_CUBIC)), "to 1/32 of a pixel"),
            (
                "Pillow resize in RGB, as MoviePy 2.2.1 does",
                by_drawing(
                    lambda n: Image.fromarray(rgb).resize((1920 + 3 * n, 1080 + 2 * n), Image.Resampling.BILINEAR)
                ),
                "jumps by whole pixels",
            ),
            *((name, by_ffmpeg(image, f"{chain}:d={FRAMES}:s=1920x1080:fps=30"), how) for name, chain, how in FILTERS),
            ("FFmpeg scale of each frame, crop", by_ffmpeg(image, SCALED), "jumps by whole pixels"),
            ("FFmpeg perspective of each frame", by_ffmpeg(image, PERSPECTIVE), "to 1/256 of a pixel"),
        ]
    print("| a moving frame of 1920x1080, no encoder | CPU ms | motion |\n|---|---|---|")
    for name, figure, how in rows:
        print(f"| {name} | {figure:.1f} | {how} |")


if __name__ == "__main__":
    main()
