"""What the caches of all namespaces are believed to hold: the content keys of stages that VideoJobs have published.

The store alone knows. What is missing here costs a place in the queue, what is wrong here costs an attempt of a second, so
nothing is kept anywhere: after a restart it follows from the VideoJobs that are still there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from videojob_api.exits import ExitCode
from videojob_api.names import DEFAULT_STORE, TERMINAL_PHASES, Phase

from .api import Raw, metadata

MOST = 4096
"""Keys remembered, the latest: some thousand VideoJobs, and half a megabyte."""

Place = tuple[str, str]
"""Namespace and store."""


class Cached:
    """Keys by namespace and store."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._keys: dict[tuple[Place, str], None] = {}
        self._sets: dict[Place, frozenset[str]] = {}

    def note(self, raw: Raw) -> None:
        """Take in a VideoJob, however broken: one that was published fills the cache, one that found it empty says so."""
        spec, status = _mapping(raw.get("spec")), _mapping(raw.get("status"))
        place = (str(metadata(raw).get("namespace", "")), str(spec.get("store") or DEFAULT_STORE))
        stages = [_mapping(stage) for stage in status.get("stages") or () if isinstance(stage, Mapping)]
        if status.get("phase") == Phase.SUCCEEDED and status.get("outputs"):
            keeps = _mapping(spec.get("cache")).get("mode", "ReadWrite") == "ReadWrite"
            for stage in stages:
                if keeps or stage.get("state") == "Cached":
                    self._add(place, stage.get("key"))
        elif status.get("phase") not in TERMINAL_PHASES:
            failure = _mapping(status.get("failure"))
            if failure.get("exitCode") == ExitCode.UNCACHED:
                for stage in stages:
                    self._drop(place, stage.get("key"))

    def known(self, namespace: str, store: str) -> frozenset[str]:
        """Keys of one store."""
        place = (namespace, store)
        if place not in self._sets:
            self._sets[place] = frozenset(key for where, key in self._keys if where == place)
        return self._sets[place]

    def _add(self, place: Place, key: Any) -> None:
        if not isinstance(key, str) or (place, key) in self._keys:
            return
        self._keys[place, key] = None
        self._sets.pop(place, None)
        if len(self._keys) > self._most:
            oldest = next(iter(self._keys))
            del self._keys[oldest]
            self._sets.pop(oldest[0], None)

    def _drop(self, place: Place, key: Any) -> None:
        if isinstance(key, str) and (place, key) in self._keys:
            del self._keys[place, key]
            self._sets.pop(place, None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
