"""Manifest files and the local files they mean: by name beside the manifest, by digest, or as --file says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from videojob_api.avatar.tasks import AUDIO_BYTES, FILM_BYTES, IMAGE_BYTES
from videojob_api.names import API_VERSION
from videojob_api.story import templates
from videojob_api.v1alpha1 import VideoJobSpec, VideoProfileSpec
from videojob_api.v1alpha1.sources import INBOX
from videojob_api.v1alpha1.spec import quantity_bytes

from .errors import CliError
from .transfer import file_digest

Json = dict[str, Any]

OURS = ("VideoJob", "VideoProfile")
DEFAULT_LIMIT = "500Mi"
"""Largest upload unless the VideoJob's limits say otherwise (T-014)."""
AVATAR_LIMITS = {"avatar.image": FILM_BYTES, "avatar.matting.image": IMAGE_BYTES, "avatar.audio": AUDIO_BYTES}
"""Bytes of an avatar's files, by the field that names them."""


SCRIPT_LIMIT = "1Mi"
"""Largest script of a story."""
LONG_SCRIPT = 16 * 1024
"""Bytes of a script that stay in a manifest; a longer one goes into the store."""


@dataclass(frozen=True)
class LocalFile:
    """A file of this machine, as a source."""

    path: Path
    sha256: str
    size: int
    passing: bool = False
    """Whether it was written for this command alone, from what a manifest says."""
    field: str = ""
    """The field of the manifest that names it; empty for one that was given on the command line."""

    @property
    def uri(self) -> str:
        """Where it lies in a store once uploaded."""
        return INBOX + self.sha256


def local_file(path: Path) -> LocalFile:
    """A regular, readable file with its digest; CliError saying what it is instead."""
    if path.is_dir():
        raise CliError(f"{path} is a folder: give one video file.")
    if not path.exists():
        raise CliError(f"{path} does not exist: check the path.")
    try:
        return LocalFile(path, file_digest(path), path.stat().st_size)
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror}.") from error


def check_size(file: LocalFile, limit: str) -> int:
    """Bytes of the limit; CliError `File too large` when the file has more (T-014, T-021)."""
    try:
        allowed = quantity_bytes(limit)
    except ValueError as error:
        raise CliError(f"limits.maxInputSize: {error}") from error
    if file.size > allowed and file.field in AVATAR_LIMITS:
        raise CliError(
            f"File too large: {file.path} has {file.size} bytes, {allowed} are the most for spec.{file.field}. "
            "Give a smaller file."
        )
    if file.size > allowed:
        raise CliError(
            f"File too large: {file.path} has {file.size} bytes, limits.maxInputSize allows {allowed} ({limit}). Raise "
            "--max-size, or spec.transcode.limits.maxInputSize in the manifest."
        )
    return allowed


def read_manifests(paths: Sequence[Path]) -> list[tuple[Path, Json]]:
    """Every object of the files, in order, each with its file; CliError for what is not one of our objects."""
    found: list[tuple[Path, Json]] = []
    for path in paths:
        try:
            documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise CliError(f"{path} cannot be read: {error.strerror}.") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise CliError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
        for document in documents:
            if document is not None:
                found.extend((path, each) for each in _objects(path, document))
    if not found:
        raise CliError(f"{', '.join(map(str, paths))}: no objects in it.")
    return found


def _objects(path: Path, document: Any) -> list[Json]:
    if not isinstance(document, dict) or "kind" not in document:
        raise CliError(f"{path}: expected objects with apiVersion and kind, found {type(document).__name__}.")
    if document["kind"] == "List" and isinstance(document.get("items"), list):
        return [each for item in document["items"] for each in _objects(path, item)]
    if document.get("apiVersion") != API_VERSION or document["kind"] not in OURS:
        raise CliError(
            f"{path}: {document.get('apiVersion')} {document['kind']} is not for this command, which takes "
            f"{API_VERSION} {' and '.join(OURS)}; apply the others with kubectl."
        )
    if not isinstance(document.get("metadata"), dict) or not isinstance(document.get("spec"), dict):
        raise CliError(f"{path}: {document['kind']} needs metadata and spec.")
    return [document]


def title(document: Json) -> str:
    """What people call an object."""
    metadata = document["metadata"]
    return f"{document['kind']} {metadata.get('name') or metadata.get('generateName', '')}".strip()


def sentence(error: ValidationError) -> str:
    """Pydantic's findings as one sentence that names the fields."""
    parts = []
    for finding in error.errors():
        where = ".".join(str(part) for part in finding["loc"])
        words = finding["msg"].removeprefix("Value error, ")
        parts.append(f"spec.{where}: {words}" if where else words)
    return "; ".join(parts)


def job_spec(path: Path | str, document: Json) -> VideoJobSpec:
    """The VideoJob's spec by the contract's model; CliError naming file, object, field and fault."""
    try:
        return VideoJobSpec.model_validate(document["spec"])
    except ValidationError as error:
        raise CliError(f"{path}: {title(document)}: {sentence(error)}") from error


def profile_spec(path: Path, document: Json) -> VideoProfileSpec:
    """The same for a VideoProfile; of a template, what can be said before a VideoJob fills its blanks."""
    try:
        spec = VideoProfileSpec.model_validate(document["spec"])
    except ValidationError as error:
        raise CliError(f"{path}: {title(document)}: {sentence(error)}") from error
    wrong = templates.problems(spec.story) if spec.story is not None else ()
    if wrong:
        raise CliError(f"{path}: {title(document)}: spec.{'; spec.'.join(wrong)}")
    return spec


def completed(path: Path, document: Json, file: Path | None, scratch: Path) -> tuple[Json, tuple[LocalFile, ...]]:
    """The VideoJob as it goes on its way, and the local files that have to be in the store before: the one given, those that
    lie beside the manifest, or, of a story, a script that is too long for a manifest.
    """
    if file is not None:
        local = local_file(file)
        return with_file(document, local), (local,)
    told = _script(document)
    text = told.get("text")
    if isinstance(text, str) and len(text.encode("utf-8", "replace")) > LONG_SCRIPT:
        written = scratch / f"{len(list(scratch.iterdir()))}.md"
        written.write_text(text, encoding="utf-8", errors="replace")
        local = replace(local_file(written), passing=True)
        return with_file(document, local), (local,)
    return document, beside(path, document)


def _script(document: Json) -> Json:
    asked = document["spec"].get("story")
    told = asked.get("script") if isinstance(asked, dict) else None
    return told if isinstance(told, dict) else {}


def limit_of(spec: VideoJobSpec, file: LocalFile) -> str:
    """How large this file of the VideoJob may be: its input, its script, its portrait or its voice."""
    asked = spec.avatar
    if (
        file.field == "avatar.audio"
        and asked is not None
        and asked.audio is not None
        and asked.audio.uri == asked.image.uri
    ):
        return f"{FILM_BYTES >> 20}Mi"  # a video's own sound
    if file.field in AVATAR_LIMITS:
        return f"{AVATAR_LIMITS[file.field] >> 20}Mi"
    return spec.transcode.limits.max_input_size if spec.transcode is not None else SCRIPT_LIMIT


def with_file(document: Json, file: LocalFile) -> Json:
    """The VideoJob with this file as its source, or as its script."""
    spec = document["spec"]
    if isinstance(spec.get("story"), dict):
        if file.size > quantity_bytes(SCRIPT_LIMIT):
            raise CliError(
                f"File too large: {title(document)}: the script has {file.size} bytes, {SCRIPT_LIMIT} is the most. Divide the "
                "story over several VideoJobs."
            )
        if spec["story"].get("scenes"):
            raise CliError(f"{title(document)} lists its scenes: a script in --file has no place in it.")
        kept = {key: value for key, value in _script(document).items() if key == "markup"}
        return {**document, "spec": {**spec, "story": {**spec["story"], "script": {**kept, "uri": file.uri}}}}
    if not isinstance(spec.get("transcode"), dict):
        raise CliError(
            f"{title(document)} has no spec.transcode that --file could be the source of, and no spec.story."
        )
    source = {**(spec["transcode"].get("source") or {}), "uri": file.uri}
    source.setdefault("filename", file.path.name)
    return {**document, "spec": {**spec, "transcode": {**spec["transcode"], "source": source}}}


def beside(path: Path, document: Json) -> tuple[LocalFile, ...]:
    """The local files that a VideoJob means: of that name beside the manifest or in `media/`, each with its digest.

    Without those that are no uploads, or are not there. CliError when a file of the name has other bytes.
    """
    found = ((field, _lying(path, document, field, given)) for field, given in named(document["spec"]))
    return tuple(replace(file, field=field) for field, file in found if file is not None)


def named(spec: Json) -> Iterator[tuple[str, Json]]:
    """Each field of a spec that names a file with `uri` and `filename`, and what it says."""
    for field in ("transcode.source", *AVATAR_LIMITS):
        value: Any = spec
        for part in field.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, dict):
            yield field, value


def _lying(path: Path, document: Json, field: str, given: Json) -> LocalFile | None:
    uri, filename = str(given.get("uri", "")), given.get("filename")
    if not uri.startswith(INBOX) or not isinstance(filename, str) or Path(filename).name != filename:
        return None
    other: LocalFile | None = None
    for candidate in (path.parent / filename, path.parent / "media" / filename):
        if candidate.is_file():
            found = local_file(candidate)
            if found.uri == uri:
                return found
            other = found
    if other is not None:
        what = "the source's uri" if field == "transcode.source" else f"the uri of spec.{field}"
        remedy = "or give --file" if field == "transcode.source" else "or give the file another name"
        raise CliError(
            f"{path}: {title(document)}: {other.path} is not the file meant: its sha256 is {other.sha256}, {what} says "
            f"{uri.removeprefix(INBOX)}. Correct the uri, {remedy}."
        )
    return None
