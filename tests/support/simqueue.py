"""What must always hold of queues in the simulation: who entered, and who was granted a slot, judged from the cluster alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from simcluster import Cluster
from simobjects import Stored
from videojob_api import names
from videojob_api.v1alpha1 import VideoJobStatus, VideoQueueSpec
from videojob_operator.decide.world import Grants, QueueView, SlotRequest, VideoJobView

PRIORITIES = {"High": 0, "Normal": 1, "Low": 2}


def queue_of(job: Stored) -> str:
    """The queue whose slots a Job counts against."""
    return str(job.manifest["metadata"]["labels"].get(names.LABEL_QUEUE))


def check_acceptance(cluster: Cluster, job: VideoJobView, queues: Mapping[str, VideoQueueSpec]) -> list[str]:
    """Violations of the limits by the VideoJob that is let in this moment, or is driven again (S-004, X-012)."""
    spec = job.spec
    if spec is None or spec.queue not in queues:
        return []
    rules = queues[spec.queue]
    others: list[VideoJobView] = [s.value for s in cluster.all("videojob") if s.key != job.uid]
    mates = [o for o in others if o.spec is not None and o.spec.queue == spec.queue]
    waiting = [o for o in mates if o.status.phase == names.Phase.QUEUED]
    home = [o for o in mates if o.namespace == job.namespace]
    limits = rules.limits_of(job.namespace)
    recent = [
        o
        for o in home
        if o.status.queued_time is not None
        and not o.status.redrives
        and (cluster.now - o.status.queued_time).total_seconds() < 60
    ]
    at_home = sum(o.namespace == job.namespace for o in waiting)
    broken = []
    if len(waiting) >= rules.max_depth:
        broken.append(f"{job.uid} entered {spec.queue} though {len(waiting)} wait")
    if limits is not None and limits.queued is not None and at_home >= limits.queued:
        broken.append(f"{job.uid} entered {spec.queue} though {at_home} of {job.namespace} wait")
    rate = limits.submits_per_minute if limits is not None and job.status.plan is None else None
    if rate is not None and len(recent) >= rate:
        broken.append(f"{job.uid} entered {spec.queue} as number {len(recent) + 1} of a minute")
    return broken


def check_request(request: SlotRequest, job: VideoJobView, status: VideoJobStatus) -> list[str]:
    """Violations by what a VideoJob asks for: a first attempt at its own priority, every retry as High, and all that follows
    a redrive (X-003).
    """
    spec = job.spec
    assert spec is not None, "a VideoJob without a readable spec asks for a slot"
    wanted = PRIORITIES["High" if request.attempt > 1 or status.redrives else spec.priority]
    broken = []
    if request.priority != wanted:
        broken.append(f"X-003: {job.uid} asks as {request.priority} for attempt {request.attempt}, not as {wanted}")
    if request.since != (status.queued_time or job.created):
        broken.append(f"C10: {job.uid} asks as of {request.since}, it was accepted at {status.queued_time}")
    return broken


def check_grants(view: QueueView, answer: Grants) -> list[str]:
    """Violations by slots that were given out: nobody overtakes, and nobody waits beside a free slot (A-006, C10)."""
    limits = dict(view.running)
    left = [request for request, _ in answer.told]
    if view.paused:
        return [f"{view.name} is paused and starts {request.uid}" for request in answer.granted]
    started = [(r.slot, r.namespace) for r in answer.granted if not r.held]
    held = [(one.slot, one.namespace) for one in view.live] + started
    taken = [(slot, one.count) for one in view.live for slot in one.slots]
    taken += [(slot, r.count - r.held) for r in answer.granted for slot in (r.slot, *r.also)]
    free = {slot: most - sum(count for of, count in taken if of == slot) for slot, most in view.capacity}
    broken = [
        f"A-005: slots of class {slot} of {view.name} were given out beyond its capacity"
        for slot in {slot for one in answer.granted for slot in (one.slot, *one.also)}
        if free.get(slot, 0) < 0
    ]
    for one in answer.granted:
        waiting = {other.slot for other in left if other.uid != one.uid}
        if one.also and not waiting.isdisjoint((one.slot, *one.also)):
            broken.append(f"A-007: {one.uid} is given {one.also} besides {one.slot}, and somebody waits")
    for request in left:
        most = limits.get(request.namespace, limits.get("*"))
        if most is not None and sum(home == request.namespace for _, home in held) >= most:
            continue  # passed by, rightly
        if free.get(request.slot, 0) > 0:
            broken.append(f"A-006: {request.uid} waits in {view.name} beside a free slot")
        mine = rank(request, view.now, view.aging_seconds)
        for other in answer.granted:
            if other.held and other.slot == request.slot:
                broken.append(f"A-006: {other.uid}, which is at work, takes more beside {request.uid}, which waits")
            theirs = rank(other, view.now, view.aging_seconds)
            if other.slot != request.slot:
                continue
            if theirs[0] > mine[0]:
                broken.append(f"X-003: {other.uid} of priority {theirs[0]} overtook {request.uid} of {mine[0]}")
            if theirs > mine and other.namespace == request.namespace:
                broken.append(f"C10: {other.uid} overtook {request.uid}, which came first")
    return broken


def rank(request: SlotRequest, now: datetime, aging_seconds: int) -> tuple[int, datetime, str]:
    """Place in the line of a namespace: priority, one class higher for each `aging_seconds` waited, then arrival."""
    steps = 0 if aging_seconds == 0 else int((now - request.since).total_seconds() / aging_seconds)
    return max(0, request.priority - max(0, steps)), request.since, request.uid
