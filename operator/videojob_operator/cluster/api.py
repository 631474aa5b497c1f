"""The API server as this operator uses it: a small protocol over plain JSON, without typed models.

`client.py` speaks it to a real server, tests speak it to a store in memory.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from videojob_api.names import GROUP, VERSION

Raw = dict[str, Any]
PAGE = 500
"""Objects a list call asks for at once: pages keep the memory of both sides bounded."""


@dataclass(frozen=True)
class Resource:
    """One kind as the API server serves it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`apiVersion` of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """URL path; without a namespace, all of them."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/" + "/".join(parts)


VIDEOJOBS = Resource(GROUP, VERSION, "videojobs", "VideoJob")
VIDEOPROFILES = Resource(GROUP, VERSION, "videoprofiles", "VideoProfile")
VIDEOQUEUES = Resource(GROUP, VERSION, "videoqueues", "VideoQueue")
MEDIASTORES = Resource(GROUP, VERSION, "mediastores", "MediaStore")
JOBS = Resource("batch", "v1", "jobs", "Job")
PODS = Resource("", "v1", "pods", "Pod")
CORE_EVENTS = Resource("", "v1", "events", "Event")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
TOKENREVIEWS = Resource("authentication.k8s.io", "v1", "tokenreviews", "TokenReview", namespaced=False)

OWN_KINDS = (VIDEOJOBS, VIDEOPROFILES, VIDEOQUEUES, MEDIASTORES)
"""Kinds that must be served before anything can be watched."""


class ApiError(Exception):
    """The API server refused, or could not be reached.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        reason: the machine's word, for example `AlreadyExists`.
        causes: reasons of `details.causes`, for example `NamespaceTerminating`.
        retry_after: seconds the server asked to wait, else None.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if status else f"{reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after

    @property
    def not_found(self) -> bool:
        """The object, or its kind, is not there."""
        return self.status == 404

    @property
    def already_exists(self) -> bool:
        """A create found the name taken."""
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def conflict(self) -> bool:
        """A precondition (resourceVersion, UID) did not hold."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def forbidden(self) -> bool:
        """Not permitted: rights, quota or admission."""
        return self.status == 403

    @property
    def expired(self) -> bool:
        """A list's continue token is too old: begin again."""
        return self.status == 410


@dataclass(frozen=True)
class Identity:
    """Whom a token speaks for, as TokenReview says."""

    username: str
    pod_name: str | None = None
    pod_uid: str | None = None


class Api(Protocol):
    """What the operator asks of an API server. Every method raises ApiError."""

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        """Read one object."""

    def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str | None = None,
        fields: str | None = None,
        limit: int = PAGE,
    ) -> AsyncIterator[tuple[Raw, ...]]:
        """List in pages of at most `limit`; without a namespace, all of them."""

    async def create(self, resource: Resource, namespace: str | None, body: Raw) -> Raw:
        """Create one object."""

    async def patch(
        self, resource: Resource, namespace: str | None, name: str, patch: Raw, *, version: str | None = None
    ) -> Raw:
        """JSON merge patch. With `version`, only if the object's resourceVersion is still that one."""

    async def patch_status(
        self, resource: Resource, namespace: str | None, name: str, patch: Raw, *, version: str | None
    ) -> Raw:
        """JSON merge patch of `/status`; `patch` is the content of `status`."""

    async def delete(
        self, resource: Resource, namespace: str | None, name: str, *, uid: str, version: str | None = None
    ) -> None:
        """Delete that very object, its dependents in the background. With `version`, only as it was at that one."""

    async def token_review(self, token: str, audience: str) -> Identity | None:
        """Whom the token speaks for with that audience; None when it is not valid."""

    async def served(self, group: str, version: str) -> frozenset[str]:
        """Plural names the server serves in that group and version; empty when the group is unknown."""

    async def close(self) -> None:
        """Close connections."""


def metadata(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """`metadata` of any object, however broken."""
    meta = raw.get("metadata")
    return meta if isinstance(meta, Mapping) else {}
