"""A cluster in memory: an API server that refuses stale writes, a Job controller, a kubelet and a worker model, on one clock.

Nothing here knows how the operator decides. What a real cluster does is modelled as it was measured: a pod follows its Job
after a moment, its phase follows its containers a second later, the Job's condition another second later.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from builders import NOW
from simcache import check_slot
from simobjects import Kind, Outcome, Script, Stored
from simworker import Worker, item_of
from videojob_api import names
from videojob_api.fanout import read_indexes, write_indexes
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.cluster.observe import also_of
from videojob_operator.decide.world import ContainerView, JobView, PodView, VideoJobView

TALLY: Counter[str] = Counter()
"""Of this process: crashes of the operator, and whole runs."""


class ConflictError(Exception):
    """409: the object is not the one you read."""


class ExistsError(Exception):
    """409: the name is taken."""


class CrashError(Exception):
    """The operator's process is gone."""


class Watcher(Protocol):
    """Somebody who watches."""

    def event(self, kind: Kind, key: str, now: Stored | None) -> None:
        """An object changed, or is gone."""


def all_well(_uid: str, _group: str, _attempt: int, _container: str) -> Outcome:
    """Nothing ever fails."""
    return Outcome()


class Cluster(Worker):
    """API server, controllers and workers. `crash_at` is the number of an operator's write, from 1, and where it dies."""

    def __init__(self, script: Script = all_well) -> None:
        super().__init__()
        self.now: datetime = NOW
        self.script = script
        self.watchers: list[Watcher] = []
        self.writes: list[str] = []
        self.crash_at: tuple[int, Literal["before", "after"]] | None = None
        self.created: list[str] = []
        self.launched: list[dict[str, Any]] = []
        """Manifests of the Jobs that were created."""
        self.widened: list[tuple[str, datetime, int]] = []
        """Jobs whose parallelism was raised, when, and to what."""
        self.history: dict[str, list[VideoJobStatus]] = {}
        self.judge_acceptance: Callable[[VideoJobView], list[str]] = lambda _job: []
        """What is wrong with letting that VideoJob into its queue now, for the first time or again."""
        self.late_reports = False
        """Whether a report Job may come after the end: it only reads, so an operator with an old view does no harm."""
        self.told: list[tuple[str, str]] = []
        self.begun: dict[str, set[int]] = {}
        """Indexes of Indexed Jobs that had a pod, by the Job's UID."""
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []

    # ------------------------------------------------------------ the clock

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        """Let something happen later."""
        self.at(self.now + timedelta(seconds=seconds), what)

    def at(self, when: datetime, what: Callable[[], None]) -> None:
        """Let something happen at a time, at once if it has passed."""
        heapq.heappush(self._heap, (max(when, self.now), next(self._numbers), what))

    def step(self) -> bool:
        """Go on to what happens next; False when nothing will."""
        if not self._heap:
            return False
        self.now, _, what = heapq.heappop(self._heap)
        what()
        return True

    # ------------------------------------------------------------ reading

    def all(self, kind: Kind) -> list[Stored]:
        """All objects of a kind."""
        return [stored for (of, _), stored in sorted(self.objects.items()) if of == kind]

    def get(self, kind: Kind, key: str) -> Stored | None:
        """One object."""
        return self.objects.get((kind, key))

    def pods(self, job: str) -> list[PodView]:
        """Pods of a Job."""
        return [stored.value for stored in self.all("pod") if stored.job == job]

    # ------------------------------------------------------------ the operator's writes

    def _write(self, what: str, perform: Callable[[], Stored | None]) -> Stored | None:
        number = len(self.writes) + 1
        if self.crash_at == (number, "before"):
            self.crash_at = None
            TALLY["crashes"] += 1
            raise CrashError(what)
        done = perform()
        self.writes.append(what)
        if self.crash_at == (number, "after"):
            self.crash_at = None
            TALLY["crashes"] += 1
            raise CrashError(what)
        return done

    def create_job(self, owner: VideoJobView, manifest: dict[str, Any]) -> Stored:
        """POST a Job."""
        name = manifest["metadata"]["name"]

        def perform() -> Stored:
            if ("job", name) in self.objects:
                raise ExistsError(name)
            phase = self.objects["videojob", owner.uid].value.status.phase
            report = manifest["metadata"]["labels"][names.LABEL_GROUP].startswith("report-")
            after = manifest["metadata"]["labels"][names.LABEL_GROUP].startswith(("notify-", "withdraw"))
            if phase in names.TERMINAL_PHASES and not after and not (report and self.late_reports):
                self.broken.append(f"I3: Job {name} was created in phase {phase}")
            labels = manifest["metadata"]["labels"]
            self.broken.extend(check_slot(manifest))
            view = JobView(
                name=name, uid=f"job-{next(self._numbers)}", group=labels[names.LABEL_GROUP],
                attempt=int(labels[names.LABEL_ATTEMPT]), created=self.now, slot=labels.get(names.LABEL_SLOT),
                also=also_of(labels), parallelism=manifest["spec"]["parallelism"],
                completions=manifest["spec"]["completions"] if "completionMode" in manifest["spec"] else None,
            )  # fmt: skip
            self.created.append(name)
            self.launched.append(manifest)
            stored = self._put("job", name, owner.uid, view, manifest=manifest)
            self.after(0.1, lambda: self._make_pods(view))
            return stored

        stored = self._write(f"create {name}", perform)
        assert stored is not None
        return stored

    def widen_job(self, name: str, version: int, parallelism: int) -> Stored:
        """PATCH a Job's parallelism with a precondition; more of its indexes start."""

        def perform() -> Stored:
            stored = self.objects["job", name]
            if stored.version != version:
                raise ConflictError(name)
            if stored.value.completions is None or parallelism <= stored.value.parallelism:
                self.broken.append(f"{name}: parallelism became {parallelism}, it was {stored.value.parallelism}")
            self.widened.append((name, self.now, parallelism))
            view = replace(stored.value, parallelism=parallelism)
            self.after(0.1, lambda: self._make_pods(view))
            return self._put("job", name, stored.owner, view)

        stored = self._write(f"widen {name}", perform)
        assert stored is not None
        return stored

    def delete_job(self, name: str, uid: str) -> None:
        """DELETE a Job in the background, if it is the one that is meant."""

        def perform() -> None:
            stored = self.get("job", name)
            if stored is not None and stored.value.uid == uid:
                self.remove_job(name)

        self._write(f"delete {name}", perform)

    def patch_status(self, uid: str, version: int, status: VideoJobStatus) -> Stored:
        """PATCH /status with a precondition."""

        def perform() -> Stored:
            stored = self.objects["videojob", uid]
            if stored.version != version:
                raise ConflictError(uid)
            body = status.dump()
            if len(json.dumps(body)) > 32 * 1024:
                self.broken.append(f"the status of {uid} exceeds 32 KiB")
            kept = VideoJobStatus.model_validate(body)
            outside = stored.value.status.phase in (
                None,
                names.Phase.PENDING,
                names.Phase.FAILED,
                names.Phase.CANCELLED,
            )
            if outside and kept.plan is not None and kept.phase == names.Phase.QUEUED:
                self.broken.extend(self.judge_acceptance(stored.value))
            self.history.setdefault(uid, []).append(kept)
            return self._put("videojob", uid, uid, replace(stored.value, status=kept))

        stored = self._write(f"status {status.phase}", perform)
        assert stored is not None
        return stored

    def patch_labels(self, uid: str, version: int, labels: Iterable[tuple[str, str | None]]) -> Stored:
        """PATCH metadata.labels with a precondition."""

        def perform() -> Stored:
            stored = self.objects["videojob", uid]
            if stored.version != version:
                raise ConflictError(uid)
            merged = dict(stored.value.labels) | dict(labels)
            kept = tuple(sorted((name, value) for name, value in merged.items() if value is not None))
            return self._put("videojob", uid, uid, replace(stored.value, labels=kept))

        stored = self._write("labels", perform)
        assert stored is not None
        return stored

    # ------------------------------------------------------------ people

    def apply(self, job: VideoJobView) -> None:
        """`kubectl apply`."""
        self._put("videojob", job.uid, job.uid, job)

    def edit(self, uid: str, **fields: Any) -> None:
        """Change parts of a VideoJob by hand, status included."""
        stored = self.objects["videojob", uid]
        self._put("videojob", uid, uid, replace(stored.value, **fields))

    def annotate(self, uid: str, verb: str, nonce: str) -> None:
        """`kubectl annotate`: it raises no generation."""
        asked = dict(self.objects["videojob", uid].value.annotations) | {f"{names.GROUP}/{verb}": nonce}
        self.edit(uid, annotations=tuple(sorted(asked.items())))

    def remove_job(self, name: str) -> None:
        """A Job goes, and its pods with it."""
        self._drop("job", name)
        for pod in [stored for stored in self.all("pod") if stored.job == name]:
            self._drop("pod", pod.key)

    # ------------------------------------------------------------ controllers

    def _put(self, kind: Kind, key: str, owner: str, value: Any, **extra: Any) -> Stored:
        old = self.objects.get((kind, key))
        if old is not None:
            extra = {"manifest": old.manifest, "job": old.job} | extra
        stored = Stored(kind, key, owner, next(self._numbers), value, **extra)
        self.objects[kind, key] = stored
        for watcher in tuple(self.watchers):
            watcher.event(kind, key, stored)
        return stored

    def _drop(self, kind: Kind, key: str) -> None:
        if self.objects.pop((kind, key), None) is not None:
            for watcher in tuple(self.watchers):
                watcher.event(kind, key, None)

    def _make_pods(self, job: JobView) -> None:
        """One pod, or as many indexes of an Indexed Job as may work at once."""
        if job.completions is None:
            self._make_pod(job)
            return
        stored = self.get("job", job.name)
        if stored is None or stored.value.uid != job.uid:
            return
        now: JobView = stored.value
        ended = {*read_indexes(now.completed), *read_indexes(now.failed)}
        begun = self.begun.setdefault(job.uid, set())
        for index in range(job.completions):
            if len(begun - ended) < now.parallelism and index not in begun:
                begun.add(index)
                self._make_pod(job, index)

    def _make_pod(self, job: JobView, index: int | None = None) -> None:
        stored = self.get("job", job.name)
        if stored is None or stored.value.uid != job.uid:
            return
        spec = stored.manifest["spec"]["template"]["spec"]
        parts = [*spec.get("initContainers", []), *spec["containers"]]
        key = f"{job.name}-{job.uid}" + ("" if index is None else f"-{index}")
        waiting = tuple(ContainerView(c["name"], "Waiting") for c in parts)
        pod = PodView(key, f"uid-{key}", "Pending", waiting, index=index)
        self._put("pod", key, stored.owner, pod, job=job.name)
        self.after(0.4, lambda: self._start(key, 0))

    def _container(self, key: str, index: int, **fields: Any) -> PodView | None:
        stored = self.get("pod", key)
        if stored is None:
            return None
        old: PodView = stored.value
        part = replace(old.containers[index], **fields)
        phase = "Running" if old.phase == "Pending" else old.phase
        pod = replace(old, phase=phase, containers=(*old.containers[:index], part, *old.containers[index + 1 :]))
        self._put("pod", key, stored.owner, pod)
        return pod

    def _start(self, key: str, index: int) -> None:
        pod = self._container(key, index, state="Running", started_at=self.now)
        if pod is None:
            return
        stored = self.objects["pod", key]
        manifest = self.objects["job", stored.job].manifest
        document = self.document(stored.job)
        item = item_of(document, pod)
        name = pod.containers[index].name + ("" if item is None else f"-{item}")
        outcome = self.script(stored.owner, document.group, document.attempt, name)
        if outcome.how == "hang":
            limit = document.limits.timeout_seconds
            seconds: float = manifest["spec"]["template"]["spec"]["activeDeadlineSeconds"]
            if limit is not None and limit < seconds:
                seconds, outcome = limit, replace(outcome, how="stalled")
            self.after(seconds, lambda: self._end(key, index, outcome))
            return
        self.after(outcome.seconds, lambda: self._end(key, index, outcome))

    def _end(self, key: str, index: int, outcome: Outcome) -> None:
        stored = self.get("pod", key)
        if stored is None or stored.value.phase != "Running":
            return
        how = outcome.how if outcome.how != "ok" else self.limited(stored, index, outcome)
        if how == "job-deleted":
            self.remove_job(stored.job)
            return
        extra: dict[str, Any] = {}
        code, reason, message = self._work(stored, index, how, outcome.done)
        match how:
            case "disrupted":
                extra = {"disruption": "EvictionByEvictionAPI", "deleting": True}
            case "evicted":
                extra = {"reason": "Evicted"}
            case "pod-deleted":
                extra = {"deleting": True}
            case "hang":
                extra = {"reason": "DeadlineExceeded"}
        if extra:
            self._put("pod", key, stored.owner, replace(stored.value, **extra))
        pod = self._container(
            key, index, state="Terminated", exit_code=code, reason=reason, message=message, finished_at=self.now
        )
        if pod is None:
            return
        stuck = how == "oom-hidden" and index + 1 < len(pod.containers)
        if stuck:
            return  # the pod stays initializing for good
        if code == 0 and index + 1 < len(pod.containers):
            self.after(0.9, lambda: self._start(key, index + 1))
            return
        self.after(1, lambda: self._phase(key, code, index, outcome))

    def _phase(self, key: str, code: int, index: int, outcome: Outcome) -> None:
        stored = self.get("pod", key)
        if stored is None:
            return
        pod = replace(stored.value, phase="Succeeded" if code == 0 else "Failed")
        self._put("pod", key, stored.owner, pod)
        text = None
        if code != 0:
            name = pod.containers[index].name
            text = (
                f"Pod team-a/{pod.name} has condition DisruptionTarget matching FailJob rule at index 0"
                if pod.disruption
                else f"Container {name} for pod team-a/{pod.name} failed with exit code {code} "
                "matching FailJob rule at index 1"
            )
        gone = outcome.gone or outcome.how in ("disrupted", "pod-deleted")
        if pod.index is not None:
            self.after(1, lambda: self._index(key, stored.job, succeeded=code == 0, gone=gone))
            return
        self.after(1, lambda: self._condition(key, stored.job, text, gone=gone))

    def _index(self, key: str, job: str, *, succeeded: bool, gone: bool) -> None:
        """An index of an Indexed Job has ended, the others go on; the next one starts."""
        stored, pod = self.get("job", job), self.get("pod", key)
        if stored is None or pod is None:
            return
        view: JobView = stored.value
        field = "completed" if succeeded else "failed"
        text = write_indexes({*read_indexes(getattr(view, field)), pod.value.index})
        view = replace(view, completed=text) if succeeded else replace(view, failed=text)
        self._put("job", job, stored.owner, view)
        if gone:
            self._drop("pod", key)
        ended = len(read_indexes(view.completed)) + len(read_indexes(view.failed))
        if ended == view.completions:
            text = "Job has failed indexes" if view.failed else ""
            self.after(1, lambda: self._condition("", job, text or None, gone=False))
        else:
            self.after(0.1, lambda: self._make_pods(view))

    def _condition(self, key: str, job: str, text: str | None, *, gone: bool) -> None:
        stored = self.get("job", job)
        if stored is None:
            return
        view = replace(
            stored.value,
            finished="Complete" if text is None else "Failed",
            condition_reason=None if text is None else "PodFailurePolicy",
            condition_message=text,
            finished_at=self.now,
        )
        self._put("job", job, stored.owner, view)
        if gone:
            self._drop("pod", key)
