"""Deadline: timeoutSeconds bounds the time with a pod at work, over all stages and attempts (X-005)."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from videojob_api.contract import default_timeout_seconds
from videojob_api.exits import FailureClass
from videojob_api.names import Reason
from videojob_api.v1alpha1 import FailureStatus, VideoJobSpec, VideoJobStatus

from ..world import Observed
from .draft import Draft

TIMEOUT = "Timeout"
FAN_OUT_GRACE_SECONDS = 90
"""A fan-out is ended this much after the time for all is spent: its pods' own deadlines come first, and say more."""
SLACK_SECONDS = 5
"""A runner that ends itself at its deadline may leave this much by the kubelet's clock, which counts whole seconds."""


def deadline(seen: Observed, draft: Draft) -> None:
    """End the job when nothing is left for another attempt."""
    spec = seen.job.spec
    if draft.done or spec is None or draft.status.plan is None:
        return
    if draft.flights:
        _in_flight(seen, draft, spec)
        return
    group = next((group for group in draft.groups() if not group.succeeded), None)
    if group is None or not draft.status.active_time_ms:
        return
    left = seconds_left(spec, draft.status)
    last = draft.failed[-1][1] if draft.failed else None
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


def _in_flight(seen: Observed, draft: Draft, spec: VideoJobSpec) -> None:
    """End a job whose fan-out goes on beyond the time for all: each of its pods has a deadline of its own, and there is always
    a next one. Everything else ends itself by its pod's deadline, and leaves evidence.
    """
    group, attempt = next(((g, n) for g, n, verdict in draft.flights if verdict.fan_out is not None), (None, 0))
    if group is None:
        return
    end = seen.now + timedelta(seconds=seconds_left(spec, draft.status, spent(seen.now, draft)) + FAN_OUT_GRACE_SECONDS)
    if seen.now < end:
        draft.wakes.append(end)
        return
    text = f"the {total_seconds(spec, draft.status)} s of timeoutSeconds are spent in attempt {attempt} of {group.name}"
    failure = FailureStatus(
        failure_class=FailureClass.STALLED, code=TIMEOUT, stage=group.plan.stages[0], attempt=attempt, message=text,
        hint="raise spec.timeoutSeconds, or give the queue more slots", time=seen.now,
    )  # fmt: skip
    draft.fail(Reason.TIMEOUT, failure, seen.now)


def spent(now: datetime, draft: Draft) -> timedelta:
    """For how long pods of attempts in flight have been at work that no ended attempt has counted."""
    starts = [verdict.span[0] for _, _, verdict in draft.flights if verdict.span is not None]
    if not starts:
        return timedelta()
    counted = draft.status.active_until
    return max(timedelta(), now - (min(starts) if counted is None else max(min(starts), counted)))


def total_seconds(spec: VideoJobSpec, status: VideoJobStatus) -> int:
    """The whole budget. While the input's duration is not known, that of the longest input permitted."""
    if spec.timeout_seconds is not None:
        return spec.timeout_seconds
    if status.input is not None:
        return default_timeout_seconds(status.input.duration_ms)
    longest = spec.transcode.limits.max_duration_seconds if spec.transcode is not None else 0
    return default_timeout_seconds(longest * 1000)


def seconds_left(spec: VideoJobSpec, status: VideoJobStatus, flying: timedelta = timedelta()) -> int:
    """What ended attempts, and `flying` of those in flight, have left of it, in whole seconds."""
    return (total_seconds(spec, status) * 1000 - status.active_time_ms) // 1000 - math.ceil(flying.total_seconds())
