"""Read the results an attempt left in the store, for an operator that found its pod gone."""

from __future__ import annotations

import json

from pydantic import ValidationError

from videojob_api.contract import MAX_RESULT_BYTES, ReportParams, RunResult, StageResult
from videojob_api.fanout import write_indexes

from ..base.errors import BadConfig
from . import fanout
from .context import Context

SUFFIX = ".result.json"


def run(context: Context) -> StageResult:
    """Collect `debug/<group>-a<attempt>/*.result.json` into `context.reported`; of a fan-out, look which work items left whole
    outputs.

    Finding none is an answer, not a failure: the attempt ended before it could write one. What is not whole, or another
    job's, is left out.
    """
    params = context.params
    if not isinstance(params, ReportParams):
        raise BadConfig("BadDocument", "stage report got another stage's params")
    if params.fan_out is not None:
        there = fanout.present(context.store, params.fan_out)
        context.present.append(write_indexes(there))
        return StageResult(kind=context.kind.kind, message=f"{len(there)} work items of {params.group} are there")
    folder = context.store.debug(params.group, params.attempt)
    found: list[tuple[int, RunResult]] = []
    for path in sorted(folder.glob(f"*{SUFFIX}")) if folder.is_dir() and not folder.is_symlink() else ():
        if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_RESULT_BYTES:
            continue
        try:
            result = RunResult.model_validate(json.loads(path.read_bytes()))
        except (ValueError, ValidationError):
            context.log.warning("left out a result that is not whole", extra={"path": path.name})
            continue
        if (result.uid, result.group, result.attempt) == (context.document.job.uid, params.group, params.attempt):
            found.append((path.stat().st_mtime_ns, result))
    context.reported.extend(result for _, result in sorted(found, key=lambda pair: pair[0]))
    return StageResult(
        kind=context.kind.kind, message=f"{len(found)} results of {params.group} attempt {params.attempt} found"
    )
