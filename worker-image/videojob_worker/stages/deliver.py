"""Delivery: video and still picture are published at once, with who agreed to it; decodes nothing (A-002, A-004, C16)."""

from __future__ import annotations

from videojob_api.avatar.tasks import PAID, DeliverParams
from videojob_api.contract import StageResult
from videojob_api.v1alpha1 import AvatarStatus
from videojob_api.v1alpha1.avatar_status import ConsentStatus

from ..base.errors import BadConfig, Recoverable
from ..storage import files
from . import caching
from .context import Context, plain_file
from .filming import marked
from .publishing import Publication, before, publish, stages_of

MADE_BY = ("animate", "finish")
TOLD_BY = ("upload", "detect", "animate", "finish")


def run(context: Context) -> StageResult:
    """Publish, keep the sentences for other VideoJobs, and clear `processed/` and what was kept of a provider.

    Raises Recoverable (ResultInvalid, VerifyFailed), Permanent (ManifestConflict, UnsafeInput).
    """
    params = context.params
    if not isinstance(params, DeliverParams):
        raise BadConfig("BadDocument", "stage deliver got another stage's params")
    stages = stages_of(context, MADE_BY)
    there = before(context, stages)
    if there is None:
        made, folder = context.earlier("finish"), context.folder("finish")
        if not made.files:
            raise Recoverable("ResultInvalid", "finish recorded no video", hint="a retry makes it anew")
        for file in made.files:
            if file.media_type.partition("/")[0] in {"video", "image"}:  # files of text bear no mark
                marked(plain_file(folder, file.path), file.name)
        known = _known(context, params)
        published = tuple((file, folder) for file in made.files)
        there = publish(context, stages, Publication(published, tools=made.tools, avatar=known))
        caching.keep_parts(context)
        files.remove(context.store.processed)
    files.remove(context.store.job / PAID)
    return there


def _known(context: Context, params: DeliverParams) -> AvatarStatus:
    """All that the stages told of the avatar, the later one wins."""
    found: dict[str, object] = {}
    for kind in TOLD_BY:
        told = context.earlier(kind).avatar
        found |= {key: value for key, value in told or AvatarStatus() if value is not None}
    agreed = params.consent
    consent = ConsentStatus(subject=agreed.subject, reference=agreed.reference) if agreed is not None else None
    return AvatarStatus().model_copy(update={**found, "consent": consent})
