"""Accept: resolve what the spec names, and put the plan on record before the first Job."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from videojob_api import contract, exits, profiles
from videojob_api.names import Phase, Reason
from videojob_api.v1alpha1 import (
    FailureStatus,
    PlannedAccelerator,
    PlannedOutput,
    PlanStatus,
    StageStatus,
    VideoJobSpec,
    WorkerClass,
)

from .. import classes, recipes
from ..admission import admit
from ..recipes.story import expected_ms
from ..world import Event, Observed, ProfileView
from . import accelerate
from .documents import document
from .draft import Draft


def accept(seen: Observed, draft: Draft) -> None:
    """Pending until profiles, store and queue exist; then the plan, which later edits of theirs do not reach."""
    if draft.done:
        return
    spec = seen.job.spec
    if spec is None:
        text = seen.job.spec_error or "the spec does not fit its schema"
        _refuse(draft, Reason.INVALID_SPEC, text, "correct the manifest and create the VideoJob anew", seen.now)
        return
    draft.update(type=spec.type)
    if draft.status.plan is not None:
        _enter_again(seen, draft, spec, draft.status.plan)
        return
    if seen.duplicate_of is not None:
        text = f"VideoJob {seen.duplicate_of} of this namespace has the idempotencyKey {spec.idempotency_key} already"
        _refuse(
            draft, Reason.DUPLICATE, text, "look at that VideoJob, or create another with a key of its own", seen.now
        )
        return
    if seen.consent_required and spec.avatar is not None and spec.avatar.consent is None:
        text = f"queue {spec.queue} demands spec.avatar.consent, and there is none"
        hint = "create the VideoJob anew with avatar.consent: subject says who is shown, reference where the agreement is kept"
        _refuse(draft, Reason.CONSENT_REQUIRED, text, hint, seen.now)
        return
    problem = draft.told.problem or _missing(seen, spec) or _at_the_gate(seen, draft, spec)
    if problem is not None:
        _wait(draft, problem)
        return
    _record(seen, draft, spec)


def _enter_again(seen: Observed, draft: Draft, spec: VideoJobSpec, plan: PlanStatus) -> None:
    """What was accepted once stays accepted; when it is driven again, its queue needs room for it, as for any other."""
    waits = draft.status.phase == Phase.PENDING
    if not draft.redriven and not waits:
        draft.accepted = True
        return
    problem = _at_the_gate(seen, draft, spec, again=True)
    if problem is not None:
        _wait(draft, problem)
        draft.update(queued_time=None)
        return
    draft.accepted = True
    _take_class(seen, draft, spec, plan)
    if waits:
        draft.update(phase=Phase.QUEUED, queued_time=seen.now)
        draft.message = "Queued again"


def _wait(draft: Draft, problem: tuple[Reason, str]) -> None:
    """Pending, with the reason; told once."""
    draft.problem = problem
    draft.held = True
    draft.update(phase=Phase.PENDING)
    before = next((c for c in draft.status.conditions if c.type == "Accepted"), None)
    if before is None or before.reason != problem[0]:
        draft.events.append(Event(problem[0], problem[1], "Warning"))


def _missing(seen: Observed, spec: VideoJobSpec) -> tuple[Reason, str] | None:
    """The first thing the spec names that does not exist, and what helps."""
    work = spec.transcode
    unknown = [name for name in (work.profiles if work is not None else ()) if _profile(seen, name) is None]
    if unknown:
        known = ", ".join(sorted({view.name for view in seen.profiles if view.spec.story is None})) or "none"
        listed = ", ".join(unknown)
        where = f"{seen.job.namespace} or {seen.config.operator_namespace}"
        return Reason.UNKNOWN_PROFILE, f"no VideoProfile {listed} in namespace {where}; known: {known}"[:1000]
    if seen.store is None or seen.store.pvc is None:
        text = f"no MediaStore {spec.store} in namespace {seen.job.namespace}; `videojob init -n {seen.job.namespace}` makes "
        return Reason.STORE_NOT_FOUND, text + (
            "one" if spec.store == "default" else f"one named default: use it, or create {spec.store}"
        )
    if not seen.queue_found:
        text = f"no VideoQueue {spec.queue} in namespace {seen.config.operator_namespace}; set spec.queue to one that exists"
        return Reason.QUEUE_NOT_FOUND, text
    return classes.unknown(seen.config, spec.worker_class, seen.job.namespace) or accelerate.missing(seen, spec)


def _take_class(seen: Observed, draft: Draft, spec: VideoJobSpec, plan: PlanStatus) -> None:
    """A redrive takes the class that the spec names now, as it is now: what was too small is why people ask again."""
    found = classes.find(seen.config, spec.worker_class, seen.job.namespace)
    if found is None:
        return  # the one on record still does
    image = found.image or (seen.config.worker_image if plan.worker.get("image") else plan.image)
    draft.update(
        plan=plan.model_copy(
            update={
                "worker_class": spec.worker_class, "worker": found.model_dump(mode="json", by_alias=True, exclude_defaults=True),
                "image": image, "accelerator": _accelerator(seen, spec, plan, found),
            }
        )
    )  # fmt: skip


def _accelerator(
    seen: Observed, spec: VideoJobSpec, plan: PlanStatus, chosen: WorkerClass
) -> PlannedAccelerator | None:
    """Where stages work that can compute on a GPU."""
    found = accelerate.planned(seen, spec, chosen)
    if found is None or not any(group.accelerated for group in plan.groups):
        return None
    name, given = found
    return PlannedAccelerator(
        worker_class=name, image=given.image or seen.config.worker_image,
        worker=given.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        kueue_queue=given.kueue_queue or plan.kueue_queue,
    )  # fmt: skip


def _at_the_gate(seen: Observed, draft: Draft, spec: VideoJobSpec, *, again: bool = False) -> tuple[Reason, str] | None:
    """Why the queue does not let it in yet (S-004)."""
    if seen.load is None:
        return None
    refusal = admit(seen.load, seen.job.namespace, spec.priority, seen.now, again=again)
    if refusal is None:
        return None
    if refusal.again_at is not None:
        draft.wakes.append(refusal.again_at)
    return refusal.reason, refusal.message


def _profile(seen: Observed, name: str) -> ProfileView | None:
    """The profile of an output that a name means: the job's namespace first; `webm_720p` is the object `webm-720p`."""
    wanted = (name, profiles.object_name(name))
    return next((view for view in seen.profiles if view.name in wanted and view.spec.story is None), None)


def _record(seen: Observed, draft: Draft, spec: VideoJobSpec) -> None:
    outputs: list[PlannedOutput] = []
    for name in spec.transcode.profiles if spec.transcode is not None else ():
        view = _profile(seen, name)
        if view is not None:
            shown = view.spec.output_name or view.name
            outputs.append(PlannedOutput(profile=name, name=shown, spec=view.spec.dump()))
    twice = sorted({o.name for o in outputs if sum(p.name == o.name for p in outputs) > 1})
    if twice:
        text = f"spec.transcode.profiles asks for output {', '.join(twice)} more than once"
        _refuse(draft, Reason.INVALID_SPEC, text, "name each profile once", seen.now)
        return
    execution = _execution(seen, spec)
    store = seen.store.pvc if seen.store is not None else None
    chosen = classes.find(seen.config, spec.worker_class, seen.job.namespace) or WorkerClass()
    plan = PlanStatus(
        execution=execution,
        image=chosen.image or seen.config.worker_image,
        worker_class=spec.worker_class,
        worker=chosen.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        kueue_queue=chosen.kueue_queue or seen.kueue_queue,
        outputs=tuple(outputs),
        template=draft.told.record,
        claim_name=store.claim_name if store is not None else None,
        threads=seen.config.threads,
    )
    steps = recipes.steps(spec, plan, seen.config.recipes)
    plan = plan.model_copy(update={"groups": recipes.groups(recipes.until(steps, spec.stop_after), execution)})
    plan = plan.model_copy(update={"accelerator": _accelerator(seen, spec, plan, chosen)})
    if spec.accelerator.mode == "Require" and not any(group.accelerated for group in plan.groups):
        text = "spec.accelerator.mode is Require, and no model that spec.avatar names computes on a GPU"
        hint = "name models that do in avatar.detection and avatar.matting, or set accelerator.mode to Prefer"
        _refuse(draft, Reason.INVALID_SPEC, text, hint, seen.now)
        return
    known = recipes.keys(steps, plan.threads)
    kinds = {step.kind.stage: step.kind.kind for step in steps if not step.pending}
    draft.update(
        plan=plan,
        stages=tuple(
            StageStatus(name=stage, group=group.name, slot=group.slot, key=known.get(kinds.get(stage, "")))
            for group in plan.groups
            for stage in group.stages
        ),
        phase=Phase.QUEUED,
        queued_time=seen.now,
    )
    for group in draft.groups():
        size = len(contract.canonical_json(document(seen, draft.status, spec, group, 1).dump()))
        if size > contract.MAX_DOCUMENT_BYTES:
            text = f"the task of {group.name} has {size} bytes, {contract.MAX_DOCUMENT_BYTES} is the most"
            draft.update(plan=None, stages=())
            _refuse(draft, Reason.PLAN_TOO_LARGE, text, _too_large(spec), seen.now)
            return
    draft.accepted = True
    queued = {"Story": "Story queued for processing", "Avatar": "Avatar queued for processing"}
    draft.message = queued.get(spec.type, "Video uploaded and queued for processing")


def _execution(seen: Observed, spec: VideoJobSpec) -> Literal["Compact", "Spread"]:
    """Auto is Compact: fewer pods, no second pull of the bytes; but the pieces of a long story are spread over pods."""
    mode, many = spec.execution.mode, seen.config.spread_story_ms
    if mode == "Auto" and many is not None and expected_ms(spec) >= many:
        return "Spread"
    return "Spread" if mode == "Spread" else "Compact"


def _too_large(spec: VideoJobSpec) -> str:
    """What to do about a task that does not fit its Job."""
    if spec.story is None:
        return "name fewer profiles in spec.transcode.profiles"
    if spec.story.scenes:
        return "list fewer scenes in spec.story.scenes, or divide the story over several VideoJobs"
    return "put the script into the store: `videojob submit -f` does that, or name a file in spec.story.script.uri"


def _refuse(draft: Draft, reason: Reason, text: str, hint: str, now: datetime) -> None:
    failure = FailureStatus(
        failure_class=exits.FailureClass.PERMANENT, code=reason, message=text[:1000], hint=hint, time=now
    )
    draft.accepted = False
    draft.fail(reason, failure, now)
