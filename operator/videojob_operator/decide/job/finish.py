"""Finish: all groups have succeeded, outputs are published."""

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
    draft.events.append(Event(Reason.PROCESSING_COMPLETED, f"published {listed}"))
