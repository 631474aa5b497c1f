"""Which VideoJobs are over and done with, so that an operator that starts need not look at them."""

from __future__ import annotations

from videojob_api import names

from ..decide.job import retry_wanted
from ..decide.job.withdraw import BUSY as WITHDRAWING
from ..decide.notify import BUSY
from .api import Raw, metadata
from .observe import videojob_view


def is_settled(raw: Raw) -> bool:
    """Whether a VideoJob says all that is to be said: finished, its latest edit looked at, the label of dead letters as the
    phase wants it (a crash can come between the two writes), no webhook left to tell, nothing left to remove at a provider, and
    no retry asked for (an annotation raises no generation).
    """
    status = raw.get("status") or {}
    phase, labels = status.get("phase"), metadata(raw).get("labels") or {}
    annotations = metadata(raw).get("annotations") or {}
    return (
        phase in names.TERMINAL_PHASES
        and status.get("observedGeneration") == metadata(raw).get("generation")
        and not any(row.get("state") in BUSY for row in status.get("notify") or () if isinstance(row, dict))
        and (status.get("withdrawal") or {}).get("state") not in WITHDRAWING
        and (labels.get(names.LABEL_DEAD_LETTER) == "true") == (phase == names.Phase.FAILED)
        and not (names.ANNOTATION_RETRY in annotations and retry_wanted(videojob_view(raw)))
    )
