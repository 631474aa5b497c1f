"""`make bench-story`: how fast a story is drawn and encoded, beside the encoder alone in the same run (M1, M2, S-060..S-062).

Everything is a ratio of that run: machines differ, and this one may be busy. The encoder alone reads the very frames that the
film is made of from memory, at the same preset and CRF, with as many threads as it likes. `--peers` adds what people use today: a
script of FFmpeg's zoompan, and MoviePy 2.2.1, which is installed into a folder of its own for that.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")

from bench import peers, storyjob  # noqa: E402 - needs the paths above
from bench.storyfilm import SCENE_SECONDS, Bench, photograph, story, worker  # noqa: E402 - as above
from bench.vmaf import vmaf  # noqa: E402 - as above
from videojob_api.story import platforms  # noqa: E402 - as above
from videojob_api.story.scenes import AssetRef, Background  # noqa: E402 - as above

REPEATS = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=36, help="scenes of 5 s of the whole film")
    parser.add_argument("--excerpt", type=int, default=6, help="scenes of the excerpt that is repeated")
    parser.add_argument("--quality", choices=sorted(platforms.QUALITIES), default="High", help="the film's quality")
    parser.add_argument(
        "--peers", action="store_true", help="also zoompan and MoviePy 2.2.1 (installed for it), and VMAF"
    )
    options = parser.parse_args()
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())  # noqa: S108 - raw frames
    with tempfile.TemporaryDirectory(prefix="videojob-bench-", dir=memory) as made:
        bench, folder = Bench(Path(made), options.quality), Path(made)
        print("drawing pictures", file=sys.stderr)
        whole, excerpt = story(folder, options.scenes), story(folder, options.excerpt)
        frames = excerpt.total_frames
        cpu = bench.frames(excerpt, folder / "frames.yuv")
        raw, ours = [], []
        for number in range(REPEATS):
            print(f"excerpt, run {number + 1} of {REPEATS}", file=sys.stderr)
            raw.append(bench.raw(folder / "frames.yuv"))
            ours.append(bench.ours(excerpt, folder / f"e{number}"))
        python = peers.moviepy_python(folder) if options.peers else Path()
        others = (
            _peers(bench, python, options.excerpt, (statistics.median(ours), folder / "e0/film.mp4"))
            if options.peers
            else []
        )
        (folder / "frames.yuv").unlink()
        print("the whole film", file=sys.stderr)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            full, peak = pool.submit(worker, folder, options.quality, options.scenes, folder / "whole").result()
        edited = list(whole.scenes)
        photograph(folder / "new.jpg", 10_000)
        place = min(16, len(edited) - 1)
        ref = AssetRef(stage="images", path="new.jpg", sha256="f" * 64)
        edited[place] = edited[place].model_copy(update={"background": Background(kind="image", file=ref)})
        once_more = bench.ours(whole.model_copy(update={"scenes": tuple(edited)}), folder / "whole")
        print("VideoJobs", file=sys.stderr)
        jobs = storyjob.measured(folder / "jobs", folder, options.quality, options.scenes)
        raw_fps, our_fps = frames / statistics.median(raw), frames / statistics.median(ours)
        full_fps = whole.total_frames / full
        rows = [
            ("machine", f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"),
            ("quality", f"{options.quality}: preset {bench.preset}, CRF {bench.crf}"),
            ("drawing a frame of 1080p: zoom, fades, captions", f"{cpu / frames * 1000:.1f} ms of one core"),
            ("x264 alone on those frames", f"{raw_fps:.1f} frames/s"),
            (
                f"the story, {options.excerpt * SCENE_SECONDS} s, with sound and join",
                f"{our_fps:.1f} frames/s, {our_fps / raw_fps:.2f} of x264 alone",
            ),
            (
                f"M1: the story, {options.scenes * SCENE_SECONDS} s",
                f"{full:.1f} s, {full_fps:.1f} frames/s, {full_fps / raw_fps:.2f} of x264 alone",
            ),
            ("M2: one of its pictures changed, drawn and joined alone", f"{once_more:.1f} s"),
            *jobs,
            ("memory of the worker and its encoders at once", f"{peak:.0f} MiB"),
            ("size against x264 alone", f"{_size(folder / 'e0' / 'film.mp4') / _size(folder / 'raw.mp4'):.2f}"),
        ]
        rows += others
        if options.peers:
            rows.append(("VMAF against Lanczos from the photographs", vmaf(bench, whole, python)))
        storyjob.table(rows)


def _peers(bench: Bench, python: Path, scenes: int, ours: tuple[float, Path]) -> list[tuple[str, str]]:
    """The same pictures by what people use today: the time of each beside ours, and how large our file is beside MoviePy's."""
    seconds, film = ours
    zoompan = peers.zoompan(bench, scenes)
    moviepy, same = peers.moviepy(bench, python, scenes, bench.crf)
    _, usual = peers.moviepy(bench, python, scenes, peers.USUAL_CRF)
    return [
        ("zoompan script, no captions, no sound", f"{zoompan:.1f} s, {zoompan / seconds:.1f} times ours"),
        ("MoviePy 2.2.1, no captions, no sound", f"{moviepy:.1f} s, {moviepy / seconds:.1f} times ours"),
        (
            f"our size against MoviePy's at the same preset and CRF; at its CRF {peers.USUAL_CRF}",
            f"{_size(film) / same:.2f}; {_size(film) / usual:.2f}",
        ),
    ]


def _size(path: Path) -> int:
    return path.stat().st_size


if __name__ == "__main__":
    main()
