"""Harvest: account for every attempt that has ended, in order, and find those that are in flight.

An attempt is accounted for when it is counted in `failures` or `disruptions`, or when its stages have succeeded. Everything
else follows from the Jobs that are there, so that a crash between any two writes heals at the next look (cases 1, 2, 56).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from urllib.parse import quote

from videojob_api.contract import StageResult
from videojob_api.exits import FailureClass
from videojob_api.fanout import WorkList
from videojob_api.names import CACHE_SLOT, Phase, Reason
from videojob_api.redact import redact
from videojob_api.stages import KINDS, PUBLISH
from videojob_api.v1alpha1 import AvatarStatus, ListedItems, OutputStatus, ProgressStatus, StoryStatus

from .. import classes, recipes
from ..fallbacks import fallback
from ..naming import job_name
from ..world import ConfirmGone, Event, Observed
from . import accelerate
from .draft import Draft, Group, Verdict
from .items import judge_items, percent, started
from .judge import DISK_FULL, find, judge
from .results import input_of, platforms_of, problem_of
from .sharing import apart, join

Span = tuple[datetime, datetime]
SENTENCE = 300
"""Characters of a sentence about a fallback; a status has many of them."""
BRINGING = frozenset({"fetch", "prompt"})
"""Stages that bring what the keys of later ones follow from."""
PUBLISHING = frozenset({"commit", "finalize", "deliver"})
"""Stages whose files are the outputs."""


def harvest(seen: Observed, draft: Draft) -> None:
    """Walk the groups in order; what waits for a group that has not succeeded is not looked at."""
    if draft.done or not draft.accepted:
        return
    spans: list[Span] = []
    for name in [planned.name for planned in draft.groups()]:
        seen = replace(seen, job=replace(seen.job, status=draft.status))  # what one found binds later ones
        group = draft.find(name)
        if group is None or group.succeeded or not draft.ready(group):
            continue
        top = max([group.attempt, *(job.attempt for job in seen.jobs if job.group == group.name)])
        for attempt in range(group.settled + 1, top + 1):
            job = find(seen, group.name, attempt)
            if job is not None and attempt > group.attempt:
                group = join(draft, group, job)
                seen = replace(seen, job=replace(seen.job, status=draft.status))
            verdict = (judge if group.plan.fan_out is None else judge_items)(seen, group, attempt)
            begin(seen, draft, group, attempt, slot=job.slot if job is not None else None)
            if verdict.wake_at is not None:
                draft.wakes.append(verdict.wake_at)
            draft.failed = [(other, failure) for other, failure in draft.failed if other.name != group.name]
            if verdict.state in ("Live", "Reading"):
                draft.flights.append((draft.group(group.name), attempt, verdict))
                break
            if verdict.span is not None:
                spans.append(verdict.span)
            if verdict.state == "Succeeded":
                _succeed(seen, draft, group, verdict)
                break
            _count(seen, draft, group, verdict)
            group = draft.group(group.name)
            seen = replace(seen, job=replace(seen.job, status=draft.status))
            if group.succeeded:
                break  # what shared its pod has failed
    account(draft, spans)


def begin(seen: Observed, draft: Draft, group: Group, attempt: int, *, slot: str | None) -> None:
    """Put an attempt on record, once: at its launch, or when its Job is found without one. `slot` is the one that it holds."""
    if attempt <= group.attempt:
        return
    name = job_name(seen.job.uid, seen.job.name, group.name, attempt)
    draft.stages(
        group.name, attempt=attempt, state="Waiting", progress=0, job=name, start_time=None, completion_time=None,
        message=None, seconds=None, cpu_seconds=None, gpu_seconds=None, next_retry_time=None, degraded=None, notes=None,
    )  # fmt: skip
    accelerate.begun(seen, draft, group, slot)
    _resources(seen, draft, draft.group(group.name), copies=slot == CACHE_SLOT)
    first = group.plan.stages[0]
    draft.stage(first, state="Running", start_time=seen.now)
    begun = started(draft.status, group)
    if begun is not None:
        draft.stage(first, fan_out=begun, progress=percent(begun))
    draft.update(
        phase=Phase.RUNNING, stage=first, queue=None, next_retry_time=draft.retry_time(),
        start_time=draft.status.start_time or seen.now, progress=ProgressStatus(),
    )  # fmt: skip
    draft.note = (Reason.STAGE_RUNNING, f"{first}: attempt {attempt}")
    held = [str(part.slot) for part in recipes.apart(group.plan)]
    both = f", which holds the slots {' and '.join(held)}" if len(held) > 1 else ""
    text = f"{', '.join(group.plan.stages)}: attempt {attempt} started as Job {name}{both}"
    draft.events.append(Event(Reason.STAGE_STARTED, text))


def _resources(seen: Observed, draft: Draft, group: Group, *, copies: bool) -> None:
    """Put on record what the attempt may use, which follows from the attempts before it."""
    place = accelerate.readable(draft.status.plan, seen.job.spec, group) if draft.status.plan is not None else None
    if place is None:
        return  # made by a version that could read it
    given = {share.container: share for share in place.shares(group, copies=copies)}
    scratch = f"{classes.scratch_mib(place.worker, group.out_of_disk)}Mi" if group.out_of_disk else None
    for stage, container in recipes.containers(group.plan.stages).items():
        share, row = given[container], recipes.kind_of(stage)
        size = share.working_size if row is not None and share.working_size in row.working_sizes else None
        draft.stage(stage, memory=f"{share.memory_limit_mib}Mi", scratch=scratch, working_size=size)


def _succeed(seen: Observed, draft: Draft, group: Group, verdict: Verdict) -> None:
    record(seen, draft, group, verdict.stages)
    if verdict.fan_out is not None:
        draft.stages(group.name, fan_out=verdict.fan_out)
    text = f"{', '.join(group.plan.stages)}: succeeded in {verdict.active_ms / 1000:.1f} s"
    draft.events.append(Event(Reason.STAGE_SUCCEEDED, text))
    _fallbacks(draft, group)


def _fallbacks(draft: Draft, group: Group) -> None:
    for stage in draft.group(group.name).stages:
        if stage.degraded:
            draft.events.append(Event(fallback(stage.name), "; ".join(stage.degraded)[:1000], "Warning"))


def record(seen: Observed, draft: Draft, group: Group, results: tuple[StageResult, ...]) -> None:
    """Write what successful stages of a group reported, after problem_of() has found nothing wrong with it."""
    for result in results:
        row = KINDS.get(result.kind)
        if row is None or row.stage not in group.plan.stages or result.state != "Succeeded":
            continue
        old = next(stage for stage in draft.status.stages if stage.name == row.stage)
        draft.stage(
            row.stage, state="Cached" if result.cached else "Succeeded", progress=100,
            cpu_seconds=round(result.cpu_seconds, 3),
            gpu_seconds=round(result.gpu_seconds, 3) if result.gpu_seconds else None,
            seconds=round(result.seconds, 3) if not result.reused else None,
            accelerator=redact(result.accelerator)[:63] if result.accelerator is not None else None,
            message=result.message[:200] if result.message is not None else None,
            start_time=old.start_time or old.completion_time or seen.now, completion_time=old.completion_time or seen.now,
            degraded=_sentences(result.degraded), notes=_sentences(result.notes),
        )  # fmt: skip
        if row.kind in BRINGING:
            _fetched(seen, draft, result)
        if row.kind == PUBLISH.kind:
            _platforms(draft, (result,))
        if result.work_list is not None:
            _listed(draft, row.stage, result.work_list)
        if row.kind == "ingest":
            draft.update(input=result.input)
        if row.kind in PUBLISHING:
            draft.update(outputs=served(seen, result.files))
        if result.avatar is not None:
            person = draft.status.avatar or AvatarStatus()
            draft.update(avatar=person.model_copy(update={k: v for k, v in result.avatar if v is not None}))
        if result.story is not None:
            known = draft.status.story or StoryStatus()
            draft.update(story=known.model_copy(update={k: v for k, v in result.story if v is not None}))


def served(seen: Observed, outputs: tuple[OutputStatus, ...]) -> tuple[OutputStatus, ...]:
    """Outputs with the address at which the store's files are served (S-066, S-070); a worker is not asked for it."""
    base = seen.store.public_base_url if seen.store is not None else None
    place = f"{base.rstrip('/')}/{seen.job.namespace}/jobs/{seen.job.uid}/" if base is not None else None
    return tuple(
        output.model_copy(update={"url": f"{place}{quote(output.path)}" if place is not None else None})
        for output in outputs
    )


def _sentences(told: tuple[str, ...]) -> tuple[str, ...] | None:
    """What a worker says in words, bounded, credentials hidden; None when it says nothing."""
    return tuple(redact(text)[:SENTENCE] for text in told) or None


def _fetched(seen: Observed, draft: Draft, result: StageResult) -> None:
    """Put on record what the URL led to, with the keys that follow from it, before any Job that uses them."""
    plan, spec = draft.status.plan, seen.job.spec
    if plan is None or spec is None:
        return
    plan = plan.model_copy(update={"fetched": result.fetched})
    steps = recipes.steps(spec, plan, seen.config.recipes)
    known = recipes.keys(steps, plan.threads)
    draft.update(plan=plan)
    for step in steps:
        for stage in draft.status.stages:
            if stage.name == step.kind.stage and stage.key is None:
                draft.stage(stage.name, key=known[step.kind.kind])


def _platforms(draft: Draft, results: tuple[StageResult, ...]) -> None:
    """Put on record what became of the video on each platform, as far as a worker may be believed; a failed one tells, too."""
    told = next((result for result in results if result.kind == PUBLISH.kind), None)
    if told is None or not told.publish or platforms_of(told) is not None:
        return
    draft.update(
        publish=tuple(
            row.model_copy(update={"message": redact(row.message)[:SENTENCE] if row.message is not None else None})
            for row in told.publish
        )
    )


def _listed(draft: Draft, stage: str, found: WorkList) -> None:
    """Put the work items that a stage lists on record, before the Job that works on them."""
    if draft.status.plan is not None:
        others = tuple(listed for listed in draft.status.plan.work_lists if listed.stage != stage)
        listed = ListedItems(stage=stage, **found.model_dump())
        draft.update(plan=draft.status.plan.model_copy(update={"work_lists": (*others, listed)}))


def account(draft: Draft, spans: Iterable[Span]) -> None:
    """Add the time in which pods of ended attempts were at work. What several did at once counts once: an attempt that is in
    flight and began before is counted up to the same moment, and from there on when it has ended.
    """
    alive = [verdict.span[0] for _, _, verdict in draft.flights if verdict.span is not None]
    for first, last in sorted(spans):
        start, until = min([first, *(other for other in alive if other < last)]), draft.status.active_until
        if until is not None:
            start = max(start, until)
        draft.update(
            active_time_ms=draft.status.active_time_ms + max(0, round((last - start).total_seconds() * 1000)),
            active_until=last if until is None else max(until, last),
        )


def _count(seen: Observed, draft: Draft, group: Group, verdict: Verdict) -> None:
    failure = verdict.failure
    if failure is None:
        return
    if verdict.confirm is not None:
        draft.actions.append(ConfirmGone(verdict.confirm))
    disrupted = failure.failure_class == FailureClass.DISRUPTION
    resource = failure.failure_class == FailureClass.RESOURCE
    disk = resource and failure.code == DISK_FULL
    group = _culprit(seen, draft, group, verdict)
    for stage in draft.group(group.name).stages:
        here = stage.name == failure.stage
        draft.stage(
            stage.name,
            state="Queued" if here or stage.state == "Running" else "Waiting",
            failures=stage.failures + (not disrupted),
            disruptions=stage.disruptions + disrupted,
            out_of_memory=stage.out_of_memory + (resource and not disk),
            out_of_disk=stage.out_of_disk + disk,
            message=failure.message[:200] if here else None,
            completion_time=seen.now if stage.start_time is not None else None,
            **(
                {"fan_out": verdict.fan_out, "progress": percent(verdict.fan_out)}
                if verdict.fan_out is not None
                else {}
            ),
        )
    draft.update(
        failure=failure,
        input=input_of(seen, verdict.stages) or draft.status.input,
        outputs=draft.status.outputs if draft.published and not group.publishes else (),
    )
    _platforms(draft, verdict.stages)
    draft.failed.append((draft.group(group.name), failure))


def _culprit(seen: Observed, draft: Draft, group: Group, verdict: Verdict) -> Group:
    """The group that an attempt's failure counts against. Of groups that shared its pod: those whose results are there have
    succeeded, and for those behind the one that has none, it was no attempt.
    """
    parts = apart(draft, group)
    for place, part in enumerate(parts):
        if place == len(parts) - 1 or problem_of(seen, part, verdict.stages) is not None:
            for stage in (stage for other in parts[place + 1 :] for stage in other.stages):
                draft.stage(stage.name, attempt_base=stage.attempt_base + 1, state="Waiting")
            return part
        record(seen, draft, part, verdict.stages)
        draft.events.append(Event(Reason.STAGE_SUCCEEDED, f"{', '.join(part.plan.stages)}: succeeded"))
        _fallbacks(draft, part)
    return group
