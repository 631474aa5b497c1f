"""What a stage has used: time on the wall, of CPUs, of GPUs."""

from __future__ import annotations

import resource
import time
from pathlib import Path


def spent(began: float, cpu: float) -> dict[str, float | None]:
    """Time a stage has taken since then: on the wall, of CPUs, of GPUs."""
    seconds, cards = time.monotonic() - began, gpus()
    return {
        "seconds": round(seconds, 3),
        "cpu_seconds": round(cpu_seconds() - cpu, 3),
        "gpu_seconds": round(seconds * cards, 3) if cards else None,
    }


def gpus(devices: Path = Path("/dev")) -> int:
    """GPUs that this container was given: a device plugin shows it those, and no others."""
    return sum(path.name.removeprefix("nvidia").isdecimal() for path in devices.glob("nvidia[0-9]*"))


def cpu_seconds() -> float:
    """CPU time of this process and of all its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
