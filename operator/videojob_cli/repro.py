"""`videojob repro`: one attempt of a VideoJob once more, on this machine, by the same runner; then and now side by side."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videojob_api import evidence as names
from videojob_api.contract import Identity, RunResult, StorePaths, TaskDocument, result_path
from videojob_api.evidence import Evidence
from videojob_api.v1alpha1 import VideoJobSpec, VideoJobStatus
from videojob_operator.decide.world import CreateJob

from . import forked, transfer
from . import run as local
from .attempts import Attempt, choose
from .client import VideoJobs
from .errors import CliError
from .evidence import Origin, Preparation, Prepared
from .localjob import LocalJob
from .origins import FolderOrigin, PodOrigin, of_folder
from .sources import LocalFile

LONGEST_SECONDS = 24 * 3600
"""The runner has its own deadline, as it had then; this one ends a runner that hangs."""

_ADDRESS = re.compile(r"\b0x[0-9a-f]{4,}\b")
_STAGING = re.compile(r"/\.([0-9a-z-]+)\.a[0-9]+\.[0-9A-Za-z-]+/")


@dataclass(frozen=True)
class Outcome:
    """How an attempt's stage ended."""

    exit_code: int | None
    """Of its container, 0 when the stage itself went well; None when nobody knows."""
    code: str | None = None
    """The failure's."""
    stage: str | None = None
    """Stage that failed."""
    last_line: str | None = None
    """Of its tools' standard error, without what differs from run to run: addresses in memory and the store's place."""
    ffmpeg: str | None = None

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "exitCode": self.exit_code, "code": self.code, "stage": self.stage, "lastLine": self.last_line,
            "ffmpeg": self.ffmpeg,
        }  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Then and now."""

    attempt: Attempt
    then: Outcome
    now: Outcome
    folder: Path
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether it ended here as it did there."""
        then, now = self.then, self.now
        return (then.exit_code, then.code, then.last_line) == (now.exit_code, now.code, now.last_line)

    def dump(self) -> dict[str, Any]:
        """As JSON."""
        at = self.attempt
        return {
            "stage": at.stage, "group": at.group, "attempt": at.number,
            **({} if at.index is None else {"index": at.index}), "agrees": self.agrees,
            "then": self.then.dump(), "now": self.now.dump(), "folder": str(self.folder), "notes": list(self.notes),
        }  # fmt: skip

    def __str__(self) -> str:
        lines = [f"VideoJob {self.attempt.job.name}: {self.attempt}"]
        for word, outcome in (("then", self.then), ("now ", self.now)):
            exit_code = "unknown" if outcome.exit_code is None else outcome.exit_code
            lines.append(f"{word}  exit code {exit_code}" + (f" ({outcome.code})" if outcome.code else ""))
            lines.append(f"      last line of stderr: {outcome.last_line or '-'}")
            lines.append(f"      ffmpeg {outcome.ffmpeg or '-'}")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(f"{'They agree' if self.agrees else 'They differ'}: {self.folder}{os.sep}{{then,now}}")
        return "\n".join(lines)


# ---------------------------------------------------------------- commands


def from_cluster(
    jobs: VideoJobs,
    name: str,
    output: Path,
    *,
    stage: str | None = None,
    attempt: int | None = None,
    index: int | None = None,
    file: LocalFile | None = None,
    image: str | None = None,
    log: Callable[[str], None] | None = None,
) -> Verdict:
    """Run an attempt of a VideoJob once more. Raises CliError when that cannot be done."""
    found = jobs.status(name)
    metadata = found["metadata"]
    status = VideoJobStatus.model_validate(found.get("status") or {})
    whose = Identity(namespace=jobs.namespace, name=name, uid=metadata["uid"])
    at = choose(whose, status, stage, attempt, index)
    environ = local.find_ffmpeg(dict(os.environ))
    spec = VideoJobSpec.model_validate(found["spec"])
    claim = transfer.claim_of(jobs.api, jobs.namespace, spec.store)
    chosen = transfer.worker_image(jobs.api, jobs.namespace, image)
    size = status.input.size_bytes if status.input is not None else 0
    if status.input is None and spec.transcode is not None:
        size = spec.transcode.limits.max_input_bytes
    folder = _folder(output, at)
    with transfer.transfer_pod(
        jobs.api, jobs.namespace, image=chosen, claim=claim, direction="evidence", uid=whose.uid, size_bytes=size
    ) as pod:
        prepared = Preparation(PodOrigin(pod), at, status, folder, file).prepare()
    return again(prepared, status, folder, environ, log)


def from_folder(
    origin: Path,
    output: Path,
    *,
    stage: str | None = None,
    attempt: int | None = None,
    index: int | None = None,
    file: LocalFile | None = None,
    log: Callable[[str], None] | None = None,
) -> Verdict:
    """The same for what `videojob run` left in a folder."""
    whose, status = of_folder(origin)
    at = choose(whose, status, stage, attempt, index)
    environ = local.find_ffmpeg(dict(os.environ))
    folder = _folder(output, at)
    source: Origin = FolderOrigin(origin)
    return again(Preparation(source, at, status, folder, file).prepare(), status, folder, environ, log)


def _folder(output: Path, at: Attempt) -> Path:
    folder = output / at.job.name / at.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(f"Folder {folder} cannot be made: {error.strerror}. Choose another --folder.") from error
    return folder


def again(
    prepared: Prepared,
    status: VideoJobStatus,
    folder: Path,
    environ: Mapping[str, str],
    log: Callable[[str], None] | None = None,
) -> Verdict:
    """Run what was prepared, and compare."""
    at, document = prepared.attempt, prepared.document
    then = _outcome(at, prepared.then, prepared.result, prepared.evidence)
    failure = status.failure
    told = failure is not None and (failure.stage, failure.attempt) == (at.stage, at.number)
    if at.index is not None and failure is not None:
        told = told and failure.message.startswith(f"item {at.index}: ")
    if then.exit_code is None and failure is not None and told:
        then = Outcome(failure.exit_code, failure.code, failure.stage, then.last_line, then.ffmpeg)

    exit_code = _run(document, prepared, environ, log)
    job = prepared.folders.job(at.job.namespace, at.job.uid)
    now_folder = folder / "now"
    shutil.rmtree(now_folder, ignore_errors=True)
    shutil.copytree(job / names.folder(at.group, at.number, at.index), now_folder)
    results = [
        RunResult.model_validate_json(path.read_bytes())
        for container in document.containers()
        if (path := job / result_path(at.group, at.number, container, at.index)).is_file()
    ]
    result = results[-1] if results else None  # containers run one after another: none comes after a failed one
    evidence = Evidence()
    if result is not None:
        found = job / names.evidence_path(at.group, at.number, result.container, at.index)
        evidence = Evidence.model_validate_json(found.read_bytes()) if found.is_file() else evidence
    now = _outcome(at, now_folder, result, evidence)
    if now.exit_code is None:
        now = Outcome(exit_code, None, None, now.last_line, now.ffmpeg)
    return Verdict(at, then, now, folder, prepared.notes)


def _run(
    document: TaskDocument, prepared: Prepared, environ: Mapping[str, str], log: Callable[[str], None] | None
) -> int:
    """The document's containers as processes, one after another; the exit code of the last one that ran."""
    at = prepared.attempt
    action = CreateJob(
        name=f"repro-{at.folder}", document=document, claim_name="local", image="local", slot=None,
        queue="local", deadline_seconds=LONGEST_SECONDS, shares=(),
    )  # fmt: skip
    news = threading.Event()
    alone = None if at.index is None else 0  # the one work item that the document names
    with forked.server() as server:
        job = LocalJob(action, prepared.folders, server=server, environ=environ, changed=news.set, log=log, index=alone)
        try:
            while job.view().finished is None:
                news.wait(1.0)
                news.clear()
        finally:
            job.stop()
    codes = [container.exit_code for container in job.view().pods[0].containers if container.exit_code is not None]
    return codes[-1] if codes else 1


def _outcome(at: Attempt, folder: Path, result: RunResult | None, evidence: Evidence) -> Outcome:
    """What a run's files say about the stage."""
    path = folder / Path(names.stderr_path(at.group, at.number, at.kind)).name
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n") if path.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), None)
    documents = sorted(folder.glob("*.document.json"))  # one a container, all the same
    store = TaskDocument.model_validate_json(documents[0].read_bytes()).store if documents else StorePaths()
    line = settled(last, store) if last is not None else None
    ffmpeg = evidence.versions.get("ffmpeg")
    if result is None:
        return Outcome(None, last_line=line, ffmpeg=ffmpeg)
    if any(stage.kind == at.kind for stage in result.stages):
        return Outcome(0, last_line=line, ffmpeg=ffmpeg)
    failure = result.failure
    return Outcome(
        result.exit_code, failure.code if failure else None, failure.stage if failure else None, line, ffmpeg
    )


def settled(line: str, store: StorePaths) -> str:
    """A line of a tool without what differs from run to run: addresses in memory, where the store is, the pod's name."""
    places = {name: getattr(store, name) for name in ("job", "inbox", "stock", "cache", "scratch")}
    for name, place in sorted(places.items(), key=lambda pair: -len(pair[1])):
        line = re.sub(rf"{re.escape(place)}(?=/|\b)", f"<{name}>", line)
    return _ADDRESS.sub("0x…", _STAGING.sub(r"/.\1/", line))
