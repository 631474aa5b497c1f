"""Accelerate: where an attempt whose models can compute on a GPU runs, and for how long it waits for one (A-032, A-042).

A VideoJob's worker class, or the `gpuClass` that it names, has the GPUs; stages of the slot classes `yolo` and `birefnet` share
them. Under Prefer a stage that has waited long enough, for its slot or its pod for a node, gives up its place and asks for a
slot of class `cpu`: it hops, once, and stays on the CPU until a redrive or a VideoJob that says Require.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import ValidationError

from videojob_api import names
from videojob_api.names import Reason
from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec, WorkerClass
from videojob_api.v1alpha1.accelerator import HOP_SECONDS, Acceleration

from .. import classes, recipes
from ..world import Event, Observed, Share
from .draft import Draft, Group, Verdict, shares_of
from .sharing import apart

CPU_SLOT = "cpu"
"""Slot class of what could use a GPU and does without."""


@dataclass(frozen=True)
class Place:
    """Where the next attempt of a group runs."""

    worker: WorkerClass
    image: str
    gpu: bool
    """Whether it may hold the class's GPUs."""
    kueue_queue: str | None = None

    def shares(self, group: Group, *, copies: bool = False) -> tuple[Share, ...]:
        """What each container of the attempt may use."""
        return shares_of(self.worker, group, copies=copies, gpus=self.gpu)


def place(plan: PlanStatus, spec: VideoJobSpec | None, group: Group) -> Place:
    """Where the group's next attempt runs. Raises ValidationError for a plan that this version cannot read."""
    mode = spec.accelerator.mode if spec is not None else "Prefer"
    if on_gpu(plan, mode, group) and plan.accelerator is not None:
        given = plan.accelerator
        worker = WorkerClass.model_validate(given.worker, extra="ignore")
        return Place(worker, given.image, gpu=True, kueue_queue=given.kueue_queue)
    gpu = group.plan.accelerated is None and mode != "Never"
    return Place(classes.planned(plan), plan.image, gpu=gpu, kueue_queue=plan.kueue_queue)


def on_gpu(plan: PlanStatus | None, mode: Acceleration, group: Group) -> bool:
    """Whether the group's next attempt gets a GPU, or waits for one."""
    if plan is None or plan.accelerator is None or not group.plan.accelerated or mode == "Never":
        return False
    return mode == "Require" or not group.hopped


def told(plan: PlanStatus | None, spec: VideoJobSpec, group: Group) -> Acceleration | None:
    """What the worker is told; None for stages without models that could use a GPU."""
    if not group.plan.accelerated:
        return None
    if not on_gpu(plan, spec.accelerator.mode, group):
        return "Never"
    return "Require" if spec.fallback.policy == "Deny" else spec.accelerator.mode  # the CPU would be a fallback


def slot_for(seen: Observed, draft: Draft, spec: VideoJobSpec, group: Group, usual: str | None) -> str | None:
    """Class of the slot that the group's next attempt asks for, or has been granted; it hops here when its time has come."""
    plan = draft.status.plan
    if (
        usual is None
        or usual == names.CACHE_SLOT
        or plan is None
        or plan.accelerator is None
        or not group.plan.accelerated
    ):
        return usual
    if not on_gpu(plan, spec.accelerator.mode, group):
        return CPU_SLOT
    granted = next(
        (one.slot for one in seen.grants if (one.group, one.attempt) == (group.name, group.settled + 1)), None
    )
    since = group.gpu_since
    if granted == usual or since is None:
        return usual
    due = _due(spec, since)
    if due is None:
        return usual
    if seen.now < due:
        draft.wakes.append(due)
        return usual
    _hop(seen, draft, group, "no slot with a GPU was free")
    return CPU_SLOT


def waits(seen: Observed, draft: Draft, spec: VideoJobSpec, group: Group) -> None:
    """Note that the group's next attempt has begun to wait for a GPU's slot."""
    if not on_gpu(draft.status.plan, spec.accelerator.mode, group):
        return
    since = group.gpu_since if group.requested == "Gpu" else None
    draft.stages(group.name, accelerator_requested="Gpu", gpu_since=since or seen.now, slot=group.plan.slot)
    due = _due(spec, since or seen.now)
    if due is not None and since is None:
        draft.wakes.append(due)


def begun(seen: Observed, draft: Draft, group: Group, slot: str | None) -> None:
    """Put on record what an attempt was given; `slot` is that of its Job, if it was found without a record."""
    if not group.plan.accelerated:
        return
    mode = seen.job.spec.accelerator.mode if seen.job.spec is not None else "Prefer"
    plan = draft.status.plan
    lost = (
        plan is not None and plan.accelerator is not None and slot == CPU_SLOT != group.plan.slot and mode == "Prefer"
    )
    if lost or (group.hopped and mode == "Prefer"):
        draft.stages(group.name, accelerator_requested="Cpu", gpu_since=group.gpu_since or seen.now, slot=CPU_SLOT)
        return
    given = on_gpu(plan, mode, group)
    usual = given or plan is None or plan.accelerator is None
    draft.stages(group.name, accelerator_requested="Gpu" if given else "Cpu", gpu_since=None)
    for part in recipes.apart(group.plan):
        for stage in part.stages:
            draft.stage(stage, slot=part.slot if usual else CPU_SLOT)


def hop(seen: Observed, draft: Draft) -> None:
    """Give up an attempt whose pod has found no node with a GPU for too long; the next one does its work on the CPU.

    It is accounted for here, before its Job goes: it counts against no budget, for nothing of it has run.
    """
    spec = seen.job.spec
    if draft.done or draft.held or spec is None:
        return
    for group, attempt, verdict in tuple(draft.flights):
        since = _unplaced(verdict)
        due = (
            _due(spec, since) if since is not None and on_gpu(draft.status.plan, spec.accelerator.mode, group) else None
        )
        if due is None or group.requested != "Gpu":
            continue
        if seen.now < due:
            draft.wakes.append(due)
            continue
        draft.flights.remove((group, attempt, verdict))
        for stage in group.stages:
            draft.stage(stage.name, attempt_base=stage.attempt_base + 1, state="Waiting")
        # What shared the pod has not had its turn: it waits for a GPU of its own.
        first, *_ = apart(draft, draft.group(group.name))
        _hop(seen, draft, first, "no node with a GPU had room")


def _unplaced(verdict: Verdict) -> datetime | None:
    """Since when an attempt's pod waits for a node; None when it has one, or nobody has said so."""
    pod, job = verdict.pod, verdict.job
    if verdict.state != "Live" or pod is None or job is None or job.deleting or job.suspended:
        return None
    return job.created if pod.unschedulable is not None and pod.node is None else None


def _due(spec: VideoJobSpec, since: datetime) -> datetime | None:
    """When waiting has an end; None: never."""
    if spec.accelerator.mode != "Prefer" or spec.fallback.policy == "Deny":
        return None
    seconds = spec.accelerator.hop_after_seconds
    return since + timedelta(seconds=HOP_SECONDS if seconds is None else seconds)


def _hop(seen: Observed, draft: Draft, group: Group, why: str) -> None:
    draft.stages(group.name, accelerator_requested="Cpu", gpu_since=group.gpu_since or seen.now, slot=CPU_SLOT)
    text = f"{', '.join(group.plan.stages)}: {why}; goes on with the CPU, as spec.accelerator permits"
    draft.events.append(Event(Reason.ACCELERATOR_FALLBACK, text, "Warning"))


def planned(seen: Observed, spec: VideoJobSpec, chosen: WorkerClass) -> tuple[str, WorkerClass] | None:
    """The worker class in which stages use a GPU: the VideoJob's own if it has one, else the one that it names."""
    if chosen.gpu is not None:
        return spec.worker_class, chosen
    found = classes.find(seen.config, chosen.gpu_class, seen.job.namespace) if chosen.gpu_class else None
    usable = found is not None and found.gpu is not None and not seen.config.any_class
    return (chosen.gpu_class, found) if found is not None and usable else None


def missing(seen: Observed, spec: VideoJobSpec) -> tuple[Reason, str] | None:
    """Why a VideoJob that requires a GPU cannot have one; None when it can, or requires none."""
    chosen = classes.find(seen.config, spec.worker_class, seen.job.namespace)
    if spec.accelerator.mode != "Require" or chosen is None or planned(seen, spec, chosen) is not None:
        return None
    known = sorted(name for name, row in seen.config.classes if row.gpu is not None and row.allows(seen.job.namespace))
    text = (
        f"spec.accelerator.mode is Require, and worker class {spec.worker_class} has no GPU for namespace"
        f" {seen.job.namespace}; classes that have: {', '.join(known) or 'none'}; set spec.workerClass to one of them, or"
        " spec.accelerator.mode to Prefer"
    )
    return Reason.NO_GPU_CLASS, text[:1000]


def readable(plan: PlanStatus, spec: VideoJobSpec | None, group: Group) -> Place | None:
    """The same as `place`, and None where a plan cannot be read."""
    try:
        return place(plan, spec, group)
    except ValidationError:
        return None
