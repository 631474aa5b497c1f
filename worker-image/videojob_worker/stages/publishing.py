"""Publish files all at once: move them to `videos/`, then write `manifest.json`. Decodes nothing.

Whoever crashes in between is simply repeated: a file that already lies in `videos/` with the right digest counts as
moved, and without the manifest nothing counts as published.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from videojob_api.contract import StageResult
from videojob_api.manifest import Manifest, ManifestPiece, ManifestStage
from videojob_api.stages import KINDS
from videojob_api.v1alpha1.avatar_status import AvatarStatus
from videojob_api.v1alpha1.status import InputStatus, OutputStatus
from videojob_api.v1alpha1.story_status import StoryStatus

from ..base.errors import Permanent, Recoverable
from ..storage import files
from .context import Context, plain_file


@dataclass(frozen=True)
class Publication:
    """What is to be published."""

    files: tuple[tuple[OutputStatus, Path], ...]
    """Each file, and the folder it lies in."""
    tools: dict[str, str] = field(default_factory=dict)
    """Versions of the programs that made them."""
    input: InputStatus | None = None
    """What they were made from."""
    story: StoryStatus | None = None
    """What the story is."""
    avatar: AvatarStatus | None = None
    """Who the avatar is."""
    pieces: tuple[ManifestPiece, ...] = ()
    """What its film is made of."""


def stages_of(context: Context, kinds: Sequence[str]) -> tuple[ManifestStage, ...]:
    """The stages whose outputs are published, by their keys."""
    return tuple(ManifestStage(kind=kind, version=KINDS[kind].version, key=context.folder(kind).name) for kind in kinds)


def before(context: Context, stages: Sequence[ManifestStage]) -> StageResult | None:
    """The result of a publication by the same stages that is there already, and whole.

    Raises Permanent (ManifestConflict) for one by others.
    """
    published = _published(context)
    if published is not None and published.stages != tuple(stages):
        raise Permanent(
            "ManifestConflict",
            "the job's folder already holds a publication made by other stages",
            hint="create another VideoJob; a publication is never replaced",
        )
    if published is None or not _whole(context, published):
        return None
    files.remove(context.store.processed)
    return StageResult(
        kind=context.kind.kind, reused=True, input=published.input, story=published.story,
        avatar=published.avatar, files=published.outputs,
        tools=published.tools, message=f"{len(published.outputs)} outputs were published before",
    )  # fmt: skip


def publish(context: Context, stages: Sequence[ManifestStage], what: Publication) -> StageResult:
    """Move every file whose digest still is as recorded, and write the manifest.

    Raises Recoverable (VerifyFailed), Permanent (UnsafeInput).
    """
    videos = context.store.videos
    if videos.is_symlink():
        raise Permanent("UnsafeInput", "the job's folder videos/ is a symbolic link", hint="remove it from the store")
    videos.mkdir(exist_ok=True)
    outputs: list[OutputStatus] = []
    for place, (output, folder) in enumerate(what.files):
        context.check()
        context.progress(place * 100 // len(what.files), f"Publishing {output.name}")
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
        if entry.name not in {output.path for output, _ in what.files}:
            files.remove(entry)  # left by an attempt whose manifest was never written
    manifest = Manifest(
        job=context.document.job,
        input=what.input,
        story=what.story,
        avatar=what.avatar,
        pieces=what.pieces,
        outputs=tuple(outputs),
        stages=tuple(stages),
        tools=what.tools,
        committed_time=datetime.now(UTC),
    )
    files.write_atomic(
        context.store.manifest, json.dumps(manifest.dump(), indent=2, ensure_ascii=False).encode() + b"\n"
    )
    return StageResult(
        kind=context.kind.kind, message=f"{len(outputs)} outputs published", input=what.input, story=what.story,
        avatar=what.avatar, files=tuple(outputs), tools=what.tools,
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
