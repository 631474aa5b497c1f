"""How things look on a terminal: columns as kubectl prints them, sizes and times for people, a bar while it runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import yaml
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from videojob_api.names import Phase

Json = dict[str, Any]


def stderr() -> Console:
    """Where talk goes; results go to standard output, so that pipes get nothing else."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of talk."""
    stderr().print(text, markup=False)


def columns(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as kubectl prints one; an absent value is `-`."""
    texts = [tuple(header), *(tuple("-" if cell in {None, ""} else str(cell) for cell in row) for row in rows)]
    widths = [max(len(row[index]) for row in texts) for index in range(len(header))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in texts)
    return "\n".join(lines)


def dump(value: Any, form: str) -> str:
    """A value as JSON or YAML."""
    if form == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).rstrip()


def size(count: int | None) -> str | None:
    """Bytes for people."""
    if count is None:
        return None
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def seconds(milliseconds: int | None) -> str | None:
    """A duration for people."""
    return None if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def age(timestamp: str | None) -> str | None:
    """Time since an RFC 3339 timestamp, as kubectl shows it."""
    if not timestamp:
        return None
    past = int((datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds())
    for unit, factor in (("d", 86400), ("h", 3600), ("m", 60)):
        if past >= 2 * factor:
            return f"{past // factor}{unit}"
    return f"{max(past, 0)}s"


OUTPUT_HEADER = ("NAME", "FILE", "SIZE", "PICTURE", "DURATION", "FPS", "VIDEO", "AUDIO", "KBIT/S", "SHA256")


def outputs(found: Sequence[Json]) -> str:
    """The facts of published files."""
    rows = [
        (
            one["name"],
            str(one["path"]).rsplit("/", 1)[-1],
            size(one["sizeBytes"]),
            f"{one['width']}x{one['height']}" if one.get("width") else None,
            seconds(one.get("durationMs")),
            one.get("frameRate"),
            one.get("videoCodec"),
            one.get("audioCodec"),
            one.get("bitrateKbps"),
            str(one["sha256"])[:12],
        )
        for one in found
    ]
    return columns(OUTPUT_HEADER, rows)


def listed(what: str, found: Sequence[Json], table: Callable[..., str], form: str, namespace: str | None) -> None:
    """Print what was found in that form, or say where nothing was; `namespace` is None for all of them."""
    if form != "table":
        print(dump(list(found), form))
    elif found:
        print(table(found, namespaces=namespace is None))
    else:
        say(f"No {what} in {namespace or 'any namespace'}.")


def counts(stage: Json) -> str:
    """How many work items of a stage are done, `12/36`; empty for a stage that has none."""
    items = stage.get("fanOut") or {}
    return f"{items.get('succeeded', 0)}/{items['total']}" if items.get("total") else ""


def _progress(stage: Json) -> str:
    failed = (stage.get("fanOut") or {}).get("failed")
    parts = ", ".join(part for part in (counts(stage), f"{failed} failed" if failed else "") if part)
    return f"{stage.get('progress', 0)}%" + (f" ({parts})" if parts else "")


def _sharing(found: Json) -> str | None:
    """Stages of different slot classes that share a pod, and what it holds."""
    groups: dict[str, list[Json]] = {}
    for stage in found.get("stages") or ():
        if stage.get("slot") is not None:
            groups.setdefault(stage["group"], []).append(stage)
    told = (
        f"{', '.join(one['name'] for one in members)} in one pod, which holds the slots {' and '.join(slots)}"
        for members in groups.values()
        if len(slots := list(dict.fromkeys(one["slot"] for one in members))) > 1
    )
    return "; ".join(told) or None


def _stage(found: Json) -> str:
    """The stages that run, each with its counts."""
    known = {one["name"]: counts(one) for one in found.get("stages") or ()}
    names = (found.get("stage") or "").split(",")
    return ",".join(f"{name} {known[name]}" if known.get(name) else name for name in names)


def jobs(items: Sequence[Json], *, namespaces: bool) -> str:
    """VideoJobs with the columns of `kubectl get`."""
    header = (("NAMESPACE",) if namespaces else ()) + ("NAME", "TYPE", "PHASE", "STAGE", "PROGRESS", "ATTEMPTS", "AGE")
    rows = []
    for job in items:
        status = job.get("status") or {}
        metadata = job["metadata"]
        rows.append(
            ((metadata["namespace"],) if namespaces else ())
            + (
                metadata["name"],
                status.get("type"),
                status.get("phase"),
                _stage(status),
                (status.get("progress") or {}).get("summary"),
                status.get("attempts"),
                age(metadata.get("creationTimestamp")),
            )
        )
    return columns(header, rows)


def dead_letters(items: Sequence[Json], *, namespaces: bool) -> str:
    """VideoJobs that failed for good, each with its reason."""
    header = (("NAMESPACE",) if namespaces else ()) + ("NAME", "CODE", "STAGE", "ATTEMPTS", "FAILED", "MESSAGE")
    rows = []
    for job in items:
        status = job.get("status") or {}
        found = status.get("failure") or {}
        rows.append(
            ((job["metadata"]["namespace"],) if namespaces else ())
            + (
                job["metadata"]["name"],
                found.get("code"),
                found.get("stage"),
                status.get("attempts"),
                age(status.get("completionTime")),
                " ".join(str(found.get("message", "")).split()),
            )
        )
    return columns(header, rows)


def failure(job: Json) -> list[str]:
    """Why it failed and what to do, in lines."""
    found = (job.get("status") or {}).get("failure") or {}
    if not found and (job.get("status") or {}).get("phase") == "Cancelled":
        return [f"It was asked to end; `videojob retry {job['metadata']['name']}` drives it again."]
    lines = [f"{found.get('code', 'Failed')}: {found.get('message', 'no reason given')}"]
    if found.get("hint"):
        lines.append(f"hint: {found['hint']}")
    return lines


def status(job: Json) -> str:
    """One VideoJob on one screen."""
    found = job.get("status") or {}
    progress = found.get("progress") or {}
    metadata = job["metadata"]
    facts = [
        ("name", f"{metadata['namespace']}/{metadata['name']}"),
        ("phase", found.get("phase") or "not seen by the operator yet"),
        ("progress", " ".join(str(part) for part in (progress.get("summary"), progress.get("message")) if part)),
        ("waiting", (found.get("queue") or {}).get("message")),
        ("shared", _sharing(found)),
        ("next attempt", found.get("nextRetryTime")),
        ("took", seconds(found.get("executionTimeMs"))),
    ]
    accepted = next((one for one in found.get("conditions", ()) if one["type"] == "Accepted"), None)
    if accepted is not None and accepted["status"] == "False":
        facts.append(("not accepted", accepted["message"]))
    parts = ["\n".join(f"{key + ':':<14}{value}" for key, value in facts if value)]
    if found.get("stages"):
        header = ("STAGE", "STATE", "ATTEMPT", "PROGRESS", "JOB", "MESSAGE")
        rows = [
            (
                one["name"],
                one["state"],
                one.get("attempt"),
                _progress(one),
                one.get("job"),
                one.get("message"),
            )
            for one in found["stages"]
        ]
        parts.append(columns(header, rows))
    if found.get("outputs"):
        parts.append(outputs(found["outputs"]))
    if found.get("failure"):
        parts.append("\n".join(failure(job)))
    return "\n\n".join(parts)


def next_step(job: Json) -> str:
    """The commands to type next: follow it, unless it has ended, and bring its files."""
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    fetch = f"fetch it:   videojob outputs -n {namespace} {name} --download {name}"
    if (job.get("status") or {}).get("phase") == Phase.SUCCEEDED:
        return fetch
    return f"follow it:  videojob status -n {namespace} {name} --wait\n{fetch}"


BAR_WIDTH = 20
"""Leaves room on 80 columns for what is beside it."""


class _Cut(ProgressColumn):
    """A text beside a bar: shown as it is, whatever brackets it has, and cut where the line is too narrow for all."""

    def __init__(self, text: Callable[[Task], str]) -> None:
        super().__init__()
        self._text = text

    def render(self, task: Task) -> Text:
        """The text of now."""
        return Text(self._text(task), no_wrap=True, overflow="ellipsis")


class _Whole(_Cut):
    """One that is never cut."""

    def get_table_column(self) -> Column:
        """Rich takes room from columns that may wrap."""
        return Column(no_wrap=True)


class Bytes(AbstractContextManager["Bytes"]):
    """A bar for bytes on the way; on a pipe one line at the start and nothing in between."""

    def __init__(self, text: str, total: int, console: Console | None = None) -> None:
        self._console = console or stderr()
        self._text = text
        self._bar = Progress(
            _Cut(lambda task: task.description),
            BarColumn(BAR_WIDTH, table_column=Column(no_wrap=True)),
            DownloadColumn(binary_units=True, table_column=Column(no_wrap=True)),
            _Whole(lambda task: f"{size(int(task.finished_speed or task.speed or 0))}/s"),
            console=self._console,
        )
        self._task = self._bar.add_task(text, total=total)
        self._total = total

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        else:
            self._console.print(f"{self._text} ({size(self._total)})", markup=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def moved(self, count: int) -> None:
        """So many bytes more."""
        self._bar.advance(self._task, count)


class Follower(AbstractContextManager["Follower"]):
    """Shows how a VideoJob goes on: a bar on a terminal, else one line for each change."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or stderr()
        self._bar = Progress(
            _Cut(lambda task: task.description),
            _Whole(lambda task: str(task.fields["phase"])),
            BarColumn(BAR_WIDTH, table_column=Column(no_wrap=True)),
            _Whole(lambda task: f"{task.percentage:>3.0f}%"),
            _Cut(lambda task: str(task.fields["news"])),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            console=self._console,
        )
        self._tasks: dict[str, Any] = {}
        self._last: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, job: Json) -> None:
        """The VideoJob as it is now."""
        found = job.get("status") or {}
        progress = found.get("progress") or {}
        name = job["metadata"]["name"]
        phase, stage = found.get("phase") or "Pending", _stage(found)
        eta = f"ETA {progress['etaSeconds']} s" if progress.get("etaSeconds") else ""
        waiting = (found.get("queue") or {}).get("message") or ""
        news = "  ".join(part for part in (stage, progress.get("speed") or "", eta, waiting) if part)
        if self._console.is_terminal:
            if name not in self._tasks:
                self._tasks[name] = self._bar.add_task(name, total=100, phase=phase, news=news)
            percent = progress.get("percent", 0)
            self._bar.update(self._tasks[name], completed=percent, phase=phase, news=news)
            return
        line = f"{name}  {phase}  {progress.get('summary', '0%')}  {news}".rstrip()
        if self._last.get(name) != line:
            self._last[name] = line
            self._console.print(line, markup=False)
            sys.stderr.flush()
