"""Why a Job has no pod, or its pod starts no container: quota, Pod Security and a missing ServiceAccount are told by the Job
controller, a volume that cannot be mounted by the kubelet, in events only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ..decide.world import JobView, Observed
from ..runtime.queue import WorkQueue
from .api import CORE_EVENTS, JOBS, Api, ApiError
from .knowledge import Knowledge
from .wants import Key

log = logging.getLogger(__name__)

LATE_SECONDS = 10.0
"""A Job without a running pod for this long is asked about."""
AGAIN_SECONDS = 60.0
"""And again at most this often."""
LATE = "late"


class LatePods:
    """Asks for the reason and keeps it where the next observation finds it (cases 35, 36).

    Args:
        api: where events are read.
        queue: wakes the VideoJob when it is time to ask.
        knowledge: keeps the answer.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, api: Api, queue: WorkQueue[Key], knowledge: Knowledge, *, clock: Callable[[], float]) -> None:
        self._api = api
        self._queue = queue
        self._knowledge = knowledge
        self._clock = clock

    async def ask(self, key: Key, observed: Observed) -> None:
        """Look after the Jobs of one VideoJob of which nothing has started."""
        for job in observed.jobs:
            about = _asks_about(job)
            if about is None:
                self._knowledge.asked_why.pop(job.uid, None)
                self._knowledge.blocked.pop(job.uid, None)
                continue
            age = (observed.now - job.created).total_seconds()
            if age < LATE_SECONDS:
                self._queue.add_after(key, LATE_SECONDS - age + 0.1, LATE)
                continue
            asked = self._knowledge.asked_why.get(job.uid)
            if asked is not None and self._clock() - asked < AGAIN_SECONDS:
                continue
            self._knowledge.asked_why[job.uid] = self._clock()
            self._queue.add_after(key, AGAIN_SECONDS + 1.0, LATE)
            sentence = await self._latest_failure(observed.job.namespace, about)
            if self._knowledge.stores[JOBS].get(job.uid) is None:
                continue  # gone while we asked: nobody would ever take the answer away again
            if sentence and self._knowledge.blocked.get(job.uid) != sentence:
                self._knowledge.blocked[job.uid] = sentence
                self._queue.add(key)

    async def _latest_failure(self, namespace: str, about: str) -> str | None:
        latest = ("", "")
        try:
            fields = f"involvedObject.uid={about},type=Warning"
            async for page in self._api.pages(CORE_EVENTS, namespace, fields=fields):
                for event in page:
                    when = str(event.get("lastTimestamp") or event.get("eventTime") or "")
                    latest = max(latest, (when, str(event.get("message") or "")))
        except ApiError as error:
            log.info("events could not be read", extra={"namespace": namespace, "error": str(error)})
        return latest[1] or None


def _asks_about(job: JobView) -> str | None:
    """UID of the object whose events say why nothing runs: the Job without a pod, or the pod that has a node and no container
    yet; None when something has started, or when the pod's own status says what is the matter.
    """
    if job.finished:
        return None
    if not job.pods:
        return job.uid
    pod = job.pods[-1]
    waits = pod.node is not None and not pod.deleting and all(part.state == "Waiting" for part in pod.containers)
    return pod.uid if waits and pod.phase == "Pending" else None
