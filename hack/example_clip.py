"""Makes crds/examples/media/clip.mp4: five seconds that are like a camera's, small enough for the repository.

A slow zoom into a fractal (detail at every scale), film grain that changes with every frame, and a spoken
sentence. Needs an FFmpeg with flite (Debian's has it). The bytes depend on the FFmpeg that writes them, so this runs
by hand when the clip is to change; the examples name its sha256, and a test compares the two.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

CLIP = Path(__file__).resolve().parent.parent / "crds" / "examples" / "media" / "clip.mp4"
SECONDS = 5
SENTENCE = "Every frame you see was made by a single resource on your own cluster."
PICTURE = (
    # the rim of the set, zoomed slowly: moving detail without an edge of the test-pattern kind
    "mandelbrot=size=1280x720:rate=25:start_scale=0.02:end_scale=0.008:start_x=-0.743643887:start_y=-0.131825904"
    ":maxiter=400:end_pts=125,"
    # the hues of daylight rather than of a plotter, slightly out of focus as a lens is
    "hue=s=0.55,gblur=sigma=0.8,"
    # grain that changes with every frame
    "noise=alls=6:allf=t,"
    "format=yuv420p"
)


def argv(target: Path) -> list[str]:
    """The whole command."""
    return [
        "ffmpeg", "-hide_banner", "-loglevel", "error", "-y",
        "-f", "lavfi", "-i", PICTURE,
        "-f", "lavfi", "-i", f"flite=text='{SENTENCE}':voice=slt",
        "-t", str(SECONDS), "-af", "apad,aresample=48000", "-ac", "2",
        "-c:v", "libx264", "-preset", "veryslow", "-b:v", "480k", "-maxrate", "600k", "-bufsize", "1200k", "-g", "50",
        "-c:a", "aac", "-b:a", "64k",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
        "-movflags", "+faststart", str(target),
    ]  # fmt: skip


def main() -> int:
    """Write the clip and print what the examples have to name."""
    CLIP.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(argv(CLIP), check=False)
    if done.returncode:
        print("ffmpeg failed: is it there, and does `ffmpeg -filters` list flite?", file=sys.stderr)
        return 1
    body = CLIP.read_bytes()
    print(f"{CLIP.name}: {len(body)} bytes, store://inbox/{hashlib.sha256(body).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
