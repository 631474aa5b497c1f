"""Put together what was spoken and what was found at the same time, look at every picture, and list the pieces to draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from videojob_api.contract import StageResult, canonical_json
from videojob_api.story.scenes import SCENES_FILE, AssetRef, Background, Scene
from videojob_api.story.tasks import LayoutParams
from videojob_api.v1alpha1.story_status import StoryStatus

from ..base.errors import BadConfig, Permanent
from ..compose import picture
from ..media import probe as probing
from ..media import sniff as sniffing
from ..media import tools
from ..providers.images.base import IMAGE_ERROR
from .context import Context, plain_file
from .images import named
from .scenes import manifest_of, written
from .studio import film


def run(context: Context) -> StageResult:
    """Write `scenes.json` and the work list of `compose`.

    Raises Permanent (ImageGenerationError) for a picture that cannot be read, with `fallback: Deny`.
    """
    params = context.params
    if not isinstance(params, LayoutParams):
        raise BadConfig("BadDocument", "stage layout got another stage's params")
    pictured = manifest_of(context, "images")
    spoken = manifest_of(context, "audio")
    scenes = together(spoken.scenes, pictured.scenes)
    bad = _unreadable(context, scenes)
    if bad and params.fallback.policy == "Deny":
        first = next(scene for scene in scenes if _file(scene) in bad)
        provider = first.background.provider if first.background is not None else ""
        raise Permanent(
            IMAGE_ERROR, f"scene {first.id}: the picture of {provider} cannot be used: {bad[_file(first)]}",
            hint="give another picture, another provider, or set fallback.policy to Allow",
        )  # fmt: skip
    said = _said(scenes, bad)
    scenes = [
        scene.model_copy(update={"background": Background(kind="card", provider="card")})
        if _file(scene) in bad
        else scene
        for scene in scenes
    ]
    build = tools.version(context.tool)
    manifest = spoken.model_copy(
        update={"scenes": tuple(scenes), "degraded": (*spoken.degraded, *pictured.degraded, *said)}
    )
    drawn = film(context, manifest, params.encoding, build=build)
    notes = _notes(drawn.missing_letters())
    listed = context.list_items([piece.key for piece in drawn.pieces])
    return StageResult(
        kind=context.kind.kind,
        message=f"{len(scenes)} scenes in {listed.items} pieces, {manifest.duration_ms / 1000:.1f} s",
        parts=(written(context.staging, SCENES_FILE, canonical_json(manifest.dump())),),
        work_list=listed,
        degraded=said[:8],
        notes=notes,
        tools={"ffmpeg": build},
        story=StoryStatus(scenes=len(scenes), pieces=listed.items, duration_ms=manifest.duration_ms),
    )


def together(spoken: Sequence[Scene], pictured: Sequence[Scene]) -> list[Scene]:
    """Spoken scenes with their backgrounds, by the name that parsing gave to both; parts of a divided one share its."""
    found: Mapping[str, Background | None] = {scene.origin or scene.id: scene.background for scene in pictured}
    return [
        scene.model_copy(update={"background": found.get(scene.origin or scene.id) or Background(kind="card")})
        for scene in spoken
    ]


def _file(scene: Scene) -> AssetRef | None:
    return scene.background.file if scene.background is not None else None


def _unreadable(context: Context, scenes: Sequence[Scene]) -> dict[AssetRef | None, str]:
    """What is wrong with files that cannot be drawn. Each is decoded once, here, where no network and no Secret is."""
    files = {scene.background.file: scene.background for scene in scenes if scene.background is not None}
    bad: dict[AssetRef | None, str] = {}
    for place, (file, background) in enumerate(files.items()):
        if file is None:
            continue
        context.check()
        context.progress(place * 90 // len(files), f"Looking at background {place + 1} of {len(files)}")
        path = plain_file(context.folder(file.stage), file.path)
        try:
            if background.kind == "clip":
                probing.probe(path, sniffing.sniff(path).demuxer, context.tool)
            else:
                picture.read(path, least=(1, 1))
        except Permanent as error:
            bad[file] = error.message
    return bad


def _said(scenes: Sequence[Scene], bad: Mapping[AssetRef | None, str]) -> tuple[str, ...]:
    reasons: dict[str, list[str]] = {}
    for scene in scenes:
        if _file(scene) in bad and scene.background is not None:
            why = f"the picture of {scene.background.provider or 'its provider'} cannot be used: {bad[_file(scene)]}"
            reasons.setdefault(why, []).append(scene.id)
    return tuple(f"{named(ids)}: a text card stands in, {why}"[:480] for why, ids in reasons.items())


def _notes(missing: str) -> tuple[str, ...]:
    if not missing:
        return ()
    return (f"no font here has the characters {missing[:40]}, so they are left out of the picture",)
