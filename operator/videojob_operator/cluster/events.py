"""Kubernetes Events about VideoJobs, told once each.

They are written as `events.k8s.io/v1`: it is the current API, its times are exact to the microsecond, and a repeated event
is one object with a growing series instead of a flood; `kubectl describe` shows them like any other. The name is made of
the event's content, so that an operator that was killed between an event and its next step does not tell it twice.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from videojob_api.names import MANAGER
from videojob_api.redact import redact

from ..decide.world import Event, VideoJobView
from .api import EVENTS, VIDEOJOBS, Api, ApiError, Raw
from .metrics import Metrics

log = logging.getLogger(__name__)

MAX_NOTE_BYTES = 1000
"""The API server refuses notes above 1,024 bytes."""
MAX_WAITING = 1000
MAX_REMEMBERED = 5000


@dataclass
class _Told:
    count: int = 1


class Recorder:
    """Writes events in the background: an event that cannot be written is dropped and counted, never waited for.

    Args:
        api: where they go.
        instance: this operator's pod, shown as `reportingInstance`.
        metrics: counts the dropped.
        now: wall time in UTC.
    """

    def __init__(self, api: Api, *, instance: str, metrics: Metrics, now: Callable[[], datetime]) -> None:
        self._api = api
        self._instance = instance[:128] or MANAGER
        self._metrics = metrics
        self._now = now
        self._waiting: asyncio.Queue[tuple[str, Raw]] = asyncio.Queue(MAX_WAITING)
        self._told: OrderedDict[str, _Told] = OrderedDict()

    def tell(self, owner: VideoJobView, event: Event) -> None:
        """Tell it soon."""
        try:
            self._waiting.put_nowait((owner.namespace, self._manifest(owner, event)))
        except asyncio.QueueFull:
            self._metrics.events_dropped.inc()

    async def run(self) -> None:
        """Write what is waiting, for ever."""
        while True:
            namespace, body = await self._waiting.get()
            await self._write(namespace, body)

    async def drain(self) -> None:
        """Write what is waiting now."""
        while not self._waiting.empty():
            namespace, body = self._waiting.get_nowait()
            await self._write(namespace, body)

    async def _write(self, namespace: str, body: Raw) -> None:
        name = str(body["metadata"]["name"])
        told = self._told.get(name)
        try:
            if told is None:
                try:
                    await self._api.create(EVENTS, namespace, body)
                except ApiError as error:
                    if not error.already_exists:  # told by an earlier life of this operator
                        raise
                self._told[name] = _Told()
            else:
                told.count += 1
                series = {"count": told.count, "lastObservedTime": body["eventTime"]}
                await self._api.patch(EVENTS, namespace, name, {"series": series})
        except ApiError as error:
            self._told.pop(name, None)  # expired after an hour: the next one is a new object
            self._metrics.events_dropped.inc()
            log.log(
                logging.DEBUG if error.not_found or error.forbidden else logging.WARNING,
                "event not written",
                extra={"namespace": namespace, "reason": body["reason"], "error": str(error)},
            )
        while len(self._told) > MAX_REMEMBERED:
            self._told.popitem(last=False)

    def _manifest(self, owner: VideoJobView, event: Event) -> Raw:
        content = f"{owner.uid}\n{event.type}\n{event.reason}\n{event.message}".encode()
        digest = base64.b32encode(hashlib.sha256(content).digest()[:10]).decode().lower()
        note = redact(event.message).encode()[:MAX_NOTE_BYTES].decode(errors="ignore")
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{owner.name[:200].rstrip('.-')}.{digest}", "namespace": owner.namespace},
            "eventTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": f"videojob.dev/{MANAGER}",
            "reportingInstance": self._instance,
            "action": event.reason,
            "reason": event.reason,
            "type": event.type,
            "note": note,
            "regarding": {
                "apiVersion": VIDEOJOBS.api_version,
                "kind": VIDEOJOBS.kind,
                "namespace": owner.namespace,
                "name": owner.name,
                "uid": owner.uid,
            },
        }
