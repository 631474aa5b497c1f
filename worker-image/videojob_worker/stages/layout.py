"""Put together what was spoken and what was found at the same time, look at every picture, and list the pieces to draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from videojob_api.contract import StageResult, canonical_json
from videojob_api.keeping import PIECE_PARTS
from videojob_api.story.scenes import AssetRef, Background, Scene, SceneManifest
from videojob_api.story.tasks import LayoutParams
from videojob_api.story.variants import MAIN, scenes_file
from videojob_api.v1alpha1.story_status import StoryStatus

from ..base.errors import BadConfig, Permanent
from ..compose import encoder, picture
from ..compose.film import Film
from ..media import probe as probing
from ..media import sniff as sniffing
from ..media import tools
from ..providers.images.base import IMAGE_ERROR
from .context import Context, plain_file
from .filming import TAKES_FILE
from .images import named
from .kept import Kept
from .scenes import manifest_of, said_of, written
from .studio import film


def run(context: Context) -> StageResult:
    """Write `scenes.json`, one more of it for each take, and the work list of `compose`: what looks the same is one piece.

    Raises Permanent (ImageGenerationError) for a picture that cannot be read, with `fallback: Deny`.
    """
    params = context.params
    if not isinstance(params, LayoutParams):
        raise BadConfig("BadDocument", "stage layout got another stage's params")
    bad: dict[AssetRef | None, str | None] = {}

    def drawn(manifest: SceneManifest) -> Film:
        return film(context, manifest, params.encoding, build=_build(context, manifest))

    each = {name: _laid(context, params, name, bad, drawn) for name in (MAIN, *(params.takes or ()))}
    films = {name: drawn(manifest) for name, (manifest, _) in each.items()}
    keys = {name: [piece.key for piece in whole.pieces] for name, whole in films.items()}
    parts = [
        written(context.staging, scenes_file(name), canonical_json(manifest.dump()))
        for name, (manifest, _) in each.items()
    ]
    wanted = keys[MAIN]
    if params.takes:
        wanted = list(dict.fromkeys(key for own in keys.values() for key in own))
        parts.append(written(context.staging, TAKES_FILE, canonical_json(keys)))
    listed = context.list_items(wanted)
    manifest = each[MAIN][0]
    return StageResult(
        kind=context.kind.kind,
        message=f"{len(manifest.scenes)} scenes in {listed.items} pieces, {manifest.duration_ms / 1000:.1f} s",
        parts=tuple(parts),
        work_list=listed,
        degraded=said_of({name: said for name, (_, said) in each.items()}),
        notes=said_of({name: _notes(whole.missing_letters()) for name, whole in films.items()}),
        tools={"encoder": encoder.build()},
        story=StoryStatus(scenes=len(manifest.scenes), pieces=listed.items, duration_ms=manifest.duration_ms),
    )


def _build(context: Context, manifest: SceneManifest) -> str:
    """Versions of what makes the pieces' bytes. FFmpeg's program reads clips alone, and takes a while to say its own."""
    clips = any(scene.background is not None and scene.background.kind == "clip" for scene in manifest.scenes)
    return f"{encoder.build()}; {tools.version(context.tool)}" if clips else encoder.build()


def _laid(
    context: Context,
    params: LayoutParams,
    take: str,
    looked: dict[AssetRef | None, str | None],
    drawn: Callable[[SceneManifest], Film],
) -> tuple[SceneManifest, tuple[str, ...]]:
    """One take, put together, and what is to be said of its pictures. `looked` grows by the files that were looked at, with
    what is wrong with each.
    """
    pictured = manifest_of(context, "images", take)
    spoken = manifest_of(context, "audio", take)
    scenes = together(spoken.scenes, pictured.scenes)
    looked |= dict.fromkeys(_seen(context, drawn(spoken.model_copy(update={"scenes": tuple(scenes)}))))
    _look(context, scenes, looked)
    bad = {file: wrong for file, wrong in looked.items() if wrong is not None}
    if any(_file(scene) in bad for scene in scenes) and params.fallback.policy == "Deny":
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
    degraded = (*spoken.degraded, *pictured.degraded, *said)
    return spoken.model_copy(update={"scenes": tuple(scenes), "degraded": degraded}), said


def _seen(context: Context, whole: Film) -> set[AssetRef | None]:
    """Backgrounds that are seen in pieces which the namespace has: they were drawn from these very bytes, so nothing is wrong
    with them (M2).
    """
    shelf = Kept(context, PIECE_PARTS)
    return {_file(scene) for piece in whole.pieces if shelf.known(piece.key) for scene in whole.shown(piece.segment)}


def together(spoken: Sequence[Scene], pictured: Sequence[Scene]) -> list[Scene]:
    """Spoken scenes with their backgrounds, by the name that parsing gave to both; parts of a divided one share its."""
    found: Mapping[str, Background | None] = {scene.origin or scene.id: scene.background for scene in pictured}
    return [
        scene.model_copy(update={"background": found.get(scene.origin or scene.id) or Background(kind="card")})
        for scene in spoken
    ]


def _file(scene: Scene) -> AssetRef | None:
    return scene.background.file if scene.background is not None else None


def _look(context: Context, scenes: Sequence[Scene], looked: dict[AssetRef | None, str | None]) -> None:
    """Note of each file what is wrong with it, None where nothing is. Each that was not seen yet is decoded once, here, where no
    network and no Secret is.
    """
    backgrounds = [scene.background for scene in scenes if scene.background is not None]
    files = {background.file: background for background in backgrounds if background.file not in looked}
    files.pop(None, None)
    clips = {file for file, background in files.items() if background.kind == "clip"}

    def wrong_with(file: AssetRef | None) -> str | None:
        if file is None:
            return None
        path = plain_file(context.folder(file.stage), file.path)
        try:
            if file in clips:
                probing.probe(path, sniffing.sniff(path).demuxer, context.tool)
            else:
                picture.read(path, least=(1, 1))
        except Permanent as error:
            return error.message
        return None

    with ThreadPoolExecutor(context.document.limits.threads, thread_name_prefix="look") as pool:
        try:
            for place, (file, wrong) in enumerate(zip(files, pool.map(wrong_with, files), strict=True)):
                context.check()
                context.progress(place * 90 // len(files), f"Looked at {place + 1} of {len(files)} backgrounds")
                looked[file] = wrong
        finally:
            pool.shutdown(cancel_futures=True)


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
