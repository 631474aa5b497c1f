"""Runs the stages of one container: stage by stage, into a staging folder, with limits; result and manifest last."""

from __future__ import annotations

import importlib
import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from videojob_api import contract, places
from videojob_api.contract import Progress, RunResult, StageResult, TaskDocument
from videojob_api.exits import ExitCode, FailureClass
from videojob_api.fanout import INDEX_VARIABLE
from videojob_api.redact import redact_json
from videojob_api.stages import KINDS
from videojob_api.sweeping import RETENTION_FILE
from videojob_api.v1alpha1.status import InputStatus

from . import evidence
from .base import document as documents
from .base import errors, results, usage
from .base.cards import Cards
from .base.channel import Channel, Reporter
from .base.document import Work
from .base.errors import BadConfig, WorkerError
from .base.logs import Log, json_log
from .base.watch import Deadline, Stop
from .stages import caching, fanout
from .stages.context import Context
from .storage import files
from .storage.paths import Store
from .storage.records import STAGE_FILE, intact, recorded, written


@dataclass(frozen=True)
class Settings:
    """Where a container finds what Kubernetes, or an embedded run, prepared for it."""

    task: Path = Path(places.TASK_PATH)
    """The task document."""
    container: str = ""
    """Which container this is; empty: the only one of the document."""
    termination: Path = Path(places.TERMINATION_PATH)
    """Where the result goes that the kubelet reads."""
    token: Path = Path(places.TOKEN_PATH)
    """The projected token."""
    secrets: Path = Path(places.SECRETS_PATH)
    """Folder of the Secrets that were mounted."""
    index: int | None = None
    """Completion index, in an Indexed Job."""
    pod_uid: str = "local"
    """UID of the pod; keeps the staging folders of two pods apart."""


def run(settings: Settings, stop: Stop, log: Log | None = None) -> int:
    """Run one container to its end; the exit code. Raises nothing: every failure is a result."""
    log = log or json_log()
    raw: dict[str, Any] = {}
    try:
        raw = documents.load(settings.task)
        document = documents.parse(raw)
        container = settings.container or _only(document)
        work = documents.work(document, container)
        channel = Channel(document.operator_url, settings.token)
        log.describe(document, container)
        run_ = _Run(settings, document, container, stop=stop, log=log, channel=channel)
    except Exception as error:  # noqa: BLE001 - every failure becomes a result
        failure = errors.from_exception(error)
        log.log(logging.ERROR, failure.message, extra={"code": failure.code})
        results.write_termination(settings.termination, _stillborn(raw, settings.container, failure), log)
        return int(failure.exit_code)
    return run_.all(work)


def load(settings: Settings) -> None:
    """Load the modules that a document's stages need, before their turn. What is wrong with it, `run` will tell."""
    with suppress(WorkerError, ImportError):
        document = documents.parse(documents.load(settings.task))
        for container in document.containers():
            for item in documents.work(document, container):
                _module(item)
                if item.task.online:  # whoever holds a provider's slot is not to load it then
                    importlib.import_module("videojob_worker.net.exchange")


def _module(item: Work) -> Callable[[Context], StageResult]:
    """The stage's module goes by its kind; it is loaded on use, so that no container imports what it does not run."""
    module = importlib.import_module(f"videojob_worker.stages.{item.kind.module or item.kind.kind}")
    return module.run  # type: ignore[no-any-return]  # the table's contract, checked by a test over all rows


def _told(failure: WorkerError | None) -> tuple[StageResult, ...]:
    """What a stage that failed has to say all the same."""
    return (failure.told,) if failure is not None and failure.told is not None else ()


def _only(document: TaskDocument) -> str:
    names = document.containers()
    if len(names) != 1:
        raise BadConfig(
            "BadDocument",
            f"the document has the containers {', '.join(names)}, and nobody said which one this is",
            hint="pass --container or set VIDEOJOB_CONTAINER",
        )
    return names[0]


def _stillborn(raw: dict[str, Any], container: str, failure: WorkerError) -> RunResult:
    """The result of a container whose document is not as agreed: whatever identity can be read from it."""
    job = raw.get("job")
    attempt = raw.get("attempt")
    return RunResult(
        uid=str(job.get("uid", "")) if isinstance(job, dict) else "",
        group=str(raw.get("group", "")),
        attempt=attempt if isinstance(attempt, int) else 0,
        container=container,
        exit_code=failure.exit_code,
        failure=failure.status(None, 0),
    )


class _Run:
    """One container's run."""

    def __init__(
        self, settings: Settings, document: TaskDocument, container: str, *, stop: Stop, log: Log, channel: Channel
    ) -> None:
        self.settings, self.document, self.container = settings, document, container
        self.stop, self.log, self.channel = stop, log, channel
        self.store = Store(document.store)
        self.index = fanout.item_of(document, settings.index)
        self.debug = self.store.debug(document.group, document.attempt, self.index)
        self.deadline = Deadline(document.limits.timeout_seconds or contract.default_timeout_seconds(None))
        self.cards = Cards()
        self.reporter = Reporter(self._send)
        self.stage: str | None = None
        self.input: InputStatus | None = None
        self.results: list[StageResult] = []
        self.reported: list[RunResult] = []
        self.present: str | None = None

    def all(self, work: Sequence[Work]) -> int:
        """Run the stages in order, then record and tell how it ended."""
        failure: WorkerError | None = None
        self.reporter.start()
        try:
            self._open(work)
            for item in work:
                self.results.append(self._one(item))
        except Exception as error:
            failure = errors.from_exception(error)
            self.log.log(
                logging.ERROR, failure.message, extra={"code": failure.code}, exc_info=failure.code == "InternalError"
            )
        self.reporter.close()
        if failure is not None and self.debug.is_dir():
            with suppress(OSError):  # a full disk
                evidence.keep(
                    self.store, self.document, self.container, work,
                    index=self.index, after=self.results, check=self._check,
                )  # fmt: skip
        return self._close(failure)

    def _check(self) -> None:
        self.stop.check()
        self.deadline.check(self.container)

    def _open(self, work: Sequence[Work]) -> None:
        self.stop.check()
        if not self.store.job.is_dir():
            raise BadConfig(
                "BadDocument", f"the job's folder {self.store.job} does not exist", hint="mount the store there"
            )
        if self.document.retention is not None:
            # Written anew by every attempt: a sweep that asked before this sees another file, and keeps off the folder.
            kept = json.dumps(self.document.retention.dump()).encode()
            files.write_atomic(self.store.job / RETENTION_FILE, kept + b"\n")
        self.debug.mkdir(parents=True, exist_ok=True)
        files.write_atomic(
            self.debug / f"{self.container}.document.json",
            json.dumps(redact_json(self.document.dump()), indent=2).encode() + b"\n",
        )
        evidence.keep(self.store, self.document, self.container, work, index=self.index)

    def _one(self, item: Work) -> StageResult:
        """Run one stage, or take its verified outputs of an earlier attempt; of a fan-out, item by item."""
        context = self._context(item)
        self.stage, self.log.fields["stage"] = item.kind.stage, item.kind.kind
        began, cpu = time.monotonic(), usage.cpu_seconds()
        self.stop.check()
        if item.task.items_of is not None:
            result = self._items(item, context)
        elif item.kind.trust in ("commit", "notify"):
            result = _module(item)(context)
        else:
            result = self._reused(context) or self._staged(item, context)
        self.reported.extend(context.reported)
        self.present = context.present[-1] if context.present else self.present
        if result.input is not None:
            self.input = result.input
            self._allow(result.input)
        result = result.model_copy(update=usage.spent(began, cpu))
        self.log.info(
            result.message or "done",
            extra={"seconds": result.seconds, "reused": result.reused, "cached": result.cached},
        )
        return result

    def _items(self, work: Work, context: Context) -> StageResult:
        """Run the work items of a fan-out that are this container's, each in a folder of its own."""
        listed = fanout.items_of(self.store, work.task, context.listed(work.task.items_of or ""))
        mine = fanout.chosen(self.document, listed, self.settings.index)
        results: list[StageResult] = []
        for item in mine:
            one = replace(work, task=work.task.model_copy(update={"key": item.key}))
            within = replace(self._context(one), item=item)
            self.stop.check()
            results.append(self._reused(within) or self._staged(one, within))
            if len(mine) > 1:
                within.progress(100 * len(results) // len(mine), f"{len(results)} of {len(mine)} items")
        return results[0] if self.index is not None else fanout.together(work.kind.kind, results)

    def _staged(self, item: Work, context: Context) -> StageResult:
        """Run, or bring from the cache, into the staging folder; its record is written last, then the folder becomes the
        final one.
        """
        if context.final.parent.is_dir():
            for old in context.final.parent.glob(f".{item.task.key}.a*"):
                # Of attempts that ended without cleaning up; an equal item of this one may be at work beside us.
                if not old.name.startswith(f".{item.task.key}.a{self.document.attempt}."):
                    files.remove(old)
        files.remove(context.staging)
        context.staging.mkdir(parents=True)
        try:
            began, cpu = time.monotonic(), usage.cpu_seconds()
            result = caching.take(context) or _module(item)(context)
            result = result.model_copy(update=usage.spent(began, cpu))
            (context.staging / STAGE_FILE).write_bytes(written(result))
            files.publish_folder(context.staging, context.final)
        except WorkerError as error:
            if error.code == "VerifyFailed" and item.kind.kind == "verify":
                caching.refuse(context)  # to be made anew
            raise
        finally:
            files.remove(context.staging)
        return result

    def _reused(self, context: Context) -> StageResult | None:
        """The record of a finished stage whose files are all as it says. Verify's files are transcode's, fetch's in uploads/."""
        found = recorded(context.final)
        if found is None or found.state != "Succeeded":
            return None
        file = found.fetched
        if context.kind.kind in {"fetch", "prompt"} and (
            file is None or not files.matches(self.store.uploads / Path(file.sha256).name, file.size_bytes, file.sha256)
        ):
            return None
        folder = context.folder("transcode") if context.kind.kind == "verify" else context.final
        there = intact(folder, found) and fanout.whole(context.final, found)
        return found.model_copy(update={"reused": True}) if there else None

    def _context(self, item: Work) -> Context:
        task, document = item.task, self.document

        def tell(percent: int, message: str, speed: str | None, eta_seconds: int | None) -> None:
            self.reporter.update(
                Progress(
                    uid=document.job.uid, group=document.group, attempt=document.attempt, stage=task.kind, percent=percent,
                    message=message[:500], speed=speed, eta_seconds=eta_seconds,
                    input=self.input,
                )
            )  # fmt: skip

        return Context(
            document=document, task=task, kind=item.kind, params=item.params, store=self.store, debug=self.debug,
            staging=self.store.staging(task.kind, task.key, document.attempt, self.settings.pod_uid),
            final=self.store.stage(task.kind, task.key), secrets=self.settings.secrets,
            stop=self.stop, deadline=self.deadline, log=self.log, tell=tell,
        )  # fmt: skip

    def _allow(self, found: InputStatus) -> None:
        """Without a limit of the user's own, a long input gets more time (X-005)."""
        if self.document.limits.timeout_seconds is None:
            self.deadline.allow(contract.default_timeout_seconds(found.duration_ms))

    def _space(self) -> tuple[int | None, int | None]:
        """Free space and size of the store's volume, where it tells and one is mounted."""
        with suppress(OSError):
            return self.store.space() if self._has_store() else (None, None)
        return None, None

    def _send(self, progress: Progress) -> None:
        free, capacity = self._space()
        load = self.cards.percent() if usage.gpus() else None
        progress = progress.model_copy(update={"free_bytes": free, "capacity_bytes": capacity, "gpu_percent": load})
        self.log.info(progress.message or progress.stage, extra={"progress": progress.dump()})
        self.channel.post(contract.PROGRESS_ROUTE, contract.canonical_json(progress.dump()))

    def _has_store(self) -> bool:
        """Whether a store is mounted: what tells webhooks sees none, and its scratch space is nobody's free space."""
        return any((row := KINDS.get(task.kind)) is None or row.trust != "notify" for task in self.document.stages)

    def _close(self, failure: WorkerError | None) -> int:
        """Record the result in `debug/`, post it if it is large, and write the termination message last."""
        code = ExitCode.OK if failure is None else failure.exit_code
        if failure is not None and failure.failure_class == FailureClass.PERMANENT and not self.store.manifest.exists():
            files.remove(self.store.processed)
            files.remove(self.store.videos)  # moved there by a commit that never came to its manifest
        free, capacity = self._space()
        result = RunResult(
            uid=self.document.job.uid,
            group=self.document.group,
            attempt=self.document.attempt,
            container=self.container,
            index=self.index,
            exit_code=code,
            stages=tuple(results.brief(stage) for stage in (*self.results, *_told(failure))),
            failure=failure.status(self.stage, self.document.attempt) if failure is not None else None,
            free_bytes=free,
            capacity_bytes=capacity,
            reported=tuple(self.reported),
            present=self.present,
        )
        body = contract.canonical_json(result.dump())
        try:
            place = contract.result_path(self.document.group, self.document.attempt, self.container, self.index)
            path = self.store.job / place
            files.write_atomic(path, body)
        except OSError as error:
            self.log.warning("the result could not be kept in the store", extra={"error": str(error)})
        if len(body) > contract.MAX_MESSAGE_BYTES:
            results.post(self.channel, body, self.stop)
        results.write_termination(self.settings.termination, result, self.log)
        self.log.info("ended", extra={"exit_code": int(code)})
        return int(code)


def from_environment(task: str | None, container: str | None, termination: str | None, token: str | None) -> Settings:
    """Settings of the command line, with the environment's and the contract's defaults."""
    return Settings(
        task=Path(task or places.TASK_PATH),
        container=container or os.environ.get("VIDEOJOB_CONTAINER", ""),
        termination=Path(termination or places.TERMINATION_PATH),
        token=Path(token or places.TOKEN_PATH),
        secrets=Path(os.environ.get("VIDEOJOB_SECRETS") or places.SECRETS_PATH),
        index=int(index) if (index := os.environ.get(INDEX_VARIABLE, "")).isdecimal() else None,
        pod_uid=os.environ.get("VIDEOJOB_POD_UID") or f"local-{os.getpid()}",
    )
