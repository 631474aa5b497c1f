"""Notify: tell webhooks what happened, by a Job each, at least once and beside everything else (S-015, A-013, A-029).

A webhook never holds up the VideoJob nor changes how it ends: a failed attempt is repeated a few times with growing waits, then
given up, and shows as the condition Degraded.
"""

from __future__ import annotations

from datetime import timedelta

from videojob_api.stages import NOTIFY
from videojob_api.v1alpha1 import NotifyStatus, NotifyTarget, WorkerClass

from .. import classes
from .. import notify as webhooks
from ..naming import job_name, share
from ..world import CreateJob, JobView, Observed
from .draft import Draft
from .judge import ended, failing, find
from .results import parse

ATTEMPTS = 5
"""Jobs for the same events, the first included; each tries a few times itself."""
FIRST_WAIT_SECONDS = 10
FACTOR = 4
JITTER = 0.1
MESSAGE_LENGTH = 300
DEADLINE_GRACE_SECONDS = 30


def notify(seen: Observed, draft: Draft) -> None:
    """Account for deliveries that have ended, and launch those that stand in the status as begun."""
    if seen.job.spec is None:
        return
    known = {row.name: row for row in draft.status.notify}
    rows = []
    for target in seen.job.spec.notify:
        row = known.get(webhooks.group_of(target))
        if row is None:
            continue
        if row.state == "Sending":
            row = _follow(seen, draft, target, row)
        if row.state == "Retrying" and row.next_retry_time is not None and seen.now < row.next_retry_time:
            draft.wakes.append(row.next_retry_time)
        rows.append(row)
    if tuple(rows) != draft.status.notify:
        draft.update(notify=tuple(rows))


def _follow(seen: Observed, draft: Draft, target: NotifyTarget, row: NotifyStatus) -> NotifyStatus:
    job = find(seen, row.name, row.attempt)
    if job is None:
        _launch(seen, draft, target, row)
        return row
    problem = outcome(job)
    if problem is None:
        return row
    if problem == "":
        done = {"state": "Delivered", "failures": 0, "delivered": row.through, "message": None}
        return row.model_copy(update=done)
    return _failed(seen, target, row, problem)


def _launch(seen: Observed, draft: Draft, target: NotifyTarget, row: NotifyStatus) -> None:
    """Create the Job of an attempt on record. If it was there and is gone, it is sent again: at least once."""
    name = job_name(seen.job.uid, seen.job.name, row.name, row.attempt)
    if row not in seen.job.status.notify:
        return
    if name in seen.foreign:
        draft.wakes.append(seen.now + timedelta(seconds=60))
        return
    plan = seen.job.status.plan
    draft.actions.append(
        CreateJob(
            name=name,
            document=webhooks.document(seen, target, row),
            claim_name="",
            image=plan.image if plan is not None else seen.config.worker_image,
            slot=None,
            queue=seen.job.spec.queue if seen.job.spec is not None else "",
            deadline_seconds=NOTIFY.stall_seconds + DEADLINE_GRACE_SECONDS,
            shares=classes.shares(WorkerClass(), ((NOTIFY.kind, (NOTIFY,)),)),
        )
    )


def outcome(job: JobView) -> str | None:
    """None while it runs, an empty text when all was delivered, else why not."""
    if job.pods:
        pod = job.pods[-1]
        if any(not ended(each) for each in job.pods):
            return None
        culprit = failing(pod)
        if culprit is not None:
            said = parse(culprit)
            if said is not None and said.failure is not None and said.group == job.group:
                return said.failure.message[:MESSAGE_LENGTH] or "it failed without a word"
            return f"container {culprit.name} exited with code {culprit.exit_code}"
        if pod.containers and all(part.state == "Terminated" for part in pod.containers):
            return ""
        return f"pod {pod.name} ended before it ran: {pod.reason or 'no reason given'}"
    if job.finished is None:
        return None
    return "" if job.finished == "Complete" else (job.condition_message or f"Job {job.name} failed")[:MESSAGE_LENGTH]


def _failed(seen: Observed, target: NotifyTarget, row: NotifyStatus, problem: str) -> NotifyStatus:
    failures = row.failures + 1
    if failures >= ATTEMPTS:
        given_up = [
            entry for entry in webhooks.waiting(target, row, seen.job.status.history) if entry.sequence <= row.through
        ]
        return row.model_copy(
            update={
                "state": "GivenUp", "failures": failures, "delivered": row.through, "message": problem,
                "lost": row.lost + len(given_up),
            }
        )  # fmt: skip
    wait = float(FIRST_WAIT_SECONDS * FACTOR ** (failures - 1))
    wait += wait * JITTER * share(seen.job.uid, row.name, str(row.attempt))
    due = seen.now + timedelta(milliseconds=round(wait * 1000))
    return row.model_copy(
        update={"state": "Retrying", "failures": failures, "next_retry_time": due, "message": problem}
    )
