"""Widen: a fan-out that began with fewer slots than it can use takes those that have become free and nobody waits for."""

from __future__ import annotations

from ..world import Observed, SlotRequest, WidenJob
from .draft import Draft
from .launch import priority_of


def widen(seen: Observed, draft: Draft) -> None:
    """Ask for more, or use what was granted. What Kueue has admitted stays as it was admitted; it never grows narrower."""
    spec, plan = seen.job.spec, draft.status.plan
    if draft.done or draft.held or spec is None or plan is None or plan.kueue_queue is not None:
        return
    for group, attempt, verdict in draft.flights:
        job, fan = verdict.job, group.plan.fan_out
        if fan is None or job is None or verdict.state != "Live" or job.slot is None or job.suspended or job.deleting:
            continue
        most = min(fan.parallelism, verdict.unfinished)
        if job.parallelism >= most:
            continue
        given = (
            one.count for one in seen.grants if (one.group, one.attempt, one.slot) == (group.name, attempt, job.slot)
        )
        count = min(most, max(given, default=0))
        if count > job.parallelism:
            draft.actions.append(WidenJob(job.name, job.version, count))
            continue
        draft.wider.append(
            SlotRequest(
                uid=seen.job.uid,
                queue=spec.queue,
                slot=job.slot,
                group=group.name,
                attempt=attempt,
                priority=priority_of(spec, draft.status, attempt),
                since=draft.status.queued_time or seen.job.created,
                count=most,
                held=job.parallelism,
                namespace=seen.job.namespace,
            )
        )
