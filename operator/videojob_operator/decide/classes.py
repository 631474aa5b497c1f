"""Worker classes: which one a VideoJob gets, and what each container of an attempt may use.

What an attempt may use follows from the class on record and from how many attempts ran out of memory or disk, never from
anybody's memory of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from videojob_api.names import Reason
from videojob_api.stages import COMMIT, KINDS, StageKind
from videojob_api.v1alpha1 import PlanStatus, WorkerClass
from videojob_api.v1alpha1.workerclass import mebibytes, millis

from .world import Config, Share

GROWTH_PERCENT = 150
"""An attempt after one that ran out gets so much of what that one had."""
DEFAULT_CAP = 2
"""Where the class sets no bound, an attempt may get so many times what the first one got."""


def find(config: Config, name: str, namespace: str) -> WorkerClass | None:
    """The class of that name, if VideoJobs of the namespace may use it."""
    found = dict(config.classes).get(name) if not config.any_class else WorkerClass()
    return found if found is not None and found.allows(namespace) else None


def unknown(config: Config, name: str, namespace: str) -> tuple[Reason, str] | None:
    """Why a VideoJob cannot have that class; None when it can."""
    if find(config, name, namespace) is not None:
        return None
    known = ", ".join(sorted(each for each, row in config.classes if row.allows(namespace)))
    text = f"no worker class {name} for namespace {namespace}; known: {known}; set spec.workerClass to one of them"
    return Reason.UNKNOWN_WORKER_CLASS, text[:1000]


def planned(plan: PlanStatus | None) -> WorkerClass:
    """The class on record; what another version wrote beside it is left out. Raises ValidationError for one that this version
    cannot read.
    """
    return WorkerClass.model_validate(plan.worker if plan is not None else {}, extra="ignore")


# ---------------------------------------------------------------- what an attempt may use


def ladder(first: int, cap: int, steps: int) -> tuple[int, int]:
    """What an attempt gets after so many that ran out, in the unit of `first`; and how many of these ran out of the cap."""
    amount = min(first, cap)
    for step in range(steps):
        if amount >= cap:
            return amount, steps - step
        amount = min(cap, amount * GROWTH_PERCENT // 100)
    return amount, 0


def scratch_mib(given: WorkerClass, steps: int) -> int:
    """Size of /tmp in MiB after so many attempts that ran out of disk."""
    first = mebibytes(given.scratch)
    cap = mebibytes(given.max_scratch) if given.max_scratch is not None else DEFAULT_CAP * first
    return ladder(first, cap, steps)[0]


def shares(
    given: WorkerClass,
    parts: Iterable[tuple[str, Sequence[StageKind]]],
    *,
    steps: int = 0,
    copies: bool = False,
    gpus: bool = True,
) -> tuple[Share, ...]:
    """What each container (name, stages) may use after so many attempts that ran out of memory.

    `copies`: the attempt may only copy what the cache holds, and needs what a commit needs, so that it finds room on a node
    that is full of encoders. `gpus`: whether what decodes gets the class's GPUs.
    """
    return tuple(_share(given, name, (COMMIT,) if copies else rows, steps, gpus=gpus) for name, rows in parts)


def _share(given: WorkerClass, name: str, rows: Sequence[StageKind], steps: int, *, gpus: bool) -> Share:
    """The most demanding stage decides; the class's own amounts and GPUs are for what decodes and encodes."""
    works = any(row.trust == "decode" for row in rows)
    requests, limits = given.resources.requests, given.resources.limits
    request = max(row.memory_mib for row in rows)
    first = max(row.memory_limit_mib for row in rows)
    cpu = max(row.cpu_millis for row in rows)
    cpu_limit = None
    if works:
        first = mebibytes(limits.memory) if limits.memory is not None else first
        request = mebibytes(requests.memory) if requests.memory is not None else request
        cpu_limit = millis(limits.cpu) if limits.cpu is not None else None
        cpu = millis(requests.cpu) if requests.cpu is not None else min(cpu, cpu_limit or cpu)
        first = max(first, request) if limits.memory is None else first
    cap = mebibytes(given.max_memory) if given.max_memory is not None else DEFAULT_CAP * first
    first = min(first, cap)
    limit, spent = ladder(first, cap, steps)
    sizes = [size for row in rows for size in row.working_sizes]
    return Share(
        container=name,
        cpu_millis=cpu,
        cpu_limit_millis=cpu_limit,
        memory_mib=min(limit, request * limit // first),
        memory_limit_mib=limit,
        gpus=((given.gpu.resource, given.gpu.count),) if works and gpus and given.gpu is not None else (),
        working_size=sizes[min(spent, len(sizes)) - 1] if sizes and spent else None,
    )


def by_container(places: dict[str, str]) -> tuple[tuple[str, tuple[StageKind, ...]], ...]:
    """Rows of each container, from the container of each stage's kind or name."""
    known = {row.stage: row for row in KINDS.values()} | KINDS
    return tuple(
        (name, tuple(known[stage] for stage, place in places.items() if place == name and stage in known))
        for name in dict.fromkeys(places.values())
    )
