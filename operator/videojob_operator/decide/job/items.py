"""What became of one attempt of a fan-out: an Indexed Job in which each work item succeeds or fails by itself.

An index is judged by its pod. When that is gone, a failure is one that the Job controller counts, and a success is what a
report finds in the store; without a report that can be read, what the Job controller counts. What did not succeed is left
for the next attempt, which is a smaller Indexed Job. An attempt that lost items to disruptions alone counts as a
disruption; one in which an item failed counts as a failure, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from videojob_api.contract import RunResult, StageResult
from videojob_api.exits import FailureClass
from videojob_api.fanout import WorkList, all_indexes, read_indexes, write_indexes
from videojob_api.v1alpha1 import FailureStatus, FanOutStatus, VideoJobStatus

from .. import recipes
from ..naming import job_name, report_group
from ..world import JobView, Observed, PodView
from .draft import Group, Verdict
from .judge import (
    LAUNCH_GRACE_SECONDS,
    default_code_of,
    ended,
    failing,
    failure_of,
    find,
    has_later,
    indexes_of,
    live,
    pod_class,
    worked,
)
from .results import present_in, problem_of, read


def started(status: VideoJobStatus, group: Group) -> FanOutStatus | None:
    """The work items as the group's next attempt finds them; None for a group that is no fan-out, or one whose work list is
    not on record.
    """
    fan, known = group.plan.fan_out, group.fan_out
    if fan is None or status.plan is None:
        return None
    if known is None:
        listed = next((one for one in status.plan.work_lists if one.stage == fan.items_of), None)
        return FanOutStatus(total=listed.items, left=all_indexes(listed.items)) if listed is not None else None
    done = known.total - len(indexes_of(known.left))
    return known.model_copy(update={"succeeded": done, "failed": 0, "active": 0, "disrupted": None})


def work_lists(status: VideoJobStatus) -> dict[str, WorkList]:
    """The work lists on record, by the kind of the stage that made each."""
    rows = ((recipes.kind_of(listed.stage), listed) for listed in (status.plan.work_lists if status.plan else ()))
    return {
        row.kind: WorkList(uri=listed.uri, sha256=listed.sha256, size_bytes=listed.size_bytes, items=listed.items)
        for row, listed in rows
        if row is not None
    }


def percent(known: FanOutStatus) -> int:
    """Percent of a fan-out: whole items."""
    return 100 * known.succeeded // known.total if known.total else 0


@dataclass
class _Items:
    """Work items of one attempt, sorted by what became of each."""

    good: set[int] = field(default_factory=set)
    active: set[int] = field(default_factory=set)
    pending: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)
    """Whose Job says nothing, or whose result cannot be read."""
    counted: set[int] = field(default_factory=set)
    """Whose pods are gone, and which the Job controller counts as completed: the store has the last word."""
    failures: dict[int, FailureStatus] = field(default_factory=dict)
    results: list[StageResult] = field(default_factory=list)

    def disrupted(self) -> set[int]:
        """Items whose pods the cluster took away."""
        return {n for n, failure in self.failures.items() if failure.failure_class == FailureClass.DISRUPTION}


@dataclass(frozen=True)
class _Attempt:
    """What is judged, and the work items it was begun with."""

    seen: Observed
    group: Group
    number: int
    before: FanOutStatus

    def failure(self, cause: FailureClass, text: str, **details: Any) -> FailureStatus:
        """A failure of it, as status has it."""
        return failure_of(self.seen, self.group, self.number, cause, text, **details)

    def job_name(self, group: str) -> str:
        """Name of the Job of that group and this attempt."""
        return job_name(self.seen.job.uid, self.seen.job.name, group, self.number)


def judge_items(seen: Observed, group: Group, attempt: int) -> Verdict:
    """Live, being read, succeeded or failed. A Permanent failure of one item ends the attempt at once."""
    before = group.fan_out or started(seen.job.status, group)
    if before is None:
        text = f"the work items of group {group.name} are not on record"
        return Verdict("Failed", failure=failure_of(seen, group, attempt, FailureClass.RECOVERABLE, text))
    of = _Attempt(seen, group, attempt, before)
    job = find(seen, group.name, attempt)
    if job is None:
        return _missing(of)
    found = _sort(of, job)
    now = _counted(before, found)
    span = worked(seen.now, job, *job.pods)
    fatal = next((f for _, f in sorted(found.failures.items()) if f.failure_class == FailureClass.PERMANENT), None)
    if fatal is not None:
        found.good |= found.counted
        return Verdict("Failed", job, failure=fatal, span=span, fan_out=_after(before, found))
    if found.active or found.pending:
        unfinished = len(found.active) + len(found.pending)
        return Verdict("Live", job, _stuck(job), span=span, fan_out=now, unfinished=unfinished)
    if found.lost or found.counted:
        return _after_report(of, found, job=job)
    return _concluded(of, found, job=job)


def _sort(of: _Attempt, job: JobView) -> _Items:
    """What became of each item, by its pod or by the Job's own count."""
    found = _Items()
    pods = {pod.index: pod for pod in sorted(job.pods, key=lambda pod: not ended(pod))}  # one that works counts
    completed, failed = set(indexes_of(job.completed)), set(indexes_of(job.failed))
    disrupted = set(indexes_of(of.before.disrupted or ""))
    for index, item in enumerate(read_indexes(of.before.left)):
        pod = pods.get(index)
        if pod is not None and not ended(pod):
            found.active.add(item)
        elif pod is not None:
            _by_pod(of, pod, item, found)
        elif item in disrupted:
            text = f"the pod of item {item} was disrupted"
            found.failures[item] = of.failure(FailureClass.DISRUPTION, text)
        elif index in completed:
            found.counted.add(item)
        elif index in failed:
            text = f"item {item} failed, and its pod is gone"
            found.failures[item] = of.failure(FailureClass.RECOVERABLE, text)
        else:
            (found.lost if job.finished is not None else found.pending).add(item)
    return found


def _by_pod(of: _Attempt, pod: PodView, item: int, found: _Items) -> None:
    results: list[RunResult] = []
    for container in pod.containers:
        result = read(of.seen, of.group, of.number, container) if container.state == "Terminated" else None
        if result is not None and result.index == item:
            results.append(result)
    stages = tuple(stage for result in results for stage in result.stages)
    culprit = failing(pod)
    if culprit is None and pod.containers and all(container.state == "Terminated" for container in pod.containers):
        if len(results) == len(pod.containers) and problem_of(of.seen, of.group, stages) is None:
            found.good.add(item)
            found.results.extend(stages)
        else:
            found.lost.add(item)
        return
    cause, text = pod_class(pod, culprit)
    said = next((result.failure for result in results if result.failure is not None), None)
    failure = of.failure(
        cause, f"item {item}: {text}",
        exit_code=culprit.exit_code if culprit is not None else None,
        details=said if cause is not FailureClass.DISRUPTION else None,
        default_code=default_code_of(pod, culprit, cause) if cause is not FailureClass.DISRUPTION else None,
    )  # fmt: skip
    if said is not None and cause is not FailureClass.DISRUPTION:
        failure = failure.model_copy(update={"message": f"item {item}: {failure.message}"[:1000]})
    found.failures[item] = failure


def _stuck(job: JobView) -> PodView | None:
    """Of the pods that have not ended, the one that says why nothing goes on: none while another one works."""
    alive = [pod for pod in job.pods if not ended(pod)]
    return alive[0] if alive and not any(c.state == "Running" for pod in alive for c in pod.containers) else None


# ---------------------------------------------------------------- when evidence is gone


def _missing(of: _Attempt) -> Verdict:
    """The Job was deleted behind our back: the store knows which items are there."""
    seen = of.seen
    later = has_later(seen, of.group, of.number)
    begun = max((stage.start_time for stage in of.group.stages if stage.start_time is not None), default=None)
    grace = timedelta(seconds=LAUNCH_GRACE_SECONDS)
    if not later and begun is not None and timedelta() <= seen.now - begun < grace:
        return Verdict("Live", wake_at=begun + grace, fan_out=of.before)
    name = of.job_name(of.group.name)
    failure = of.failure(
        FailureClass.DISRUPTION, f"Job {name} was deleted before the results of all its items were seen"
    )
    found = _Items(lost=set(indexes_of(of.before.left)))
    return _after_report(of, found, failure=failure, confirm=None if later else name)


def _after_report(
    of: _Attempt,
    found: _Items,
    *,
    job: JobView | None = None,
    failure: FailureStatus | None = None,
    confirm: str | None = None,
) -> Verdict:
    """Let a report Job look which of the lost items are in the store: at most one an attempt, as for any other group.

    `failure` is why the others are lost; without one, they ended without a result that can be read.
    """
    name = report_group(of.group.name)
    report = find(of.seen, name, of.number)
    gone = of.job_name(name) if report is None else None
    known = has_later(of.seen, of.group, of.number) or any(stage.job == gone for stage in of.group.stages)
    if gone is not None and not known:
        return Verdict("Reading", job, needs_report=True, confirm=confirm, fan_out=_counted(of.before, found))
    if report is not None and live(report):
        return Verdict("Reading", report, fan_out=_counted(of.before, found))
    told = present_in(of.seen, of.group, of.number, report)
    present = found.counted if told is None else told & (found.lost | found.counted)
    found.good |= present
    for item in (found.lost | found.counted) - present:
        text = f"item {item} ended without a result that could be read, and its outputs are not in the store"
        found.failures[item] = failure or of.failure(
            FailureClass.RECOVERABLE, text, exit_code=0, default_code="ResultInvalid"
        )
    found.lost, found.counted = set(), set()
    return _concluded(of, found, job=job, confirm=confirm or gone)


# ---------------------------------------------------------------- the end


def _concluded(of: _Attempt, found: _Items, *, job: JobView | None, confirm: str | None = None) -> Verdict:
    after = _after(of.before, found)
    span = worked(of.seen.now, job, *job.pods) if job is not None else None
    if not after.left:
        stages = _stages(of.group, found.results, after.total)
        return Verdict("Succeeded", job, stages=stages, span=span, fan_out=after)
    disrupted = found.disrupted()
    ranked = sorted((item in disrupted, item) for item in found.failures)
    failure = found.failures[ranked[0][1]]
    others = len(found.failures) - 1
    if others:
        text = f"{failure.message[:900]}; {others} other item{'s' if others > 1 else ''} of {after.total} failed too"
        failure = failure.model_copy(update={"message": text})
    return Verdict("Failed", job, failure=failure, span=span, confirm=confirm, fan_out=after)


def _after(before: FanOutStatus, found: _Items) -> FanOutStatus:
    """The counts when the attempt has ended, and what it leaves to the next one."""
    left = write_indexes(set(read_indexes(before.left)) - found.good)
    return _counted(before, found).model_copy(update={"left": left, "active": 0, "disrupted": None})


def _stages(group: Group, results: Sequence[StageResult], total: int) -> tuple[StageResult, ...]:
    """The stage's result as a whole: what its items used, as far as their pods told."""
    row = recipes.kind_of(group.plan.stages[0])
    if row is None:
        return ()
    return (
        StageResult(
            kind=row.kind,
            reused=bool(results) and all(result.reused for result in results),
            seconds=sum(result.seconds for result in results),
            cpu_seconds=sum(result.cpu_seconds for result in results),
            gpu_seconds=sum(result.gpu_seconds or 0.0 for result in results) or None,
            message=f"{total} items",
        ),
    )


def _counted(before: FanOutStatus, found: _Items) -> FanOutStatus:
    """The counts; `left` stays what the attempt was begun with while it is alive."""
    return FanOutStatus(
        total=before.total,
        succeeded=before.total - len(read_indexes(before.left)) + len(found.good | found.counted),
        failed=len(found.failures),
        active=len(found.active),
        left=before.left,
        disrupted=write_indexes(found.disrupted() | set(indexes_of(before.disrupted or ""))) or None,
    )
