"""Finalization: the story's metadata, its platform's limits, and everything published at once (S-011, S-012, S-044 to S-049).

Decodes nothing: what is said of the film was measured when it was joined, and its digest says that it is still that film.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from videojob_api.contract import StageResult, canonical_json
from videojob_api.manifest import ManifestPiece
from videojob_api.story.platforms import platform
from videojob_api.story.scenes import SceneManifest
from videojob_api.story.tasks import FinalizeParams, FinalizeTake
from videojob_api.story.variants import MAIN, named
from videojob_api.v1alpha1.status import OutputStatus, ValidationStatus
from videojob_api.v1alpha1.story_status import MAX_HASHTAGS, MAX_TAGS, StoryMetadata, StoryStatus

from ..base.errors import BadConfig, Recoverable
from ..compose import gates, metadata
from ..storage import files
from ..storage.records import recorded
from ..text.scripts import joined
from ..text.sentences import sentences
from . import caching
from .context import Context, plain_file
from .filming import FILM, METADATA, PIECES_FILE, manifest_of, marked, output
from .publishing import Publication, before, publish, stages_of
from .scenes import variant, written

MADE_BY = ("join", "thumbnail")
MAX_WORD = 80


def run(context: Context) -> StageResult:
    """Write `metadata.json`, publish, keep parts for other VideoJobs, and clear `processed/`.

    Raises Recoverable (ResultInvalid, VerifyFailed), Permanent (ManifestConflict, UnsafeInput).
    """
    params = context.params
    if not isinstance(params, FinalizeParams):
        raise BadConfig("BadDocument", "stage finalize got another stage's params")
    stages = stages_of(context, MADE_BY)
    there = before(context, stages)
    if there is not None:
        return there
    made = [(context.earlier(kind), context.folder(kind)) for kind in MADE_BY]
    found = [(file, folder) for result, folder in made for file in result.files]
    for file, folder in found:
        if file.synthetic is not None:
            marked(plain_file(folder, file.path), file.name)
    context.staging.mkdir(parents=True, exist_ok=True)
    said = {MAIN: _take(context, MAIN, params, params.genre, found)}
    for take in params.takes or ():
        said[take.name] = _take(context, take.name, take, params.genre, found)
    story = _story(context, manifest_of(context), said)
    tools = {name: version for result, _ in made for name, version in result.tools.items()}
    result = publish(context, stages, Publication(tuple(found), tools=tools, story=story, pieces=_pieces(context)))
    caching.keep_parts(context)
    files.remove(context.store.processed)
    return result


def _pieces(context: Context) -> tuple[ManifestPiece, ...]:
    """The pieces of the film, as join has listed them."""
    context.earlier("join")
    rows = json.loads(plain_file(context.folder("join"), PIECES_FILE).read_bytes())
    return tuple(ManifestPiece.model_validate(row) for row in rows)


def _take(
    context: Context,
    take: str,
    params: FinalizeParams | FinalizeTake,
    genre: str,
    found: list[tuple[OutputStatus, Path]],
) -> dict[str, Any]:
    """What is said of a take; among what is `found` its film learns what its platform has against it, and its metadata joins."""
    place = next((place for place, (file, _) in enumerate(found) if file.name == named(FILM, take)), None)
    if place is None:
        raise Recoverable("ResultInvalid", f"join recorded no {named(FILM, take)}", hint="a retry makes it anew")
    film, folder = found[place]
    against = limits(params, film)
    if against:
        found[place] = (film.model_copy(update={"validation": against}), folder)
    said = described(params, manifest_of(context, take), film, against, genre)
    name = named(METADATA, take)
    text = written(context.staging, f"{name}.json", canonical_json(said) + b"\n")
    found.append((output(context, name, "application/json", text), context.staging))
    return said


def limits(params: FinalizeParams | FinalizeTake, film: OutputStatus) -> tuple[ValidationStatus, ...]:
    """Why the platform would not take the film, or not show it well; the film is made all the same (S-047 to S-049)."""
    if params.platform is None:
        return ()
    row = platform(params.platform)
    said = gates.platform_problems(
        row,
        width=film.width or 0,
        height=film.height or 0,
        duration_ms=film.duration_ms or 0,
        size_bytes=film.size_bytes,
    )
    return tuple(ValidationStatus(platform=row.name, message=message) for message in said)


def described(
    params: FinalizeParams | FinalizeTake,
    manifest: SceneManifest,
    film: OutputStatus,
    against: tuple[ValidationStatus, ...],
    genre: str,
) -> dict[str, Any]:
    """All that `metadata.json` says (S-044)."""
    facts = metadata.Facts(film.width or 0, film.height or 0, film.duration_ms or 0, film.size_bytes, manifest.fps)
    texts = sentences(joined("\n".join(scene.text for scene in manifest.scenes)), manifest.language)
    credits_ = [scene.background.credit for scene in manifest.scenes if scene.background is not None]
    said = metadata.document(
        title=manifest.title, genre=genre, sentences=texts, facts=facts, created_at=datetime.now(UTC),
        language=manifest.language, credits_=[credit for credit in credits_ if credit], synthetic=film.synthetic or "",
        own=params.metadata,
    )  # fmt: skip
    if params.platform is not None:
        row = platform(params.platform)
        said["validation"] = {
            "platform": row.name,
            "asOf": row.as_of,
            "messages": [problem.message for problem in against],
        }
    return said


def _story(context: Context, manifest: SceneManifest, takes: dict[str, dict[str, Any]]) -> StoryStatus:
    said = takes[MAIN]
    others = tuple(variant(manifest_of(context, name), name) for name in takes if name != MAIN)
    joined = recorded(context.folder("join"))
    known = joined.story if joined is not None and joined.story is not None else StoryStatus()
    narrator = next((scene.speech for scene in manifest.scenes if scene.speech is not None), None)
    return known.model_copy(
        update={
            "title": manifest.title[:200],
            "language": manifest.language,
            "scenes": len(manifest.scenes),
            "narrator": f"{narrator.provider} ({narrator.voice})"[:200] if narrator is not None else None,
            "variants": others or None,
            "metadata": StoryMetadata(
                title=said["title"],
                description=said["description"],
                tags=tuple(tag[:MAX_WORD] for tag in said["tags"][:MAX_TAGS]),
                hashtags=tuple(tag[:MAX_WORD] for tag in said["hashtags"][:MAX_HASHTAGS]),
                genre=said["genre"],
            ),
        }
    )
