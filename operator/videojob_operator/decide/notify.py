"""Webhooks: which entries of the history a target still has to hear, and the document that tells them (S-015, A-013).

An entry is told after it stands in the status, never before: its number and time, and with them the event's id, are the same
whoever sends it and however often.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from videojob_api import bands, contract, notices
from videojob_api.names import Phase
from videojob_api.stages import NOTIFY
from videojob_api.v1alpha1 import HistoryEntry, NotifyStatus, NotifyTarget, VideoJobStatus

from . import recipes
from .naming import NOTIFY_PREFIX
from .world import JobView, Observed

BUSY = frozenset({"Sending", "Retrying"})
"""States in which something is still to be done."""


def busy(rows: Sequence[NotifyStatus]) -> bool:
    """Whether some webhook is still to be told something."""
    return any(row.state in BUSY for row in rows)


def group_of(target: NotifyTarget) -> str:
    """Group of a target's Jobs: it goes by the URL, so that the order in the spec does not matter."""
    return NOTIFY_PREFIX + hashlib.sha256(target.url.encode()).hexdigest()[:8]


def waiting(
    target: NotifyTarget, row: NotifyStatus | None, history: Sequence[HistoryEntry]
) -> tuple[HistoryEntry, ...]:
    """Entries the target wants and has not got."""
    done = row.delivered if row is not None else 0
    return tuple(entry for entry in history if entry.sequence > done and entry.event in target.events)


def begin(seen: Observed, status: VideoJobStatus) -> tuple[NotifyStatus, ...]:
    """Rows of status.notify in which every target that has something to hear, and nothing in flight, begins an attempt.

    The Job itself follows when the row is on record, so that a crash in between loses and doubles nothing.
    """
    targets = seen.job.spec.notify if seen.job.spec is not None else ()
    known = {row.name: row for row in status.notify}
    rows = []
    for target in targets:
        name = group_of(target)
        row = known.get(name)
        due = row is None or row.state not in BUSY or (row.state == "Retrying" and not _later(row, seen.now))
        if due and waiting(target, row, status.history):
            row = _attempt(row or NotifyStatus(name=name, host=host_of(target)), status, seen.jobs)
        if row is not None:
            rows.append(row)
    return tuple(rows)


def _later(row: NotifyStatus, now: datetime) -> bool:
    return row.next_retry_time is not None and now < row.next_retry_time


def _attempt(row: NotifyStatus, status: VideoJobStatus, jobs: Sequence[JobView]) -> NotifyStatus:
    used = (job.attempt for job in jobs if job.group == row.name)  # a status that was wiped has forgotten these
    return row.model_copy(
        update={
            "state": "Sending",
            "attempt": max([row.attempt, *used]) + 1,
            "failures": row.failures if row.state == "Retrying" else 0,
            "through": status.history[-1].sequence,
            "next_retry_time": None,
        }
    )


def host_of(target: NotifyTarget) -> str:
    """Host of a target, for people: the rest of a URL may be a secret."""
    return (urlsplit(target.url).hostname or "")[:253]


def document(seen: Observed, target: NotifyTarget, row: NotifyStatus) -> contract.TaskDocument:
    """The task of one attempt: everything between what was delivered and what the attempt carries.

    Long texts give way before a document could be refused for its size.
    """
    whole = _document(seen, target, row, texts=True)
    fits = len(contract.canonical_json(whole.dump())) <= contract.MAX_DOCUMENT_BYTES
    return whole if fits else _document(seen, target, row, texts=False)


def _document(seen: Observed, target: NotifyTarget, row: NotifyStatus, *, texts: bool) -> contract.TaskDocument:
    job, status = seen.job, seen.job.status
    told = tuple(entry for entry in waiting(target, row, status.history) if entry.sequence <= row.through)
    if not texts:
        told = tuple(entry.model_copy(update={"message": None}) for entry in told)
    params = notices.NotifyParams(
        url=target.url,
        format=target.format,
        secret_name=target.secret_name,
        type=status.type or "",
        events=tuple(_event(seen, entry, last=entry.sequence == status.history[-1].sequence) for entry in told),
    ).dump()
    task = contract.StageTask(
        kind=NOTIFY.kind,
        container=recipes.containers((NOTIFY.stage,))[NOTIFY.stage],
        key=contract.content_key(NOTIFY.kind, NOTIFY.version, params, ()),
        params=params,
    )
    external = job.spec.external_id if job.spec is not None else None
    scratch = contract.StorePaths().scratch
    return contract.TaskDocument(
        job=contract.Identity(namespace=job.namespace, name=job.name, uid=job.uid, external_id=external),
        group=row.name,
        attempt=row.attempt,
        stages=(task,),
        store=contract.StorePaths(job=scratch),  # no volume is mounted: what it leaves goes with the pod
        limits=contract.Limits(timeout_seconds=NOTIFY.stall_seconds),
        fetch=seen.config.fetch,
    )


def _event(seen: Observed, entry: HistoryEntry, *, last: bool) -> notices.NotifyEvent:
    """One event; outputs and failure go with the end that the status still is about."""
    status = seen.job.status
    ended = last and entry.phase == status.phase
    return notices.NotifyEvent(
        id=f"{seen.job.uid}.{entry.sequence}.{int(entry.time.timestamp())}",
        event=entry.event,
        time=entry.time,
        sequence=entry.sequence,
        phase=entry.phase,
        stage=entry.stage,
        seed_stage=bands.seed_name(status.type, entry.stage, entry.percent) if entry.stage is not None else None,
        percent=entry.percent,
        attempt=entry.attempt,
        message=entry.message,
        outputs=tuple(
            notices.NotifyOutput(
                name=output.name, uri=output.uri, media_type=output.media_type, size_bytes=output.size_bytes,
                sha256=output.sha256,
            )
            for output in status.outputs
        )
        if ended and entry.phase == Phase.SUCCEEDED
        else (),
        failure=notices.NotifyFailure(
            failure_class=status.failure.failure_class,
            code=status.failure.code,
            message=status.failure.message[:500],
            hint=status.failure.hint[:300] if status.failure.hint is not None else None,
        )
        if ended and entry.phase == Phase.FAILED and status.failure is not None
        else None,
    )  # fmt: skip


def complaint(rows: Sequence[NotifyStatus]) -> str | None:
    """What the condition Degraded says of webhooks; None when all are well."""
    parts = [
        f"webhook {row.host}: {row.message or 'no answer'}"
        + (f"; {row.lost} events given up" if row.lost else f"; attempt {row.attempt} failed")
        for row in rows
        if row.failures or row.lost
    ]
    return "; ".join(parts) or None
