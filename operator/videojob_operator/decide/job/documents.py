"""What an attempt is told: its task document, and the Job that reads the result of one whose pod is gone."""

from __future__ import annotations

from datetime import timedelta

from pydantic import ValidationError

from videojob_api import contract
from videojob_api.stages import KINDS, PUBLISH, REPORT
from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec, VideoJobStatus, WorkerClass

from .. import classes, recipes
from ..naming import job_name, report_group
from ..tiers import kept
from ..world import CreateJob, Observed
from . import accelerate
from .cached import order
from .deadline import seconds_left
from .draft import Group
from .items import work_lists

DEADLINE_GRACE_SECONDS = 60
"""The pod's deadline comes this much after the runner's: the runner can still say why."""


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
    anew = {row.kind for stage in status.stages if stage.anew and (row := recipes.kind_of(stage.name)) is not None}
    given = accelerate.place(plan, spec, group).shares(group) if plan is not None else ()
    sizes = {share.container: share.working_size for share in given}
    models = accelerate.told(plan, spec, group)
    wanted = tuple(
        task.model_copy(update={"working_size": size})
        if (size := sizes.get(task.container)) in KINDS[task.kind].working_sizes
        else task
        for task in recipes.tasks(steps, group.plan.stages, known, work_lists(status), anew)
    )
    if models is not None:
        wanted = tuple(task.model_copy(update={"accelerator": models}) for task in wanted)
    if group.failures + 1 >= spec.retry.max_attempts:
        wanted = tuple(
            task.model_copy(update={"last_try": True}) if task.kind == PUBLISH.kind else task for task in wanted
        )
    fetches = any(task.online or KINDS[task.kind].trust == "fetch" for task in wanted)
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
        worker=nodes(plan),
    )


def nodes(plan: PlanStatus | None) -> WorkerClass:
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
