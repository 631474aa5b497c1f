"""An API server in memory: the operator's protocol with resourceVersions, preconditions, merge patches and a record of writes.

It has no watches and no controllers; a test that needs them plays them. Faults are put in as a function that may raise.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from videojob_operator.cluster.api import OWN_KINDS, PAGE, ApiError, Identity, Raw, Resource

Key = tuple[str, str, str]
"""Plural, namespace, name."""


@dataclass(frozen=True)
class Call:
    """One write that was asked for."""

    verb: str
    resource: str
    namespace: str
    name: str


def merged(old: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@dataclass
class FakeApi:
    """Objects by kind, namespace and name."""

    objects: dict[Key, Raw] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    """Every write, refused ones included, in order."""
    fault: Callable[[Call], None] = lambda _: None
    """Called before each write is done; raises to refuse it."""
    tokens: dict[tuple[str, str], Identity] = field(default_factory=dict)
    """Valid tokens by (token, audience)."""
    reviews: int = 0
    groups: dict[str, frozenset[str]] = field(
        default_factory=lambda: {kind.group: frozenset(each.plural for each in OWN_KINDS) for kind in OWN_KINDS}
    )
    """Served plurals by group."""

    def __post_init__(self) -> None:
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)

    def put(self, resource: Resource, namespace: str, name: str, **parts: Any) -> Raw:
        """Have an object there, without recording a write; the world changing behind the operator's back."""
        meta = dict(parts.pop("metadata", {}))
        known = self.objects.get((resource.plural, namespace, name), {})
        meta = {"uid": f"uid-{next(self._uids)}", "generation": 1, **known.get("metadata", {}), **meta}
        meta |= {"name": name, "namespace": namespace, "resourceVersion": str(next(self._versions))}
        meta.setdefault("creationTimestamp", "2026-11-21T12:00:00Z")
        raw = {"apiVersion": resource.api_version, "kind": resource.kind, **known, **parts, "metadata": meta}
        self.objects[resource.plural, namespace, name] = raw
        return copy.deepcopy(raw)

    def drop(self, resource: Resource, namespace: str, name: str) -> Raw:
        """Take an object away, its dependents with it."""
        raw = self.objects.pop((resource.plural, namespace, name))
        uid = raw["metadata"]["uid"]
        for key, child in list(self.objects.items()):
            if any(owner.get("uid") == uid for owner in child["metadata"].get("ownerReferences", ())):
                self.objects.pop(key, None)
        return raw

    def all(self, resource: Resource) -> list[Raw]:
        """Every object of a kind, oldest first."""
        return [copy.deepcopy(raw) for (plural, _, _), raw in self.objects.items() if plural == resource.plural]

    def wrote(self, verb: str | None = None) -> list[str]:
        """Writes as `verb resource name`."""
        return [f"{c.verb} {c.resource} {c.name}" for c in self.calls if verb in (None, c.verb)]

    # ------------------------------------------------------------ the protocol

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        """See Api.get."""
        return copy.deepcopy(self._find(resource, namespace, name))

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = PAGE,
    ) -> AsyncIterator[tuple[Raw, ...]]:
        """See Api.pages. Label selectors have the form `key=value`, field selectors `involvedObject.uid=...`."""
        key, _, value = (labels or "").partition("=")
        about = (fields or "").removeprefix("involvedObject.uid=").partition(",")[0]
        found = [
            raw
            for raw in self.all(resource)
            if namespace in (None, raw["metadata"]["namespace"])
            and (not key or raw["metadata"].get("labels", {}).get(key) == value)
            and (not about or raw.get("involvedObject", {}).get("uid") == about)
        ]
        for start in range(0, max(1, len(found)), limit):
            yield tuple(found[start : start + limit])

    async def create(self, resource: Resource, namespace: str | None, body: Raw) -> Raw:
        """See Api.create."""
        name = str(body["metadata"]["name"])
        self._record("create", resource, namespace, name)
        if (resource.plural, namespace or "", name) in self.objects:
            raise ApiError(409, "AlreadyExists", f'{resource.plural} "{name}" already exists')
        parts = {key: value for key, value in copy.deepcopy(body).items() if key not in {"apiVersion", "kind"}}
        return self.put(resource, namespace or "", name, **parts)

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, patch: Raw, *, version: str | None = None
    ) -> Raw:
        """See Api.patch."""
        self._record("patch", resource, namespace, name)
        return self._merge(resource, namespace, name, patch, version)

    async def patch_status(
        self, resource: Resource, namespace: str | None, name: str, patch: Raw, *, version: str | None
    ) -> Raw:
        """See Api.patch_status."""
        self._record("patch", resource, namespace, name, "/status")
        return self._merge(resource, namespace, name, {"status": patch}, version)

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str, version: str | None = None
    ) -> None:
        """See Api.delete."""
        self._record("delete", resource, namespace, name)
        if self._find(resource, namespace, name)["metadata"]["uid"] != uid:
            raise ApiError(409, "Conflict", f"precondition failed: the UID of {name} differs")
        if version not in {None, self._find(resource, namespace, name)["metadata"]["resourceVersion"]}:
            raise ApiError(409, "Conflict", f"precondition failed: {name} has been modified")
        self.drop(resource, namespace or "", name)

    async def token_review(self, token: str, audience: str) -> Identity | None:
        """See Api.token_review."""
        self.reviews += 1
        self.fault(Call("create", "tokenreviews", "", ""))
        return self.tokens.get((token, audience))

    async def served(self, group: str, version: str) -> frozenset[str]:
        """See Api.served."""
        return self.groups.get(group, frozenset()) if version else frozenset()

    async def close(self) -> None:
        """See Api.close."""

    # ------------------------------------------------------------ inside

    def _find(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        raw = self.objects.get((resource.plural, namespace or "", name))
        if raw is None:
            raise ApiError(404, "NotFound", f'{resource.plural} "{name}" not found')
        return raw

    def _merge(self, resource: Resource, namespace: str | None, name: str, patch: Raw, version: str | None) -> Raw:
        old = self._find(resource, namespace, name)
        if version is not None and old["metadata"]["resourceVersion"] != version:
            raise ApiError(409, "Conflict", f"{name} has been modified")
        new = merged(old, copy.deepcopy(patch))
        if new == old:
            return copy.deepcopy(old)  # a patch that changes nothing makes no new version
        if new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 1) + 1
        new["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[resource.plural, namespace or "", name] = new
        return copy.deepcopy(new)

    def _record(self, verb: str, resource: Resource, namespace: str | None, name: str, subresource: str = "") -> None:
        call = Call(verb, resource.plural + subresource, namespace or "", name)
        self.calls.append(call)
        self.fault(call)


def owned(uid: str) -> dict[str, Any]:
    """Metadata of something that the VideoJob of that UID controls."""
    return {"ownerReferences": [{"kind": "VideoJob", "name": "trailer", "uid": uid, "controller": True}]}


def refuse(verb: str, resource: str, error: ApiError, times: int = 1) -> Callable[[Call], None]:
    """A fault: that many such writes are answered with the error."""
    left = [times]

    def fault(call: Call) -> None:
        if (call.verb, call.resource) == (verb, resource) and left[0]:
            left[0] -= 1
            raise error

    return fault
