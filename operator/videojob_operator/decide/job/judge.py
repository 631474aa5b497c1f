"""What became of one attempt: judged by its pod's containers, then by its Job's condition, then by what a report reads."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from videojob_api.contract import MAX_RETRY_AFTER_SECONDS, RunResult
from videojob_api.exits import EXIT_CLASSES, ExitCode, FailureClass
from videojob_api.fanout import read_indexes
from videojob_api.v1alpha1 import FailureStatus

from ..hints import HINTS
from ..naming import job_name, report_group
from ..world import ContainerView, JobView, Observed, PodView
from .draft import Group, Verdict
from .results import is_stub, problem_of, read, read_report

LAUNCH_GRACE_SECONDS = 10
"""A Job that was launched this recently and is missing may only be missing from our view."""
MESSAGE_LENGTH = 1000
LOG_LENGTH = 2000
SIGKILL = 137
DISK_FULL = "DiskFull"

CODES = {
    FailureClass.PERMANENT: "Permanent",
    FailureClass.RECOVERABLE: "WorkerFailed",
    FailureClass.RESOURCE: "Resource",
    FailureClass.EXTERNAL: "External",
    FailureClass.STALLED: "Stalled",
    FailureClass.DISRUPTION: "Disrupted",
}
"""Code of a failure about which the worker left no word."""


def judge(seen: Observed, group: Group, attempt: int) -> Verdict:
    """Live, being read, succeeded or failed."""
    job = find(seen, group.name, attempt)
    if job is None:
        return _missing(seen, group, attempt)
    if any(not ended(pod) for pod in job.pods):
        pod = next(pod for pod in job.pods if not ended(pod))
        return Verdict("Live", job, pod, span=worked(seen.now, job, pod))
    if job.pods:
        return _by_pod(seen, group, attempt, job, job.pods[-1])
    if job.finished is None:
        return Verdict("Live", job)
    return _by_condition(seen, group, attempt, job)


def find(seen: Observed, group: str, attempt: int) -> JobView | None:
    """The Job of an attempt, if it is there."""
    return next((job for job in seen.jobs if job.group == group and job.attempt == attempt), None)


def has_later(seen: Observed, group: Group, attempt: int) -> bool:
    """Whether a later attempt of the group was launched, so that this one must have failed."""
    return any(job.group == group.name and job.attempt > attempt for job in seen.jobs)


def ended(pod: PodView) -> bool:
    """Whether no container of the pod runs or will run: they run one after another, and the first failure ends the pod.

    The Job's condition comes two seconds later; nobody waits for it. A container of which a child was killed for memory
    can exit 0 and leave the pod initializing for good: it counts as failed.
    """
    if pod.phase in ("Succeeded", "Failed"):
        return True
    return failing(pod) is not None or (
        bool(pod.containers) and all(container.state == "Terminated" for container in pod.containers)
    )


def failing(pod: PodView) -> ContainerView | None:
    """The container that ended the pod, if one failed."""
    return next((c for c in pod.containers if c.state == "Terminated" and (c.exit_code != 0 or killed(c))), None)


def killed(container: ContainerView) -> bool:
    """Whether the kernel killed it, or a child of it, for memory."""
    return container.reason == "OOMKilled"


def live(job: JobView) -> bool:
    """Whether a Job still counts: until its containers have terminated or, with no pod left, until it is finished. An Indexed
    Job counts while any index of it works or waits for its turn.
    """
    if any(not ended(pod) for pod in job.pods):
        return True
    if job.completions is None and job.pods:
        return False
    return job.finished is None and len(ended_indexes(job)) < (job.completions or 1)


def ended_indexes(job: JobView) -> frozenset[int]:
    """Indexes of an Indexed Job that have ended, by what their pods show or else by what the Job controller counts."""
    working = {pod.index for pod in job.pods if not ended(pod)}
    shown = {pod.index for pod in job.pods if pod.index is not None}
    counted = {*indexes_of(job.completed), *indexes_of(job.failed)}
    return frozenset(index for index in shown | counted if index not in working)


def indexes_of(text: str) -> tuple[int, ...]:
    """Indexes as a Job's status has them; what is no such list names none."""
    try:
        return read_indexes(text)
    except ValueError:
        return ()


# ---------------------------------------------------------------- evidence


def _missing(seen: Observed, group: Group, attempt: int) -> Verdict:
    later = has_later(seen, group, attempt)
    started = max((s.start_time for s in group.stages if s.start_time is not None), default=None)
    name = job_name(seen.job.uid, seen.job.name, group.name, attempt)
    if (
        not later
        and started is not None
        and timedelta() <= seen.now - started < timedelta(seconds=LAUNCH_GRACE_SECONDS)
    ):
        return Verdict("Live", wake_at=started + timedelta(seconds=LAUNCH_GRACE_SECONDS))
    failure = failure_of(
        seen, group, attempt, FailureClass.DISRUPTION, f"Job {name} was deleted before its result was seen"
    )
    return Verdict("Failed", failure=failure, confirm=None if later else name)


def _by_pod(seen: Observed, group: Group, attempt: int, job: JobView, pod: PodView) -> Verdict:
    results = {c.name: read(seen, group, attempt, c) for c in pod.containers if c.state == "Terminated"}
    good = tuple(stage for result in results.values() if isinstance(result, RunResult) for stage in result.stages)
    spent = worked(seen.now, job, pod)
    culprit = failing(pod)
    if culprit is None and len(results) == len(pod.containers) > 0:
        if None not in results.values() and problem_of(seen, group, good) is None:
            return Verdict("Succeeded", job, pod, good, span=spent)
        return _after_report(seen, group, job, pod=pod, spent=spent)
    cause, text = pod_class(pod, culprit)
    mine = results.get(culprit.name) if culprit is not None else None
    code = culprit.exit_code if culprit is not None else None
    if cause is FailureClass.DISRUPTION:
        said = mine.failure if mine is not None and code == ExitCode.UNCACHED else None
        failure = failure_of(seen, group, attempt, cause, text, exit_code=code, details=said)
    elif mine is None and culprit is not None and is_stub(culprit):
        word = default_code_of(pod, culprit, cause)
        known = failure_of(seen, group, attempt, cause, text, exit_code=code, default_code=word)
        return _after_report(seen, group, job, pod=pod, spent=spent, failure=known)
    else:
        failure = failure_of(
            seen, group, attempt, cause, text, exit_code=code, details=mine.failure if mine is not None else None,
            default_code=default_code_of(pod, culprit, cause),
        )  # fmt: skip
    return Verdict("Failed", job, pod, good, failure, spent)


def pod_class(pod: PodView, culprit: ContainerView | None) -> tuple[FailureClass, str]:
    """Class of a failed pod, and a sentence."""
    where = (
        f"container {culprit.name} exited with code {culprit.exit_code}"
        if culprit is not None
        else f"pod {pod.name} failed"
    )
    if pod.disruption is not None:
        return FailureClass.DISRUPTION, f"pod {pod.name} was disrupted: {pod.disruption}"
    if pod.reason == "Evicted":  # without the condition: the pod itself used more disk than it may (case 32)
        return FailureClass.RESOURCE, f"pod {pod.name} was evicted for the disk space it used"
    if pod.reason == "DeadlineExceeded":
        return FailureClass.STALLED, f"pod {pod.name} ran into its deadline"
    if culprit is None:  # no container of it ever ended: node gone, shut down, or not admitted
        return FailureClass.DISRUPTION, f"{where} before it ran: {pod.reason or 'no reason given'}"
    if killed(culprit):
        return FailureClass.RESOURCE, f"container {culprit.name} ran out of memory"
    code = culprit.exit_code
    if pod.deleting and code in (SIGKILL, ExitCode.STOPPED):
        return FailureClass.DISRUPTION, f"pod {pod.name} was deleted"
    if code == SIGKILL:
        return FailureClass.RESOURCE, f"container {culprit.name} was killed (137), most likely for memory"
    return EXIT_CLASSES.get(code or 0, FailureClass.RECOVERABLE), where


def default_code_of(pod: PodView, culprit: ContainerView | None, cause: FailureClass) -> str | None:
    """A code that says more than the class: exit code 73 alone is memory or disk, and stays `Resource`."""
    if pod.reason == "Evicted":
        return DISK_FULL
    if pod.reason == "DeadlineExceeded":
        return "Timeout"
    if culprit is not None and (killed(culprit) or culprit.exit_code == SIGKILL):
        return "OutOfMemory"
    if culprit is not None and culprit.exit_code == ExitCode.CONFIG and cause is FailureClass.PERMANENT:
        return "BadDocument"
    return None


def _by_condition(seen: Observed, group: Group, attempt: int, job: JobView) -> Verdict:
    spent = worked(seen.now, job, None)
    if job.finished == "Complete":
        return _after_report(seen, group, job, spent=spent)
    text = job.condition_message or f"Job {job.name} failed: {job.condition_reason or 'no reason given'}"
    if "has condition DisruptionTarget" in text:
        return Verdict(
            "Failed", job, failure=failure_of(seen, group, attempt, FailureClass.DISRUPTION, text), span=spent
        )
    match = re.search(r"failed with exit code (\d+)", text)
    code = int(match[1]) if match else None
    cause = FailureClass.RECOVERABLE if code is None else EXIT_CLASSES.get(code, FailureClass.RECOVERABLE)
    failure = failure_of(seen, group, attempt, cause, text, exit_code=code)
    if cause is FailureClass.DISRUPTION:
        return Verdict("Failed", job, failure=failure, span=spent)
    return _after_report(seen, group, job, spent=spent, failure=failure)


def _after_report(
    seen: Observed,
    group: Group,
    job: JobView,
    *,
    pod: PodView | None = None,
    spent: tuple[datetime, datetime] | None = None,
    failure: FailureStatus | None = None,
) -> Verdict:
    """Let a report Job read the result from the store; `failure` is what is known without it, None means success.

    At most one report Job an attempt: `stages[].job` names it from its launch on, and one that was deleted has failed.
    """
    attempt = job.attempt
    name = report_group(group.name)
    report = find(seen, name, attempt)
    later = has_later(seen, group, attempt)  # then this one was judged before, and its report went with the status
    lost = job_name(seen.job.uid, seen.job.name, name, attempt) if report is None and not later else None
    if lost is not None and all(stage.job != lost for stage in group.stages):
        return Verdict("Reading", job, pod, needs_report=True)
    if report is not None and live(report):
        return Verdict("Reading", report, pod)
    told = _reported(seen, group, attempt, report)
    stages = tuple(stage for result in told for stage in result.stages)
    said = next((result.failure for result in told if result.failure is not None), None)
    if failure is not None:
        if said is not None:
            cause = FailureClass(failure.failure_class)
            failure = failure_of(
                seen, group, attempt, cause, failure.message, exit_code=failure.exit_code, details=said
            )
        return Verdict("Failed", job, pod, stages, failure, spent, confirm=lost)
    if said is None and problem_of(seen, group, stages) is None:
        return Verdict("Succeeded", job, pod, stages, span=spent)
    why = "none was found" if not told else (problem_of(seen, group, stages) or "it says that it failed")
    text = f"attempt {attempt} ended with exit code 0 but without a valid result: {why}"
    invalid = failure_of(
        seen, group, attempt, FailureClass.RECOVERABLE, text, exit_code=0, default_code="ResultInvalid"
    )
    return Verdict("Failed", job, pod, (), invalid, spent, confirm=lost)


def _reported(seen: Observed, group: Group, attempt: int, report: JobView | None) -> tuple[RunResult, ...]:
    """What a report Job read of this attempt, container by container; nothing if it failed."""
    if report is None or not report.pods or failing(report.pods[-1]) is not None:
        return ()
    parts = report.pods[-1].containers
    return next((told for part in parts if (told := read_report(seen, group, attempt, part))), ())


# ---------------------------------------------------------------- words


def failure_of(
    seen: Observed,
    group: Group,
    attempt: int,
    cause: FailureClass,
    text: str,
    *,
    exit_code: int | None = None,
    details: FailureStatus | None = None,
    default_code: str | None = None,
) -> FailureStatus:
    """The failure for status: the worker's words where it left some, ours otherwise; the class is always ours."""
    running = next(
        (s.name for s in group.stages if s.state == "Running"), group.stages[0].name if group.stages else None
    )
    code = default_code or CODES[cause]
    if details is None:
        return FailureStatus(
            failure_class=cause, code=code, stage=running, attempt=attempt, exit_code=exit_code,
            message=text[:MESSAGE_LENGTH], hint=HINTS.get(code), time=seen.now,
        )  # fmt: skip
    known = {stage.name for stage in group.stages}
    return FailureStatus(
        failure_class=cause,
        code=details.code[:64],
        stage=details.stage if details.stage in known else running,
        attempt=attempt,
        exit_code=exit_code,
        message=details.message[:MESSAGE_LENGTH],
        hint=details.hint[:MESSAGE_LENGTH] if details.hint is not None else HINTS.get(details.code),
        log_tail=details.log_tail[-LOG_LENGTH:] if details.log_tail is not None else None,
        retry_after_seconds=_retry_after(cause, details),
        time=seen.now,
    )


def _retry_after(cause: FailureClass, details: FailureStatus) -> int | None:
    """What the other side asked for, within reason: a worker is not believed that a job shall wait for years."""
    asked = details.retry_after_seconds
    if cause is not FailureClass.EXTERNAL or asked is None or asked < 0:
        return None
    return min(asked, MAX_RETRY_AFTER_SECONDS)


def worked(now: datetime, job: JobView, *pods: PodView | None) -> tuple[datetime, datetime] | None:
    """From when to when the attempt's pods were at work; None if none ever ran. Without a pod, as long as the Job was there."""
    containers = [container for pod in pods if pod is not None for container in pod.containers]
    starts = [c.started_at for c in containers if c.started_at is not None]
    ends = [c.finished_at for c in containers if c.finished_at is not None]
    if containers and not starts:
        return None
    start = min(starts, default=job.created)
    return start, max(start, max(ends, default=job.finished_at or now))
