"""`make bench-quality`: what each preset and CRF of a story's encoder gives, and what it costs; the qualities follow from it.

Two scenes of the bench's film, without words, each encoded as a piece is: VMAF against the photographs' own motion, megabits a
second, and CPU time of the encoder, which also a busy machine tells well enough to compare.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")

from bench import peers  # noqa: E402 - needs the path above
from bench.storyfilm import FPS, SCENE_SECONDS, SIZE, Bench, story  # noqa: E402 - as above
from bench.vmaf import Judge  # noqa: E402 - as above
from videojob_api.story.looks import Encoding as Asked  # noqa: E402 - as above
from videojob_worker.compose.encoder import PieceFile  # noqa: E402 - as above
from videojob_worker.compose.encoding import Encoding  # noqa: E402 - as above
from videojob_worker.compose.planes import Frame  # noqa: E402 - as above

ROWS = (
    ("superfast", 23), ("superfast", 20), ("superfast", 18), ("veryfast", 23), ("veryfast", 18), ("faster", 18), ("medium", 18),
)  # fmt: skip
SCENES = 2
PLAIN = "deadzone-inter=21:deadzone-intra=11"
"""What x264 rounds away by default."""


def row(judge: Judge, out: Path, preset: str, crf: int, *, plain: bool) -> str:
    """One line of the table."""
    code = replace(Encoding.of(Asked(quality="High"), SIZE, FPS), preset=preset, crf=crf)
    if plain:
        code = replace(code, x264=f"{code.x264}:{PLAIN}")
    count = SCENES * SCENE_SECONDS * FPS
    frames = np.memmap(judge.frames, np.uint8, "r").reshape(count, -1)
    frame = Frame.blank(*SIZE)
    file = PieceFile(out, code, [range(count)])
    since = time.thread_time()
    with file.strand(0) as strand:
        for data in frames:
            frame.data[:] = data
            strand.write(frame.data.data)
    file.close()
    spent = (time.thread_time() - since) / count
    mean, low = judge.score(out)
    rate = out.stat().st_size * 8 / (SCENES * SCENE_SECONDS) / 1e6
    out.unlink()
    name = f"{preset}, default dead zones" if plain else preset
    return f"| {name} | {crf} | {mean:.1f} | {low:.1f} | {rate:.2f} | {spent * 1000:.1f} |"


def main() -> None:
    """Measure and print."""
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - raw frames
    with tempfile.TemporaryDirectory(prefix="videojob-bench-", dir=memory) as made:
        folder = Path(made)
        judge = Judge(Bench(folder, "High"), story(folder, SCENES), peers.moviepy_python(folder))
        print("| preset | CRF | VMAF mean | 1st percentile | Mbit/s | CPU ms a frame |\n|---|---|---|---|---|---|")
        for preset, crf in ROWS:
            print(row(judge, folder / "piece.mp4", preset, crf, plain=False), flush=True)
        for crf in (23, 18):
            print(row(judge, folder / "piece.mp4", "superfast", crf, plain=True), flush=True)


if __name__ == "__main__":
    main()
