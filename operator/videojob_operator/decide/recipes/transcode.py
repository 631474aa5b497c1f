"""Transcode: one file becomes a ladder of renditions and still pictures (T-001 to T-008)."""

from __future__ import annotations

from videojob_api import contract, stages
from videojob_api.v1alpha1 import PlanStatus, StoredFile, TranscodeSpec, VideoJobSpec
from videojob_api.v1alpha1.sources import UPLOADS
from videojob_api.v1alpha1.videoprofile import VideoProfileSpec

from .base import Step


def transcode(spec: VideoJobSpec, plan: PlanStatus) -> tuple[Step, ...]:
    """Fetch for a URL, Ingest, Transcode, Verify, Commit; one decode feeds all outputs."""
    work = spec.transcode
    if work is None:
        return ()
    outputs = tuple(
        contract.OutputPlan(
            name=o.name, profile=o.profile, spec=VideoProfileSpec.model_validate(o.spec, extra="ignore")
        )
        for o in plan.outputs
    )
    source = stored(work, plan)
    pending = source.fetched
    fetch = (Step(stages.FETCH, contract.FetchParams(source=work.source, limits=work.limits)),)
    return (
        *(fetch if work.source.fetched else ()),
        Step(stages.INGEST, contract.IngestParams(source=source, limits=work.limits), pending=pending),
        Step(
            stages.TRANSCODE, contract.TranscodeParams(source=source, outputs=outputs), ("ingest",), threaded=True,
            pending=pending,
        ),
        Step(stages.VERIFY, contract.VerifyParams(outputs=outputs), ("ingest", "transcode"), pending=pending),
        Step(
            stages.COMMIT, contract.CommitParams(outputs=outputs), ("ingest", "transcode", "verify"), pending=pending
        ),
    )  # fmt: skip


def stored(work: TranscodeSpec, plan: PlanStatus) -> StoredFile:
    """The input as stages read it: for a URL, the fetched file by its digest, so that keys follow from bytes, not names.

    Until it is fetched, and unless the spec promises its digest, the URL itself stands there.
    """
    source = work.source
    digest = plan.fetched.sha256 if plan.fetched is not None else source.sha256
    known = source.fetched and digest is not None
    return StoredFile(uri=f"{UPLOADS}{digest}" if known else source.uri, filename=source.filename)
