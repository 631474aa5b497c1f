"""Finish: all groups have succeeded; outputs are published, unless the job was asked to stop before that."""

from __future__ import annotations

from videojob_api.names import Phase, Reason

from ..world import Event, Observed
from .draft import Draft


def finish(seen: Observed, draft: Draft) -> None:
    """Succeeded: the failure of an earlier attempt goes, outputs stand (they came with the last group's result)."""
    groups = draft.groups()
    if draft.done or not draft.accepted or not groups or not all(group.succeeded for group in groups):
        return
    draft.update(
        phase=Phase.SUCCEEDED,
        stage=groups[-1].plan.stages[-1],
        queue=None,
        failure=None,
        next_retry_time=None,
        completion_time=seen.now,
    )
    listed = ", ".join(output.name for output in draft.status.outputs)
    last = draft.status.stage
    text = f"published {listed}" if listed else f"stopped after {last} as spec.stopAfter asks; nothing was published"
    draft.note = (Reason.SUCCEEDED, f"{len(draft.status.outputs)} outputs published")
    if not listed and (seen.job.spec is None or seen.job.spec.stop_after is None):
        text = "all stages have succeeded; nothing was to be published"
    if not listed:
        draft.note = (Reason.STOPPED_AFTER, text)
    draft.events.append(Event(Reason.PROCESSING_COMPLETED, text))
