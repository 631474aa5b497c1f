"""A picture cut out in a process that may have only so much more memory than it has: what it then says.

Run as a program: `limited.py KIND WEIGHTS SHA256 MIB`. The limit (RLIMIT_AS) is set once the weights are loaded, so that it is
the work that meets it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np


def cut_out(kind: str, weights: Path, sha256: str, more_mib: int) -> dict[str, object]:
    """What `main` prints, from a process of its own."""
    argv = [sys.executable, __file__, kind, str(weights), sha256, str(more_mib)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return told


def main(kind: str, weights: str, sha256: str, more_mib: str) -> None:
    """Cut a red figure out, and tell on what, how well, and why no better."""
    from videojob_worker.base.errors import WorkerError  # noqa: PLC0415 - the parent needs none of it
    from videojob_worker.vision.matting import open_matter  # noqa: PLC0415

    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[80:336, 96:224] = (230, 30, 30)
    matter = open_matter(kind, Path(weights), sha256)
    if kind == "birefnet":  # threads and kernels are there before the limit is
        open_matter(kind, Path(weights), sha256, side=64).matte(picture[:64, :64], None)
    with Path("/proc/self/status").open(encoding="ascii") as file:
        used = next(int(line.split()[1]) for line in file if line.startswith("VmSize"))
    limit = (used << 10) + (int(more_mib) << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    told: dict[str, object] = {}
    try:
        mask = matter.matte(picture, None)
        told = {"inside": float(mask[200, 160]), "outside": float(mask[400, 500])}
    except WorkerError as error:
        told = {"code": error.code, "class": error.failure_class.value}
    sys.stdout.write(json.dumps(told | {"degraded": matter.degraded, "accelerator": matter.accelerator}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
