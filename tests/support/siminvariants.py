"""What must always hold, in the simulated cluster as it is and over all statuses a VideoJob ever had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simcluster import Cluster
from simqueue import queue_of
from videojob_api import names
from videojob_api.stages import COMMIT
from videojob_api.v1alpha1 import Slot, VideoJobStatus, VideoQueueSpec, WorkerClass
from videojob_api.v1alpha1.workerclass import mebibytes
from videojob_operator.decide.job import legal, live
from videojob_operator.decide.queue import CACHE_CAPACITY


def check(cluster: Cluster, queues: Mapping[str, VideoQueueSpec]) -> list[str]:
    """Violations of the invariants in the cluster as it is (never in anybody's view of it)."""
    broken = list(cluster.broken)
    views = [(s, replace(s.value, pods=tuple(cluster.pods(s.key)))) for s in cluster.all("job")]
    alive = [(stored, view) for stored, view in views if live(view)]
    groups = [(stored.owner, view.group) for stored, view in alive]
    broken += [
        f"I1: two live Jobs of {group} of {owner}" for owner, group in set(groups) if groups.count((owner, group)) > 1
    ]
    for name, spec in queues.items():
        mine = [(stored, view) for stored, view in alive if queue_of(stored) == name and view.slot is not None]
        for slot in (*spec.slots, Slot(name=names.CACHE_SLOT, capacity=CACHE_CAPACITY)):
            used = sum(view.parallelism for _, view in mine if slot.name in view.slots)
            if used > slot.capacity:
                broken.append(f"I7: {used} slots are held of class {slot.name} of {name}, capacity {slot.capacity}")
        homes = [cluster.objects["videojob", stored.owner].value.namespace for stored, _ in mine]
        for home in set(homes):
            limits = spec.limits_of(home)
            if limits is not None and limits.running is not None and homes.count(home) > limits.running:
                broken.append(f"I7: {homes.count(home)} live Jobs of {home} in {name}, limit {limits.running}")
    return broken


def check_history(history: list[VideoJobStatus]) -> list[str]:
    """Violations of the invariants over all statuses a VideoJob ever had."""
    broken: list[str] = []
    before = VideoJobStatus()
    for status in history:
        redriven = status.redrives != before.redrives
        if redriven:
            if status.redrives != before.redrives + 1 or status.observed_retry == before.observed_retry:
                broken.append("case 53: one nonce drove more than once")
            attempts = {stage.name: stage.attempt for stage in status.stages}
            if any(attempts[stage.name] < stage.attempt for stage in before.stages if stage.name in attempts):
                broken.append("I1: a redrive took attempt numbers back")
        if status.phase is None or not legal(before.phase, status.phase, redriven=redriven):
            broken.append(f"I3: {before.phase} became {status.phase}")
        if before.phase in names.TERMINAL_PHASES and not redriven and _absorbed(before) != _absorbed(status):
            broken.append(f"I3: a status in {before.phase} changed")
        if not 0 <= status.progress.percent <= 100:
            broken.append(f"I10: {status.progress.percent} %")
        numbers = [entry.sequence for entry in status.history]
        if len(numbers) > 20 or numbers != sorted(set(numbers)):
            broken.append(f"history: {numbers}")
        if max(numbers, default=0) < max((entry.sequence for entry in before.history), default=0):
            broken.append("history: a number was used again")
        if (status.phase, status.stage) != (before.phase, before.stage):
            entry = status.history[-1] if status.history else None
            if entry is None or (entry.phase, entry.stage) != (status.phase, status.stage):
                broken.append(f"history: {status.phase} {status.stage} is missing")
        same = [s.attempt for s in status.stages] == [s.attempt for s in before.stages]
        if same and not redriven and status.progress.percent < before.progress.percent:
            broken.append(f"I10: percent fell from {before.progress.percent} to {status.progress.percent}")
        if status.phase == names.Phase.FAILED:
            failure = status.failure
            if failure is None or not (failure.failure_class and failure.code and failure.message):
                broken.append("I9: Failed without class, code and message")
        broken += check_growth(before, status, redriven=redriven)
        whole = any(stage.name in ("Commit", "Finalization", "Delivery") for stage in status.stages)
        if status.phase == names.Phase.SUCCEEDED and bool(status.outputs) != whole:
            broken.append("I2: Succeeded without outputs, or with some beyond stopAfter")
        if status.outputs and not (status.phase == names.Phase.SUCCEEDED or _on_their_way(status)):
            broken.append(f"I2: outputs in phase {status.phase}")
        before = status
    return broken


def _on_their_way(status: VideoJobStatus) -> bool:
    """Whether the outputs are committed, and only the way to platforms is left."""
    done = {stage.name for stage in status.stages if stage.done}
    return "Finalization" in done and any(stage.name == "Publish" for stage in status.stages)


def check_growth(before: VideoJobStatus, after: VideoJobStatus, *, redriven: bool) -> list[str]:
    """Violations of: what an attempt may use falls only with a redrive, and never passes the worker class's bound."""
    worker = WorkerClass.model_validate(after.plan.worker if after.plan is not None else {})
    cap = mebibytes(worker.max_memory) if worker.max_memory is not None else None
    known = {stage.name: stage for stage in before.stages}
    broken = []
    for stage in after.stages:
        old = known.get(stage.name, stage)
        amount, was = (int((text or "0Mi").removesuffix("Mi")) for text in (stage.memory, old.memory))
        copied = was <= COMMIT.memory_limit_mib  # an attempt that was only to copy asks for little
        fresh = redriven or stage.attempt_base >= stage.attempt - 1
        if amount < was and not fresh and not copied:
            broken.append(f"memory: {stage.name} fell from {was} to {amount} MiB")
        if cap is not None and amount > cap:
            broken.append(f"memory: {stage.name} has {amount} MiB, at most {cap} are permitted")
        if stage.out_of_memory + stage.out_of_disk > stage.failures:
            broken.append(f"memory: {stage.name} ran out more often than it failed")
    return broken


def _absorbed(status: VideoJobStatus) -> VideoJobStatus:
    return status.model_copy(
        update={
            "observed_generation": 0,
            "observed_retry": None,
            "notify": (),
            "withdrawal": None,
            "conditions": tuple(
                c.model_copy(update={"observed_generation": 0}) for c in status.conditions if c.type != "Degraded"
            ),
        }
    )
