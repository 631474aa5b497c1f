"""What the operator does when things go wrong round it: kills, namesakes, conflicts, a server that goes away."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from audit import Audit, Write
from controlplane import ControlPlane, control_plane
from operated import (
    SYSTEM,
    Cluster,
    OperatorProcess,
    a_running,
    an_ended,
    connected,
    finished,
    install_crds,
    phase_is,
)
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, VIDEOQUEUES
from videojob_operator.cluster.queuestatus import EVERY_SECONDS
from videojob_operator.decide.naming import job_name

Operators = Callable[..., OperatorProcess]


def ours(audit: Audit) -> list[Write]:
    """What the operator wrote, the Lease apart."""
    return [w for w in audit.writes() if w.agent == "videojob-operator" and w.resource != "leases"]


async def test_a_restart_over_a_converged_cluster_writes_nothing(
    cluster: Cluster, operators: Operators, namespace: str, plane: ControlPlane
) -> None:
    """I4, case 7: one finished, one running, one waiting; a new operator finds nothing to write."""
    operator = await operators(keep_finished_seconds="3600").start().ready()
    await cluster.namespace(namespace)
    done = await cluster.submit(namespace, "done")
    await cluster.succeed(done, await cluster.pod_of(namespace, "done"))
    await cluster.until(VIDEOJOBS, namespace, finished, name="done", because=operator.said)
    await cluster.submit(namespace, "runs")
    pod = await cluster.pod_of(namespace, "runs")
    await cluster.play(pod, "Running", a_running("work"))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Running"), name="runs", because=operator.said)
    await cluster.submit(namespace, "waits", suspend=True)
    await cluster.until(VIDEOJOBS, namespace, phase_is("Suspended"), name="waits", because=operator.said)
    assert operator.stop() == 0
    audit, began = Audit(plane.audit_log), time.monotonic()
    again = await operators(keep_finished_seconds="3600").start().ready()
    # A VideoJob made now is served after everything found at the start, so its Job marks the end of the first pass.
    await cluster.submit(namespace, "marker")
    await cluster.pod_of(namespace, "marker")
    assert again.stop() == 0
    # The reports of a queue and of a store are late by seconds, and a rate falls with time alone: each may be due at the
    # start, and again as often as reports may follow each other.
    touched = Counter((w.resource, w.namespace, w.name) for w in ours(audit) if not w.name.startswith("marker"))
    assert {resource for resource, *_ in touched} <= {"videoqueues/status", "mediastores/status"}, touched
    assert max(touched.values(), default=0) <= 1 + (time.monotonic() - began) // EVERY_SECONDS, touched


async def test_kills_at_any_moment_lead_to_the_same_end(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """Cases 1 and 2: SIGKILL at ten moments of a Spread job; one Job per group, the same end."""
    chance = random.Random(4)
    operator = operators()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer", execution={"mode": "Spread"})
    kills = 0
    for group in ("ingest", "transcode", "verify", "commit"):
        operator.start()
        pod = await cluster.pod_of(namespace, "trailer", group=group)
        for _ in range(2):
            await asyncio.sleep(chance.uniform(0.0, 0.3))  # the moment of the kill, not a wait for anything
            operator.kill()
            kills += 1
            operator.start()
        await cluster.succeed(videojob, pod, group=group)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        operator.kill()
        kills += 1
    operator.start()
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", seconds=40, because=operator.said)
    assert kills >= 10
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    assert ended["status"]["attempts"] == 1
    assert len(audit.created_jobs(namespace)) == len(set(audit.created_jobs(namespace))) == 4


async def test_a_job_finished_while_the_operator_was_away(
    cluster: Cluster, operators: Operators, namespace: str, audit: Audit
) -> None:
    """Case 4: pod and Job ended during the outage; the result is read, nothing runs again."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    operator.kill()
    await cluster.succeed(videojob, pod)
    name = pod["metadata"]["labels"]["job-name"]
    await cluster.until(JOBS, namespace, lambda raw: raw.get("status", {}).get("succeeded") == 1, name=name)
    operator.start()
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"
    assert audit.created_jobs(namespace) == [name]


async def test_a_foreign_job_of_the_wanted_name_is_left_alone(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    """Case 20: the name is taken by somebody else's Job; the VideoJob says so, the Job is untouched."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    await cluster.submit(namespace, "trailer", suspend=True)
    await cluster.until(VIDEOJOBS, namespace, phase_is("Suspended"), name="trailer", because=operator.said)
    raw = await cluster.api.get(VIDEOJOBS, namespace, "trailer")
    name = job_name(raw["metadata"]["uid"], "trailer", "main", 1)
    template = {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "theirs", "image": "theirs"}]},
    }
    theirs = await cluster.ensure(JOBS, namespace, {"metadata": {"name": name}, "spec": {"template": template}})
    await cluster.api.patch(VIDEOJOBS, namespace, "trailer", {"spec": {"suspend": False}})
    said = await cluster.until(
        VIDEOJOBS,
        namespace,
        lambda raw: any(e["reason"] == "NameConflict" for e in raw["status"]["conditions"]),
        name="trailer",
        because=operator.said,
    )
    assert name in str(said["status"]["conditions"])
    now = await cluster.api.get(JOBS, namespace, name)
    assert (now["metadata"]["uid"], now["spec"]) == (theirs["metadata"]["uid"], theirs["spec"])


async def test_a_users_edit_wins_over_a_status_written_from_the_past(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    """Case 19: the edit stays, the status follows it."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    await cluster.submit(namespace, "trailer", suspend=True)
    for number in range(20):
        await cluster.api.patch(VIDEOJOBS, namespace, "trailer", {"spec": {"timeoutSeconds": 100 + number}})
    done = await cluster.until(
        VIDEOJOBS,
        namespace,
        lambda raw: raw.get("status", {}).get("observedGeneration") == raw["metadata"]["generation"] >= 21,
        name="trailer",
        because=operator.said,
    )
    assert done["spec"]["timeoutSeconds"] == 119


async def test_a_pod_deleted_by_hand_is_replaced(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """Case 38: a pod deleted by hand is a disruption; another attempt runs and the job succeeds."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    await cluster.play(pod, "Running", a_running("work"))
    await cluster.api.delete(PODS, namespace, pod["metadata"]["name"], uid=pod["metadata"]["uid"])
    await cluster.play(pod, "Failed", an_ended("work", 137))  # the kubelet's SIGKILL
    again = await cluster.pod_of(namespace, "trailer", attempt=2)
    await cluster.succeed(videojob, again, attempt=2)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"
    assert ended["status"]["stages"][0]["failures"] == 0


async def test_a_job_deleted_by_hand_is_replaced(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """Case 37: the Job vanishes; the API server confirms it, and another attempt runs."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    name = pod["metadata"]["labels"]["job-name"]
    job = await cluster.api.get(JOBS, namespace, name)
    await cluster.api.delete(JOBS, namespace, name, uid=job["metadata"]["uid"])
    again = await cluster.pod_of(namespace, "trailer", attempt=2)
    await cluster.succeed(videojob, again, attempt=2)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"


async def test_a_permanent_failure_is_a_dead_letter(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """X-002: exit 65 fails at once, with the label that `kubectl get -l` finds."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    await cluster.play(pod, "Failed", an_ended("work", 65, "no json"))
    await cluster.until(VIDEOJOBS, namespace, phase_is("Failed"), name="trailer", because=operator.said)
    labelled = await cluster.until(
        VIDEOJOBS,
        namespace,
        lambda raw: raw["metadata"].get("labels", {}).get("videojob.dev/dead-letter") == "true",
        name="trailer",
        because=operator.said,
    )
    assert labelled["status"]["attempts"] == 1


async def test_slots_are_never_exceeded(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """I7, X-004: six jobs, two slots; a queue of its own; the others start as slots come free, oldest first."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    await cluster.ensure(
        VIDEOQUEUES,
        SYSTEM,
        {"metadata": {"name": namespace}, "spec": {"slots": [{"name": "cpu", "capacity": 2}]}},
    )
    submitted = []
    for number in range(6):
        submitted.append(await cluster.submit(namespace, f"job-{number}", queue=namespace))
        # Who asked first is who was accepted first: each is seen before the next one comes.
        name = submitted[-1]["metadata"]["name"]
        await cluster.until(
            VIDEOJOBS,
            namespace,
            lambda raw: raw.get("status", {}).get("phase") in {"Queued", "Running"},
            name=name,
            because=operator.said,
        )
    for videojob in submitted:
        name = videojob["metadata"]["name"]
        pod = await cluster.pod_of(namespace, name)
        live = [raw for raw in await cluster.all(JOBS, namespace) if not raw.get("status", {}).get("conditions")]
        assert len(live) <= 2
        await cluster.succeed(videojob, pod)
        await cluster.until(VIDEOJOBS, namespace, phase_is("Succeeded"), name=name, because=operator.said)
        await cluster.until(
            JOBS,
            namespace,
            lambda raw: bool(raw.get("status", {}).get("conditions")),
            name=pod["metadata"]["labels"]["job-name"],
        )


async def test_the_api_server_may_go_away(
    cluster: Cluster, operators: Operators, namespace: str, plane: ControlPlane
) -> None:
    """Case 13: the operator lives through a restart of the API server and catches up."""
    operator = await operators().start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "trailer")
    pod = await cluster.pod_of(namespace, "trailer")
    plane.restart_apiserver()  # in this thread: its processes end with the thread that started them
    await cluster.succeed(videojob, pod)
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="trailer", seconds=40, because=operator.said)
    assert ended["status"]["phase"] == "Succeeded"
    assert operator.process is not None
    assert operator.process.poll() is None


async def test_the_defaults_are_created_once_and_an_edit_stays(
    cluster: Cluster, operators: Operators, namespace: str, tmp_path: Path, audit: Audit
) -> None:
    """The default queue comes from the mounted file; an admin's edit is never reverted, not even by a new file."""
    defaults = tmp_path / "defaults.yaml"
    text = (
        "apiVersion: videojob.dev/v1alpha1\nkind: VideoQueue\n"
        f"metadata: {{name: q-{namespace}}}\nspec: {{slots: [{{name: cpu, capacity: 3}}]}}\n"
    )
    defaults.write_text(text)
    first = await operators(defaults_file=str(defaults)).start().ready()
    assert first.stop() == 0
    found = await cluster.api.get(VIDEOQUEUES, SYSTEM, f"q-{namespace}")
    assert found["spec"]["slots"][0]["capacity"] == 3
    defaults.write_text(text.replace("3}", "5}"))
    second = await operators(defaults_file=str(defaults)).start().ready()
    assert second.stop() == 0
    found = await cluster.api.get(VIDEOQUEUES, SYSTEM, f"q-{namespace}")
    assert found["spec"]["slots"][0]["capacity"] == 5
    edit = {"spec": {"slots": [{"name": "cpu", "capacity": 9}]}}
    await cluster.api.patch(VIDEOQUEUES, SYSTEM, f"q-{namespace}", edit)
    defaults.write_text(text.replace("3}", "7}"))
    third = await operators(defaults_file=str(defaults)).start().ready()
    assert third.stop() == 0
    found = await cluster.api.get(VIDEOQUEUES, SYSTEM, f"q-{namespace}")
    assert found["spec"]["slots"][0]["capacity"] == 9
    writes = [w.verb for w in ours(audit) if (w.resource, w.name) == ("videoqueues", f"q-{namespace}")]
    assert writes == ["create", "patch"], "its status apart"


@pytest.mark.parametrize(
    "argv",
    [
        pytest.param((), id="python -m videojob_operator"),
        pytest.param(
            ("-m", "kopf", "run", "-m", "videojob_operator.handlers", "-A", "--log-format", "json"), id="kopf run -A"
        ),
    ],
)
async def test_the_operator_may_come_before_its_crds(argv: tuple[str, ...], tmp_path: Path) -> None:
    """Whichever came first, the CRDs or the operator: it waits, then serves; without them it exits 1, naming them."""
    with control_plane() as plane:
        async with connected(plane.kubeconfig) as cluster:
            command = (sys.executable, *(argv or ("-m", "videojob_operator")))
            hasty = OperatorProcess(plane.kubeconfig, tmp_path / "hasty.log", {"crd_wait_seconds": "0"}, command)
            operator = OperatorProcess(plane.kubeconfig, tmp_path / "operator.log", {}, command)
            try:
                hasty.start()
                assert hasty.process is not None
                assert await asyncio.to_thread(hasty.process.wait, 20) == 1
                assert "videojobs.videojob.dev" in hasty.said()
                operator.start()
                await operator.waits_for("waiting for the CRDs")
                await install_crds(cluster)
                await cluster.defaults("720p", "thumbnail")
                await operator.ready()
                await cluster.namespace("team")
                videojob = await cluster.submit("team", "trailer")
                await cluster.succeed(videojob, await cluster.pod_of("team", "trailer"))
                ended = await cluster.until(VIDEOJOBS, "team", finished, name="trailer", because=operator.said)
                assert ended["status"]["phase"] == "Succeeded"
                assert operator.stop() == 0
            finally:
                operator.end()
                hasty.end()
