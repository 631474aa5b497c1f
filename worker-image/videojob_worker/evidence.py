"""What a container writes down about its own run, so that a failed attempt can be run again on another machine.

Names and digests that are known without work are written when it starts, for the day it is killed; what costs time (the
digest of a file that nobody has read yet, FFmpeg's version) is found out after a failure only.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from videojob_api import evidence
from videojob_api.contract import StageResult, TaskDocument
from videojob_api.evidence import Evidence, InputFile

from .base import process
from .base.document import Work
from .base.errors import WorkerError
from .base.process import Fences, Finished
from .base.watch import Deadline, Stop
from .media import tools
from .storage import files
from .storage.paths import Store
from .storage.records import recorded

VERSION_SECONDS = 10.0
"""A tool that takes longer to tell its version is not waited for."""
_BY_DIGEST = ("store://inbox/", "store://uploads/")
"""Places whose files go by their digest."""


def keep(
    store: Store,
    document: TaskDocument,
    container: str,
    work: Sequence[Work],
    *,
    index: int | None = None,
    after: Sequence[StageResult] | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write the Evidence of one container.

    Args:
        store: where the job's folder lies.
        document: what is run.
        container: by whom.
        work: its stages.
        index: the work item, in an Indexed Job.
        after: results so far, when the run has failed: then nothing is left out for its cost. None when it starts.
        check: called while digests are computed; raises to end that. What was not read then is left out.

    Raises:
        OSError: when there is no room to write it.
    """
    versions = {"videojob": _own_version(), "python": platform.python_version()}
    if after is not None:
        with suppress(WorkerError, OSError):
            versions["ffmpeg"] = tools.version(_briefly(store))
    found = Evidence(versions=versions, inputs=_inputs(store, work, after, check))
    path = store.job / evidence.evidence_path(document.group, document.attempt, container, index)
    files.write_atomic(path, json.dumps(found.dump(), indent=2, ensure_ascii=False).encode() + b"\n")


def _own_version() -> str:
    try:
        return version("videojob")
    except PackageNotFoundError:
        return "unknown"


def _briefly(store: Store) -> tools.RunTool:
    """Runs a short tool although the container was perhaps told to stop."""

    def run(argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
        return process.run(
            argv,
            cwd=store.job,
            stop=Stop(),
            deadline=Deadline(VERSION_SECONDS),
            on_line=on_line,
            fences=Fences(file_bytes=0),
        )

    return run


def _inputs(
    store: Store, work: Sequence[Work], after: Sequence[StageResult] | None, check: Callable[[], None]
) -> tuple[InputFile, ...]:
    found: dict[str, InputFile] = {}
    here = {item.kind.kind for item in work}
    for item in work:
        source = getattr(item.params, "source", None)
        if source is not None and source.uri.startswith("store://") and source.uri not in found:
            file = _source(store, item, source.uri, after, check)
            if file is not None:
                found[file.name] = file
        for given in item.task.inputs:
            folder = store.stage(given.stage, given.key)
            result = recorded(folder) if given.stage not in here else None
            for output in result.files if result is not None else ():
                name = f"processed/{given.stage}/{given.key}/{output.path}"
                found[name] = InputFile(name=name, sha256=output.sha256, size_bytes=output.size_bytes)
    return tuple(found.values())


def _source(
    store: Store, item: Work, uri: str, after: Sequence[StageResult] | None, check: Callable[[], None]
) -> InputFile | None:
    """The input by its name, by what ingest found in this run or an earlier one, or, after a failure, by reading it."""
    size = None
    path: Path | None = None
    with suppress(WorkerError, OSError):
        path = store.source(uri, None)
        size = path.stat().st_size
    earlier = [recorded(store.stage(given.stage, given.key)) for given in item.task.inputs if given.stage == "ingest"]
    for result in (*(after or ()), *earlier):
        if result is not None and result.kind == "ingest" and result.input is not None:
            return InputFile(name=uri, sha256=result.input.sha256, size_bytes=result.input.size_bytes)
    limits = getattr(item.params, "limits", None)
    small = size is not None and (limits is None or size <= limits.max_input_bytes)
    if after is not None and path is not None and small:
        with suppress(WorkerError, OSError):
            return InputFile(name=uri, sha256=files.sha256_file(path, lambda _: check()), size_bytes=size)
    prefix = next((prefix for prefix in _BY_DIGEST if uri.startswith(prefix)), None)
    return InputFile(name=uri, sha256=uri.removeprefix(prefix), size_bytes=size) if prefix is not None else None
