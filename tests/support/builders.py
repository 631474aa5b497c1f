"""Builders of the values decisions are made of, in the words of the tests that use them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from videojob_api.contract import Progress, RunResult, StageResult
from videojob_api.profiles import BUILTIN_PROFILES
from videojob_api.v1alpha1 import (
    FailureStatus,
    FetchedStatus,
    InputStatus,
    MediaStoreSpec,
    OutputStatus,
    PlannedOutput,
    PvcStore,
    VideoJobSpec,
    VideoJobStatus,
    VideoProfileSpec,
)
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import (
    Config,
    ConfirmGone,
    ConfirmPods,
    ContainerView,
    CreateJob,
    DeleteJob,
    Event,
    Grant,
    JobView,
    Observed,
    Plan,
    PodView,
    ProfileView,
    VideoJobView,
    WidenJob,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SHA = "a1" * 32
URL = "https://media.example/clips/trailer.mp4?X-Sig=geheim"
UID = "11111111-2222-3333-4444-555555555555"
CONFIG = Config(worker_image="videojob-worker:test", progress_url="http://videojob-operator.videojob-system:8081")
STORE = MediaStoreSpec(pvc=PvcStore(claim_name="videojob-store"))
BUILTINS = tuple(ProfileView("videojob-system", name, spec) for name, spec in BUILTIN_PROFILES.items())


def a_spec(mode: str = "Compact", **fields: Any) -> VideoJobSpec:
    """A spec with one upload; `fields` in the API's own spelling are laid over it."""
    body: dict[str, Any] = {
        "transcode": {"source": {"uri": f"store://inbox/{SHA}", "filename": "clip.mp4"}},
        "execution": {"mode": mode},
    }
    body.update(fields)
    return VideoJobSpec.model_validate(body)


def a_url(uri: str = URL, **source: Any) -> dict[str, Any]:
    """`spec.transcode` with a URL as its source."""
    return {"source": {"uri": uri, "filename": "clip.mp4", **source}}


def a_videojob(mode: str = "Compact", *, name: str = "trailer", uid: str = UID, **fields: Any) -> VideoJobView:
    """A VideoJob nobody has looked at yet."""
    return VideoJobView("team-a", name, uid, 1, NOW, a_spec(mode, **fields), VideoJobStatus())


def seen(job: VideoJobView | None = None, **fields: Any) -> Observed:
    """A world in which everything a plain VideoJob names exists."""
    base: dict[str, Any] = {
        "now": NOW,
        "job": job or a_videojob(),
        "config": CONFIG,
        "store": STORE,
        "profiles": BUILTINS,
    }
    base.update(fields)
    return Observed(**base)


# ---------------------------------------------------------------- results


def an_input(sha256: str = SHA, duration_ms: int = 30_000) -> InputStatus:
    """Facts of a plain clip."""
    return InputStatus(
        filename="clip.mp4", size_bytes=1_000_000, sha256=sha256, container="mp4", duration_ms=duration_ms,
        width=1920, height=1080, frame_rate="30/1", video_codec="h264", audio_codec="aac",
    )  # fmt: skip


def an_output(planned: PlannedOutput, uid: str) -> OutputStatus:
    """Facts of one published file."""
    spec = VideoProfileSpec.model_validate(planned.spec)
    still = spec.thumbnail is not None
    path = f"videos/{planned.name}.{'jpg' if still else 'mp4'}"
    return OutputStatus(
        name=planned.name, profile=planned.profile, path=path, uri=f"store://jobs/{uid}/{path}",
        media_type="image/jpeg" if still else "video/mp4", size_bytes=4_000_000, sha256="b2" * 32,
        width=1280, height=720, duration_ms=None if still else 30_000, frame_rate="30/1", aspect_ratio="16:9",
        video_codec="mjpeg" if still else "h264", audio_codec=None if still else "aac", bitrate_kbps=2600,
    )  # fmt: skip


def a_stage(kind: str, uid: str = UID, outputs: Iterable[PlannedOutput] = (), sha256: str = SHA) -> StageResult:
    """A stage that succeeded."""
    return StageResult(
        kind=kind,
        seconds=2.0,
        cpu_seconds=3.5,
        input=an_input(sha256) if kind == "ingest" else None,
        fetched=FetchedStatus(uri=f"store://uploads/{sha256}", size_bytes=1_000_000, sha256=sha256)
        if kind == "fetch"
        else None,
        files=tuple(an_output(output, uid) for output in outputs) if kind == "commit" else (),
    )


def a_result(
    container: str,
    kinds: Iterable[str] = (),
    *,
    group: str = "main",
    attempt: int = 1,
    exit_code: int = 0,
    failure: FailureStatus | None = None,
    uid: str = UID,
    outputs: Iterable[PlannedOutput] = (),
    **fields: Any,
) -> RunResult:
    """What a container leaves."""
    stages = tuple(a_stage(kind, uid, outputs) for kind in kinds)
    return RunResult(
        uid=uid, group=group, attempt=attempt, container=container, exit_code=exit_code, stages=stages, failure=failure,
        **fields,
    )  # fmt: skip


def a_report(*results: RunResult, group: str = "main", attempt: int = 1) -> RunResult:
    """What a report Job tells about an attempt."""
    return a_result("commit", group=f"report-{group}", attempt=attempt, reported=results)


def a_failure(code: str = "InvalidFileType", cause: str = "Permanent", stage: str | None = "Ingest") -> FailureStatus:
    """What a worker says about a failure."""
    return FailureStatus(
        failure_class=cause, code=code, stage=stage, message=f"{code}: as the worker says", hint="what to do",
        log_tail="last line",
    )  # fmt: skip


# ---------------------------------------------------------------- pods


def waiting(name: str, reason: str | None = "PodInitializing", message: str | None = None) -> ContainerView:
    """A container that has not started."""
    return ContainerView(name, "Waiting", reason=reason, message=message)


def running(name: str, at: datetime = NOW) -> ContainerView:
    """A container at work."""
    return ContainerView(name, "Running", started_at=at)


def ended(
    name: str,
    code: int = 0,
    message: RunResult | str | None = None,
    *,
    reason: str | None = None,
    at: datetime = NOW,
    seconds: float = 10,
) -> ContainerView:
    """A container that has terminated."""
    text = message.model_dump_json(by_alias=True, exclude_none=True) if isinstance(message, RunResult) else message
    return ContainerView(name, "Terminated", code, reason, text, at, at + timedelta(seconds=seconds))


def a_pod(*containers: ContainerView, phase: str = "Running", **fields: Any) -> PodView:
    """A pod of a Job."""
    return PodView("pod-1", "pod-uid-1", phase, tuple(containers), **fields)


# ---------------------------------------------------------------- a scene


@dataclass
class Scene:
    """One VideoJob and its Jobs, in which plans are applied at once: what a test tells step by step."""

    seen: Observed
    events: list[Event] = field(default_factory=list)
    writes: int = 0
    slots: int | None = None
    """Slots that a fan-out is granted; None: all it wants."""
    more: int = 0
    """Slots more that a fan-out at work is granted whenever it asks."""
    given: str | None = None
    """Class of the slots that are granted; None: the one asked for."""
    together: bool = False
    """Whether further slots that are asked for are granted."""
    plans: list[Plan] = field(default_factory=list)

    @classmethod
    def of(cls, mode: str = "Compact", *, config: Config = CONFIG, **fields: Any) -> Self:
        """A VideoJob in a world that has everything."""
        return cls(seen(a_videojob(mode, **fields), config=config))

    @property
    def status(self) -> VideoJobStatus:
        """Its status."""
        return self.seen.job.status

    @property
    def jobs(self) -> dict[str, JobView]:
        """Its Jobs by group and attempt, `main-a1`."""
        return {f"{job.group}-a{job.attempt}": job for job in self.seen.jobs}

    def set(self, **fields: Any) -> Scene:
        """Change the world."""
        self.seen = replace(self.seen, **fields)
        return self

    def give(self, slot: str | None) -> Scene:
        """Grant slots of another class than the one asked for, from now on."""
        self.given = slot
        return self

    def tick(self, seconds: float) -> Scene:
        """Let time pass."""
        return self.set(now=self.seen.now + timedelta(seconds=seconds))

    def spec(self, **fields: Any) -> Scene:
        """Edit the spec, as a user does."""
        body = self.seen.job.spec.dump() if self.seen.job.spec is not None else {}
        body.update(fields)
        job = replace(self.seen.job, spec=VideoJobSpec.model_validate(body), generation=self.seen.job.generation + 1)
        return self.set(job=job)

    def ask(self, **verbs: str) -> Scene:
        """Set the annotations of verbs: `ask(cancel="once")`."""
        asked = dict(self.seen.job.annotations) | {f"videojob.dev/{verb}": nonce for verb, nonce in verbs.items()}
        return self.set(job=replace(self.seen.job, annotations=tuple(sorted(asked.items()))))

    def look(self, *, granted: bool = False) -> Plan:
        """One plan, applied."""
        asked = plan(self.seen) if granted else Plan()
        grants = [
            Grant(
                one.group,
                one.attempt,
                self.given or one.slot,
                self.slots or one.count,
                one.also if self.together else (),
            )
            for one in asked.requests
        ]
        more = self.more
        grants += [Grant(one.group, one.attempt, one.slot, one.held + more) for one in asked.wider if more]
        found = plan(replace(self.seen, grants=tuple(grants)))
        self.plans.append(found)
        job = self.seen.job
        if found.status is not None:
            stored = VideoJobStatus.model_validate(found.status.dump())
            assert stored == found.status, "a status must read back as it was written"
            job = replace(job, status=stored)
            self.writes += 1
        labels = dict(job.labels)
        for name, value in found.labels:
            labels.pop(name, None)
            if value is not None:
                labels[name] = value
        self.set(job=replace(job, labels=tuple(sorted(labels.items()))))
        for action in found.actions:
            match action:
                case CreateJob():
                    self._create(action)
                case WidenJob():
                    self._widen(action)
                case DeleteJob():
                    self.set(jobs=tuple(job for job in self.seen.jobs if job.uid != action.uid))
                case ConfirmGone():
                    assert action.name not in {job.name for job in self.seen.jobs}
                case ConfirmPods():
                    assert action.name in {job.name for job in self.seen.jobs}
        self.events.extend(found.events)
        return found

    def _create(self, action: CreateJob) -> None:
        assert action.name not in {job.name for job in self.seen.jobs}, f"{action.name} is created twice"
        doc = action.document
        view = JobView(
            action.name, f"uid-{action.name}", doc.group, doc.attempt, self.seen.now, action.slot, action.also,
            parallelism=action.parallelism, completions=action.completions,
        )  # fmt: skip
        self.set(jobs=(*self.seen.jobs, view))

    def _widen(self, action: WidenJob) -> None:
        job = next(job for job in self.seen.jobs if job.name == action.name)
        assert job.version == action.version
        wide = replace(job, parallelism=action.parallelism, version=f"{job.version}+")
        self.set(jobs=tuple(wide if other.name == job.name else other for other in self.seen.jobs))

    def settle(self, *, granted: bool = True) -> Scene:
        """Look until nothing changes, with every slot free."""
        for _ in range(20):
            found = self.look(granted=granted)
            if not found.actions and found.status is None and not found.labels:
                assert plan(self.seen) == plan(self.seen)
                return self
        raise AssertionError(f"no end of plans; the last: {found}")

    def change(self, key: str, **fields: Any) -> Scene:
        """Change a Job."""
        target = self.jobs[key]
        return self.set(jobs=tuple(replace(job, **fields) if job is target else job for job in self.seen.jobs))

    def pod(self, key: str, *containers: ContainerView, **fields: Any) -> Scene:
        """Give a Job a pod."""
        return self.change(key, pods=(a_pod(*containers, **fields),))

    def result(self, container: str, kinds: Iterable[str], *, group: str = "main", attempt: int = 1) -> RunResult:
        """A good result of a container of this job."""
        outputs = self.status.plan.outputs if self.status.plan is not None else ()
        return a_result(container, kinds, group=group, attempt=attempt, outputs=outputs)

    def succeed(self, key: str) -> Scene:
        """The pod of a Job ends with success; the Job's own condition is not there yet."""
        job = self.jobs[key]
        kinds = ["ingest", "transcode", "verify", "commit"] if job.group == "main" else [job.group]
        work = [kind for kind in kinds if kind not in ("commit", "fetch")]
        found = [
            ended(name, 0, self.result(name, part, group=job.group, attempt=job.attempt), at=self.seen.now)
            for name, part in (
                ("fetch", [kind for kind in kinds if kind == "fetch"]),
                ("work", work),
                ("commit", [kind for kind in kinds if kind == "commit"]),
            )
            if part
        ]
        return self.tick(10 * len(found)).pod(key, *found)

    def fail(
        self, key: str, code: int = 75, failure: FailureStatus | None = None, *, seconds: float = 10, **fields: Any
    ) -> Scene:
        """The first container of a Job's pod ends with a code."""
        job = self.jobs[key]
        name = "fetch" if job.group == "fetch" else "work"
        said = a_result(name, group=job.group, attempt=job.attempt, exit_code=code, failure=failure)
        first = ended(name, code, said if failure is not None else None, at=self.seen.now, seconds=seconds)
        rest = [waiting("commit")] if job.group == "main" else []
        return self.tick(seconds).pod(key, first, *rest, **fields)

    def lose(self, key: str) -> Scene:
        """A Job is deleted by hand."""
        target = self.jobs[key]
        return self.set(jobs=tuple(job for job in self.seen.jobs if job is not target))

    def finish(self, key: str, outcome: str = "Complete", message: str | None = None, *, pods: bool = True) -> Scene:
        """The Job controller writes its condition; `pods=False`: the pod object is gone."""
        fields: dict[str, Any] = {"finished": outcome, "finished_at": self.seen.now, "condition_message": message}
        if not pods:
            fields["pods"] = ()
        return self.change(key, **fields)

    def news(self, stage: str, percent: int, *, group: str = "main", attempt: int = 1, **fields: Any) -> Scene:
        """A progress post."""
        return self.set(
            progress=(Progress(uid=UID, group=group, attempt=attempt, stage=stage, percent=percent, **fields),)
        )

    def condition(self, kind: str) -> tuple[str, str] | None:
        """Status and reason of a condition."""
        return next(((c.status, c.reason) for c in self.status.conditions if c.type == kind), None)

    def told(self) -> list[str]:
        """Reasons of the events so far."""
        return [str(event.reason) for event in self.events]
