"""Authoritative lists of everything that is watched: the first one fills the cache, later ones repair it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from videojob_api import names

from ..runtime.cache import Raw as CacheRaw
from ..runtime.resync import Drift, repair
from .api import VIDEOJOBS, Api, ApiError, Raw, Resource, metadata
from .knowledge import MANAGED, SELECTOR, WATCHED, Knowledge
from .metrics import Metrics
from .observe import trim

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""Events under way have arrived by then."""


class Lister:
    """Lists the watched namespaces.

    Args:
        api: the API server.
        knowledge: what is to be repaired.
        metrics: counts drift.
        namespaces: to be served; empty means all.
        own: the operator's own namespace, always among them.
        sleep: waits that many seconds.
    """

    def __init__(
        self,
        api: Api,
        knowledge: Knowledge,
        metrics: Metrics,
        namespaces: tuple[str, ...],
        own: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sleep = sleep
        self._api = api
        self._knowledge = knowledge
        self._metrics = metrics
        self._namespaces = tuple(dict.fromkeys((own, *namespaces))) if namespaces else ()

    async def reachable(self) -> tuple[str, ...]:
        """The namespaces to watch. One that answers 403 or 404 is dropped and reported, the others go on.

        Raises:
            ApiError: when none is left, or the server fails in another way.
        """
        left: list[str] = []
        refused: ApiError | None = None
        for namespace in self._namespaces:
            try:
                async for _ in self._api.pages(VIDEOJOBS, namespace, limit=1):
                    break
            except ApiError as error:
                if error.status not in {403, 404}:
                    raise
                refused = error
                log.error(  # noqa: TRY400 - the sentence is the whole story, a trace would hide it
                    "namespace dropped: grant the operator's Role there, or take it off VIDEOJOB_WATCH_NAMESPACES",
                    extra={"namespace": namespace, "error": str(error)},
                )
            else:
                left.append(namespace)
        if refused is not None and not left:
            raise refused
        self._namespaces = tuple(left)
        return self._namespaces

    async def repair(self, *, first: bool) -> int:
        """List all and repair the cache; returns what had been missed. The first list fills it and counts nothing.

        A namespace that has been closed to the operator since the start is reported and left as it was known; the others go
        on, and it is tried again the next time.

        Raises:
            ApiError: when all namespaces refuse, or the server fails in another way.
        """
        total = refused = 0
        for namespace in self._namespaces or (None,):
            try:
                total += await self._repair_namespace(namespace, first=first)
            except ApiError as error:
                refused += 1
                if first or error.status not in {403, 404} or refused >= len(self._namespaces):
                    raise
                log.error(  # noqa: TRY400 - the sentence is the whole story, a trace would hide it
                    "namespace closed: grant the operator's Role there again, or take it off VIDEOJOB_WATCH_NAMESPACES",
                    extra={"namespace": namespace, "error": str(error)},
                )
        return 0 if first else total

    async def _repair_namespace(self, namespace: str | None, *, first: bool) -> int:
        total = 0
        for resource in WATCHED:
            drift = await self._repair_one(resource, namespace, first=first)
            total += drift.total
            if not first and drift.total:
                self._report(resource, namespace, drift)
        return total

    async def _repair_one(self, resource: Resource, namespace: str | None, *, first: bool) -> Drift:
        labels = SELECTOR if resource in MANAGED else None

        def within(raw: CacheRaw) -> bool:
            return namespace is None or metadata(raw).get("namespace") == namespace

        def changed(raw: Raw) -> None:
            if first:
                self._knowledge.account(resource, raw)  # who is to be looked at is decided when all is known
            else:
                self._knowledge.changed(resource, raw)

        def told(raw: CacheRaw) -> bool:
            return labels is None or metadata(raw).get("labels", {}).get(names.LABEL_MANAGED_BY) == names.MANAGER

        async def grace() -> None:
            await self._sleep(GRACE_SECONDS)

        for attempt in (1, 2, 3):
            try:
                return await repair(
                    self._knowledge.stores[resource],
                    self._api.pages(resource, namespace, labels=labels),
                    within=within,
                    told=told,
                    changed=changed,
                    trim=lambda raw: trim(resource, raw),
                    grace=None if first else grace,
                )
            except ApiError as error:
                if not error.expired or attempt == 3:
                    raise
        return Drift()

    def _report(self, resource: Resource, namespace: str | None, drift: Drift) -> None:
        for direction in ("missed", "stale", "ghosts"):
            if number := getattr(drift, direction):
                self._metrics.drift.labels(resource.kind, direction).inc(number)
        log.warning(
            "resync repaired the cache",
            extra={
                "kind": resource.kind,
                "namespace": namespace or "all",
                "missed": drift.missed,
                "stale": drift.stale,
                "ghosts": drift.ghosts,
            },
        )
