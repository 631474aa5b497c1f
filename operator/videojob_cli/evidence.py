"""What an attempt has left: found, fetched, and laid out in a local folder in which it can be run again.

Nothing in a fetched file decides where something is written here: names and keys are vetted, and whose work it is says the
VideoJob, not the document.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Protocol, TypeVar

from pydantic import ValidationError

from videojob_api import evidence as names
from videojob_api.contract import RunResult, StageInput, StageResult, StageTask, TaskDocument, result_path
from videojob_api.evidence import Evidence
from videojob_api.fanout import LIST_FILE, WorkList, item_key, read_list
from videojob_api.redact import HIDDEN
from videojob_api.stages import KINDS
from videojob_api.v1alpha1 import VideoJobStatus
from videojob_operator.decide import recipes

from .attempts import Attempt
from .errors import CliError
from .localjob import Folders
from .sources import LocalFile
from .transfer import file_digest

_KEY = re.compile(r"[0-9a-z-]{1,128}")
_STORED = re.compile(r"store://(inbox|stock|uploads)/(.+)")

_Model = TypeVar("_Model", RunResult, Evidence)


class Origin(Protocol):
    """Where an attempt's files lie."""

    def fetch(self, part: str, path: str, target: Path) -> bool:
        """Bring one file to `target`; False when it is not there. `part` is `job`, `inbox` or `stock`."""


@dataclass(frozen=True)
class Prepared:
    """An attempt, ready to be run again."""

    attempt: Attempt
    document: TaskDocument
    """Up to the stage, earlier groups' stages before it where their outputs are gone."""
    result: RunResult | None
    """How its container ended then; None when it was killed before it could say."""
    evidence: Evidence
    then: Path
    """Folder of what it left."""
    folders: Folders
    notes: tuple[str, ...]
    """What is not as it was then."""


class Preparation:
    """Fetches what an attempt left, and lays out a local store for it."""

    def __init__(
        self, origin: Origin, attempt: Attempt, status: VideoJobStatus, folder: Path, file: LocalFile | None
    ) -> None:
        self._origin, self._attempt, self._status, self._file = origin, attempt, status, file
        self._then = folder / "then"
        self._folders = Folders(folder / "store")
        self._job = self._folders.job(attempt.job.namespace, attempt.job.uid)
        self._notes: list[str] = []

    def prepare(self) -> Prepared:
        """Raises CliError when something that is needed is gone, saying since when and what helps."""
        for old in (self._then, self._job):
            shutil.rmtree(old, ignore_errors=True)
        self._then.mkdir(parents=True)
        self._job.mkdir(parents=True)
        at = self._attempt = self._where(self._attempt)
        document = self._document(at.group, at.number, at.container, at.index)
        tasks = _up_to(document.stages, at.kind)
        if not tasks:
            raise CliError(f"The document of attempt {at.number} of group {at.group} has no stage {at.stage}.")
        result = self._read(result_path(at.group, at.number, at.container, at.index), RunResult)
        found = names.evidence_path(at.group, at.number, at.container, at.index)
        evidence = self._read(found, Evidence) or Evidence()
        for kind in {task.kind for task in tasks}:
            for name in (names.commands_path, names.stderr_path):
                self._keep(name(at.group, at.number, kind, at.index))
        complete = self._with_earlier(tasks)
        for task in complete:
            if HIDDEN in json.dumps(task.params):
                raise CliError(
                    f"Stage {KINDS[task.kind].stage} was given credentials, which debug/ does not keep: it can only be run "
                    "again where they are. Choose a later stage with --stage."
                )
        for uri in dict.fromkeys(_source(task) for task in complete):
            if uri is not None:
                self._input(uri, result, {each.name: each.sha256 for each in evidence.inputs})
        ready = document.model_copy(
            update={
                "job": at.job,
                "stages": complete,
                "retention": None,
                "operator_url": None,
                "indexes": str(at.index) if at.index is not None else None,
            }
        )
        return Prepared(at, ready, result, evidence, self._then, self._folders, tuple(self._notes))

    # ------------------------------------------------------------ what it left

    def _keep(self, path: str) -> Path | None:
        """A file of debug/, beside the others in `then`."""
        target = self._then / PurePosixPath(path).name
        return target if self._origin.fetch("job", path, target) else None

    def _read(self, path: str, model: type[_Model]) -> _Model | None:
        found = self._keep(path)
        if found is None:
            return None
        try:
            return model.model_validate_json(found.read_bytes())
        except ValidationError as error:
            raise CliError(f"{path} in the store is not as agreed: {error.errors()[0]['msg']}.") from error

    def _where(self, at: Attempt) -> Attempt:
        """The attempt under the name that it ran by: that of the stage whose pod it may have shared, if only that has left
        something.
        """
        row = KINDS.get(KINDS[at.kind].joins or "")
        if row is None or self._keep(names.document_path(at.group, at.number, at.container)) is not None:
            return at
        group = next((stage.group for stage in self._status.stages if stage.name == row.stage), at.group)
        if self._keep(names.document_path(group, at.number, at.container)) is None:
            return at
        shared = any(task.kind == at.kind for task in self._document(group, at.number, at.container).stages)
        return replace(at, group=group) if shared else at

    def _document(self, group: str, number: int, container: str, index: int | None = None) -> TaskDocument:
        path = names.document_path(group, number, container, index)
        found = self._keep(path)
        if found is None:
            retention = self._status.retention
            until = retention.debug_expires_at if retention is not None else None
            raise CliError(
                f"Attempt {number} of group {group} of VideoJob {self._attempt.job.name} has left nothing in the store ({path}): "
                + _over("debug", until, "its container never began, or debug/ was deleted.")
            )
        try:
            return TaskDocument.model_validate_json(found.read_bytes())
        except ValidationError as error:
            raise CliError(
                f"{path} in the store is no task document of this version: {error.errors()[0]['msg']}."
            ) from error

    # ------------------------------------------------------------ what it read

    def _with_earlier(self, tasks: tuple[StageTask, ...]) -> tuple[StageTask, ...]:
        """The tasks, behind those of earlier groups whose outputs are in the store no more: they are done again here."""
        have = {task.kind for task in tasks}
        for given in (given for task in tasks for given in (*lister_of(task), *task.inputs)):
            if given.stage in have or self._outputs(given):
                continue
            row = next((row for row in self._status.stages if _kind(row.name) == given.stage), None)
            plan = self._status.plan
            group = next((g for g in plan.groups if row is not None and g.name == row.group), None) if plan else None
            if row is None or group is None:
                raise CliError(f"The outputs of {given.stage} are needed, and the VideoJob has no such stage.")
            if given.items_of is not None:
                raise CliError(
                    f"Not all work items of stage {row.name} are in the store any more, and they are not made anew here: drive "
                    f"the VideoJob again with `videojob retry {self._attempt.job.name} --from {row.name}`."
                )
            container = recipes.containers(group.stages)[row.name]
            ran = self._where(Attempt(self._attempt.job, row.group, row.attempt, row.name, given.stage, container))
            earlier = self._document(ran.group, row.attempt, container)
            before = _up_to(earlier.stages, given.stage)
            self._notes.append(f"the outputs of {row.name} are in the store no more: they are made anew here")
            return self._with_earlier((*before, *(task for task in tasks if task.kind not in {b.kind for b in before})))
        return tasks

    def _outputs(self, given: StageInput) -> bool:
        """Fetch an earlier stage's outputs, of a fan-out those of every item; False unless all are there, as they were."""
        if given.stage not in KINDS or _KEY.fullmatch(given.key) is None:
            raise CliError(f"The document names outputs {given.stage}/{given.key}, which is no stage and key.")
        if given.items_of is None:
            return self._made(given.stage, given.key)
        if given.work_list is None:
            return False
        (lister,) = listers(given.items_of, given.work_list)
        if not self._outputs(lister):
            return False
        items = read_list((self._job / f"processed/{lister.stage}/{lister.key}/{LIST_FILE}").read_bytes())
        return all(self._made(given.stage, item_key(given.key, item)) for item in items)

    def _made(self, kind: str, key: str) -> bool:
        where = f"processed/{kind}/{key}"
        folder = self._job / where
        folder.mkdir(parents=True, exist_ok=True)
        if not self._origin.fetch("job", f"{where}/stage.json", folder / "stage.json"):
            return False
        result = StageResult.model_validate_json((folder / "stage.json").read_bytes())
        if kind == "verify":
            return True  # its files are transcode's
        wanted = [(one.path, one.sha256) for one in result.files]
        if result.work_list is not None:
            wanted.append((LIST_FILE, result.work_list.sha256))
        return all(
            PurePosixPath(path).name == path
            and self._origin.fetch("job", f"{where}/{path}", folder / path)
            and file_digest(folder / path) == digest
            for path, digest in wanted
        )

    def _input(self, uri: str, result: RunResult | None, digests: dict[str, str]) -> None:
        """Put one input in its place: the file that was given, or the store's."""
        match = _STORED.fullmatch(uri)
        if match is None:
            return  # a URL is fetched by its stage
        part, path = match[1], match[2]
        if ".." in PurePosixPath(path).parts or path.startswith("/") or "\0" in path:
            raise CliError(f"The document's source {uri!r} leads out of its folder.")
        base = self._folders.root / self._attempt.job.namespace
        target = self._job / "uploads" / path if part == "uploads" else base / part / path
        target.parent.mkdir(parents=True, exist_ok=True)
        known = digests.get(uri)
        if self._file is not None:
            if known is not None and self._file.sha256 != known:
                raise CliError(
                    f"{self._file.path} is not the input: its sha256 is {self._file.sha256}, then it was {known}."
                )
            shutil.copyfile(self._file.path, target)
            return
        if target.is_file() and known is not None and file_digest(target) == known:
            return  # from an earlier look at the same attempt
        stored = ("job", f"uploads/{path}") if part == "uploads" else (part, path)
        if self._origin.fetch(*stored, target):
            if known is not None and file_digest(target) != known:
                self._notes.append(f"the input {uri} is not the file any more that it was then")
            return
        if result is not None and result.failure is not None and result.failure.code == "SourceNotFound":
            return  # it was not there then either
        retention = self._status.retention
        until = retention.uploads_expires_at if retention is not None and part != "stock" else None
        raise CliError(
            f"The input {uri} of VideoJob {self._attempt.job.name} is not there any more: "
            + _over("uploads", until, "it was moved or deleted.")
            + " Give the file itself with --file"
            + (f" (sha256 {known})." if known is not None else ".")
        )


def _over(tier: str, until: datetime | None, otherwise: str) -> str:
    """Why something is gone, if it is retention's doing."""
    if until is None or until > datetime.now(UTC):
        return otherwise
    return f"its retention (spec.retention.{tier}Seconds) is over since {until:%Y-%m-%d %H:%M:%S} UTC."


def _up_to(tasks: Sequence[StageTask], kind: str) -> tuple[StageTask, ...]:
    """Tasks up to the one of this kind, itself included; none when it is not among them."""
    at = next((place for place, task in enumerate(tasks) if task.kind == kind), None)
    return tuple(tasks[: at + 1]) if at is not None else ()


def _kind(stage: str) -> str | None:
    row = recipes.kind_of(stage)
    return row.kind if row is not None else None


def _source(task: StageTask) -> str | None:
    source = task.params.get("source")
    return str(source["uri"]) if isinstance(source, dict) and "uri" in source else None


def lister_of(task: StageTask) -> tuple[StageInput, ...]:
    """Of a fan-out, the stage that listed its work items; none where the same document lists them."""
    return listers(task.items_of, task.work_list) if task.items_of is not None and task.work_list is not None else ()


def listers(kind: str, listed: WorkList) -> tuple[StageInput, ...]:
    """The stage that left a list of work items. CliError when the list lies elsewhere."""
    match = re.fullmatch(
        rf"store://processed/{re.escape(kind)}/([0-9a-z-]{{1,128}})/{re.escape(LIST_FILE)}", listed.uri
    )
    if match is None:
        raise CliError(f"The document's list of work items {listed.uri!r} is not where stage {kind} leaves it.")
    return (StageInput(stage=kind, key=match[1]),)
