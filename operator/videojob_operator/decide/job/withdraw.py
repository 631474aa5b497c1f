"""Withdraw: what a cancelled or failed avatar has left at its provider is removed there, by a Job of its own (A-004, A-046).

A worker that gets SIGTERM cannot tell a cancel from a node that is drained, and the next attempt wants the talk that was paid.
The end of a VideoJob is known here alone. What is to be done stands in the status with the end itself, so that a crash loses
nothing; it begins when the last pod has ended, holds up nothing, and is given up after a few attempts, which is told.
"""

from __future__ import annotations

from datetime import timedelta

from videojob_api import contract
from videojob_api.avatar import params, tasks
from videojob_api.names import Phase, Reason
from videojob_api.stages import ANIMATE, WITHDRAW
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus, WithdrawalStatus

from .. import classes, recipes
from ..naming import NOTIFY_PREFIX, WITHDRAW_GROUP, job_name
from ..world import CreateJob, Event, JobView, Observed
from .documents import DEADLINE_GRACE_SECONDS, nodes
from .draft import Draft
from .judge import find, live
from .notify import outcome
from .phases import terminal
from .results import parse

BUSY = frozenset({"Waiting", "Removing"})
"""States in which something is still to be done."""
SETTLE_SECONDS = 30
"""So long after the end it begins: longer than a pod has after SIGTERM, whose Job may be gone from view before it is."""
ATTEMPTS = 5
FIRST_WAIT_SECONDS = 30
FACTOR = 4
PATIENCE_SECONDS = 900
"""A talk that was paid is waited for so long in one attempt."""
REST_SECONDS = 300
"""Time for everything but that."""
MESSAGE_LENGTH = 300


def withdrawing(status: VideoJobStatus) -> bool:
    """Whether something is still to be removed."""
    return status.withdrawal is not None and status.withdrawal.state in BUSY


def withdraw(seen: Observed, draft: Draft) -> None:
    """Note with the end what is owed; then launch what stands in the status as begun, and account for what has ended."""
    spec, row = seen.job.spec, draft.status.withdrawal
    if spec is None or not draft.done or not seen.config.sweeps:
        return
    if not terminal(seen.job.status.phase):
        if _owed(draft, spec):
            due = seen.now + timedelta(seconds=SETTLE_SECONDS)
            used = row.attempt if row is not None else 0
            draft.update(withdrawal=WithdrawalStatus(attempt=used, next_retry_time=due))
        return
    if row is None or row.state not in BUSY:
        return
    if row.state == "Removing":
        row = _follow(seen, draft, spec, row)
    if row.state == "Waiting" and row.next_retry_time is not None and seen.now < row.next_retry_time:
        draft.wakes.append(row.next_retry_time)
    elif row.state == "Waiting" and not any(_at_work(job) for job in seen.jobs):
        row = row.model_copy(update={"state": "Removing", "attempt": row.attempt + 1, "next_retry_time": None})
    draft.update(withdrawal=row)


def _owed(draft: Draft, spec: VideoJobSpec) -> bool:
    """Whether a service was asked, and the stage that asked did not come to its end, with which it removes everything itself."""
    stage = next((stage for stage in draft.status.stages if stage.name == ANIMATE.stage), None)
    if spec.avatar is None or draft.status.phase == Phase.SUCCEEDED or stage is None:
        return False
    return params.online(tasks.animator(spec.avatar)) and stage.attempt > 0 and not stage.done


def _at_work(job: JobView) -> bool:
    return live(job) and not job.group.startswith(NOTIFY_PREFIX)


def _follow(seen: Observed, draft: Draft, spec: VideoJobSpec, row: WithdrawalStatus) -> WithdrawalStatus:
    job = find(seen, WITHDRAW_GROUP, row.attempt)
    if job is None:
        _launch(seen, draft, spec, row)
        return row
    problem = outcome(job)
    if problem is None:
        return row
    if problem == "":
        return row.model_copy(update={"state": "Removed", "failures": 0, "message": _notes(job)})
    failures, message = row.failures + 1, problem[:MESSAGE_LENGTH]
    if failures < ATTEMPTS:
        due = seen.now + timedelta(seconds=FIRST_WAIT_SECONDS * FACTOR ** (failures - 1))
        told = {"state": "Waiting", "failures": failures, "next_retry_time": due, "message": message}
        return row.model_copy(update=told)
    text = f"something may be left at the avatar's provider, and has to be deleted by hand: {message}"
    draft.events.append(Event(Reason.PROVIDER_KEEPS, text, "Warning"))
    return row.model_copy(update={"state": "Left", "failures": failures, "message": message})


def _notes(job: JobView) -> str | None:
    """What could not be told, though all that is known was removed."""
    said = [parse(container) for pod in job.pods[-1:] for container in pod.containers]
    notes = [note for result in said if result is not None for stage in result.stages for note in stage.notes]
    return "; ".join(notes)[:MESSAGE_LENGTH] or None


def _launch(seen: Observed, draft: Draft, spec: VideoJobSpec, row: WithdrawalStatus) -> None:
    """Create the Job of an attempt on record. If it was there and is gone, it does the same again."""
    name = job_name(seen.job.uid, seen.job.name, WITHDRAW_GROUP, row.attempt)
    if row != seen.job.status.withdrawal or spec.avatar is None:
        return
    if name in seen.foreign:
        draft.wakes.append(seen.now + timedelta(seconds=60))
        return
    plan, choice = seen.job.status.plan, tasks.animator(spec.avatar)
    patience = min(choice.patience_seconds, PATIENCE_SECONDS)
    given = tasks.WithdrawParams(animator=choice.model_copy(update={"patience_seconds": patience})).dump()
    task = contract.StageTask(
        kind=WITHDRAW.kind,
        container=recipes.containers((WITHDRAW.stage,))[WITHDRAW.stage],
        key=contract.content_key(WITHDRAW.kind, WITHDRAW.version, given | {"attempt": row.attempt}, ()),
        params=given,
        online=True,
    )
    seconds = patience + REST_SECONDS
    draft.actions.append(
        CreateJob(
            name=name,
            document=contract.TaskDocument(
                job=contract.Identity(
                    namespace=seen.job.namespace, name=seen.job.name, uid=seen.job.uid, external_id=spec.external_id
                ),
                group=WITHDRAW_GROUP,
                attempt=row.attempt,
                stages=(task,),
                limits=contract.Limits(timeout_seconds=seconds),
                fetch=seen.config.fetch,
                operator_url=seen.config.progress_url,
            ),
            claim_name=(plan.claim_name if plan is not None else None) or "",
            image=plan.image if plan is not None else seen.config.worker_image,
            slot=None,
            queue=spec.queue,
            deadline_seconds=seconds + DEADLINE_GRACE_SECONDS,
            shares=classes.shares(nodes(plan), ((task.container, (WITHDRAW,)),), gpus=False),
            worker=nodes(plan),
        )
    )
