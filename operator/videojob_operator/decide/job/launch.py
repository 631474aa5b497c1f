"""Launch: the next attempt of every group whose turn it is, when its time has come and its slots are there."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ValidationError

from videojob_api import exits, names
from videojob_api.fanout import read_indexes
from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import FailureStatus, VideoJobSpec, VideoJobStatus

from .. import classes
from ..naming import WITHDRAW_GROUP, job_name
from ..world import ConfirmGone, ConfirmPods, CreateJob, Grant, Observed, SlotRequest
from . import accelerate
from .cached import slot_of
from .deadline import seconds_left, spent
from .documents import DEADLINE_GRACE_SECONDS, document, report
from .draft import Draft, Group
from .harvest import begin
from .items import started
from .judge import live
from .pending import hinted
from .sharing import join, mate

CONFLICT_LOOK_SECONDS = 60
PRIORITIES = {"High": 0, "Normal": 1, "Low": 2}


def launch(seen: Observed, draft: Draft) -> None:
    """Create at most one Job a group."""
    spec = seen.job.spec
    if draft.done or not draft.accepted or spec is None or draft.status.plan is None:
        return
    for group, attempt, verdict in draft.flights:
        if verdict.needs_report:
            if verdict.confirm is not None:
                draft.actions.append(ConfirmGone(verdict.confirm))
            action = report(seen, draft.status, spec, group, attempt)
            if verdict.job is not None and verdict.pod is None and action.name not in seen.foreign:
                known = frozenset(pod.uid for pod in verdict.job.pods)
                draft.actions.append(ConfirmPods(verdict.job.name, verdict.job.uid, known))
            if _create(seen, draft, action):
                draft.stages(group.name, job=action.name)
        elif verdict.state == "Reading" and verdict.job is not None:
            draft.stages(group.name, job=verdict.job.name)  # also when a crash came between the Job and its record
    if draft.held:
        return
    flying = {group.name for group, _, _ in draft.flights}
    for name in [group.name for group in draft.groups()]:
        next_one = draft.find(name)
        if draft.done:
            return
        if next_one is not None and not next_one.succeeded and name not in flying and draft.ready(next_one):
            _start(seen, draft, spec, next_one)


def _start(seen: Observed, draft: Draft, spec: VideoJobSpec, group: Group) -> None:
    """Create the Job of a group's next attempt, if it need not wait."""
    plan = draft.status.plan
    if plan is None or _waits(seen, draft, spec, group):
        return
    group = draft.group(group.name)
    attempt = group.settled + 1
    granted = _granted(seen, group)
    slot = granted.slot if granted is not None else group.plan.slot
    also = _also(seen, draft, group, slot)
    if also and granted is not None and set(also) <= set(granted.also):
        group = join(draft, group)
    else:
        also = ()
    items = started(draft.status, group)
    left = items.left if items is not None else None
    flying = spent(seen.now, draft)
    try:
        task = document(
            seen, draft.status, spec, group, attempt, cache_only=slot == names.CACHE_SLOT, indexes=left, flying=flying
        )
        place = accelerate.place(plan, spec, group)
    except (ValidationError, KeyError) as error:
        _unreadable(seen, draft, error)
        return
    action = CreateJob(
        name=job_name(seen.job.uid, seen.job.name, group.name, attempt),
        document=task,
        claim_name=plan.claim_name or "",
        image=place.image,
        slot=slot,
        queue=spec.queue,
        deadline_seconds=max(0, seconds_left(spec, draft.status, flying)) + DEADLINE_GRACE_SECONDS,
        shares=place.shares(group, copies=slot == names.CACHE_SLOT),
        worker=place.worker,
        scratch_mib=classes.scratch_mib(place.worker, group.out_of_disk),
        kueue_queue=place.kueue_queue,
        completions=len(read_indexes(left)) if left is not None else None,
        parallelism=granted.count if granted is not None and left is not None else 1,
        also=also,
    )
    if _create(seen, draft, action):
        begin(seen, draft, group, attempt, slot=slot)


def _also(seen: Observed, draft: Draft, group: Group, slot: str | None) -> tuple[str, ...]:
    """Slot classes of what may follow in the same pod; none where the attempt does without its own class."""
    name = job_name(seen.job.uid, seen.job.name, group.name, group.settled + 1)
    other = mate(draft, group) if slot == group.plan.slot and name not in seen.foreign else None
    return (other.plan.slot,) if other is not None and other.plan.slot is not None else ()


def _granted(seen: Observed, group: Group) -> Grant | None:
    """The slots that the group's next attempt was granted."""
    wanted = (group.name, group.settled + 1)
    return next((grant for grant in seen.grants if (grant.group, grant.attempt) == wanted), None)


def _create(seen: Observed, draft: Draft, action: CreateJob) -> bool:
    """Create the Job, unless its name is somebody else's: that one is left alone (case 20)."""
    if action.name not in seen.foreign:
        draft.actions.append(action)
        return True
    text = f"Job {action.name} exists and is not controlled by this VideoJob; delete or rename it"
    draft.problem = (Reason.NAME_CONFLICT, text)
    draft.note = draft.problem
    draft.message = text
    draft.wait(action.queue, Reason.NAME_CONFLICT, text, seen.now)
    draft.wakes.append(seen.now + timedelta(seconds=CONFLICT_LOOK_SECONDS))
    return False


def _unreadable(seen: Observed, draft: Draft, error: Exception) -> None:
    """A recorded plan that this version cannot follow: written by another version, or edited by hand (case 55)."""
    failure = FailureStatus(
        failure_class=exits.FailureClass.PERMANENT,
        code=Reason.INVALID_SPEC,
        message=f"status.plan does not fit this version of the operator: {error}"[:1000],
        hint="create the VideoJob anew",
        time=seen.now,
    )
    draft.fail(Reason.INVALID_SPEC, failure, seen.now)


def _waits(seen: Observed, draft: Draft, spec: VideoJobSpec, group: Group) -> bool:
    """Whether the launch has to wait: for the plan to be on record, a retry's time, an old Job's end, or a slot."""
    due = group.retry_time or (None if draft.retry_time() is not None else draft.status.next_retry_time)
    if due is not None and seen.now < due:
        text = f"attempt {group.settled + 1} starts after its backoff"
        draft.wait(spec.queue, Reason.WAITING_FOR_RETRY, text, seen.now)
        draft.update(phase=Phase.QUEUED)
        draft.note = (Reason.WAITING_FOR_RETRY, text)
        draft.message = "Waiting for the next attempt"
        draft.wakes.append(due)
        return True
    if group.plan.fan_out is not None and started(draft.status, group) is None:
        text = f"the work items that {group.plan.fan_out.items_of} lists for {group.name} are not on record"
        _unreadable(seen, draft, ValueError(text))
        return True
    if draft.flights and seconds_left(spec, draft.status, spent(seen.now, draft)) < 1:
        draft.note = (Reason.STAGE_RUNNING, "nothing more starts: timeoutSeconds is spent")
        return True
    if any(job.group in (group.name, WITHDRAW_GROUP) and live(job) for job in seen.jobs):
        draft.note = (Reason.STAGE_RUNNING, "an earlier attempt's Job is being removed")
        return True
    slot = accelerate.slot_for(seen, draft, spec, group, slot_of(seen, draft.status, spec, group))
    if job_name(seen.job.uid, seen.job.name, group.name, group.settled + 1) in seen.foreign:
        return False  # a slot would not help: the launch says what is in the way
    if _recorded(seen, group) and (slot is None or _granted(seen, group) is not None):
        return False
    if slot is None:
        draft.note = (Reason.STAGE_RUNNING, "about to start")
        return True
    items = started(draft.status, group)
    fan = group.plan.fan_out
    count = min(fan.parallelism, len(read_indexes(items.left))) if fan is not None and items is not None else 1
    draft.requests.append(
        SlotRequest(
            uid=seen.job.uid,
            queue=spec.queue,
            slot=slot,
            group=group.name,
            attempt=group.settled + 1,
            priority=priority_of(spec, draft.status, group.settled + 1),
            since=draft.status.queued_time or seen.job.created,
            count=count,
            least=1 if count > 1 else None,
            namespace=seen.job.namespace,
            also=_also(seen, draft, group, slot),
        )
    )
    draft.note = (Reason.WAITING_FOR_SLOT, f"waits for a slot of class {slot}")
    if seen.waiting_message is None and seen.refused is None and draft.status.phase == Phase.RUNNING:
        return True  # the queue has not answered yet; most often the next stage starts within milliseconds
    if not draft.flights:
        draft.update(phase=Phase.QUEUED)
    draft.stage(group.plan.stages[0], state="Queued")
    accelerate.waits(seen, draft, spec, draft.group(group.name))
    old = draft.status.queue
    known = old.message if old is not None and old.reason == Reason.WAITING_FOR_SLOT else None  # after a restart
    draft.wait(spec.queue, Reason.WAITING_FOR_SLOT, seen.waiting_message or known, seen.now)
    if not seen.queue_found:
        draft.note = (
            Reason.QUEUE_NOT_FOUND,
            f"no VideoQueue {spec.queue} in namespace {seen.config.operator_namespace}",
        )
        draft.wait(spec.queue, Reason.QUEUE_NOT_FOUND, draft.note[1], seen.now)
    if seen.refused is not None:
        draft.note = (Reason.JOB_REFUSED, hinted(f"the API server refuses the Job: {seen.refused}"))
        draft.wait(spec.queue, Reason.JOB_REFUSED, draft.note[1], seen.now)
    return True


def priority_of(spec: VideoJobSpec, status: VideoJobStatus, attempt: int) -> int:
    """How an attempt asks for slots: the first as the spec says; what comes again goes first, asked for by people or not."""
    return PRIORITIES[spec.priority] if attempt == 1 and not status.redrives else PRIORITIES["High"]


def _recorded(seen: Observed, group: Group) -> bool:
    """Whether the status that was read has the plan and accounts for every attempt that ended.

    Then whoever launches has won the status write before: an operator with an old view loses it and launches nothing.
    """
    status = seen.job.status
    stages = [stage for stage in status.stages if stage.name in group.plan.stages]
    return status.plan is not None and all(s.settled == group.settled for s in stages)
