"""Publish all outputs of a transcode at once, and keep what was made for other VideoJobs. Decodes nothing."""

from __future__ import annotations

from videojob_api.contract import CommitParams, StageResult

from ..base.errors import BadConfig, Recoverable
from ..storage import files
from . import caching
from .context import Context
from .publishing import Publication, before, publish, stages_of


def run(context: Context) -> StageResult:
    """Check sizes and digests once more, publish, and clear `processed/`.

    A second commit of the same keys succeeds and changes nothing; one of other keys is refused (Permanent,
    ManifestConflict). Raises Recoverable (ResultInvalid, VerifyFailed).
    """
    params = context.params
    if not isinstance(params, CommitParams):
        raise BadConfig("BadDocument", "stage commit got another stage's params")
    stages = stages_of(context, ("transcode", "verify"))
    there = before(context, stages)
    if there is not None:
        return there
    verified = context.earlier("verify")
    if verified.input is None:
        raise BadConfig("BadDocument", "stage verify recorded no input")
    if {output.name for output in verified.files} != {plan.name for plan in params.outputs}:
        raise Recoverable("ResultInvalid", "verify recorded other outputs than those to be published")
    folder = context.folder("transcode")
    made = tuple((output, folder) for output in verified.files)
    result = publish(context, stages, Publication(made, tools=verified.tools, input=verified.input))
    caching.keep(context, verified)
    caching.keep_parts(context)
    files.remove(context.store.processed)
    return result
