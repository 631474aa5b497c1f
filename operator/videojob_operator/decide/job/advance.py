"""Advance: where the attempts in flight stand, from their containers and, for show, from their progress posts."""

from __future__ import annotations

from dataclasses import replace

from videojob_api.contract import StageResult
from videojob_api.names import Phase, Reason
from videojob_api.stages import INGEST
from videojob_api.v1alpha1 import FanOutStatus

from .. import recipes
from ..world import Observed
from .draft import Draft, Group, Verdict
from .harvest import record
from .items import percent
from .judge import killed
from .pending import pending
from .results import input_of, problem_of, read


def advance(seen: Observed, draft: Draft) -> None:
    """Show the running stages, their percent, and why a pod cannot start. A job is Running while any part of it is."""
    if draft.done:
        return
    if draft.flights or draft.retry_time() is not None:
        draft.update(next_retry_time=draft.retry_time())
    if not draft.flights or seen.job.spec is None:
        return
    draft.update(phase=Phase.RUNNING)
    reasons = [
        reason for _, _, verdict in draft.flights if (reason := pending(verdict) or _still_blocked(draft, verdict))
    ]
    if reasons:
        draft.wait(seen.job.spec.queue, Reason.POD_PENDING, reasons[0], seen.now)
        draft.note = (Reason.POD_PENDING, reasons[0])
    elif draft.problem is None and not draft.requests:
        draft.update(queue=None)
    for group, attempt, verdict in draft.flights:
        if verdict.state == "Reading":
            draft.message = draft.message or f"reading the result of attempt {attempt} from the store"
        elif verdict.pod is not None and group.plan.fan_out is None:
            _containers(seen, draft, group, attempt, verdict)
        if verdict.fan_out is not None:
            _items(draft, group, verdict.fan_out)
        else:
            _show(seen, draft, group, attempt)
    _foremost(draft)


def _items(draft: Draft, group: Group, now: FanOutStatus) -> None:
    """Show how far the items of a fan-out are; what single pods post is too small to tell."""
    stage = draft.group(group.name).stages[0]
    draft.stage(stage.name, fan_out=now, progress=max(stage.progress, percent(now)))
    failed = f", {now.failed} failed" if now.failed else ""
    draft.message = f"{stage.name}: {now.succeeded} of {now.total} items{failed}"


def _foremost(draft: Draft) -> None:
    """The stages that run, in order."""
    flying = {group.name for group, _, _ in draft.flights}
    running = [stage for stage in draft.status.stages if stage.group in flying and stage.state == "Running"]
    if not running:
        return
    draft.update(stage=",".join(stage.name for stage in running))
    if draft.status.queue is None:
        told = ", ".join(f"{stage.name}: attempt {stage.attempt}" for stage in running)
        draft.note = (Reason.STAGE_RUNNING, told)


def _still_blocked(draft: Draft, verdict: Verdict) -> str | None:
    """What was known of a pod that could not be made, by an operator that was started since: it is asked for again."""
    old = draft.status.queue
    unmade = verdict.job is not None and not verdict.job.pods and verdict.job.finished is None
    return old.message if unmade and old is not None and old.reason == Reason.POD_PENDING else None


def _containers(seen: Observed, draft: Draft, group: Group, attempt: int, verdict: Verdict) -> None:
    """A container that exited with 0 has ended its stages; the next one's first stage runs."""
    seen = replace(seen, job=replace(seen.job, status=draft.status))
    place = recipes.containers(group.plan.stages)
    finished: list[str] = []
    for container in verdict.pod.containers if verdict.pod is not None else ():
        if container.state != "Terminated" or container.exit_code != 0 or killed(container):
            break
        found = read(seen, group, attempt, container)
        if found is not None and problem_of(seen, group, found.stages, container.name) is None:
            record(seen, draft, group, found.stages)
            finished.extend(stage for stage, name in place.items() if name == container.name)
    if group.publishes:
        draft.update(outputs=())  # published when all of the group has succeeded, not before
    rest = [stage for stage in group.plan.stages if stage not in finished]
    if finished and rest:
        _running(seen, draft, rest[0])


def _running(seen: Observed, draft: Draft, name: str) -> None:
    stage = next(stage for stage in draft.status.stages if stage.name == name)
    if stage.state != "Running":
        draft.stage(name, state="Running", start_time=stage.start_time or seen.now)


def _show(seen: Observed, draft: Draft, group: Group, attempt: int) -> None:
    """Progress is advisory: what is late, foreign or unknown is ignored (case 75), and nothing ever goes back (I10)."""
    wanted = (seen.job.uid, group.name, attempt)
    news = next((news for news in seen.progress if (news.uid, news.group, news.attempt) == wanted), None)
    stages = draft.group(group.name).stages
    if news is not None:
        row = next(
            (stage for stage in stages if (kind := recipes.kind_of(stage.name)) and kind.kind == news.stage), None
        )
        found = StageResult(kind=INGEST.kind, input=news.input)
        if draft.status.input is None and news.input is not None and (told := input_of(seen, (found,))) is not None:
            draft.update(input=told)  # said again, and checked, in the container's result
        if row is not None and not row.done:
            for stage in stages:
                if stage.name == row.name:
                    break
                if not stage.done:
                    draft.stage(stage.name, state="Succeeded", progress=100, completion_time=seen.now)
            later = stages[stages.index(row) + 1 :]
            if not any(stage.done or stage.state == "Running" for stage in later):
                _running(seen, draft, row.name)
                draft.stage(row.name, progress=max(row.progress, news.percent))
                draft.message = news.message
                draft.update(
                    progress=draft.status.progress.model_copy(
                        update={"speed": news.speed, "eta_seconds": news.eta_seconds}
                    )
                )
