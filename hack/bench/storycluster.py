"""`make figures-story`: a whole story on the real cluster, then once more with one picture and with one sentence changed (M2).

Wall time is this program's own, from the request that creates the VideoJob to the watch that tells its end; beside it stands what
the status says. In one pod (Compact): 36 pods that each take a piece from the cache would start for longer than they work.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT / "hack")

from bench import oncluster, storyjob  # noqa: E402 - found by the line above
from bench.storyfilm import photograph  # noqa: E402 - as above
from videojob_cli.client import VideoJobs  # noqa: E402 - as above
from videojob_cli.errors import CliError  # noqa: E402 - as above
from videojob_cli.sources import local_file  # noqa: E402 - as above

SAID = "Scene {} of story {} in many pictures."
PATIENCE_SECONDS = 1200


def made(jobs: VideoJobs, name: str, story: dict[str, Any]) -> tuple[str, str]:
    """Create one VideoJob and wait for its end; a row of the table."""
    wanted = storyjob.manifest(name, story)
    wanted["spec"]["execution"] = {"mode": "Compact"}
    since = time.monotonic()
    jobs.create(wanted)
    status = jobs.wait(name, seconds=PATIENCE_SECONDS)["status"]
    wall = time.monotonic() - since
    if status["phase"] != "Succeeded":
        raise CliError(f"VideoJob {name} ended as {status['phase']}: {status.get('failure')}")
    stages = ", ".join(f"{stage['name']} {stage.get('seconds', 0):.1f}" for stage in status["stages"])
    told, pieces = status["executionTimeMs"] / 1000, status["story"]
    drawn = f"{pieces.get('piecesMade', 0)} of {pieces['pieces']} pieces drawn"
    return name, f"{wall:.1f} s; status: {told:.1f} s; {drawn}; seconds by stage: {stages}"


def measure(scenes: int, quality: str) -> None:
    """Measure on the cluster that $KUBECONFIG names, and print."""
    _, jobs = oncluster.emptied()
    run = secrets.token_hex(3)
    with tempfile.TemporaryDirectory(prefix="videojob-figures-") as folder:
        pictures = [Path(folder, f"p{number}.jpg") for number in range(scenes + 1)]
        for number, path in enumerate(pictures):
            photograph(path, number)
        jobs.upload([local_file(path) for path in pictures], names=[f"{run}-{path.name}" for path in pictures])
    story = storyjob.asked(quality, [SAID.format(place + 1, run) for place in range(scenes)], f"store://stock/{run}-")
    rows = [("machine", f"{os.cpu_count()} cores for cluster and workers, load {os.getloadavg()[0]:.1f}")]
    rows += [("story", f"{scenes} scenes of 5 s, 1920x1080, 30 frames a second, quality {quality}")]
    rows.append(made(jobs, f"first-{run}", story))
    story["scenes"][scenes // 2]["image"] = {"uri": f"store://stock/{run}-p{scenes}.jpg"}
    rows.append(made(jobs, f"picture-{run}", story))
    story["scenes"][scenes // 2]["text"] = storyjob.EDITED
    rows.append(made(jobs, f"sentence-{run}", story))
    storyjob.table(rows)


def main() -> None:
    """Bring the chart up, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=36, help="scenes of 5 s")
    parser.add_argument("--quality", default="Standard", help="the film's quality")
    options = parser.parse_args()
    oncluster.installed()
    measure(options.scenes, options.quality)


if __name__ == "__main__":
    oncluster.told("figures-story", main)
