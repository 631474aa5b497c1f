"""Cancel, redrive, suspend, stop early and idempotency keys on a real API server and Job controller."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from audit import Audit
from controlplane import ControlPlane
from operated import SYSTEM, Cluster, OperatorProcess, a_running, an_ended, finished, phase_is
from videojob_api.names import ANNOTATION_CANCEL, ANNOTATION_RETRY, ANNOTATION_TASK, LABEL_DEAD_LETTER
from videojob_cli.client import VideoJobs
from videojob_cli.verbs import dead_letters, retry_all
from videojob_operator.cluster.api import EVENTS, JOBS, VIDEOJOBS, VIDEOQUEUES, Raw

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
        VIDEOJOBS, namespace, lambda raw: conditions(raw).get("DeadLettered") == "True", name="trailer",
        because=operator.said,
    )  # fmt: skip
    assert dead["metadata"]["labels"][LABEL_DEAD_LETTER] == "true"
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


async def test_a_suspended_job_starts_nothing_until_it_is_resumed(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """What runs ends first; another operator that finds it suspended starts nothing either; the resume goes on."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer", execution={"mode": "Spread"})
    pod = await cluster.pod_of(namespace, "trailer", group="ingest")
    await cluster.play(pod, "Running", a_running("work"))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Running"), name="trailer", because=operator.said)
    await cluster.api.patch(VIDEOJOBS, namespace, "trailer", {"spec": {"suspend": True}})
    await cluster.succeed(videojob, pod, group="ingest")
    held = await cluster.until(VIDEOJOBS, namespace, phase_is("Suspended"), name="trailer", because=operator.said)
    assert [stage["state"] for stage in held["status"]["stages"]] == ["Succeeded", "Waiting", "Waiting", "Waiting"]
    assert {kind: conditions(held)[kind] for kind in ("Ready", "Reconciling", "Stalled", "Finished")} == dict.fromkeys(
        ("Ready", "Reconciling", "Stalled", "Finished"), "False"
    )
    operator.kill()
    again = await operators().start().ready()
    marker = await cluster.submit(namespace, "marker")  # looked at after the suspended one, of which nothing came
    await cluster.succeed(marker, await cluster.pod_of(namespace, "marker"))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name="marker", because=again.said)
    assert launched(audit, namespace, "trailer") == ["ingest-a1"]
    await cluster.api.patch(VIDEOJOBS, namespace, "trailer", {"spec": {"suspend": False}})
    for group in ("transcode", "verify", "commit"):
        await cluster.succeed(videojob, await cluster.pod_of(namespace, "trailer", group=group), group=group)
    await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name="trailer", because=again.said)
    assert launched(audit, namespace, "trailer") == ["ingest-a1", "transcode-a1", "verify-a1", "commit-a1"]


def launched(audit: Audit, namespace: str, name: str) -> list[str]:
    """Group and attempt of the Jobs that were created for a VideoJob, in order."""
    jobs = [job for job in audit.created_jobs(namespace) if job.startswith(f"{name}-")]
    return [job.removeprefix(f"{name}-").rsplit("-", 1)[0] for job in jobs]


async def test_a_job_ends_where_it_is_told_to_and_a_second_one_with_its_key_is_refused(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """stopAfter: Succeeded without outputs. idempotencyKey: Duplicate, naming the first, even when that has ended."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    asked = {"execution": {"mode": "Spread"}, "stopAfter": "Transcode", "idempotencyKey": "order-4711"}
    videojob = await cluster.submit(namespace, "first", **asked)
    for group in ("ingest", "transcode"):
        await cluster.succeed(videojob, await cluster.pod_of(namespace, "first", group=group), group=group)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="first", because=operator.said)
    status = ended["status"]
    assert (status["phase"], status["stage"], status["outputs"]) == ("Succeeded", "Transcode", [])
    assert conditions(ended)["Complete"] == "True"
    assert {entry["reason"] for entry in status["conditions"] if entry["type"] == "Ready"} == {"StoppedAfter"}

    await cluster.submit(namespace, "second", **asked)
    refused = await cluster.until(VIDEOJOBS, namespace, finished, name="second", because=operator.said)
    accepted = next(entry for entry in refused["status"]["conditions"] if entry["type"] == "Accepted")
    assert (accepted["status"], accepted["reason"]) == ("False", "Duplicate")
    assert refused["status"]["failure"]["message"].startswith("VideoJob first of this namespace")
    elsewhere = await cluster.namespace(f"{namespace}-b")
    await cluster.submit(elsewhere, "other", **asked)
    await cluster.pod_of(elsewhere, "other", group="ingest")
    assert launched(audit, namespace, "first") == ["ingest-a1", "transcode-a1"]
    assert launched(audit, namespace, "second") == []


async def test_a_redrive_from_a_named_stage_runs_it_and_what_follows_anew(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """X-008: `NONCE;from=Transcode` repeats what had succeeded, under another key; a name that the job has not is refused."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    retry = {"maxAttempts": 1}
    videojob = await cluster.submit(namespace, "trailer", execution={"mode": "Spread"}, retry=retry)
    keys: list[str] = []
    for group in ("ingest", "transcode"):
        pod = await cluster.pod_of(namespace, "trailer", group=group)
        keys.append(key_of(pod))
        await cluster.succeed(videojob, pod, group=group)
    await cluster.play(await cluster.pod_of(namespace, "trailer", group="verify"), "Failed", an_ended("work", 75))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Failed"), name="trailer", because=operator.said)

    await annotate(cluster, namespace, "trailer", ANNOTATION_RETRY, "one;from=Mixing")
    told = await cluster.until(EVENTS, namespace, lambda raw: raw["reason"] == "RetryRefused", because=operator.said)
    assert "from=Mixing" in told["note"]
    assert "Ingest, Transcode, Verify, Commit" in told["note"]
    seen = await cluster.api.get(VIDEOJOBS, namespace, "trailer")
    assert (seen["status"]["phase"], seen["status"]["redrives"]) == ("Failed", 0)

    await annotate(cluster, namespace, "trailer", ANNOTATION_RETRY, "two;from=Transcode")
    pod = await cluster.pod_of(namespace, "trailer", group="transcode", attempt=2)
    assert key_of(pod) not in keys
    await cluster.succeed(videojob, pod, group="transcode", attempt=2)
    for group, attempt in (("verify", 2), ("commit", 1)):
        pod = await cluster.pod_of(namespace, "trailer", group=group, attempt=attempt)
        await cluster.succeed(videojob, pod, group=group, attempt=attempt)
    await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name="trailer", because=operator.said)
    jobs = ["ingest-a1", "transcode-a1", "verify-a1", "transcode-a2", "verify-a2", "commit-a1"]
    assert launched(audit, namespace, "trailer") == jobs


def key_of(pod: Raw) -> str:
    """Content key of the stage that a pod runs."""
    return str(json.loads(pod["metadata"]["annotations"][ANNOTATION_TASK])["stages"][0]["key"])


async def test_dead_letters_driven_again_together_keep_to_the_depth_of_their_queue(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit, plane: ControlPlane
) -> None:
    """T-005, X-008, X-012, S-004: by label; one waits in the queue, the others at its gate, through a kill of the operator;
    each runs once more.
    """
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    queue = f"deep-{namespace}"
    spec = {"maxDepth": 1, "slots": [{"name": "cpu", "capacity": 1}]}
    await cluster.ensure(VIDEOQUEUES, SYSTEM, {"metadata": {"name": queue}, "spec": spec})
    names = ["late-0", "late-1", "late-2"]
    for name in (*names, "apart"):
        await cluster.submit(namespace, name, queue=queue)
        await cluster.play(await cluster.pod_of(namespace, name), "Failed", an_ended("work", 65))
        await cluster.until(VIDEOJOBS, namespace, phase_is("Failed"), name=name, because=operator.said)
        labels = {"batch": "other" if name == "apart" else "late"}
        await cluster.api.patch(VIDEOJOBS, namespace, name, {"metadata": {"labels": labels}})
    blocker = await cluster.submit(namespace, "blocker", queue=queue)
    pod = await cluster.pod_of(namespace, "blocker")

    def again() -> int:
        jobs = VideoJobs.connect(namespace=namespace, kubeconfig=plane.kubeconfig)
        return retry_all(jobs, dead_letters(jobs, "batch=late"))

    assert await asyncio.to_thread(again) == 0
    for name in names:
        await cluster.until(VIDEOJOBS, namespace, phase_is("Pending", "Queued"), name=name, because=operator.said)
    operator.kill()
    operator = await operators().start().ready()
    waiting = [raw for raw in await cluster.all(VIDEOJOBS, namespace) if raw["metadata"]["name"] in names]
    assert sorted(raw["status"]["phase"] for raw in waiting) == ["Pending", "Pending", "Queued"]
    assert {raw["status"]["redrives"] for raw in waiting} == {1}

    await cluster.succeed(blocker, pod)

    async def serve(raw: Raw) -> None:
        name = raw["metadata"]["name"]
        await cluster.succeed(raw, await cluster.pod_of(namespace, name, attempt=2), attempt=2)
        await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name=name, because=operator.said)
        assert launched(audit, namespace, name) == ["main-a1", "main-a2"]

    await asyncio.gather(*map(serve, waiting))
    apart = await cluster.api.get(VIDEOJOBS, namespace, "apart")
    assert (apart["status"]["phase"], apart["status"]["redrives"]) == ("Failed", 0)
