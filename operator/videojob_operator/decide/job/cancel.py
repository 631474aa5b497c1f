"""Cancel: the annotation `videojob.dev/cancel` ends a job at any phase that is not an end (X-002, case 52).

The record comes first: the Jobs that are still alive are deleted by cleanup once Cancelled stands in the status, so that a
crash in between leaves nothing half done. Their slots are free when their containers have ended.
"""

from __future__ import annotations

from videojob_api import names
from videojob_api.names import Phase, Reason

from ..naming import nonce
from ..world import Event, Observed
from .draft import Draft

TEXT = f"cancelled by the annotation {names.ANNOTATION_CANCEL}; `videojob retry` drives it again"


def cancel(seen: Observed, draft: Draft) -> None:
    """End the job, once per nonce, without outputs, unless they were there before and wait for their way to platforms. What
    has succeeded as a whole stays a success (I3).
    """
    wanted = nonce(dict(seen.job.annotations), names.ANNOTATION_CANCEL)
    if draft.done or wanted is None or wanted == draft.status.observed_cancel:
        return
    groups = draft.groups()
    if groups and all(group.succeeded for group in groups):
        return
    states = {"Running": "Cancelled", "Queued": "Waiting"}
    draft.update(
        phase=Phase.CANCELLED,
        observed_cancel=wanted,
        stages=tuple(
            stage.model_copy(
                update={
                    "state": states.get(stage.state, stage.state),
                    "completion_time": seen.now if stage.state == "Running" else stage.completion_time,
                    "next_retry_time": None,
                }
            )
            for stage in draft.status.stages
        ),
        outputs=draft.status.outputs if draft.published else (),
        queue=None,
        next_retry_time=None,
        completion_time=seen.now,
    )
    draft.flights, draft.failed, draft.problem = [], [], None
    draft.note = (Reason.CANCELLED, TEXT)
    draft.message = "Cancelled"
    draft.events.append(Event(Reason.CANCELLED, TEXT))
