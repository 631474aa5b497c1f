"""Launch: the next attempt of the first group that has not succeeded, when its time has come and its slot is there."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ValidationError

from videojob_api import contract, names
from videojob_api.names import Phase, Reason
from videojob_api.stages import KINDS, REPORT
from videojob_api.v1alpha1 import FailureStatus, PlanStatus, VideoJobSpec, VideoJobStatus, WorkerClass

from .. import classes, recipes
from ..naming import job_name, report_group
from ..tiers import kept
from ..world import CreateJob, Observed, SlotRequest
from .cached import order, slot_of
from .deadline import seconds_left
from .draft import Draft, Group, shares_of
from .harvest import begin
from .judge import live

DEADLINE_GRACE_SECONDS = 60
"""The pod's deadline comes this much after the runner's: the runner can still say why."""
CONFLICT_LOOK_SECONDS = 60
PRIORITIES = {"High": 0, "Normal": 1, "Low": 2}


def launch(seen: Observed, draft: Draft) -> None:
    """Create at most one Job."""
    spec, plan = seen.job.spec, draft.status.plan
    if draft.done or draft.held or not draft.accepted or spec is None or plan is None:
        return
    if draft.flight is not None:
        if draft.flight[2].needs_report:
            action = report(seen, draft.status, spec, draft.flight[0], draft.flight[1])
            if _create(seen, draft, action):
                draft.stages(draft.flight[0].name, job=action.name)
        return
    group = next((group for group in draft.groups() if not group.succeeded), None)
    if group is None:
        return
    if _waits(seen, draft, spec, group):
        return
    attempt = group.settled + 1
    slot = names.CACHE_SLOT if seen.granted and seen.granted_slot == names.CACHE_SLOT else group.plan.slot
    try:
        task = document(seen, draft.status, spec, group, attempt, cache_only=slot == names.CACHE_SLOT)
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
        deadline_seconds=seconds_left(spec, draft.status) + DEADLINE_GRACE_SECONDS,
        shares=shares_of(worker, group, copies=slot == names.CACHE_SLOT),
        worker=worker,
        scratch_mib=classes.scratch_mib(worker, group.out_of_disk),
        kueue_queue=plan.kueue_queue,
    )
    if _create(seen, draft, action):
        begin(seen, draft, group, attempt, copies=slot == names.CACHE_SLOT)


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
    due = draft.status.next_retry_time
    if due is not None and seen.now < due:
        text = f"attempt {group.settled + 1} starts after its backoff"
        draft.wait(spec.queue, Reason.WAITING_FOR_RETRY, text, seen.now)
        draft.update(phase=Phase.QUEUED)
        draft.note = (Reason.WAITING_FOR_RETRY, text)
        draft.message = "Waiting for the next attempt"
        draft.wakes.append(due)
        return True
    if any(job.group == group.name and live(job) for job in seen.jobs):
        draft.note = (Reason.STAGE_RUNNING, "an earlier attempt's Job is being removed")
        return True
    slot = slot_of(seen, draft.status, spec, group)
    if job_name(seen.job.uid, seen.job.name, group.name, group.settled + 1) in seen.foreign:
        return False  # a slot would not help: the launch says what is in the way
    if _recorded(seen, group) and (slot is None or seen.granted):
        return False
    if slot is None:
        draft.note = (Reason.STAGE_RUNNING, "about to start")
        return True
    first = group.attempt == 0 and not draft.status.redrives  # what people ask for again goes first, as every retry
    draft.request = SlotRequest(
        uid=seen.job.uid,
        queue=spec.queue,
        slot=slot,
        group=group.name,
        attempt=group.settled + 1,
        priority=PRIORITIES[spec.priority] if first else PRIORITIES["High"],
        since=draft.status.queued_time or seen.job.created,
        namespace=seen.job.namespace,
    )
    draft.note = (Reason.WAITING_FOR_SLOT, f"waits for a slot of class {slot}")
    if seen.waiting_message is None and draft.status.phase == Phase.RUNNING:
        return True  # the queue has not answered yet; most often the next stage starts within milliseconds
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
    return True


def _recorded(seen: Observed, group: Group) -> bool:
    """Whether the status that was read has the plan and accounts for every attempt that ended.

    Then whoever launches has won the status write before: an operator with an old view loses it and launches nothing.
    """
    status = seen.job.status
    stages = [stage for stage in status.stages if stage.group == group.name]
    return status.plan is not None and all(s.settled == group.settled for s in stages)


def document(
    seen: Observed, status: VideoJobStatus, spec: VideoJobSpec, group: Group, attempt: int, *, cache_only: bool = False
) -> contract.TaskDocument:
    """The task of one attempt, from what was recorded at acceptance. `cache_only`: it may do no work, only copy."""
    plan = status.plan
    steps = recipes.steps(spec, plan) if plan is not None else ()
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
        for task in recipes.tasks(steps, group.plan.stages, known)
    )
    fetches = any(KINDS[task.kind].trust == "fetch" for task in wanted)
    bounded = spec.timeout_seconds is not None or (status.input is not None and status.active_time_ms > 0)
    return contract.TaskDocument(
        job=_identity(seen, spec),
        group=group.name,
        attempt=attempt,
        stages=wanted,
        limits=contract.Limits(timeout_seconds=seconds_left(spec, status) if bounded else None, threads=threads),
        fetch=seen.config.fetch if fetches else None,
        cache=order(seen, spec, steps, wanted, only=cache_only),
        operator_url=seen.config.progress_url,
        retention=kept(seen.job.uid, spec.retention, None) if seen.config.sweeps else None,
    )


def report(seen: Observed, status: VideoJobStatus, spec: VideoJobSpec, group: Group, attempt: int) -> CreateJob:
    """The Job that reads the result of an attempt whose pod is gone: at most one an attempt, by its name."""
    name = report_group(group.name)
    params = contract.ReportParams(group=group.name, attempt=attempt).dump()
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


def _identity(seen: Observed, spec: VideoJobSpec) -> contract.Identity:
    job = seen.job
    return contract.Identity(namespace=job.namespace, name=job.name, uid=job.uid, external_id=spec.external_id)
