"""What a stage is given: its task, the places it may use, and the means to run tools and to say how far it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from videojob_api.contract import RunResult, StageResult, StageTask, TaskDocument
from videojob_api.fanout import WorkList
from videojob_api.places import CONFIG_PATH
from videojob_api.redact import redact
from videojob_api.stages import StageKind
from videojob_api.v1alpha1.base import StatusModel

from ..base import process
from ..base.errors import BadConfig, Permanent, Recoverable
from ..base.logs import Log
from ..base.process import Fences, Finished
from ..base.watch import Deadline, Stop, Watchdog
from ..storage.paths import Store, vetted_file
from ..storage.records import recorded
from . import fanout
from .fanout import Item

PROBE_FENCES = Fences(address_space=4 * process.GIB, cpu_seconds=60, file_bytes=16 << 20)
"""Short tools: a probe that needs more than this is being attacked."""


@dataclass(frozen=True)
class Context:
    """One run of one stage."""

    document: TaskDocument
    task: StageTask
    kind: StageKind
    params: StatusModel
    """Parameters, of the type in the kind's row."""
    store: Store
    staging: Path
    """Folder to write to; becomes `final` when the stage has succeeded."""
    final: Path
    """`processed/<kind>/<key>`."""
    debug: Path
    """Kept whatever happens."""
    secrets: Path
    """Folder of the Secrets that were mounted: `<name>/<key>`."""
    stop: Stop
    deadline: Deadline
    log: Log
    tell: Callable[[int, str, str | None, int | None], None]
    """Percent of this stage, one sentence, speed, seconds left."""
    configs: Path = Path(CONFIG_PATH)
    """Folder of the ConfigMaps that were mounted: `<name>/<key>`."""
    item: Item | None = None
    """The work item, in a fan-out."""
    reported: list[RunResult] = field(default_factory=list)
    """Filled by the stage `report` alone: the results it found."""
    present: list[str] = field(default_factory=list)
    """Filled by it after a fan-out alone: the work items whose outputs are there, as one text."""

    def progress(self, percent: int, message: str, speed: str | None = None, eta_seconds: int | None = None) -> None:
        """Say how far the stage is; costs nothing and may be lost."""
        self.tell(max(0, min(100, percent)), message, speed, eta_seconds)

    def check(self) -> None:
        """Raise Stopped or Stalled when it is time to end; for loops that run no tool."""
        self.stop.check()
        self.deadline.check(self.kind.stage)

    def watchdog(self) -> Watchdog:
        """A watchdog with the kind's own patience."""
        return Watchdog(self.kind.stall_seconds)

    def tool(self, argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
        """Run a short tool under narrow fences; its command is kept in `debug/`."""
        watchdog, lines = self.watchdog(), 0

        def heard(line: str) -> None:
            nonlocal lines
            lines += 1
            watchdog.advance(lines)
            if on_line is not None:
                on_line(line)

        return self.run(argv, fences=PROBE_FENCES, watchdog=watchdog, on_line=heard if on_line is not None else None)

    def run(
        self,
        argv: Sequence[str],
        *,
        fences: Fences,
        watchdog: Watchdog,
        on_line: Callable[[str], None] | None = None,
        stdin: int | None = None,
    ) -> Finished:
        """Run a tool; the exact command and its last words are kept in `debug/`, ready to paste into a shell.

        `stdin` is a descriptor it reads.
        """
        line = process.command_line(argv)
        self.note("commands.txt", line)
        self.log.info("running", extra={"command": line})
        try:
            finished = process.run(
                argv,
                cwd=self.staging,
                stop=self.stop,
                deadline=self.deadline,
                watchdog=watchdog,
                on_line=on_line,
                fences=fences,
                env={"TMPDIR": str(self.store.scratch)},
                stdin=stdin,
            )
        except Exception as error:
            self.note("stderr.txt", getattr(error, "log_tail", None) or "")
            raise
        self.note("stderr.txt", finished.stderr)
        return finished

    def note(self, name: str, text: str) -> None:
        """Add a text to `debug/<kind>.<name>`, credentials hidden."""
        if not text.strip():
            return
        with (self.debug / f"{self.kind.kind}.{name}").open("a", encoding="utf-8") as file:
            file.write(redact(text).rstrip("\n") + "\n")

    def folder(self, kind: str) -> Path:
        """Final folder of the earlier stage of that kind: named as an input, or an earlier one of this document."""
        for given in self.task.inputs:
            if given.stage == kind:
                return self.store.stage(kind, given.key)
        for task in self.document.stages:
            if task.kind == kind:
                return self.store.stage(kind, task.key)
        raise BadConfig(
            "BadDocument", f"stage {self.kind.kind} needs the outputs of {kind}, and the document does not name them"
        )

    def list_items(self, items: Collection[Any]) -> WorkList:
        """Leave the work items of a later fan-out; the result of this stage names the list.

        Raises:
            Permanent: there are none, or more than a fan-out may have.
        """
        try:
            return fanout.leave(self.staging, self.kind.kind, self.task.key, items)
        except ValueError as error:
            raise Permanent("TooManyItems", str(error), hint="split the request into several VideoJobs") from error

    def items(self, kind: str) -> tuple[tuple[Item, Path, StageResult], ...]:
        """The work items of the earlier fan-out of that kind, in order, each with the folder of its outputs and its record.

        Raises:
            Recoverable: one of them is not there, or not whole.
        """
        given = next((given for given in self.task.inputs if given.stage == kind and given.items_of is not None), None)
        if given is None:
            raise BadConfig(
                "BadDocument", f"stage {self.kind.kind} needs the work items of {kind}: no input names them"
            )
        found: list[tuple[Item, Path, StageResult]] = []
        for item in fanout.items_of(self.store, given, self.listed(given.items_of or "")):
            result = fanout.outcome(self.store, kind, item)
            if result is None:
                text = f"stage {self.kind.kind} found no outputs of item {item.index} of {kind}"
                raise Recoverable("ResultInvalid", text, hint=fanout.GONE)
            found.append((item, self.store.stage(kind, item.key), result))
        return tuple(found)

    def listed(self, kind: str) -> WorkList | None:
        """The work list that the stage of that kind recorded in this document's run, or an earlier one."""
        names = {task.kind for task in self.document.stages} | {given.stage for given in self.task.inputs}
        found = recorded(self.folder(kind)) if kind in names else None
        return found.work_list if found is not None else None

    def earlier(self, kind: str) -> StageResult:
        """What the earlier stage of that kind recorded. Raises Recoverable if its record is not there or not whole."""
        found = recorded(self.folder(kind))
        if found is None or found.state != "Succeeded":
            raise Recoverable(
                "ResultInvalid",
                f"stage {self.kind.kind} found no outputs of {kind}",
                hint="they may have expired; a retry makes them anew",
            )
        return found


def plain_file(folder: Path, name: str) -> Path:
    """A file of an earlier stage, vetted like any other."""
    return vetted_file(folder, name, f"the output {name}")
