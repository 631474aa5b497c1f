"""Publish all outputs at once: move them to `videos/`, then write `manifest.json`. Decodes nothing.

Whoever crashes in between is simply repeated: a file that already lies in `videos/` with the right digest counts as
moved, and without the manifest nothing counts as published.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from pydantic import ValidationError

from videojob_api.contract import CommitParams, StageResult
from videojob_api.manifest import Manifest, ManifestStage
from videojob_api.stages import KINDS
from videojob_api.v1alpha1.status import OutputStatus

from ..base.errors import BadConfig, Permanent, Recoverable
from ..storage import files
from . import caching
from .context import Context, plain_file


def run(context: Context) -> StageResult:
    """Check sizes and digests once more, publish, and clear `processed/`.

    A second commit of the same keys succeeds and changes nothing; one of other keys is refused (Permanent,
    ManifestConflict). Raises Recoverable (ResultInvalid, VerifyFailed).
    """
    if not isinstance(context.params, CommitParams):
        raise BadConfig("BadDocument", "stage commit got another stage's params")
    stages = tuple(
        ManifestStage(kind=kind, version=KINDS[kind].version, key=context.folder(kind).name)
        for kind in ("transcode", "verify")
    )
    published = _published(context)
    if published is not None and published.stages != stages:
        raise Permanent(
            "ManifestConflict",
            "the job's folder already holds a publication made by other stages",
            hint="create another VideoJob; a publication is never replaced",
        )
    if published is not None and _whole(context, published):
        files.remove(context.store.processed)
        return StageResult(
            kind=context.kind.kind, reused=True, input=published.input, files=published.outputs, tools=published.tools,
            message=f"{len(published.outputs)} outputs were published before",
        )  # fmt: skip
    return _publish(context, stages)


def _publish(context: Context, stages: tuple[ManifestStage, ...]) -> StageResult:
    verified = context.earlier("verify")
    if verified.input is None:
        raise BadConfig("BadDocument", "stage verify recorded no input")
    wanted = {plan.name for plan in context.params.outputs} if isinstance(context.params, CommitParams) else set()
    if {output.name for output in verified.files} != wanted:
        raise Recoverable("ResultInvalid", "verify recorded other outputs than those to be published")
    folder, videos = context.folder("transcode"), context.store.videos
    if videos.is_symlink():
        raise Permanent("UnsafeInput", "the job's folder videos/ is a symbolic link", hint="remove it from the store")
    videos.mkdir(exist_ok=True)
    outputs: list[OutputStatus] = []
    for place, output in enumerate(verified.files):
        context.check()
        context.progress(place * 100 // len(verified.files), f"Publishing {output.name}")
        target = videos / output.path
        if target.parent != videos or target.name.startswith("."):
            raise Permanent("UnsafeInput", f"the output {output.name} has a name that leads out of videos/")
        if not files.matches(target, output.size_bytes, output.sha256):
            source = plain_file(folder, output.path)
            if not files.matches(source, output.size_bytes, output.sha256):
                raise Recoverable("VerifyFailed", f"the output {output.name} changed after it was verified")
            files.move(source, target)
        outputs.append(output.model_copy(update={"path": f"videos/{output.path}"}))
    for entry in videos.iterdir():
        if entry.name not in {output.path for output in verified.files}:
            files.remove(entry)  # left by an attempt whose manifest was never written
    manifest = Manifest(
        job=context.document.job,
        input=verified.input,
        outputs=tuple(outputs),
        stages=stages,
        tools=verified.tools,
        committed_time=datetime.now(UTC),
    )
    files.write_atomic(
        context.store.manifest, json.dumps(manifest.dump(), indent=2, ensure_ascii=False).encode() + b"\n"
    )
    caching.keep(context, verified)
    caching.keep_parts(context)
    files.remove(context.store.processed)
    return StageResult(
        kind=context.kind.kind, message=f"{len(outputs)} outputs published", input=verified.input, files=tuple(outputs),
        tools=verified.tools,
    )  # fmt: skip


def _published(context: Context) -> Manifest | None:
    """The manifest that lies there, or None; one that is not whole cannot have been written by us."""
    path = context.store.manifest
    if path.is_symlink() or not path.is_file():
        return None
    try:
        found = Manifest.model_validate(json.loads(path.read_bytes()))
    except (ValueError, ValidationError):
        return None
    return found if found.job.uid == context.document.job.uid else None


def _whole(context: Context, manifest: Manifest) -> bool:
    return all(
        files.matches(context.store.videos / output.path.removeprefix("videos/"), output.size_bytes, output.sha256)
        for output in manifest.outputs
    )
