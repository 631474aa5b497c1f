"""How far `status.estimate` is off: VideoJobs of many shapes run without a cluster, each forecast from those before it.

Prints the median and the 90th percentile of |estimated end - true end| / (true end - start), by the first estimate that
knew the input. Needs FFmpeg; takes some minutes. Run by `make figures-estimate`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

import yaml

from videojob_cli.run import run
from videojob_operator.decide.world import VideoJobView

TEACHERS = 8
"""VideoJobs that only teach: the first of a kind cannot be forecast."""
SHAPES = ((320, 180), (640, 360), (854, 480), (1280, 720))
SECONDS = (2, 4, 6, 9)
PROFILES = (["360p"], ["480p", "thumbnail"], ["720p", "480p", "thumbnail"], ["360p", "480p"], ["720p"])


def clip(folder: Path, width: int, height: int, seconds: int) -> str:
    """A clip with moving detail; its name below `folder`."""
    name = f"{width}x{height}-{seconds}.mp4"
    if not (folder / name).exists():
        picture = f"mandelbrot=s={width}x{height}:r=30:start_scale=0.5:end_scale=0.1,noise=alls=8:allf=t,format=yuv420p"
        argv = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-t", str(seconds)]
        subprocess.run([*argv, "-c:v", "libx264", "-preset", "ultrafast", str(folder / name)], check=True)
    return name


def manifests(folder: Path, stock: Path, count: int, seed: int) -> list[Path]:
    """So many VideoJobs of shapes drawn by the seed."""
    chance = random.Random(seed)  # noqa: S311 - shapes of test clips
    paths = []
    for number in range(count):
        width, height = chance.choice(SHAPES)
        source = {"uri": f"store://stock/{clip(stock, width, height, chance.choice(SECONDS))}"}
        body = {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": f"job-{number:02}"},
            "spec": {"transcode": {"source": source, "profiles": chance.choice(PROFILES)}},
        }
        paths.append(folder / f"{number:02}.yaml")
        paths[-1].write_text(yaml.safe_dump(body))
    return paths


def measure(count: int, seed: int) -> list[float]:
    """Relative error of each forecast after the teachers', in the order they ended."""
    first: dict[str, datetime] = {}

    def changed(view: VideoJobView) -> None:
        found = view.status.estimate
        if found is not None and found.cpu_seconds is not None and found.completion_time is not None:
            first.setdefault(view.name, found.completion_time)

    with tempfile.TemporaryDirectory(prefix="videojob-estimate-") as name:
        folder = Path(name)
        stock = folder / "store/default/stock"
        stock.mkdir(parents=True)
        paths = manifests(folder, stock, TEACHERS + count, seed)
        ended = run(paths, file=None, output=folder / "out", store=folder / "store", changed=changed, cores=2)
    errors = []
    print(f"{'VIDEOJOB':<10} {'TOOK':>7} {'ERROR':>7}   PROFILES")
    views = sorted((one.view for one in ended), key=lambda view: view.status.completion_time or datetime.now(UTC))
    for view in views[TEACHERS:]:
        status, spec = view.status, view.spec
        if status.start_time is None or status.completion_time is None or view.name not in first or spec is None:
            sys.exit(f"{view.name} ended as {status.phase} without an estimate: {status.failure}")
        took = (status.completion_time - status.start_time).total_seconds()
        errors.append(abs((first[view.name] - status.completion_time).total_seconds()) / took)
        made = ", ".join(spec.transcode.profiles) if spec.transcode is not None else ""
        print(f"{view.name:<10} {took:>6.1f}s {errors[-1]:>6.0%}   {made}")
    return errors


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--jobs", type=int, default=20, help="VideoJobs to forecast")
    options.add_argument("--seed", type=int, default=1, help="which shapes they have")
    given = options.parse_args()
    errors = measure(given.jobs, given.seed)
    worst = quantiles(errors, n=10)[-1] if len(errors) > 1 else errors[0]
    print(
        f"status.estimate over {len(errors)} VideoJobs: median error {median(errors):.0%}, 90th percentile {worst:.0%}"
    )


if __name__ == "__main__":
    main()
