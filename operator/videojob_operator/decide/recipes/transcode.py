"""Transcode: one file becomes a ladder of renditions and still pictures (T-001 to T-008)."""

from __future__ import annotations

from videojob_api import contract, stages
from videojob_api.v1alpha1 import PlanStatus, VideoJobSpec
from videojob_api.v1alpha1.videoprofile import VideoProfileSpec

from .base import Step


def transcode(spec: VideoJobSpec, plan: PlanStatus) -> tuple[Step, ...]:
    """Ingest, Transcode, Verify, Commit; one decode feeds all outputs."""
    work = spec.transcode
    if work is None:
        return ()
    outputs = tuple(
        contract.OutputPlan(name=o.name, profile=o.profile, spec=VideoProfileSpec.model_validate(o.spec))
        for o in plan.outputs
    )
    return (
        Step(stages.INGEST, contract.IngestParams(source=work.source, limits=work.limits)),
        Step(
            stages.TRANSCODE, contract.TranscodeParams(source=work.source, outputs=outputs), ("ingest",), threaded=True
        ),
        Step(stages.VERIFY, contract.VerifyParams(outputs=outputs), ("ingest", "transcode")),
        Step(stages.COMMIT, contract.CommitParams(outputs=outputs), ("ingest", "transcode", "verify")),
    )
