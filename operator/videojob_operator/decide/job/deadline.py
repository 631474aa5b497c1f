"""Deadline: timeoutSeconds bounds the time with a pod at work, over all stages and attempts (X-005)."""

from __future__ import annotations

from videojob_api.contract import FailureClass, default_timeout_seconds
from videojob_api.names import Reason
from videojob_api.v1alpha1 import FailureStatus, VideoJobSpec, VideoJobStatus

from ..world import Observed
from .draft import Draft

TIMEOUT = "Timeout"
SLACK_SECONDS = 5
"""A runner that ends itself at its deadline may leave this much by the kubelet's clock, which counts whole seconds."""


def deadline(seen: Observed, draft: Draft) -> None:
    """End the job when nothing is left for another attempt."""
    spec = seen.job.spec
    if draft.done or draft.flight is not None or spec is None or draft.status.plan is None:
        return
    group = next((group for group in draft.groups() if not group.succeeded), None)
    if group is None or not draft.status.active_time_ms:
        return
    left = seconds_left(spec, draft.status)
    last = draft.failed[1] if draft.failed is not None else None
    if left >= (SLACK_SECONDS if last is not None and last.code == TIMEOUT else 1):
        return
    text = f"the {total_seconds(spec, draft.status)} s of timeoutSeconds are spent after attempt {group.attempt}"
    failure = FailureStatus(
        failure_class=FailureClass.STALLED, code=TIMEOUT,
        stage=last.stage if last is not None else group.plan.stages[0], attempt=group.attempt,
        exit_code=last.exit_code if last is not None else None,
        message=(f"{text}; the last failure: {last.message}" if last is not None else text)[:1000],
        hint="raise spec.timeoutSeconds, or name fewer profiles", log_tail=last.log_tail if last is not None else None,
        time=seen.now,
    )  # fmt: skip
    draft.fail(Reason.TIMEOUT, failure, seen.now)


def total_seconds(spec: VideoJobSpec, status: VideoJobStatus) -> int:
    """The whole budget. While the input's duration is not known, that of the longest input permitted."""
    if spec.timeout_seconds is not None:
        return spec.timeout_seconds
    if status.input is not None:
        return default_timeout_seconds(status.input.duration_ms)
    longest = spec.transcode.limits.max_duration_seconds if spec.transcode is not None else 0
    return default_timeout_seconds(longest * 1000)


def seconds_left(spec: VideoJobSpec, status: VideoJobStatus) -> int:
    """What ended attempts have left of it, in whole seconds."""
    return (total_seconds(spec, status) * 1000 - status.active_time_ms) // 1000
