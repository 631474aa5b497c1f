"""Redrive: the annotation `videojob.dev/retry` drives a Failed or Cancelled job again, once per nonce (T-005, X-008, case 53).

Nothing that was spent is taken back: attempt numbers go on counting, so that no Job's name is used twice, and budgets count
from `stages[].attemptBase`. Groups that succeeded stay as they are while their files are kept; within a group, the worker
takes up what verifies. Work that is wanted anew although it is there (`NONCE;from=Transcode`, or `NONCE;from=720p`) gets new
keys, which no output has.
"""

from __future__ import annotations

from videojob_api import contract, names
from videojob_api.exits import FailureClass
from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import VideoJobStatus, WithdrawalStatus

from .. import recipes
from ..naming import nonce
from ..tiers import expired
from ..world import Event, Observed, VideoJobView
from .draft import Draft
from .phases import REDRIVES, terminal
from .sharing import apart

RENDERS = "Transcode"
"""The stage that makes the outputs of a transcode."""
TOLD = {
    "video": "VideoComposition", "thumbnail": "ThumbnailGeneration", "metadata": "Finalization", "captions-srt": "VideoJoin",
    "captions-vtt": "VideoJoin",
}  # fmt: skip
"""Those that make the outputs of a story."""
NAME_LENGTH = 100
MESSAGE_LENGTH = 1000


def retry_wanted(job: VideoJobView) -> bool:
    """Whether an ended job is asked to run again, and has not been yet."""
    return _asked(job.annotations, job.status) is not None and job.status.phase in REDRIVES


def at_the_gate(job: VideoJobView) -> bool:
    """Whether a look at the job asks its queue for room: it has not been let in, or is to be driven again."""
    return job.status.plan is None or job.status.phase == Phase.PENDING or retry_wanted(job)


def _asked(annotations: tuple[tuple[str, str], ...], status: VideoJobStatus) -> str | None:
    wanted = nonce(dict(annotations), names.ANNOTATION_RETRY)
    return None if wanted == status.observed_retry else wanted


def redrive(seen: Observed, draft: Draft) -> None:
    """Set an ended job back to the queue with fresh budgets; note the nonce of one that has not ended, and do nothing."""
    wanted = _asked(seen.job.annotations, draft.status)
    if wanted is None:
        return
    if not terminal(draft.status.phase):
        draft.update(observed_retry=wanted)
        return
    if draft.status.phase not in REDRIVES:
        return
    start = _start(dict(seen.job.annotations).get(names.ANNOTATION_RETRY, ""))
    anew = _anew(draft.status, start)
    if anew is None:
        _refuse(draft, wanted, start)
        return
    for group in draft.groups():
        if group.succeeded:
            apart(draft, group)  # one of them may be wanted anew
    _renew(draft, anew)
    # What succeeded is of use as long as its files are kept, which after a Permanent failure is not at all: the worker
    # rolls back. Then the job starts again; the worker takes up what it finds all the same.
    last = draft.status.failure
    rolled_back = last is not None and last.failure_class == FailureClass.PERMANENT
    lost = rolled_back or expired("processed", draft.status.retention, seen.now)
    if draft.published:  # nothing was rolled back, and what outputs were made of is not needed any more
        lost = any(output.state == "Expired" for output in draft.status.outputs)
    waiting = [group for group in draft.groups() if lost or not group.succeeded]
    for group in waiting:
        known = (job.attempt for job in seen.jobs if job.group == group.name)
        spent = max([group.attempt, group.settled, *known])
        draft.stages(
            group.name, state="Waiting", attempt=spent, attempt_base=spent, failures=0, disruptions=0, out_of_memory=0,
            out_of_disk=0, progress=0,
            start_time=None, completion_time=None, message=None, cpu_seconds=None, gpu_seconds=None, next_retry_time=None,
            fan_out=None if lost else group.fan_out, degraded=None, notes=None, accelerator_requested=None, gpu_since=None,
        )  # fmt: skip
        for part in apart(draft, draft.group(group.name)):
            draft.stages(part.name, slot=part.plan.slot)
    draft.update(
        phase=Phase.QUEUED,
        stage=waiting[0].plan.stages[0] if waiting else None,
        queue=None,
        queued_time=seen.now,
        start_time=None,
        completion_time=None,
        execution_time_ms=None,
        active_time_ms=0,
        active_until=None,
        withdrawal=_stopped(draft.status.withdrawal),
        redrives=draft.status.redrives + 1,
        observed_retry=wanted,
        # A cancel that was asked for before the redrive is a thing of the past, acted on or not.
        observed_cancel=nonce(dict(seen.job.annotations), names.ANNOTATION_CANCEL) or draft.status.observed_cancel,
    )
    draft.redriven = True
    draft.held = True  # nothing starts before it is on record that the job has not ended any more (I3)
    text = f"driven again by the annotation {names.ANNOTATION_RETRY}"
    if waiting:
        text += f": goes on at {waiting[0].plan.stages[0]}"
    if anew:
        text += f"; anew, whatever is there: {', '.join(anew)}"
    draft.note = (Reason.REDRIVEN, text)
    draft.message = "Queued again"
    draft.events.append(Event(Reason.REDRIVEN, text))


def _stopped(row: WithdrawalStatus | None) -> WithdrawalStatus | None:
    """Nothing more is removed at a provider; the numbers of its Jobs go on counting."""
    return WithdrawalStatus(state="Stopped", attempt=row.attempt) if row is not None else None


# ---------------------------------------------------------------- from where


def _start(text: str) -> str:
    """What follows `;from=` in the annotation's value; empty without."""
    found = (part.strip().removeprefix("from=") for part in text.split(";")[1:] if part.strip().startswith("from="))
    return next(found, "").strip()


def _anew(status: VideoJobStatus, start: str) -> tuple[str, ...] | None:
    """Stages that are run again even where their output is there: the named one and all behind it. The name of an output
    means the stage that makes it. None when the job has neither; nothing is named, or planned yet: no stage.
    """
    if not start or status.plan is None:
        return ()
    planned = [stage for group in status.plan.groups for stage in group.stages]
    if start in {output.name for output in status.plan.outputs}:
        start = RENDERS
    elif status.type == "Story":
        start = TOLD.get(start, start)
    return tuple(planned[planned.index(start) :]) if start in planned else None


def _renew(draft: Draft, anew: tuple[str, ...]) -> None:
    """Give stages keys that depend on the redrive, too: what lies there under the old keys is not taken up."""
    for stage in draft.status.stages:
        row = recipes.kind_of(stage.name)
        if stage.name in anew and row is not None:
            params = {"redrive": draft.status.redrives + 1, "instead": stage.key}
            key = contract.content_key(row.kind, row.version, params, ())
            draft.stage(stage.name, state="Waiting", key=key, anew=True, fan_out=None, degraded=None, notes=None)


def _refuse(draft: Draft, wanted: str, start: str) -> None:
    """Note the nonce and say what could have been named; the job stays as it ended."""
    plan = draft.status.plan
    stages = ", ".join(stage.name for stage in draft.status.stages)
    made = [output.name for output in plan.outputs] if plan is not None else []
    outputs = ", ".join([*made, *(TOLD if draft.status.type == "Story" else ())])
    draft.update(observed_retry=wanted)
    text = (
        f"not driven again: the annotation {names.ANNOTATION_RETRY} says from={start[:NAME_LENGTH]}, which is none of the stages "
        f"{stages} and none of the outputs {outputs}"
    )
    draft.events.append(Event(Reason.RETRY_REFUSED, text[:MESSAGE_LENGTH], "Warning"))
