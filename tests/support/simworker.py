"""The worker in the simulated cluster: what a container leaves behind, by what its document asked for."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from builders import SHA, a_stage
from simavatar import delivered
from simcache import SimCache
from simobjects import Kind, Outcome, Stored
from storyboard import STORY_KINDS, told
from videojob_api import names
from videojob_api.contract import (
    CommitParams,
    ReportParams,
    RunResult,
    StageInput,
    StageTask,
    TaskDocument,
    canonical_json,
    result_path,
)
from videojob_api.fanout import WorkList, list_uri, read_indexes, write_indexes
from videojob_api.noop import NoopParams
from videojob_api.notices import NotifyParams
from videojob_api.v1alpha1 import FailureStatus, PlannedOutput
from videojob_operator.decide.world import PodView

EXITS = {
    "permanent": 65,
    "external": 69,
    "resource": 73,
    "stalled": 74,
    "recoverable": 75,
    "config": 78,
    "stopped": 143,
}
CLASSES = {
    "permanent": "Permanent", "external": "External", "resource": "Resource", "stalled": "Stalled",
    "recoverable": "Recoverable", "config": "Permanent", "stopped": "Disruption",
}  # fmt: skip


def item_of(document: TaskDocument, pod: PodView) -> int | None:
    """The work item of a pod of an Indexed Job."""
    return None if pod.index is None else read_indexes(document.indexes)[pod.index]


def outputs_of(
    owner: str, given: StageInput, document: TaskDocument, item: int | None = None
) -> set[tuple[str, str, str]]:
    """What a stage leaves: VideoJob's UID, kind and key; of a fan-out, one for each of its items, or for one alone."""
    if given.items_of is None:
        return {(owner, given.stage, given.key)}
    if item is not None:
        return {(owner, given.stage, f"{given.key}/{item}")}
    lists = (NoopParams.model_validate(task.params).items for task in document.stages if task.kind == given.items_of)
    count = given.work_list.items if given.work_list is not None else next(lists)
    return {(owner, given.stage, f"{given.key}/{number}") for number in range(count)}


class Worker:
    """Works in the pods of a cluster; what it makes outlives them in the store."""

    def __init__(self) -> None:
        self.objects: dict[tuple[Kind, str], Stored] = {}
        self.broken: list[str] = []
        self.store: dict[tuple[str, str], RunResult] = {}
        self.produced: set[tuple[str, str, str]] = set()
        self.fetched: set[tuple[str, str]] = set()
        """VideoJob's UID and digest of every file that was fetched."""
        self.published: dict[str, list[tuple[str, ...]]] = {}
        self.cache = SimCache()
        self.post: Callable[[RunResult], None] = lambda _result: None
        self.received: dict[tuple[str, str], list[tuple[str, str]]] = {}
        """What each webhook of each VideoJob has heard: event ids and names, in order."""
        self.finished_items: set[tuple[str, str, int]] = set()
        """Items of fan-outs that ended with success: VideoJob's UID, key of the stage, item."""
        self.accidents = False
        """Whether anything may be lost, so that an item is rightly worked on again."""
        self._numbers = itertools.count(1)

    def document(self, job: str) -> TaskDocument:
        """The task document of a Job."""
        template = self.objects["job", job].manifest["spec"]["template"]
        return TaskDocument.model_validate_json(template["metadata"]["annotations"][names.ANNOTATION_TASK])

    def limited(self, pod: Stored, index: int, outcome: Outcome) -> str:
        """What kernel and kubelet do to a container that would end well, by the limits of its pod."""
        spec = self.objects["job", pod.job].manifest["spec"]["template"]["spec"]
        parts = [*spec.get("initContainers", []), *spec["containers"]]
        name = parts[index]["name"]
        limit = int(parts[index]["resources"]["limits"]["memory"].removesuffix("Mi"))
        small = any(s.working_size for s in self.document(pod.job).stages if s.container == name)
        if limit < outcome.needs_mib // (2 if small else 1):
            return "oom"
        scratch = next(volume for volume in spec["volumes"] if volume["name"] == "scratch")
        full = int(scratch["emptyDir"]["sizeLimit"].removesuffix("Mi")) < outcome.writes_mib
        return "evicted" if full else outcome.how

    def _work(self, pod: Stored, index: int, how: str, done: int = 0) -> tuple[int, str | None, str | None]:
        """Exit code, the kubelet's reason and termination message of a container."""
        document = self.document(pod.job)
        name = pod.value.containers[index].name
        mine = [stage for stage in document.stages if stage.container == name]
        if how in ("oom", "disrupted", "pod-deleted", "hang", "evicted"):
            return (143, None, None) if how == "disrupted" else (137, "OOMKilled" if how == "oom" else None, None)
        if how == "oom-hidden" and document.stages[0].kind != "notify":  # which starts no child that could be killed
            return 0, "OOMKilled", None
        item = item_of(document, pod.value)
        made = self.produced_by(mine, pod)
        missing = [i.stage for s in mine for i in s.inputs if not made.issuperset(outputs_of(pod.owner, i, document))]
        if item is not None:
            self._twice(pod, document, item)
        if missing:
            self.broken.append(f"{pod.job}: {name} reads {missing}, which no stage has made")
        for source in (s.params["source"]["uri"] for s in mine if s.kind in ("ingest", "transcode")):
            if source.startswith("http"):
                self.broken.append(f"{pod.job}: {name} was given a URL")
            fetched = source.removeprefix("store://uploads/")
            if fetched != source and (pod.owner, fetched) not in self.fetched:
                self.broken.append(f"{pod.job}: {name} reads {source}, which was not fetched")
        if how in EXITS:
            failure = FailureStatus(
                failure_class=CLASSES[how],
                code=how.title(),
                stage=None,
                message=f"{how}, as scripted",
                log_tail="x" * 500,
            )
            for task in mine[:done]:
                own = StageInput(stage=task.kind, key=task.key, items_of=task.items_of, work_list=task.work_list)
                self.produced |= outputs_of(pod.owner, own, document, item)
            return EXITS[how], None, self._leave(pod, document, name, EXITS[how], failure=failure, done=done)
        if item is not None and how == "lost":
            return 0, None, "\ufffd{not json"
        if document.stages[0].kind == "notify":
            params = NotifyParams.model_validate(document.stages[0].params)
            for event in params.events:
                self.received.setdefault((pod.owner, params.url), []).append((event.id, event.event))
        if document.stages[0].kind == "report":
            return self._report(pod, document, name)
        hits = self.cache.hits(document, mine, self.produced)
        if hits is None:
            failure = FailureStatus(failure_class="Disruption", code="NotCached", message="gone from the cache")
            return 66, None, self._leave(pod, document, name, 66, failure=failure)
        for stage in mine:
            own = StageInput(stage=stage.kind, key=stage.key, items_of=stage.items_of, work_list=stage.work_list)
            self.produced |= outputs_of(pod.owner, own, document, item)
            if stage.kind == "fetch":
                self.fetched.add((pod.owner, SHA))
            self.cache.keep(document, stage)
        result = self._leave(pod, document, name, 0, keep=how != "lost", hits=hits)
        if how in ("garbage", "lost"):
            return 0, None, "\ufffd{not json"
        if how in ("stub", "stub-unposted"):
            whole = self.store[pod.owner, result_path(document.group, document.attempt, name, item)]
            digest = f"{next(self._numbers):064x}"
            if how == "stub":
                self.post(whole.model_copy(update={"sha256": digest}))
            stub = whole.model_copy(update={"stages": (), "sha256": digest, "size_bytes": 4000})
            return 0, None, canonical_json(stub.dump()).decode()
        return 0, None, result

    def produced_by(self, mine: Iterable[StageTask], pod: Stored) -> set[tuple[str, str, str]]:
        """What a stage of this container finds: everything made before, and what its own container makes."""
        document = self.document(pod.job)
        own = (StageInput(stage=s.kind, key=s.key, items_of=s.items_of, work_list=s.work_list) for s in mine)
        return self.produced.union(*(outputs_of(pod.owner, one, document) for one in own))

    def _twice(self, pod: Stored, document: TaskDocument, item: int) -> None:
        """An item that was seen to succeed is never worked on again, unless people or accidents took what it left."""
        mark = (pod.owner, document.stages[0].key, item)
        if mark in self.finished_items and not self.accidents:
            self.broken.append(f"{pod.job}: item {item} is worked on again")

    def _leave(
        self,
        pod: Stored,
        document: TaskDocument,
        name: str,
        code: int,
        *,
        failure: FailureStatus | None = None,
        keep: bool = True,
        hits: frozenset[str] = frozenset(),
        done: int = 0,
    ) -> str:
        stages = []
        mine = [task for task in document.stages if task.container == name]
        for task in mine if code == 0 else mine[:done]:
            planned = CommitParams.model_validate(task.params).outputs if task.kind == "commit" else ()
            outputs = [PlannedOutput(profile=o.profile, name=o.name, spec=o.spec.dump()) for o in planned]
            made = a_stage(task.kind, pod.owner, outputs)
            if task.kind in STORY_KINDS:
                made = told(task, pod.owner)
            if task.kind == "nooplist":
                uri, count = list_uri(task.kind, task.key), NoopParams.model_validate(task.params).items
                made = made.model_copy(update={"work_list": WorkList(uri=uri, sha256=SHA, size_bytes=100, items=count)})
            stages.append(made.model_copy(update={"cached": task.kind in hits}))
            if task.kind == "deliver":
                stages[-1] = delivered(task, pod.owner)
            if task.kind in ("finalize", "deliver"):
                self.published.setdefault(pod.owner, []).append(tuple(file.name for file in stages[-1].files))
            if task.kind == "commit":
                self.published.setdefault(pod.owner, []).append(tuple(output.name for output in outputs))
        result = RunResult(
            uid=pod.owner, group=document.group, attempt=document.attempt, container=name, exit_code=code,
            stages=tuple(stages), failure=failure, index=item_of(document, pod.value),
        )  # fmt: skip
        if keep:
            self.store[pod.owner, result_path(document.group, document.attempt, name, result.index)] = result
        if code == 0 and result.index is not None:
            self.finished_items.add((pod.owner, document.stages[0].key, result.index))
        return canonical_json(result.dump()).decode()

    def _present(self, pod: Stored, document: TaskDocument, name: str, fan: StageInput) -> str:
        """Which items of a fan-out are there."""
        assert fan.work_list is not None
        there = [n for n in range(fan.work_list.items) if (pod.owner, fan.stage, f"{fan.key}/{n}") in self.produced]
        result = RunResult(
            uid=pod.owner, group=document.group, attempt=document.attempt, container=name, exit_code=0,
            present=write_indexes(there),
        )  # fmt: skip
        return canonical_json(result.dump()).decode()

    def _report(self, pod: Stored, document: TaskDocument, name: str) -> tuple[int, str | None, str | None]:
        wanted = ReportParams.model_validate(document.stages[0].params)
        if wanted.fan_out is not None:
            return 0, None, self._present(pod, document, name, wanted.fan_out)
        prefix = result_path(wanted.group, wanted.attempt, "")
        folder = prefix.rpartition("/")[0]
        found = [
            r
            for (uid, path), r in sorted(self.store.items(), reverse=True)
            if uid == pod.owner and path.startswith(f"{folder}/")
        ]
        if not found:
            return 75, None, None
        merged = RunResult(
            uid=pod.owner, group=document.group, attempt=document.attempt, container=name, exit_code=0,
            reported=tuple(found),
        )  # fmt: skip
        return 0, None, canonical_json(merged.dump()).decode()
