"""One Job without a cluster: its containers as processes one after another, seen as the kubelet would show them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from videojob_api.contract import MAX_RESULT_BYTES, Progress, RunResult, StorePaths, TaskDocument, result_path
from videojob_api.fanout import INDEX_VARIABLE, read_indexes
from videojob_operator.decide.world import ContainerView, CreateJob, JobView, PodView

from .forked import Forked, ForkServer

STOP_SECONDS = 15.0
"""A worker gets this long between SIGTERM and SIGKILL; it has its own tools to end first."""
MESSAGE_BYTES = 4096
"""What the kubelet keeps of a termination message: its last bytes."""


@dataclass(frozen=True)
class Folders:
    """A local folder in the place of a namespace's volume, laid out like one."""

    root: Path

    def paths(self, namespace: str, uid: str, scratch: Path) -> StorePaths:
        """The parts as a worker's container would have them mounted; made if they are missing."""
        base = self.root / namespace
        parts = {
            "job": base / "jobs" / uid,
            "inbox": base / "inbox",
            "stock": base / "stock",
            "cache": base / "cache",
            "scratch": scratch,
        }
        for part in parts.values():
            part.mkdir(parents=True, exist_ok=True)
        return StorePaths.model_validate({name: str(part.absolute()) for name, part in parts.items()})

    def job(self, namespace: str, uid: str) -> Path:
        """A VideoJob's own folder."""
        return self.root / namespace / "jobs" / uid

    def inbox(self, namespace: str) -> Path:
        """Where uploads lie."""
        return self.root / namespace / "inbox"

    def stock(self, namespace: str) -> Path:
        """Where the files lie that a team keeps."""
        return self.root / namespace / "stock"


class LocalJob:
    """Starts when made; `view()` is what an operator would see of it."""

    def __init__(
        self,
        action: CreateJob,
        folders: Folders,
        *,
        server: ForkServer,
        environ: Mapping[str, str],
        changed: Callable[[], None],
        log: Callable[[str], None] | None = None,
        stop_seconds: float = STOP_SECONDS,
        index: int | None = None,
    ) -> None:
        self._server = server
        self._stop_seconds = stop_seconds
        document = action.document
        self.action = action
        self.index = index
        name = action.name if index is None else f"{action.name}-{index}"
        self.uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{document.job.uid}/{name}"))
        self._work = folders.root / "pods" / name
        shutil.rmtree(self._work, ignore_errors=True)
        paths = folders.paths(document.job.namespace, document.job.uid, self._work / "scratch")
        self._document = document.model_copy(update={"store": paths, "operator_url": None})
        self._environ = dict(environ)
        self._changed = changed
        self._log = log
        self._lock = threading.Lock()
        self._containers = [ContainerView(name, "Waiting") for name in document.containers()]
        self._created = datetime.now(UTC)
        self._finished_at: datetime | None = None
        self._reason: str | None = None
        self._progress: Progress | None = None
        self._process: Forked | None = None
        self._stopping = False
        self._results: list[RunResult] = []
        self._thread = threading.Thread(target=self._run, name=action.name, daemon=True)
        self._thread.start()

    # ------------------------------------------------------------ seen from outside

    @property
    def progress(self) -> Progress | None:
        """Latest news of the running stage."""
        with self._lock:
            return self._progress

    @property
    def results(self) -> tuple[RunResult, ...]:
        """Whole results that were too large for a termination message, each with the digest of its bytes."""
        with self._lock:
            return tuple(self._results)

    def view(self) -> JobView:
        """The Job with its one pod, as it is now."""
        with self._lock:
            failed = any(c.state == "Terminated" and c.exit_code != 0 for c in self._containers)
            done = self._finished_at is not None
            finished: Literal["Complete", "Failed"] | None = None
            if done:
                finished = "Failed" if failed or self._reason else "Complete"
            pod = PodView(
                name=f"{self._work.name}-local",
                uid=self.uid,
                phase={None: "Running", "Complete": "Succeeded", "Failed": "Failed"}[finished],
                containers=tuple(self._containers),
                reason=self._reason,
                deleting=self._stopping,
                node="local",
                index=self.index,
            )
            return JobView(
                name=self.action.name,
                uid=self.uid,
                group=self.action.document.group,
                attempt=self.action.document.attempt,
                created=self._created,
                slot=self.action.slot,
                also=self.action.also,
                finished=finished,
                finished_at=self._finished_at,
                pods=(pod,),
            )

    def stop(self) -> None:
        """End its processes, and wait until they have ended."""
        with self._lock:
            self._stopping = True
            process = self._process
        if process is not None:
            self._end(process)
        self._thread.join(STOP_SECONDS + 5)

    # ------------------------------------------------------------ inside

    def _run(self) -> None:
        deadline = threading.Timer(self.action.deadline_seconds, self._expire)
        deadline.daemon = True
        deadline.start()
        try:
            task = self._work / "task.json"
            task.write_text(json.dumps(self._document.dump()))
            for index in range(len(self._containers)):
                if self._stopping or not self._container(index, task):
                    break
        finally:
            deadline.cancel()
            shutil.rmtree(self._work, ignore_errors=True)
            with self._lock:
                self._finished_at = datetime.now(UTC)
            self._changed()

    def _container(self, index: int, task: Path) -> bool:
        """Run one container to its end; whether the next one may start."""
        name, started = self._containers[index].name, datetime.now(UTC)
        try:
            process = self._start(index, task)
        except RuntimeError as error:
            return self._ended(index, 1, str(error), started)
        with self._lock:
            self._process = process
            self._containers[index] = ContainerView(name, "Running", started_at=started)
        self._changed()
        if self._stopping:
            self._end(process)
        self._listen(process)
        code = process.wait()
        if code is None or code < 0:
            code = 128 - (code or 0)
        return self._ended(index, code, self._message(name, self._termination(name)), started)

    def _ended(self, index: int, code: int, message: str | None, started: datetime) -> bool:
        with self._lock:
            self._process = None
            self._containers[index] = ContainerView(
                self._containers[index].name, "Terminated", exit_code=code, reason="Completed" if code == 0 else "Error",
                message=message, started_at=started, finished_at=datetime.now(UTC),
            )  # fmt: skip
        self._changed()
        return code == 0

    def _termination(self, name: str) -> Path:
        return self._work / f"{name}.termination"

    def _start(self, index: int, task: Path) -> Forked:
        """Start a container's process."""
        name = self._containers[index].name
        argv = ["run", "--task", str(task), "--container", name]
        argv += ["--termination", str(self._termination(name)), "--token", os.devnull]
        environ = {**self._environ, "VIDEOJOB_CONTAINER": name, "VIDEOJOB_POD_UID": self.uid}
        if self.index is not None:
            environ[INDEX_VARIABLE] = str(self.index)
        return self._server.start(argv, environ)

    def _listen(self, process: Forked) -> None:
        """Read its log to the end: news of progress are records with a field of that name."""
        with process.stdout as lines:
            for raw in lines:
                line = raw.decode("utf-8", "replace").rstrip("\n")
                if self._log is not None:
                    self._log(line)
                news = _progress(line)
                if news is not None:
                    with self._lock:
                        self._progress = news
                    self._changed()

    def _message(self, container: str, path: Path) -> str | None:
        try:
            text = path.read_bytes()[-MESSAGE_BYTES:].decode("utf-8", "replace")
        except OSError:
            return None
        with contextlib.suppress(ValueError, OSError):
            stub = RunResult.model_validate_json(text)
            if stub.sha256 is not None:
                self._take_whole(container, stub.sha256)
        return text

    def _take_whole(self, container: str, digest: str) -> None:
        """Read a large result from the store, since nobody is there to take it by POST."""
        document: TaskDocument = self._document
        item = None if self.index is None else read_indexes(document.indexes)[self.index]
        body = (Path(document.store.job) / result_path(document.group, document.attempt, container, item)).read_bytes()
        if len(body) <= MAX_RESULT_BYTES and sha256(body).hexdigest() == digest:
            whole = RunResult.model_validate_json(body).model_copy(update={"sha256": digest})
            with self._lock:
                self._results.append(whole)

    def _expire(self) -> None:
        with self._lock:
            process = self._process
            self._reason = "DeadlineExceeded"
        if process is not None:
            self._end(process)

    def _end(self, process: Forked) -> None:
        process.send_signal(signal.SIGTERM)
        if process.wait(self._stop_seconds) is None:
            process.send_signal(signal.SIGKILL)


def _progress(line: str) -> Progress | None:
    if '"progress"' not in line:
        return None
    try:
        record: dict[str, Any] = json.loads(line)
        return Progress.model_validate(record["progress"])
    except (ValueError, KeyError, TypeError, ValidationError):
        return None
