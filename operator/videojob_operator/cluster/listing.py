"""Authoritative lists of everything that is watched: the first one fills the cache, later ones repair it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from videojob_api import names

from ..runtime.cache import Raw as CacheRaw
from ..runtime.cache import uid_of
from ..runtime.resync import Drift, repair
from .api import MEDIASTORES, VIDEOJOBS, Api, ApiError, Raw, Resource, metadata
from .knowledge import MANAGED, SELECTOR, WATCHED, Knowledge
from .metrics import Metrics
from .observe import trim

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""Events under way have arrived by then."""
REFUSED = frozenset({403, 404})
CLOSED = "namespace closed and dropped until it opens again: grant the operator's Role there, or take it off"


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
        self._wanted = tuple(dict.fromkeys((own, *namespaces))) if namespaces else ()
        self.closed: frozenset[str] = frozenset()
        """Namespaces of the list that refuse us."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces to watch, in the list's order; empty means all."""
        return tuple(namespace for namespace in self._wanted if namespace not in self.closed)

    # ------------------------------------------------------------ which namespaces

    async def reachable(self) -> tuple[str, ...]:
        """The namespaces to watch at the start. One that answers 403 or 404 is dropped and reported, the others go on.

        Raises:
            ApiError: when none is left, or the server fails in another way.
        """
        refused = await self._refusals(self._wanted)
        if refused and len(refused) == len(self._wanted):
            raise next(iter(refused.values()))
        self._close(refused, "namespace dropped: grant the operator's Role there, or take it off")
        return self.namespaces

    async def let_go(self) -> bool:
        """Drop the watched namespaces that refuse by now. False when all do, then none is dropped: it is the server, or our own
        rights.
        """
        watched = self.namespaces or (None,)
        refused = await self._refusals(watched)
        if len(refused) == len(watched):
            return False
        self._close(refused, CLOSED)
        return True

    async def reopen(self) -> None:
        """Take back the namespaces that no longer refuse, with all that happened there meanwhile."""
        still = await self._refusals(tuple(sorted(self.closed)))
        for namespace in sorted(self.closed - set(still)):
            self.closed -= {namespace}
            await self._repair_namespace(namespace, first=True)
            for resource in (
                MEDIASTORES,
                VIDEOJOBS,
            ):  # only now: a VideoJob without its pods looks as if it had lost them
                for raw in list(self._knowledge.stores[resource]):
                    if metadata(raw).get("namespace") == namespace:
                        self._knowledge.changed(resource, raw)
            log.info("namespace open again", extra={"namespace": namespace})

    async def _refusals(self, namespaces: Sequence[str | None]) -> dict[str, ApiError]:
        """Those of the namespaces (None: all together) in which something that is watched may not be listed, and why."""
        found: dict[str, ApiError] = {}
        for namespace in namespaces:
            try:
                for resource in WATCHED:
                    async for _ in self._api.pages(resource, namespace, limit=1):
                        break
            except ApiError as error:
                if error.status not in REFUSED:
                    raise
                found[namespace or ""] = error
        return found

    def _close(self, refused: Mapping[str, ApiError], words: str) -> None:
        for namespace, error in refused.items():
            log.error("%s VIDEOJOB_WATCH_NAMESPACES", words, extra={"namespace": namespace, "error": str(error)})
        self.closed |= set(refused)
        self._forget()

    def _forget(self) -> None:
        """What is not seen cannot be told from what is gone: nothing in a closed namespace holds a slot or is worked on."""
        for resource in WATCHED:
            store = self._knowledge.stores[resource]
            for raw in [raw for raw in store if metadata(raw).get("namespace") in self.closed]:
                self._knowledge.lost(resource, raw)
                store.revive(uid_of(raw))  # it may well be there when the namespace opens again

    # ------------------------------------------------------------ listing

    async def repair(self, *, first: bool) -> int:
        """List all and repair the cache; returns what had been missed. The first list fills it and counts nothing.

        A namespace that has been closed to the operator since the start is dropped and reported, the others go on.

        Raises:
            ApiError: when all namespaces refuse, or the server fails in another way.
        """
        total = 0
        refused: dict[str, ApiError] = {}
        watched = self.namespaces
        for namespace in watched or (None,):
            try:
                total += await self._repair_namespace(namespace, first=first)
            except ApiError as error:
                if first or namespace is None or error.status not in REFUSED or len(refused) + 1 >= len(watched):
                    raise
                refused[namespace] = error
        self._close(refused, CLOSED)
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
