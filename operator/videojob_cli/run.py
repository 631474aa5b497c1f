"""`videojob run`: manifests and files of this machine in, outputs in a folder, no cluster."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from videojob_api.contract import FetchPolicy, canonical_json
from videojob_api.names import Condition, Phase
from videojob_api.v1alpha1 import DEFAULT_SLOTS, VideoJobSpec, VideoJobStatus
from videojob_api.v1alpha1.sources import INBOX
from videojob_operator.decide.rates import Rates
from videojob_operator.decide.world import ProfileView, VideoJobView

from . import forked, sources
from .collecting import Ended, check_folder, collect
from .embedded import Embedded, config
from .errors import CliError
from .kube import Json
from .localfanout import launcher
from .localjob import Folders

NAMESPACE = "default"
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[-a-z0-9])?")
"""`generateName` may end with `-`."""


def find_ffmpeg(environ: dict[str, str]) -> dict[str, str]:
    """The environment in which workers find FFmpeg: $FFMPEG_PATH, else PATH (S-054). CliError when neither has it."""
    named = environ.get("FFMPEG_PATH")
    found = shutil.which(named, path=environ.get("PATH")) if named else shutil.which("ffmpeg", path=environ.get("PATH"))
    if found is None:
        where = f"FFMPEG_PATH={named}" if named else "PATH"
        raise CliError(
            f"ffmpeg was not found ({where}): install it (apt-get install ffmpeg), or set FFMPEG_PATH to it."
        )
    # Absolute: each stage works in a folder of its own.
    return {**environ, "FFMPEG_PATH": str(Path(found).absolute())}


def _uid(name: str, namespace: str, spec: VideoJobSpec, templates: Sequence[ProfileView]) -> str:
    """The same manifest has the same UID, so that a run in a kept store goes on where an interrupted one ended. A story that is
    told by another template is another one.
    """
    ref = spec.story.template if spec.story is not None else None
    told = [view.spec.dump() for view in templates if ref is not None and view.name == ref.name][:1]
    digest = hashlib.sha256(b"".join(canonical_json(part) for part in (spec.dump(), *told))).hexdigest()
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{namespace}/{name}/{digest}"))


@dataclass(frozen=True)
class _Job:
    view: VideoJobView
    files: tuple[sources.LocalFile, ...]
    """What the manifest means by its inputs, of this machine."""


def _prepare(
    path: Path, document: Json, file: Path | None, scratch: Path, profiles: Sequence[ProfileView], *, rehearsal: bool
) -> _Job:
    complete, files = sources.completed(path, document, file, scratch)
    spec = sources.job_spec(path, complete)
    if rehearsal:  # webhooks and platforms hear of what happens on a cluster
        spec = spec.model_copy(update={"notify": (), "publish": None})
    for local in files:
        sources.check_size(local, sources.limit_of(spec, local))
    missing = _missing(spec, complete, files)
    if missing is not None:
        raise CliError(f"{path}: {sources.title(document)}: {missing}")
    metadata = document["metadata"]
    namespace = metadata.get("namespace", NAMESPACE)
    prefix = metadata.get("name") or metadata.get("generateName")
    if not prefix:
        raise CliError(f"{path}: a VideoJob needs metadata.name.")
    # Both become names of folders; on a cluster the API server refuses the others.
    for key, value in (("name", prefix), ("namespace", namespace)):
        if not isinstance(value, str) or _NAME.fullmatch(value) is None:
            raise CliError(
                f"{path}: metadata.{key} {value!r} is no name in Kubernetes: use lower-case letters, digits, '-' and '.', "
                "with a letter or digit at the start."
            )
    uid = _uid(prefix, namespace, spec, profiles)
    name = metadata.get("name") or prefix + uid[:5]
    status = VideoJobStatus(phase=None)
    return _Job(VideoJobView(namespace, name, uid, 1, datetime.now(UTC), spec, status), files)


def _missing(spec: VideoJobSpec, document: Json, files: Sequence[sources.LocalFile]) -> str | None:
    """What a run on this machine cannot see, and how to show it; None when all is there."""
    there = {file.uri for file in files}
    if spec.story is not None and spec.story.script is not None:
        given = spec.story.script
        if given.config_map_ref is not None:
            return "the script lies in a ConfigMap: give it with --file."
        if (given.uri or "").startswith(INBOX) and given.uri not in there:
            return "the script is an upload: give it with --file."
    for field, source in sources.named(document["spec"]):
        uri, name = str(source.get("uri", "")), source.get("filename")
        if not uri.startswith(INBOX) or uri in there:
            continue
        why = f"{name} is neither beside the manifest nor in media/" if name else "it has no filename to look for"
        if field == "transcode.source":
            return f"the source is an upload, and {why}: give the file with --file."
        return f"spec.{field} is an upload, and {why}: lay the file there and name it in spec.{field}.filename."
    return None


def load(
    paths: Sequence[Path], file: Path | None, scratch: Path, *, rehearsal: bool = True
) -> tuple[list[_Job], list[ProfileView]]:
    """VideoJobs and profiles of the manifests, checked; long scripts are written to `scratch`. CliError naming file, object
    and field. `rehearsal`: for a run on this machine, which tells nobody and publishes nothing.
    """
    found = sources.read_manifests(paths)
    jobs = [(path, document) for path, document in found if document["kind"] == "VideoJob"]
    if not jobs:
        raise CliError(f"{', '.join(map(str, paths))}: no VideoJob in it.")
    if file is not None and len(jobs) != 1:
        raise CliError(f"--file goes with one VideoJob, the manifests have {len(jobs)}.")
    profiles = [
        ProfileView(
            document["metadata"].get("namespace", NAMESPACE),
            str(document["metadata"].get("name", "")),
            sources.profile_spec(path, document),
        )
        for path, document in found
        if document["kind"] == "VideoProfile"
    ]
    prepared = [_prepare(path, document, file, scratch, profiles, rehearsal=rehearsal) for path, document in jobs]
    names = [job.view.name for job in prepared]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        where = sorted({job.view.namespace for job in prepared if job.view.name == twice})
        raise CliError(
            f"VideoJob {twice} stands in the manifests twice"
            + (f" (namespaces {', '.join(where)}), and both would write to one folder" if len(where) > 1 else "")
            + ": rename one."
        )
    return prepared, profiles


@contextlib.contextmanager
def _store(given: Path | None, output: Path) -> Iterator[Path]:
    """The folder in the place of a volume: a kept one, or one beside the outputs that goes at the end."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix=".videojob-store-", dir=output, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def run(
    paths: Sequence[Path],
    *,
    file: Path | None,
    output: Path,
    store: Path | None = None,
    allow_networks: Sequence[str] = (),
    changed: Callable[[VideoJobView], None] | None = None,
    log: Callable[[str], None] | None = None,
    cores: int | None = None,
    capacity: Mapping[str, int] | None = None,
    rates: Rates | None = None,
) -> list[Ended]:
    """Run every VideoJob of the manifests on this machine to its end; outputs are in `output/<name>/`. Of each slot class as many
    work at once as the cores allow, or as `capacity` says.

    Raises CliError for what stands in the way before anything has started.
    """
    environ = find_ffmpeg(dict(os.environ))
    with tempfile.TemporaryDirectory(prefix="videojob-run-") as scratch:
        jobs, profiles = load(paths, file, Path(scratch))
        for job in jobs:
            check_folder(output / job.view.name)
        # A cache that goes with the store would only be written.
        settings = replace(config(), fetch=_policy(allow_networks), cache=store is not None)
        slots = max(1, (cores or os.cpu_count() or 1) // settings.threads)
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CliError(f"Folder {output} cannot be made: {error.strerror}. Choose another --output.") from error
        with _store(store, output) as root, forked.server() as server:
            folders = Folders(root)
            for job in jobs:
                for given in job.files:
                    _put(given, folders.inbox(job.view.namespace))
            embedded = Embedded(
                launcher(folders, server=server, environ=environ, log=log),
                capacity=capacity or {slot.name: slots for slot in DEFAULT_SLOTS},
                profiles=profiles,
                settings=settings,
                changed=changed,
                rates=rates,
            )
            for job in jobs:
                embedded.add(job.view)
            inputs = {job.view.uid: job.files for job in jobs}
            return [collect(view, folders, output, inputs[view.uid]) for view in embedded.run()]


def _policy(networks: Sequence[str]) -> FetchPolicy:
    try:
        return FetchPolicy(allow_networks=tuple(networks))
    except ValidationError as error:
        raise CliError(f"--allow-network: {error.errors()[0]['msg'].removeprefix('Value error, ')}") from error


def _put(file: sources.LocalFile, inbox: Path) -> None:
    """A copy under its digest: a link would let a later edit of the file reach a job that runs."""
    inbox.mkdir(parents=True, exist_ok=True)
    target = inbox / file.sha256
    if target.is_file() and target.stat().st_size == file.size:
        return
    part = inbox / f".{file.sha256}.part"
    shutil.copyfile(file.path, part)
    part.replace(target)


def obstacle(view: VideoJobView) -> str | None:
    """Why a VideoJob that has not ended cannot go on by itself."""
    if view.status.phase in {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}:
        return None
    accepted = next((c for c in view.status.conditions if c.type == Condition.ACCEPTED), None)
    if accepted is not None and accepted.status == "False":
        return accepted.message
    if view.spec is not None and view.spec.suspend:
        return "spec.suspend is set: nothing starts"
    return "it does not go on by itself"
