"""Clean up: Jobs whose outcome is on record go, minutes after they finished; nothing else deletes a Job."""

from __future__ import annotations

from datetime import timedelta

from ..naming import NOTIFY_PREFIX, REPORT_PREFIX, WITHDRAW_GROUP
from ..world import DeleteJob, JobView, Observed
from .draft import Draft
from .judge import live
from .phases import terminal


def cleanup(seen: Observed, draft: Draft) -> None:
    """Delete what is accounted for in the status as it was read, never on the strength of this draft (case 3)."""
    for job in seen.jobs:
        if job.deleting or not recorded(seen, job):
            continue
        if job.finished is None:
            # Still live beyond its record, or stuck: its init container lost a child to the kernel, exited 0, and left
            # the pod initializing for good.
            if live(job) or any(pod.phase not in ("Succeeded", "Failed") and _stuck(job) for pod in job.pods):
                draft.actions.append(DeleteJob(job.name, job.uid))
            continue
        known = [job.finished_at or job.created, seen.job.status.completion_time]
        due = max(time for time in known if time is not None) + timedelta(seconds=seen.config.keep_finished_seconds)
        if seen.now >= due:
            draft.actions.append(DeleteJob(job.name, job.uid))
        else:
            draft.wakes.append(due)


def recorded(seen: Observed, job: JobView) -> bool:
    """Whether the status that was read accounts for this Job's attempt."""
    status = seen.job.status
    if job.group.startswith(NOTIFY_PREFIX):
        row = next((row for row in status.notify if row.name == job.group), None)
        return row is None or row.state != "Sending" or job.attempt < row.attempt
    if job.group == WITHDRAW_GROUP:
        own = status.withdrawal
        return own is None or own.state != "Removing" or job.attempt < own.attempt
    if terminal(status.phase):
        return True
    name = job.group.removeprefix(REPORT_PREFIX)
    stages = [stage for stage in status.stages if stage.group == name]
    if not stages:
        return False
    settled = max(stage.settled for stage in stages)
    return job.attempt <= settled or all(s.done and s.attempt >= job.attempt for s in stages)


def _stuck(job: JobView) -> bool:
    return any(c.reason == "OOMKilled" and c.exit_code == 0 for pod in job.pods for c in pod.containers)
