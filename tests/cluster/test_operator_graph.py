"""Parallel stages and fan-outs on a real API server with the real Job controller: indexes, counts, a Job that somebody deletes.

The operator runs the graph that does nothing; the test plays its pods.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from builders import a_result
from operated import SYSTEM, Cluster, OperatorProcess, a_running, an_ended, finished, seconds_ago
from videojob_api.contract import RunResult, StageResult
from videojob_api.fanout import WorkList, list_uri, read_indexes
from videojob_operator.cluster.api import JOBS, PODS, VIDEOJOBS, VIDEOQUEUES, Raw

Operators = Callable[..., OperatorProcess]
INDEX = "batch.kubernetes.io/job-completion-index"
ITEM = "noopitem"


class Played:
    """One VideoJob of stages that do nothing, and the hands that end its pods."""

    def __init__(self, cluster: Cluster, namespace: str, videojob: Raw, items: int) -> None:
        self.cluster, self.namespace, self.items = cluster, namespace, items
        self.name, self.uid = videojob["metadata"]["name"], videojob["metadata"]["uid"]

    async def job(self, group: str, attempt: int = 1) -> Raw:
        """The Job of an attempt of a group."""
        wanted = {
            "videojob.dev/uid": self.uid, "videojob.dev/group": group, "videojob.dev/attempt": str(attempt),
        }  # fmt: skip
        return await self.cluster.until(
            JOBS, self.namespace, lambda raw: wanted.items() <= raw["metadata"]["labels"].items(), seconds=40
        )

    async def pod(self, group: str, attempt: int = 1, index: int | None = None) -> Raw:
        """Its pod, or that of a completion index."""
        job = (await self.job(group, attempt))["metadata"]["name"]

        def wanted(raw: Raw) -> bool:
            labels = raw["metadata"].get("labels", {})
            return labels.get("job-name") == job and (index is None or labels.get(INDEX) == str(index))

        return await self.cluster.until(PODS, self.namespace, wanted)

    async def ok(self, group: str, attempt: int = 1, index: int | None = None) -> None:
        """The pod ends with success."""
        pod = await self.pod(group, attempt, index)
        document = json.loads(pod["metadata"]["annotations"]["videojob.dev/task"])
        listed = None
        if group == "nooplist":
            uri = list_uri(group, document["stages"][0]["key"])
            listed = WorkList(uri=uri, sha256="c3" * 32, size_bytes=99, items=self.items)
        result = self.result(group, attempt, document, index, StageResult(kind=group, work_list=listed))
        await self.cluster.play(pod, "Running", a_running("work"))
        await self.cluster.play(pod, "Succeeded", an_ended("work", 0, result))

    async def bad(self, attempt: int, index: int, *, evicted: bool = False) -> None:
        """The pod of an index fails, or is evicted."""
        pod = await self.pod(ITEM, attempt, index)
        await self.cluster.play(pod, "Running", a_running("work"))
        meta = pod["metadata"]
        if evicted:
            gone = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
            status = {"conditions": [{**gone, "lastTransitionTime": seconds_ago(0)}]}
            await self.cluster.api.patch_status(PODS, self.namespace, meta["name"], status, version=None)
        await self.cluster.play(pod, "Failed", an_ended("work", 137 if evicted else 75, "not json"))

    def result(self, group: str, attempt: int, document: Raw, index: int | None, *stages: StageResult) -> RunResult:
        """What a pod says at its end."""
        item = None if index is None else read_indexes(document["indexes"])[index]
        said = a_result("work", group=group, attempt=attempt, uid=self.uid)
        return said.model_copy(update={"stages": stages, "index": item})


async def begun(cluster: Cluster, namespace: str, items: int, parallelism: int, *, queue: str | None = None) -> Played:
    """A VideoJob whose fan-out is about to start; in a queue of one slot its branches run one after the other."""
    await cluster.namespace(namespace)
    wanted = json.dumps({"nooplist": {"items": items}, "parallelism": parallelism})
    spec = {"externalId": wanted, "execution": {"mode": "Spread"}, "retry": {"backoffSeconds": 0}}
    videojob = await cluster.submit(namespace, "graph", **spec, **({} if queue is None else {"queue": queue}))
    played = Played(cluster, namespace, videojob, items)
    await played.ok("nooplist")
    for branch in ("noopleft", "noopright") if queue is None else ():
        await played.pod(branch)
    await played.ok("noopleft")
    await played.ok("noopright")
    return played


async def test_a_fan_out_retries_the_items_that_are_left(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    """A-007, X-006: an Indexed Job as the real controller runs it; one item fails, one is evicted, the others go on."""
    operator = await operators(noop="true").start().ready()
    played = await begun(cluster, namespace, items=4, parallelism=2)
    first = (await played.job(ITEM))["spec"]
    assert (first["completionMode"], first["completions"], first["parallelism"]) == ("Indexed", 4, 2)
    assert first["backoffLimitPerIndex"] == 0
    assert {rule["action"] for rule in first["podFailurePolicy"]["rules"]} == {"FailIndex"}
    await played.ok(ITEM, index=0)
    await played.bad(1, 1)
    await played.ok(ITEM, index=2)
    await played.bad(1, 3, evicted=True)
    second = await played.job(ITEM, 2)
    assert second["spec"]["completions"] == 2
    document = json.loads(second["spec"]["template"]["metadata"]["annotations"]["videojob.dev/task"])
    assert document["indexes"] == "1,3"
    await played.ok(ITEM, 2, 0)
    await played.ok(ITEM, 2, 1)
    await played.ok("noopjoin")
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="graph", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    stage = next(stage for stage in ended["status"]["stages"] if stage["group"] == ITEM)
    assert (stage["attempt"], stage["failures"], stage["disruptions"]) == (2, 1, 0)
    assert (stage["fanOut"]["total"], stage["fanOut"]["succeeded"], stage["fanOut"]["left"]) == (4, 4, "")


async def test_a_fan_out_deleted_while_nobody_looked_goes_on_where_it_was(
    cluster: Cluster, operators: Operators, namespace: str
) -> None:
    """Cases 1, 29: the operator is killed, the Job deleted; a report tells what is there, the rest runs again."""
    operator = await operators(noop="true").start().ready()
    played = await begun(cluster, namespace, items=3, parallelism=3)
    await played.ok(ITEM, index=0)
    meta = (await played.job(ITEM))["metadata"]
    operator.kill()
    await cluster.api.delete(JOBS, namespace, meta["name"], uid=meta["uid"])
    await cluster.gone(JOBS, namespace, meta["name"])
    again = await operators(noop="true").start().ready()
    report = await played.pod(f"report-{ITEM}")
    said = a_result("commit", group=f"report-{ITEM}", uid=played.uid).model_copy(update={"present": "0"})
    await cluster.play(report, "Succeeded", an_ended("commit", 0, said))
    await played.ok(ITEM, 2, 0)
    await played.ok(ITEM, 2, 1)
    await played.ok("noopjoin")
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="graph", because=again.said)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    stage = next(stage for stage in ended["status"]["stages"] if stage["group"] == ITEM)
    assert (stage["attempt"], stage["failures"], stage["disruptions"]) == (2, 0, 1)


async def test_a_cancel_ends_all_that_is_alive(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """Case 52: both branches, and every pod of them."""
    operator = await operators(noop="true").start().ready()
    await cluster.namespace(namespace)
    videojob = await cluster.submit(namespace, "graph", execution={"mode": "Spread"})
    played = Played(cluster, namespace, videojob, 3)
    await played.ok("nooplist")
    pods = [await played.pod(group) for group in ("noopleft", "noopright")]
    await cluster.api.patch(
        VIDEOJOBS, namespace, "graph", {"metadata": {"annotations": {"videojob.dev/cancel": "now"}}}
    )
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="graph", because=operator.said)
    assert ended["status"]["phase"] == "Cancelled"
    for pod in pods:
        await cluster.gone(PODS, namespace, pod["metadata"]["name"])


async def test_a_fan_out_grows_when_slots_become_free(cluster: Cluster, operators: Operators, namespace: str) -> None:
    """X-004, A-006: begun with the one slot there is; with three more the Job controller starts more of its pods."""
    operator = await operators(noop="true").start().ready()
    spec = {"slots": [{"name": "cpu", "capacity": 1}]}
    await cluster.ensure(VIDEOQUEUES, SYSTEM, {"metadata": {"name": f"grow-{namespace}"}, "spec": spec})
    played = await begun(cluster, namespace, items=6, parallelism=4, queue=f"grow-{namespace}")
    assert (await played.job(ITEM))["spec"]["parallelism"] == 1
    await played.pod(ITEM, index=0)
    more = {"spec": {"slots": [{"name": "cpu", "capacity": 4}]}}
    await cluster.api.patch(VIDEOQUEUES, SYSTEM, f"grow-{namespace}", more)
    pods = [await played.pod(ITEM, index=index) for index in range(4)]
    job = await played.job(ITEM)
    assert (job["spec"]["parallelism"], job["spec"]["completions"]) == (4, 6)
    assert len({pod["metadata"]["uid"] for pod in pods}) == 4
    for index in range(6):
        await played.ok(ITEM, index=index)
    await played.ok("noopjoin")
    ended = await cluster.until(VIDEOJOBS, namespace, finished, name="graph", because=operator.said)
    assert ended["status"]["phase"] == "Succeeded", ended["status"]
    stage = next(stage for stage in ended["status"]["stages"] if stage["group"] == ITEM)
    assert (stage["attempt"], stage["fanOut"]["succeeded"]) == (1, 6)
