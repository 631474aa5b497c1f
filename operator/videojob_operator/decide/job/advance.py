"""Advance: where the attempt in flight stands, from its containers and, for show, from its progress posts."""

from __future__ import annotations

from dataclasses import replace

from videojob_api.contract import StageResult
from videojob_api.names import Phase, Reason
from videojob_api.stages import INGEST

from .. import recipes
from ..world import Observed
from .draft import Draft, Group, Verdict
from .harvest import record
from .judge import killed
from .pending import pending
from .results import input_of, problem_of, read


def advance(seen: Observed, draft: Draft) -> None:
    """Show the running stage, its percent, and why a pod cannot start."""
    if draft.done or draft.flight is None or seen.job.spec is None:
        return
    group, attempt, verdict = draft.flight
    draft.update(phase=Phase.RUNNING, next_retry_time=None)
    reason = pending(verdict) or _still_blocked(draft, verdict)
    if reason is not None:
        draft.wait(seen.job.spec.queue, Reason.POD_PENDING, reason, seen.now)
        draft.note = (Reason.POD_PENDING, reason)
    elif draft.problem is None:
        draft.update(queue=None)
    if verdict.state == "Reading":
        draft.message = draft.message or f"reading the result of attempt {attempt} from the store"
    elif verdict.pod is not None:
        _containers(seen, draft, group, attempt, verdict)
    _show(seen, draft, group, attempt)


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
    draft.update(outputs=())  # published when the job has succeeded, not before
    rest = [stage for stage in group.plan.stages if stage not in finished]
    if finished and rest:
        _running(seen, draft, rest[0])


def _running(seen: Observed, draft: Draft, name: str) -> None:
    stage = next(stage for stage in draft.status.stages if stage.name == name)
    if stage.state != "Running":
        draft.stage(name, state="Running", start_time=stage.start_time or seen.now)


def _show(seen: Observed, draft: Draft, group: Group, attempt: int) -> None:
    """Progress is advisory: what is late, foreign or unknown is ignored (case 75), and nothing ever goes back (I10)."""
    news = seen.progress
    stages = draft.group(group.name).stages
    if news is not None and news.uid == seen.job.uid and news.group == group.name and news.attempt == attempt:
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
    running = next((stage for stage in draft.group(group.name).stages if stage.state == "Running"), None)
    if running is not None:
        draft.update(stage=running.name)
        if draft.status.queue is None:
            draft.note = (Reason.STAGE_RUNNING, f"{running.name}: attempt {attempt}")
