"""SceneParsing: the script becomes a scene manifest (S-007, S-016). Text in, text out: no tool is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from videojob_api.contract import StageFile, StageResult, canonical_json
from videojob_api.story.params import ConfigMapKey, Script
from videojob_api.story.scenes import SceneManifest
from videojob_api.story.tasks import SceneParsingParams
from videojob_api.story.variants import MAIN, scenes_file, takes
from videojob_api.v1alpha1 import StoryStatus
from videojob_api.v1alpha1.story_status import VariantStatus

from ..base.errors import BadConfig, Permanent
from ..storage import files
from ..text.parsing import SCENE_ERROR, parse
from .context import Context

MAX_SCRIPT_BYTES = 1 << 20


def run(context: Context) -> StageResult:
    """Write `scenes.json`, and one more for each take. Raises Permanent (SceneGenerationError, SourceNotFound, UnsafeInput)."""
    if not isinstance(context.params, SceneParsingParams):
        raise BadConfig("BadDocument", "stage scenes got another stage's params")
    context.progress(10, "Reading the script")
    found = {take.name: parse(take.story, _script(context, take.story.script)) for take in takes(context.params.story)}
    manifest = found[MAIN]
    seconds = manifest.duration_ms / 1000
    return StageResult(
        kind=context.kind.kind,
        message=f"{len(manifest.scenes)} scenes, some {seconds:.0f} s",
        parts=tuple(
            written(context.staging, scenes_file(name), canonical_json(each.dump())) for name, each in found.items()
        ),
        notes=said_of({name: each.notes for name, each in found.items()}),
        story=StoryStatus(
            title=manifest.title[:200],
            language=manifest.language,
            scenes=len(manifest.scenes),
            duration_ms=manifest.duration_ms,
        ),
    )


def _script(context: Context, given: Script) -> str | None:
    """The words of a script, wherever they are; None where scenes are listed instead."""
    if given.uri is not None:
        return _read(context.store.source(given.uri, None))
    return _read(_mounted(context, given.config_map)) if given.config_map is not None else given.text


def said_of(texts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What is said of all takes, each sentence once, with the name of the variant that it is about alone."""
    found = dict.fromkeys(texts[MAIN])
    for name, own in texts.items():
        found |= dict.fromkeys(f"variant {name}: {text}"[:480] for text in own if text not in texts[MAIN])
    return tuple(found)[:8]


def variant(manifest: SceneManifest, name: str) -> VariantStatus:
    """A take as status has it."""
    return VariantStatus(
        name=name, title=manifest.title[:200], language=manifest.language, scenes=len(manifest.scenes),
        duration_ms=manifest.duration_ms,
    )  # fmt: skip


def _mounted(context: Context, given: ConfigMapKey) -> Path:
    """The entry of a ConfigMap, where the pod has it mounted. Raises Permanent (SourceNotFound)."""
    path = context.configs / given.name / given.key
    if not path.is_file():
        raise Permanent(
            "SourceNotFound", f"there is no ConfigMap {given.name} with a key {given.key} in the VideoJob's namespace",
            hint=f"kubectl create configmap {given.name} --from-file={given.key}=SCRIPT, then retry",
        )  # fmt: skip
    return path


def _read(path: Path) -> str:
    """A script from the store: UTF-8, with or without a mark at its begin."""
    hint = "save the script as plain text in UTF-8 and submit it again"
    if path.stat().st_size > MAX_SCRIPT_BYTES:
        raise Permanent(
            SCENE_ERROR, f"the script has {path.stat().st_size} bytes, {MAX_SCRIPT_BYTES} are the most", hint=hint
        )
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Permanent(
            SCENE_ERROR, f"the script is no text in UTF-8: {error.reason} at byte {error.start}", hint=hint
        ) from None


def written(folder: Path, name: str, data: bytes) -> StageFile:
    """A file of a stage, with what its record says of it."""
    path = folder / name
    path.write_bytes(data)
    return StageFile(path=name, size_bytes=len(data), sha256=files.sha256_file(path))


def manifest_of(context: Context, kind: str, take: str = MAIN) -> SceneManifest:
    """The scene manifest of a take that an earlier stage left. Raises Recoverable when it is not there."""
    context.earlier(kind)
    return SceneManifest.model_validate_json((context.folder(kind) / scenes_file(take)).read_bytes())
