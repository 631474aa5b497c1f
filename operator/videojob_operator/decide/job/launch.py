"""Launch: the next attempt of every group whose turn it is, when its time has come and its slots are there."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ValidationError

from videojob_api import contract, names
from videojob_api.fanout import read_indexes
from videojob_api.names import Phase, Reason
from videojob_api.stages import KINDS, REPORT
from videojob_api.v1alpha1 import FailureStatus, PlanStatus, VideoJobSpec, VideoJobStatus, WorkerClass

from .. import classes, recipes
from ..naming import job_name, report_group
from ..tiers import kept
from ..world import ConfirmGone, CreateJob, Grant, Observed, SlotRequest
from .cached import order, slot_of
from .deadline import seconds_left, spent
from .draft import Draft, Group, shares_of
from .harvest import begin
from .items import started, work_lists
from .judge import live
from .pending import hinted

DEADLINE_GRACE_SECONDS = 60
"""The pod's deadline comes this much after the runner's: the runner can still say why."""
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
            if _create(seen, draft, action):
                draft.stages(group.name, job=action.name)
    if draft.held:
        return
    flying = {group.name for group, _, _ in draft.flights}
    for group in draft.groups():
        if draft.done:
            return
        if not group.succeeded and group.name not in flying and draft.ready(group):
            _start(seen, draft, spec, group)


def _start(seen: Observed, draft: Draft, spec: VideoJobSpec, group: Group) -> None:
    """Create the Job of a group's next attempt, if it need not wait."""
    plan = draft.status.plan
    if plan is None or _waits(seen, draft, spec, group):
        return
    attempt = group.settled + 1
    granted = _granted(seen, group)
    slot = granted.slot if granted is not None else group.plan.slot
    items = started(draft.status, group)
    left = items.left if items is not None else None
    flying = spent(seen.now, draft)
    try:
        task = document(
            seen, draft.status, spec, group, attempt, cache_only=slot == names.CACHE_SLOT, indexes=left, flying=flying
        )
        worker = classes.planned(plan)
    except (ValidationError, KeyError) as error:
        _unreadable(seen, draft, error)
        return
    action = CreateJob(
        name=job_name(seen.job.uid, seen.job.name, group.name, attempt),
        document=task,
        claim_name=plan.claim_name or "",
        image=plan.image,
        slot=slot,
        queue=spec.queue,
        deadline_seconds=max(0, seconds_left(spec, draft.status, flying)) + DEADLINE_GRACE_SECONDS,
        shares=shares_of(worker, group, copies=slot == names.CACHE_SLOT),
        worker=worker,
        scratch_mib=classes.scratch_mib(worker, group.out_of_disk),
        kueue_queue=plan.kueue_queue,
        completions=len(read_indexes(left)) if left is not None else None,
        parallelism=granted.count if granted is not None and left is not None else 1,
    )
    if _create(seen, draft, action):
        begin(seen, draft, group, attempt, copies=slot == names.CACHE_SLOT)


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
        failure_class=contract.FailureClass.PERMANENT,
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
    if any(job.group == group.name and live(job) for job in seen.jobs):
        draft.note = (Reason.STAGE_RUNNING, "an earlier attempt's Job is being removed")
        return True
    slot = slot_of(seen, draft.status, spec, group)
    if job_name(seen.job.uid, seen.job.name, group.name, group.settled + 1) in seen.foreign:
        return False  # a slot would not help: the launch says what is in the way
    if _recorded(seen, group) and (slot is None or _granted(seen, group) is not None):
        return False
    if slot is None:
        draft.note = (Reason.STAGE_RUNNING, "about to start")
        return True
    first = group.attempt == 0 and not draft.status.redrives  # what people ask for again goes first, as every retry
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
            priority=PRIORITIES[spec.priority] if first else PRIORITIES["High"],
            since=draft.status.queued_time or seen.job.created,
            count=count,
            least=1 if count > 1 else None,
            namespace=seen.job.namespace,
        )
    )
    draft.note = (Reason.WAITING_FOR_SLOT, f"waits for a slot of class {slot}")
    if seen.waiting_message is None and seen.refused is None and draft.status.phase == Phase.RUNNING:
        return True  # the queue has not answered yet; most often the next stage starts within milliseconds
    if not draft.flights:
        draft.update(phase=Phase.QUEUED)
    draft.stage(group.plan.stages[0], state="Queued")
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


def _recorded(seen: Observed, group: Group) -> bool:
    """Whether the status that was read has the plan and accounts for every attempt that ended.

    Then whoever launches has won the status write before: an operator with an old view loses it and launches nothing.
    """
    status = seen.job.status
    stages = [stage for stage in status.stages if stage.group == group.name]
    return status.plan is not None and all(s.settled == group.settled for s in stages)


def document(
    seen: Observed,
    status: VideoJobStatus,
    spec: VideoJobSpec,
    group: Group,
    attempt: int,
    *,
    cache_only: bool = False,
    indexes: str | None = None,
    flying: timedelta = timedelta(),
) -> contract.TaskDocument:
    """The task of one attempt, from what was recorded at acceptance.

    Args:
        seen: the world.
        status: what is on record.
        spec: what is asked for.
        group: what is to be done.
        attempt: its number.
        cache_only: it may do no work, only copy.
        indexes: the work items of a fan-out.
        flying: time that other attempts in flight have been at work.
    """
    plan = status.plan
    steps = recipes.steps(spec, plan, seen.config.recipes) if plan is not None else ()
    threads = plan.threads if plan is not None else seen.config.threads
    known = recipes.keys(steps, threads)
    for stage in status.stages:
        row = recipes.kind_of(stage.name)
        if row is not None and stage.key is not None:
            known[row.kind] = stage.key
    sizes = {share.container: share.working_size for share in shares_of(classes.planned(plan), group)}
    wanted = tuple(
        task.model_copy(update={"working_size": size})
        if (size := sizes.get(task.container)) in KINDS[task.kind].working_sizes
        else task
        for task in recipes.tasks(steps, group.plan.stages, known, work_lists(status))
    )
    fetches = any(KINDS[task.kind].trust == "fetch" for task in wanted)
    bounded = spec.timeout_seconds is not None or (status.input is not None and status.active_time_ms > 0)
    return contract.TaskDocument(
        job=_identity(seen, spec),
        group=group.name,
        attempt=attempt,
        stages=wanted,
        indexes=indexes,
        limits=contract.Limits(
            timeout_seconds=max(1, seconds_left(spec, status, flying)) if bounded else None, threads=threads
        ),
        fetch=seen.config.fetch if fetches else None,
        cache=order(seen, spec, steps, wanted, only=cache_only),
        operator_url=seen.config.progress_url,
        retention=kept(seen.job.uid, spec.retention, None) if seen.config.sweeps else None,
    )


def report(seen: Observed, status: VideoJobStatus, spec: VideoJobSpec, group: Group, attempt: int) -> CreateJob:
    """The Job that reads the result of an attempt whose pod is gone: at most one an attempt, by its name."""
    name = report_group(group.name)
    params = contract.ReportParams(group=group.name, attempt=attempt, fan_out=_fan_out(status, group)).dump()
    task = contract.StageTask(
        kind=REPORT.kind,
        container=recipes.containers((REPORT.stage,))[REPORT.stage],
        key=contract.content_key(REPORT.kind, REPORT.version, params, ()),
        params=params,
    )
    plan = status.plan
    return CreateJob(
        name=job_name(seen.job.uid, seen.job.name, name, attempt),
        document=contract.TaskDocument(
            job=_identity(seen, spec),
            group=name,
            attempt=attempt,
            stages=(task,),
            limits=contract.Limits(timeout_seconds=REPORT.stall_seconds),
            operator_url=seen.config.progress_url,
        ),
        claim_name=(plan.claim_name if plan is not None else None) or "",
        image=plan.image if plan is not None else seen.config.worker_image,
        slot=None,
        queue=spec.queue,
        deadline_seconds=REPORT.stall_seconds + DEADLINE_GRACE_SECONDS,
        shares=classes.shares(WorkerClass(), ((task.container, (REPORT,)),)),
        worker=_nodes(plan),
    )


def _nodes(plan: PlanStatus | None) -> WorkerClass:
    """The class whose pods hold the job's volume, so that a report finds it; of one that cannot be read, nothing."""
    try:
        return classes.planned(plan)
    except ValidationError:
        return WorkerClass()


def _fan_out(status: VideoJobStatus, group: Group) -> contract.StageInput | None:
    """The stage of a fan-out, as a report looks for its items; None for any other group."""
    fan, stage = group.plan.fan_out, group.stages[0]
    row, source = recipes.kind_of(stage.name), recipes.kind_of(fan.items_of) if fan is not None else None
    if row is None or source is None or stage.key is None:
        return None
    given = work_lists(status).get(source.kind)
    return contract.StageInput(stage=row.kind, key=stage.key, items_of=source.kind, work_list=given)


def _identity(seen: Observed, spec: VideoJobSpec) -> contract.Identity:
    job = seen.job
    return contract.Identity(namespace=job.namespace, name=job.name, uid=job.uid, external_id=spec.external_id)
