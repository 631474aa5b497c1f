"""Cancel and redrive on a real API server and Job controller."""

from __future__ import annotations

from collections.abc import Callable

from audit import Audit
from operated import Cluster, OperatorProcess, a_running, an_ended, finished, phase_is
from videojob_api.names import ANNOTATION_CANCEL, ANNOTATION_RETRY, LABEL_DEAD_LETTER
from videojob_operator.cluster.api import JOBS, VIDEOJOBS, Raw

Operators = Callable[..., OperatorProcess]


async def annotate(cluster: Cluster, namespace: str, name: str, verb: str, nonce: str) -> Raw:
    patch = {"metadata": {"annotations": {verb: nonce}}}
    return await cluster.api.patch(VIDEOJOBS, namespace, name, patch, version=None)


def conditions(raw: Raw) -> dict[str, str]:
    return {entry["type"]: entry["status"] for entry in raw["status"]["conditions"]}


async def test_a_cancel_ends_a_running_job_and_its_pod(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """X-002, case 52: Cancelled at once, the live Job deleted with its pod; asked again after a redrive, it runs anew."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    await cluster.play(pod, "Running", a_running("work"))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Running"), name="trailer", because=operator.said)
    job = pod["metadata"]["labels"]["job-name"]
    await annotate(cluster, namespace, "trailer", ANNOTATION_CANCEL, "one")
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Cancelled"
    assert ended["status"]["outputs"] == []
    found = conditions(ended)
    assert [kind for kind, status in found.items() if status == "True"] == ["Accepted", "Stalled", "Finished"]
    assert (found["Complete"], found["Failed"], found["Stalled"]) == ("False", "False", "True")
    await cluster.gone(JOBS, namespace, job)
    await annotate(cluster, namespace, "trailer", ANNOTATION_RETRY, "one")
    again = await cluster.pod_of(namespace, "trailer", attempt=2)
    await cluster.succeed(videojob, again, attempt=2)
    ended = await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name="trailer", because=operator.said)
    assert ended["status"]["redrives"] == 1
    assert len(set(audit.created_jobs(namespace))) == len(audit.created_jobs(namespace)) == 2


async def test_a_dead_letter_is_driven_again_once(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """T-005, T-010, X-008, case 53: label and condition go, the stage before is not run again; an operator that was away
    when the retry was asked for finds it.
    """
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer", execution={"mode": "Spread"}, retry={"maxAttempts": 1})
    pod = await cluster.pod_of(namespace, "trailer", group="ingest")
    await cluster.succeed(videojob, pod, group="ingest")
    pod = await cluster.pod_of(namespace, "trailer", group="transcode")
    await cluster.play(pod, "Failed", an_ended("work", 75))
    dead = await cluster.until(
        VIDEOJOBS, namespace, lambda raw: LABEL_DEAD_LETTER in raw["metadata"].get("labels", {}), name="trailer",
        because=operator.said,
    )  # fmt: skip
    assert conditions(dead)["DeadLettered"] == "True"
    assert operator.stop() == 0
    await annotate(cluster, namespace, "trailer", ANNOTATION_RETRY, "one")
    again = await operators().start().ready()
    pod = await cluster.pod_of(namespace, "trailer", group="transcode", attempt=2)
    alive = await cluster.until(VIDEOJOBS, namespace, phase_is("Running"), name="trailer", because=again.said)
    assert LABEL_DEAD_LETTER not in alive["metadata"].get("labels", {})
    assert not {"Failed", "DeadLettered"} & set(conditions(alive))
    stages = {stage["name"]: stage for stage in alive["status"]["stages"]}
    assert (stages["Ingest"]["state"], stages["Ingest"]["attempt"]) == ("Succeeded", 1)
    assert (stages["Transcode"]["attemptBase"], stages["Transcode"]["failures"]) == (1, 0)
    await cluster.play(pod, "Failed", an_ended("work", 75))
    await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=again.said)
    await annotate(cluster, namespace, "trailer", ANNOTATION_RETRY, "one")
    marker = await cluster.submit(namespace, "marker")  # looked at after the annotation, which therefore did nothing
    await cluster.succeed(marker, await cluster.pod_of(namespace, "marker"))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name="marker", because=again.said)
    assert len([name for name in audit.created_jobs(namespace) if name.startswith("trailer-")]) == 3
