"""Reading a result, and whether it may be believed: complete, about this job, inside its folder, bounded (cases 43 and 44)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from videojob_api.contract import RunResult, StageResult, canonical_json
from videojob_api.fanout import list_uri, read_indexes
from videojob_api.redact import redact
from videojob_api.stages import INGEST
from videojob_api.story.publishing import TARGETS
from videojob_api.v1alpha1 import FailureStatus, InputStatus, OutputStatus, StageStatus
from videojob_api.v1alpha1.sources import UPLOADS

from ..naming import report_group
from ..recipes import containers, kind_of
from ..recipes.avatar import published
from ..recipes.story import outputs
from ..world import ContainerView, JobView, Observed
from .draft import OUTPUTS, Group

PATH = re.compile(r"videos/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_INPUT_BYTES = 2048
MAX_OUTPUT_BYTES = 900
MAX_OUTPUTS_BYTES = 16_000
"""Sixteen of them, the plan and all else stay below the 32 KiB of a status."""


def read(seen: Observed, group: Group, attempt: int, container: ContainerView) -> RunResult | None:
    """A container's result: its termination message, or the whole result that its stub stands for; else None."""
    found = _addressed(seen, group.name, attempt, container)
    return found.model_copy(update={"failure": _readable(found.failure)}) if found and _own(group, found) else None


def read_report(seen: Observed, group: Group, attempt: int, container: ContainerView) -> tuple[RunResult, ...]:
    """What a container of a report Job read of an attempt; nothing if it names a container twice."""
    found = _addressed(seen, report_group(group.name), attempt, container)
    wanted = (seen.job.uid, group.name, attempt)
    told = tuple(
        result.model_copy(update={"failure": _readable(result.failure)})
        for result in (found.reported if found is not None else ())
        if (result.uid, result.group, result.attempt) == wanted and _own(group, result)
    )
    return told if len({result.container for result in told}) == len(told) else ()


def present_in(seen: Observed, group: Group, attempt: int, report: JobView | None) -> set[int] | None:
    """Work items of a fan-out that a report Job found in the store; None if it failed, or says nothing that can be read."""
    for pod in report.pods if report is not None else ():
        for container in pod.containers:
            if container.state != "Terminated" or container.exit_code != 0:
                continue
            found = _addressed(seen, report_group(group.name), attempt, container)
            with suppress(ValueError):
                if found is not None and found.present is not None:
                    return set(read_indexes(found.present))
    return None


def _addressed(seen: Observed, group: str, attempt: int, container: ContainerView) -> RunResult | None:
    """A container's result, if it says that it comes from this very container."""
    found = parse(container)
    if found is not None and found.sha256 is not None:
        found = next((result for result in seen.results if result.sha256 == found.sha256), None)
    wanted = (seen.job.uid, group, attempt, container.name)
    if found is None or (found.uid, found.group, found.attempt, found.container) != wanted:
        return None
    return found


def _own(group: Group, result: RunResult) -> bool:
    """Whether a result speaks only of stages that its container runs, and of each at most once."""
    place = containers(group.plan.stages)
    mine = {row.kind for stage, name in place.items() if name == result.container and (row := kind_of(stage))}
    kinds = [stage.kind for stage in result.stages]
    return len(kinds) == len(set(kinds)) and mine.issuperset(kinds)


def parse(container: ContainerView) -> RunResult | None:
    """The termination message as a result, if it is one."""
    try:
        found = RunResult.model_validate_json(container.message or "")
    except ValidationError:
        return None
    return found.model_copy(update={"failure": _readable(found.failure)})


def _readable(failure: FailureStatus | None) -> FailureStatus | None:
    """A failure as status and events show it: a worker hides credentials itself, but no worker is believed."""
    if failure is None:
        return None
    texts = {"message": failure.message, "hint": failure.hint, "log_tail": failure.log_tail}
    return failure.model_copy(update={name: redact(text) for name, text in texts.items() if text is not None})


def is_stub(container: ContainerView) -> bool:
    """Whether the message only names the digest of a result that lies elsewhere."""
    found = parse(container)
    return found is not None and found.sha256 is not None


def input_of(seen: Observed, results: Sequence[StageResult]) -> InputStatus | None:
    """The facts about the input among results, if they may be believed."""
    found = next((result for result in results if result.kind == INGEST.kind and result.state == "Succeeded"), None)
    return found.input if found is not None and _input(seen, found) is None else None


def problem_of(
    seen: Observed, group: Group, results: Sequence[StageResult], container: str | None = None
) -> str | None:
    """What is wrong with the results of a group's stages, or of those of one container; None if nothing is."""
    place = containers(group.plan.stages)
    for stage in group.stages:
        if container is not None and place.get(stage.name) != container:
            continue
        row = kind_of(stage.name)
        found = next((r for r in results if row is not None and r.kind == row.kind), None)
        if found is None or found.state != "Succeeded":
            return f"stage {stage.name} has no successful result"
        if stage.name in ("Fetch", "ScriptWriting") and (problem := _fetched(seen, found)) is not None:
            return problem
        if stage.name == "Ingest" and (problem := _input(seen, found)) is not None:
            return problem
        if (problem := _listed(seen, stage, found)) is not None:
            return problem
        if stage.name == "Publish" and (problem := platforms_of(found)) is not None:
            return problem
        if stage.name in OUTPUTS and (problem := _outputs(seen, found.files)) is not None:
            return problem
    return None


def _listed(seen: Observed, stage: StageStatus, result: StageResult) -> str | None:
    """What is wrong with the work items that a stage lists, or should have listed."""
    plan, listed = seen.job.status.plan, result.work_list
    groups = plan.groups if plan is not None else ()
    if listed is None:
        wanted = any(group.fan_out is not None and group.fan_out.items_of == stage.name for group in groups)
        return f"stage {stage.name} lists no work items" if wanted else None
    if listed.uri != list_uri(result.kind, stage.key or ""):
        return f"the work items of stage {stage.name} do not lie in its own folder"
    return None


def platforms_of(result: StageResult) -> str | None:
    """What is wrong with what a worker tells of platforms."""
    told = [row.platform for row in result.publish or ()]
    if len(set(told)) < len(told):
        return "stage Publish tells of a platform twice"
    # Not only of those in the spec: one that was taken out of it while the stage was at work is told of all the same.
    strangers = [name for name in told if name not in TARGETS]
    return f"stage Publish tells of platforms that there are not: {', '.join(strangers)[:100]}" if strangers else None


def _input(seen: Observed, result: StageResult) -> str | None:
    if result.input is None:
        return "stage Ingest tells nothing about the input"
    if len(canonical_json(result.input.dump())) > MAX_INPUT_BYTES:
        return f"the facts about the input exceed {MAX_INPUT_BYTES} bytes"
    work = seen.job.spec.transcode if seen.job.spec is not None else None
    plan = seen.job.status.plan
    fetched = plan.fetched if plan is not None else None
    promised = fetched.sha256 if fetched is not None else work.source.digest if work is not None else None
    if promised is not None and result.input.sha256 != promised:
        return f"the input's sha256 is {result.input.sha256[:64]}, not the {promised} of its source"
    longest = work.limits.max_duration_seconds if work is not None else None
    if longest is not None and not 0 <= result.input.duration_ms <= longest * 1000:
        return f"the input's duration is said to be {result.input.duration_ms} ms, {longest} s are permitted"
    return None


def _fetched(seen: Observed, result: StageResult) -> str | None:
    work = seen.job.spec.transcode if seen.job.spec is not None else None
    file = result.fetched
    if file is None:
        return f"the result of {result.kind} tells nothing about the file"
    if SHA256.fullmatch(file.sha256) is None or file.uri != f"{UPLOADS}{file.sha256}":
        return f"the file that {result.kind} tells of does not lie in the job's uploads/ under its digest"
    if work is not None and work.source.sha256 not in (None, file.sha256):
        return f"the fetched file's sha256 is {file.sha256}, not the {work.source.sha256} that the spec promises"
    if work is not None and not 0 < file.size_bytes <= work.limits.max_input_bytes:
        return f"the fetched file is said to have {file.size_bytes} bytes, {work.limits.max_input_bytes} are permitted"
    return None


def _outputs(seen: Observed, files: Sequence[OutputStatus]) -> str | None:
    plan = seen.job.status.plan
    spec = seen.job.spec
    wanted = sorted(output.name for output in plan.outputs) if plan is not None else []
    if spec is not None and spec.story is not None:
        wanted = sorted(outputs(spec))
    if spec is not None and spec.avatar is not None:
        wanted = sorted(published(spec.avatar, len(files)))
    if sorted(file.name for file in files) != wanted:
        return f"outputs {', '.join(wanted)} were planned, others were published"
    if sum(len(canonical_json(file.dump())) for file in files) > MAX_OUTPUTS_BYTES:
        return f"the facts about all outputs exceed {MAX_OUTPUTS_BYTES} bytes"
    for file in files:
        if PATH.fullmatch(file.path) is None or file.uri != f"store://jobs/{seen.job.uid}/{file.path}":
            return f"output {file.name} lies outside the job's videos/"
        if SHA256.fullmatch(file.sha256) is None or file.size_bytes <= 0:
            return f"output {file.name} has no digest or no bytes"
        if len(canonical_json(file.dump())) > MAX_OUTPUT_BYTES:
            return f"the facts about output {file.name} exceed {MAX_OUTPUT_BYTES} bytes"
    return None
