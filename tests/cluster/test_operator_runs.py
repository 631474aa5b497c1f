"""The operator as a process on a real API server, from apply to Succeeded."""

from __future__ import annotations

from collections.abc import Callable

from audit import Audit
from operated import Cluster, OperatorProcess, a_running, an_ended, finished, phase_is
from videojob_operator.cluster.api import JOBS, MEDIASTORES, PODS, VIDEOJOBS, VIDEOPROFILES

Operators = Callable[..., OperatorProcess]


def condition(raw: dict, kind: str) -> tuple[str, str]:
    return next(
        ((entry["status"], entry["reason"]) for entry in raw["status"]["conditions"] if entry["type"] == kind), ("", "")
    )


async def test_a_videojob_runs_to_its_end(cluster: Cluster, operators: Operators, namespace: str, audit: Audit) -> None:
    """T-001, X-001: accepted, one Job, stages end with their containers, outputs in status, 12 writes at most (O3)."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    await cluster.succeed(videojob, pod)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    assert [output["name"] for output in ended["status"]["outputs"]] == ["720p", "thumbnail"]
    assert condition(ended, "Complete")[0] == "True"
    assert ended["status"]["observedGeneration"] == ended["metadata"]["generation"]
    assert "finalizers" not in ended["metadata"]
    assert len(audit.created_jobs(namespace)) == 1
    ours = [write for write in audit.writes(namespace) if write.agent == "videojob-operator"]
    assert [write.resource for write in ours if write.code >= 400] == []
    counted = [write for write in audit.writes(namespace) if write.agent != "a-test" and write.resource != "events"]
    assert len(counted) <= 12, [f"{write.agent} {write.verb} {write.resource}" for write in counted]


async def test_spread_runs_one_job_after_the_other(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """Spread: each stage's Job is created when the one before has ended, on the word of its pod."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer", execution={"mode": "Spread"})
    for group in ("ingest", "transcode", "verify", "commit"):
        pod = await cluster.pod_of(namespace, "trailer", group=group)
        await cluster.succeed(videojob, pod, group=group)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]


async def test_a_failure_is_retried_then_succeeds(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """X-006: a recoverable exit is retried with backoff as a new Job."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer", retry={"backoffSeconds": 0})
    pod = await cluster.pod_of(namespace, "trailer")
    await cluster.play(pod, "Running", a_running("work"))
    await cluster.play(pod, "Failed", an_ended("work", 75, "not json"))
    again = await cluster.pod_of(namespace, "trailer", attempt=2)
    await cluster.succeed(videojob, again, attempt=2)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert (ended["status"]["phase"], ended["status"]["attempts"]) == ("Succeeded", 2)


async def test_a_missing_store_is_waited_for(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """StoreNotFound holds the job in Pending with the command that helps; the store's arrival sets it going."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace, store=False)
    await cluster.submit(namespace, "trailer")
    waiting = await cluster.until(VIDEOJOBS, namespace, phase_is("Pending"), name="trailer", because=operator.said)
    assert condition(waiting, "Accepted") == ("False", "StoreNotFound")
    await cluster.store(namespace)
    await cluster.until(VIDEOJOBS, namespace, phase_is("Queued", "Running"), name="trailer", because=operator.said)
    assert len(await cluster.all(MEDIASTORES, namespace)) == 1


async def test_an_unknown_profile_is_waited_for(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """UnknownProfile lists the known ones; the job starts when the profile exists (T-008)."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    transcode = {"source": {"uri": "store://inbox/" + "b2" * 32}, "profiles": ["tiny"]}
    await cluster.submit(namespace, "trailer", transcode=transcode)
    waiting = await cluster.until(VIDEOJOBS, namespace, phase_is("Pending"), name="trailer", because=operator.said)
    assert condition(waiting, "Accepted") == ("False", "UnknownProfile")
    assert "720p" in next(e["message"] for e in waiting["status"]["conditions"] if e["type"] == "Accepted")
    profile = {"rendition": {"video": {"width": 160, "height": 90, "bitrate": "100k"}}}
    await cluster.ensure(VIDEOPROFILES, namespace, {"metadata": {"name": "tiny"}, "spec": profile})
    await cluster.until(VIDEOJOBS, namespace, phase_is("Queued", "Running"), name="trailer", because=operator.said)


async def test_a_deleted_videojob_takes_its_jobs_along(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """I8, case 48: Jobs and pods go with the VideoJob, by ownership alone."""
    await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    await cluster.api.delete(VIDEOJOBS, namespace, "trailer", uid=videojob["metadata"]["uid"])
    await cluster.gone(JOBS, namespace, pod["metadata"]["labels"]["job-name"])
    await cluster.gone(PODS, namespace, pod["metadata"]["name"])


async def test_health_metrics_and_logs(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """A-026, T-017, X-017: it answers for its health, exports the seeds' metrics, logs JSON that says whose; SIGTERM ends it."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    await cluster.succeed(videojob, await cluster.pod_of(namespace, "trailer"))
    await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert await operator.fetch("healthz") == (200, "ok\n")
    for name in (
        'video_jobs_processed_total{profile="720p",status="success"}',
        'video_uploads_total{status="success"}',
        "video_upload_size_bytes_count",
        "video_processing_duration_seconds_count",
        "video_active_jobs",
        "processing_queue_size",
        f'videojob_phase{{namespace="{namespace}",phase="Succeeded",type="Transcode"}} 1.0',
        "videojob_event_to_create_seconds_count",
        'videojob_api_writes_total{code="201",resource="jobs",verb="create"}',
    ):
        await operator.exports(name)
    assert operator.stop() == 0
    created = [record for record in operator.records() if record["message"] == "Job created"]
    assert [(r["namespace"], r["job"], r["uid"], r["group"], r["attempt"]) for r in created] == [
        (namespace, "trailer", videojob["metadata"]["uid"], "main", 1)
    ]
