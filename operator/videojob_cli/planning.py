"""`videojob plan`: what a manifest would lead to (Jobs, slots, outputs, time) by the operator's own planner, and no more."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from videojob_api import profiles
from videojob_api.names import Condition
from videojob_api.story import platforms, variants
from videojob_api.v1alpha1 import (
    EstimateStatus,
    InputLimits,
    InputStatus,
    PlannedOutput,
    PlanStatus,
    VideoJobSpec,
    VideoJobStatus,
    VideoProfileSpec,
)
from videojob_operator.decide.estimate import estimate, learn_all
from videojob_operator.decide.job import plan
from videojob_operator.decide.rates import Rates
from videojob_operator.decide.recipes.avatar import published
from videojob_operator.decide.recipes.story import outputs, parameters
from videojob_operator.decide.templates import with_template
from videojob_operator.decide.world import Observed, ProfileView, VideoJobView
from videojob_worker.base import process
from videojob_worker.base.errors import WorkerError
from videojob_worker.base.process import Finished
from videojob_worker.base.watch import Deadline, Stop
from videojob_worker.media import probe as probing
from videojob_worker.media import sniff as sniffing
from videojob_worker.stages.context import PROBE_FENCES

from . import run as local
from . import show, sources
from .client import VideoJobs
from .embedded import STORE, builtin_profiles, config
from .errors import CliError
from .init import OPERATOR_NAMESPACE
from .kube import objects
from .options import Clip, Context, Form, Kubeconfig, Namespace, Output

PROBE_SECONDS = 60.0


@dataclass(frozen=True)
class Planned:
    """What one VideoJob would lead to."""

    view: VideoJobView
    plan: PlanStatus | None
    problem: str | None = None
    """Why it would not be accepted, or why its input would be refused."""
    input: InputStatus | None = None
    estimate: EstimateStatus | None = None
    seconds: float | None = None
    """Wall time from its start to its end."""

    def outputs(self) -> list[dict[str, Any]]:
        """Outputs with their exact shape, once the input is known; a story's shape is known from its spec, an avatar's follows
        from its portrait, and how many there are of `select: All` from the people in it.
        """
        if self.plan is not None and self.view.spec is not None and self.view.spec.story is not None:
            return _story(with_template(self.view.spec, self.plan.template))
        if self.plan is not None and self.view.spec is not None and self.view.spec.avatar is not None:
            names = published(self.view.spec.avatar, 0) if self.view.spec.stop_after is None else ()
            return [{"name": name, "profile": "avatar", "size": None, "frameRate": None} for name in names]
        return [_shape(one, self.input) for one in (self.plan.outputs if self.plan is not None else ())]

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        spec = self.view.spec
        return {
            "name": self.view.name,
            "type": spec.type if spec is not None else None,
            "queue": spec.queue if spec is not None else None,
            "priority": spec.priority if spec is not None else None,
            "problem": self.problem,
            "execution": self.plan.execution if self.plan is not None else None,
            "groups": [group.dump() for group in self.plan.groups] if self.plan is not None else [],
            "outputs": self.outputs(),
            "estimate": None
            if self.seconds is None
            else {
                "seconds": round(self.seconds, 1),
                "cpuSeconds": self.estimate.cpu_seconds if self.estimate is not None else None,
                "gpuSeconds": self.estimate.gpu_seconds if self.estimate is not None else None,
            },
        }

    def __str__(self) -> str:
        found = self.dump()
        lines = [f"VideoJob {found['name']}: {found['type']}, queue {found['queue']}, priority {found['priority']}"]
        if self.problem is not None:
            lines.append(self.problem)
        if self.plan is not None:
            rows = [(group.name, group.slot, ", ".join(group.stages)) for group in self.plan.groups]
            lines += [show.columns(("JOB", "SLOT", "STAGES"), rows), ""]
            made = [(one["name"], one["profile"], one["size"], one["frameRate"]) for one in self.outputs()]
            lines += [show.columns(("OUTPUT", "PROFILE", "SIZE", "FRAMES/S"), made), ""]
            lines.append(f"estimate: {self._time()}")
        return "\n".join(lines)

    def _time(self) -> str:
        if self.seconds is None:
            return "none, no VideoJob of this kind has succeeded yet to learn from"
        cpu = self.estimate.cpu_seconds if self.estimate is not None else None
        more = f", {cpu:.0f} s of CPU" if cpu is not None else " (the typical one: its input is not here to be probed)"
        return f"{self.seconds:.0f} s from its start to its end{more}"


def _story(spec: VideoJobSpec) -> list[dict[str, Any]]:
    params = parameters(spec)
    if params is None or spec.stop_after is not None:
        return []
    shapes = {take.name: platforms.size(take.story) for take in variants.takes(params)}
    sizes = {variants.named("video", take): f"{width}x{height}" for take, (width, height) in shapes.items()}
    films = set(sizes)
    for still in variants.stills(params):
        (width, height), look = shapes[still.of], still.look
        sizes[variants.named("thumbnail", still.name)] = f"{look.width or width}x{look.height or height}"
    return [
        {
            "name": name,
            "profile": "story",
            "size": sizes.get(name),
            "frameRate": float(params.fps) if name in films else None,
        }
        for name in outputs(spec)
    ]


def _shape(output: PlannedOutput, source: InputStatus | None) -> dict[str, Any]:
    spec = VideoProfileSpec.model_validate(output.spec)
    found: dict[str, Any] = {"name": output.name, "profile": output.profile, "size": None, "frameRate": None}
    if spec.thumbnail is not None:
        found["size"] = f"{spec.thumbnail.width}x{spec.thumbnail.height}"
    elif spec.rendition is not None and source is not None:
        video = spec.rendition.video
        fitted = profiles.fit(video, source.width, source.height, Fraction(source.frame_rate))
        found |= {"size": f"{fitted.width}x{fitted.height}", "frameRate": round(float(fitted.frame_rate), 3)}
    return found


def forecast(
    paths: Sequence[Path],
    file: Path | None,
    *,
    rates: Rates,
    known: Sequence[ProfileView],
    now: datetime,
) -> list[Planned]:
    """What each VideoJob of the manifests would lead to. CliError for manifests that are not as they should be."""
    with tempfile.TemporaryDirectory(prefix="videojob-plan-") as scratch:
        jobs, own = local.load(paths, file, Path(scratch), rehearsal=False)
    return [_forecast(job.view, job.files, rates, (*own, *known), now) for job in jobs]


def _forecast(
    view: VideoJobView,
    files: Sequence[sources.LocalFile],
    rates: Rates,
    known: tuple[ProfileView, ...],
    now: datetime,
) -> Planned:
    seen = Observed(now=now, job=view, config=config(), store=STORE, profiles=known, rates=rates)
    status = plan(seen).status or VideoJobStatus()
    if status.plan is None:
        said = next((c.message for c in status.conditions if c.type == Condition.ACCEPTED), "it is not accepted")
        refused = status.failure.message if status.failure is not None else said
        return Planned(view, None, f"It would not be accepted: {refused}")
    found: InputStatus | None = None
    limits = view.spec.transcode.limits if view.spec is not None and view.spec.transcode is not None else None
    if files and limits is not None:
        try:
            found = _probe(files[0], limits)
        except WorkerError as error:
            return Planned(view, status.plan, f"Its input would be refused: {error.code}: {error.message}")
    status = status.model_copy(update={"input": found, "start_time": now})
    expected = estimate(replace(seen, place=None), status)
    seconds = None
    if expected is not None and expected.completion_time is not None:
        seconds = (expected.completion_time - now).total_seconds()
    return Planned(view, status.plan, None, found, expected, seconds)


def _probe(file: sources.LocalFile, limits: InputLimits) -> InputStatus:
    """What ingest would find. Raises WorkerError as it does."""
    with tempfile.TemporaryDirectory(prefix="videojob-plan-") as folder:

        def tool(argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
            return process.run(
                argv,
                cwd=Path(folder),
                stop=Stop(),
                deadline=Deadline(PROBE_SECONDS),
                on_line=on_line,
                fences=PROBE_FENCES,
            )

        sniffed = sniffing.sniff(file.path, limits.allowed_types)
        found = probing.probe(file.path, sniffed.demuxer, tool)
    rate = found.video.average_rate.limit_denominator(100_000)
    return InputStatus(
        filename=file.path.name,
        size_bytes=file.size,
        sha256=file.sha256,
        container=sniffed.container,
        duration_ms=found.duration_ms,
        width=found.video.width,
        height=found.video.height,
        frame_rate=f"{rate.numerator}/{rate.denominator}",
        video_codec=found.video.codec,
        audio_codec=found.audio.codec if found.audio is not None else None,
    )


def learnt(jobs: VideoJobs) -> Rates:
    """What the finished VideoJobs of a namespace took: what its operator knows, as far as it can be seen from here."""
    statuses = [each["status"] for each in jobs.list() if (each.get("status") or {}).get("completionTime")]
    return learn_all(VideoJobStatus.model_validate(status) for status in statuses)


def visible_profiles(jobs: VideoJobs) -> list[ProfileView]:
    """VideoProfiles of the namespace, then the shared ones of the operator's, in the order they are looked up."""
    found = []
    for namespace in dict.fromkeys((jobs.namespace, OPERATOR_NAMESPACE)):
        for item in jobs.api.request("GET", objects(namespace, "videoprofiles")).get("items", ()):
            spec = VideoProfileSpec.model_validate(item["spec"])
            found.append(ProfileView(namespace, item["metadata"]["name"], spec))
    return found


def command(
    manifest: Annotated[list[Path], typer.Argument(help="Manifests with VideoJobs (and VideoProfiles).")],
    file: Clip = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no cluster: built-in profiles, nothing to learn an estimate from.")
    ] = False,
    output: Output = Form.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print what would happen, without submitting: Jobs and their slots, outputs and their sizes, how long it will take.

    The estimate comes from the finished VideoJobs of the namespace.
    """
    rates, known = Rates(), builtin_profiles()
    if not offline:
        try:
            jobs = VideoJobs.connect(namespace=namespace, kubeconfig=kubeconfig, context=context)
            rates, known = learnt(jobs), tuple(visible_profiles(jobs))
        except CliError as error:
            raise CliError(f"{error.message} Or plan without a cluster: --offline.", error.code) from error
    found = forecast(manifest, file, rates=rates, known=known, now=datetime.now(UTC))
    if output is Form.TABLE:
        print("\n\n".join(str(each) for each in found))
    else:
        print(show.dump([each.dump() for each in found], output))
    if any(each.problem is not None for each in found):
        raise CliError("It would not go well as it stands.")
