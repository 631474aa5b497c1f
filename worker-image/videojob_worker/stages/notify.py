"""Tell one webhook what happened: a POST for each event, in order, signed if a Secret is named (S-015, A-013).

At least once: an event that was told before its container was lost is told again, with the same id.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from videojob_api.contract import FetchPolicy, Identity, StageResult, canonical_json
from videojob_api.notices import SECRET_KEY, NotifyEvent, NotifyParams

from ..base.errors import BadConfig, External
from ..net import posting
from ..net.answers import LATER
from ..net.signing import SIGNATURE_HEADER, signature
from .context import Context

TRIES = (0.0, 1.0, 3.0)
"""Seconds before each try of one event; the operator repeats the whole container later."""
MAX_KEY_BYTES = 4096


def run(context: Context) -> StageResult:
    """Tell every event. Raises External when the webhook does not take one, Permanent when it must not be talked to."""
    params = context.params
    if not isinstance(params, NotifyParams):
        raise BadConfig("BadDocument", "stage notify got another stage's params")
    key = _key(context, params)
    for place, event in enumerate(params.events):
        context.progress(place * 100 // len(params.events), f"Telling {_host(params)}: {event.event}")
        body = canonical_json(BODIES[params.format](context.document.job, params.type, event))
        _deliver(context, params, event, body=body, key=key)
    return StageResult(kind=context.kind.kind, message=f"{len(params.events)} events told to {_host(params)}")


def _host(params: NotifyParams) -> str:
    return urlsplit(params.url).hostname or "nobody"


def _key(context: Context, params: NotifyParams) -> bytes | None:
    """The key that signs; None when no Secret is named. It is used byte for byte."""
    if params.secret_name is None:
        return None
    path = context.secrets / params.secret_name / SECRET_KEY
    key = path.read_bytes() if path.is_file() and path.stat().st_size <= MAX_KEY_BYTES else b""
    if not key:
        raise External(
            "SecretMissing",
            f"the Secret {params.secret_name} of this namespace has no key {SECRET_KEY} to sign with",
            hint=f"kubectl create secret generic {params.secret_name} --from-literal={SECRET_KEY}=...",
        )
    return key


def _deliver(context: Context, params: NotifyParams, event: NotifyEvent, *, body: bytes, key: bytes | None) -> None:
    problem: External | None = None
    for wait in TRIES:
        select.select([context.stop.fileno()], [], [], wait)
        context.check()
        try:
            headers = _headers(params, event, body, key)
            answer = posting.post(params.url, body, headers, context.document.fetch or FetchPolicy())
        except External as error:
            problem = error
            continue
        if 200 <= answer.status < 300:
            return
        text = f"{_host(params)} answered {answer.status} to {event.event}"
        hint = "the webhook must answer a POST with 2xx; redirects are not followed"
        problem = External("WebhookRefused", text, hint=hint, retry_after_seconds=answer.retry_after_seconds)
        if answer.status < 500 and answer.status not in LATER:
            break
    if problem is not None:
        raise problem


def _headers(params: NotifyParams, event: NotifyEvent, body: bytes, key: bytes | None) -> dict[str, str]:
    kind = "application/cloudevents+json" if params.format == "CloudEvents" else "application/json"
    found = {
        "Content-Type": f"{kind}; charset=utf-8",
        "User-Agent": "videojob-notify",
        "Videojob-Event": event.event,
        "Videojob-Event-Id": event.id,
    }
    if key is not None:
        found[SIGNATURE_HEADER] = signature(key, int(time.time()), body)
    return found


# ---------------------------------------------------------------- what is said


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cloud_event(job: Identity, kind_of_work: str, event: NotifyEvent) -> dict[str, Any]:
    """A CloudEvent 1.0 in structured mode."""
    data = {
        "namespace": job.namespace,
        "name": job.name,
        "uid": job.uid,
        "externalId": job.external_id,
        "type": kind_of_work or None,
        "phase": event.phase,
        "stage": event.stage,
        "percent": event.percent,
        "attempt": event.attempt,
        "message": event.message,
        "outputs": [output.dump() for output in event.outputs] or None,
        "failure": event.failure.dump() if event.failure is not None else None,
    }
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/namespaces/{job.namespace}/videojobs/{job.name}",
        "type": f"dev.videojob.{event.event}",
        "subject": job.uid,
        "time": _moment(event.time),
        "datacontenttype": "application/json",
        "sequence": f"{event.sequence:010d}",
        "data": {name: value for name, value in data.items() if value is not None},
    }


def seed_message(job: Identity, _kind_of_work: str, event: NotifyEvent) -> dict[str, Any]:
    """The seeds' message (A-013): `stage_update` with stage, percent and sentence; ends carry the video's URL or the error."""
    data: dict[str, Any] = {
        "stage": event.seed_stage or event.phase.lower(),
        "progress_percent": event.percent,
        "message": event.message or "",
    }
    videos = [output.uri for output in event.outputs if output.media_type.startswith("video/")]
    if videos:
        data["video_url"] = videos[0]
    if event.failure is not None:
        data["error"] = event.failure.message
    return {
        "task_id": job.uid,
        "event_type": "stage_update" if event.event == "progress_update" else event.event,
        "data": data,
        "timestamp": _moment(event.time),
    }


BODIES: dict[str, Callable[[Identity, str, NotifyEvent], dict[str, Any]]] = {
    "CloudEvents": cloud_event,
    "Seed": seed_message,
}
"""Body of each format."""
