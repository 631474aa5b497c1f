"""What a written status reports for the first time becomes counts: by kind of work in the seeds' names, by stage in ours."""

from __future__ import annotations

from videojob_api.exits import FailureClass
from videojob_api.names import TERMINAL_PHASES, Condition, Phase
from videojob_api.v1alpha1 import StageStatus, VideoJobStatus

from .metrics import Metrics

STATUSES = {Phase.SUCCEEDED: "success", Phase.FAILED: "failed", Phase.CANCELLED: "cancelled"}
"""Value of the label `status` for each end."""


def count(metrics: Metrics, namespace: str, before: VideoJobStatus, after: VideoJobStatus) -> None:
    """A status patch was accepted: count the differences. Nothing is counted from a status that was read."""
    _uploads(metrics, before, after)
    _stages(metrics, namespace, before, after)
    _troubles(metrics, before, after)
    _webhooks(metrics, before, after)
    if after.phase is not None and after.phase != before.phase and after.phase in TERMINAL_PHASES:
        _end(metrics, after, after.phase)


def _uploads(metrics: Metrics, before: VideoJobStatus, after: VideoJobStatus) -> None:
    """T-017: sources that ingest has looked at."""
    if after.input is not None and before.input is None:
        metrics.uploads.labels("success").inc()
        metrics.upload_size.observe(after.input.size_bytes)
    ended = after.phase == Phase.FAILED != before.phase
    if ended and after.input is None and after.failure is not None and after.failure.stage in ("Fetch", "Ingest"):
        metrics.uploads.labels("failed").inc()


def _end(metrics: Metrics, after: VideoJobStatus, phase: Phase) -> None:
    """One VideoJob has ended."""
    metrics.finished.labels(after.type or "Unknown", STATUSES[phase]).inc()
    seconds = None
    if after.start_time is not None and after.completion_time is not None:
        seconds = max(0.0, (after.completion_time - after.start_time).total_seconds())
    if after.type == "Story":
        if phase == Phase.SUCCEEDED:
            metrics.videos.inc()
        if phase == Phase.FAILED:
            metrics.story_errors.labels(_word(after.failure.code if after.failure is not None else None)).inc()
        if seconds is not None:
            metrics.story_duration.observe(seconds)
    elif after.type == "Avatar":
        if seconds is not None:
            metrics.pipeline_time.observe(seconds)
        if phase in (Phase.SUCCEEDED, Phase.FAILED):
            metrics.pipelines.add(phase == Phase.SUCCEEDED)
    else:  # T-017
        for output in after.plan.outputs if after.plan is not None else ():
            metrics.processed.labels(STATUSES[phase], output.name).inc()
        if seconds is not None:
            metrics.duration.observe(seconds)


def _word(code: str | None) -> str:
    """A failure's code as a label. It comes from a worker, so anything but a plain word is not let in."""
    return code if code is not None and code.isascii() and code.isalnum() and len(code) <= 40 else "Unknown"


def _stages(metrics: Metrics, namespace: str, before: VideoJobStatus, after: VideoJobStatus) -> None:
    old = {stage.name: stage for stage in before.stages}
    kind = after.type or "Unknown"
    for stage in after.stages:
        was = old.get(stage.name)
        metrics.cpu_seconds.labels(namespace, stage.name).inc(_spent(was, stage, "cpu_seconds"))
        metrics.gpu_seconds.labels(namespace, stage.name).inc(_spent(was, stage, "gpu_seconds"))
        ended = stage.state == "Succeeded" and (was is None or was.state != "Succeeded")
        if ended and stage.start_time is not None and stage.completion_time is not None:
            took = max(0.0, (stage.completion_time - stage.start_time).total_seconds())
            metrics.stage_seconds.labels(kind, stage.name, _accelerator(stage)).observe(took)


def _accelerator(stage: StageStatus) -> str:
    """As a label. It comes from a worker, so what is not known is one word."""
    used = stage.accelerator or "none"
    return used if used in ("none", "cpu", "cuda") else "other"


def _spent(was: StageStatus | None, now: StageStatus, field: str) -> float:
    """What a stage used since the last status; another attempt begins at nothing."""
    found = getattr(now, field) or 0.0
    known = (getattr(was, field) or 0.0) if was is not None and was.attempt == now.attempt else 0.0
    return max(0.0, found - known)


def _troubles(metrics: Metrics, before: VideoJobStatus, after: VideoJobStatus) -> None:
    """Failed attempts, by class, whether or not they are retried; and what went other than asked."""
    failed = _failures(after) - _failures(before)
    if failed > 0 and after.failure is not None:
        cause = after.failure.failure_class
        known = cause if cause in set(FailureClass) else "Unknown"
        if cause == FailureClass.STALLED:
            metrics.stalls.inc(failed)
        again = failed - (after.phase in TERMINAL_PHASES)
        if again > 0:
            metrics.retries.labels(known).inc(again)
    reasons = {c.reason for c in before.conditions if c.type == Condition.DEGRADED}
    for condition in after.conditions:
        if condition.type == Condition.DEGRADED and condition.status == "True" and condition.reason not in reasons:
            metrics.degraded.labels(condition.reason).inc()


def _failures(status: VideoJobStatus) -> int:
    """Attempts that ended without success, over all groups; counters are the same in all stages of a group."""
    return sum({stage.group: stage.failures + stage.disruptions for stage in status.stages}.values())


def _webhooks(metrics: Metrics, before: VideoJobStatus, after: VideoJobStatus) -> None:
    old = {row.name: row for row in before.notify}
    for row in after.notify:
        was = old.get(row.name)
        if was is not None and was.state == "Sending" and (row.state != "Sending" or row.attempt != was.attempt):
            outcome = row.state if row.state in ("Retrying", "GivenUp") else "Delivered"
            metrics.notifications.labels(outcome).inc()
