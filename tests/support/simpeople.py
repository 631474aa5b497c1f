"""People and accidents in a simulated cluster, at moments that a seed draws."""

from __future__ import annotations

import random

from simcluster import Cluster
from videojob_api.names import TERMINAL_PHASES
from videojob_api.v1alpha1 import VideoJobStatus, VideoQueueSpec

VERBS = {"cancel": ("cancel",), "retry": ("retry",), "both": ("cancel", "retry")}
"""What people ask for by annotation, at any moment and phase; one of three nonces, so that some are asked for twice."""


def interfere(
    cluster: Cluster, rng: random.Random, queues: dict[str, VideoQueueSpec], start: str = "Transcode"
) -> None:
    """People and accidents: verbs, suspend and resume, a paused queue, another priority, a wiped status, a deleted Job, a
    crash of the operator. `start` is a stage that somebody may want done anew.
    """

    def somebody(act: str) -> None:
        known = cluster.all("videojob")
        if act in VERBS and known:
            job = rng.choice(known).value
            for verb in VERBS[act]:
                cluster.annotate(job.uid, verb, rng.choice(("one", "two", f"three;from={start}")))
            return
        living = [s for s in known if s.value.status.phase not in TERMINAL_PHASES]
        if not living:
            return
        stored = rng.choice(living)
        job = stored.value
        match act:
            case "suspend":
                spec = job.spec.model_copy(update={"suspend": True})
                cluster.edit(job.uid, spec=spec, generation=job.generation + 1)
                cluster.after(rng.random() * 300, lambda: resume(job.uid))
            case "priority":
                spec = job.spec.model_copy(update={"priority": rng.choice(("High", "Low"))})
                cluster.edit(job.uid, spec=spec, generation=job.generation + 1)
            case "pause":
                name = job.spec.queue
                queues[name] = queues[name].model_copy(update={"paused": True})
                cluster.after(rng.random() * 300, lambda: unpause(name))
            case "wipe":
                cluster.edit(job.uid, status=VideoJobStatus())
                cluster.history[job.uid] = []
            case "delete-job":
                for mine in [s for s in cluster.all("job") if s.owner == job.uid][:1]:
                    cluster.remove_job(mine.key)
            case "crash":
                cluster.crash_at = (len(cluster.writes) + rng.randint(1, 4), rng.choice(("before", "after")))

    def unpause(name: str) -> None:
        queues[name] = queues[name].model_copy(update={"paused": False})

    def resume(uid: str) -> None:
        job = cluster.objects["videojob", uid].value
        cluster.edit(uid, spec=job.spec.model_copy(update={"suspend": False}), generation=job.generation + 1)

    for _ in range(rng.randint(0, 8)):
        acts = ("suspend", "pause", "priority", "wipe", "delete-job", "crash", "crash", "crash", *VERBS, "retry")
        act = rng.choice(acts)
        cluster.after(rng.random() * 200, lambda act=act: somebody(act))  # type: ignore[misc]
