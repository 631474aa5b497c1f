"""The few calls to the Kubernetes API that starting a cluster needs, over the standard library's HTTPS."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cluster import pki, say
from cluster.paths import State

_SECONDS = 10.0


@dataclass(frozen=True)
class Client:
    """Requests as the cluster's administrator."""

    state: State
    server: str

    def request(
        self, method: str, path: str, body: object = None, content: str = "application/json"
    ) -> tuple[int, Any]:
        """Status and decoded answer; OSError if nobody answers."""
        context = pki.client_context(self.state, "admin")
        address = urlsplit(self.server)
        connection = http.client.HTTPSConnection(
            address.hostname or "", address.port, context=context, timeout=_SECONDS
        )
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, {"Content-Type": content, "Accept": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self.request("GET", "/readyz")[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> Any:
        """The object or list at a path; None if it does not exist."""
        status, answer = self.request("GET", path)
        if status == http.HTTPStatus.NOT_FOUND:
            return None
        return self._checked("GET", path, status, answer)

    def patch(self, path: str, change: object) -> Any:
        """Apply a JSON merge patch."""
        status, answer = self.request("PATCH", path, change, "application/merge-patch+json")
        return self._checked("PATCH", path, status, answer)

    def apply(self, manifest: Mapping[str, Any]) -> Any:
        """Create the object or bring it to this shape (server-side apply), so that a second start changes nothing."""
        path = f"{object_path(manifest)}?fieldManager=videojob-cluster&force=true"
        status, answer = self.request("PATCH", path, manifest, "application/apply-patch+yaml")
        return self._checked("PATCH", path, status, answer)

    def _checked(self, method: str, path: str, status: int, answer: Any) -> Any:
        if status >= http.HTTPStatus.BAD_REQUEST:
            reason = answer.get("message", answer) if isinstance(answer, dict) else answer
            raise say.CannotRunError(f"The API server refused {method} {path} with {status}: {reason}")
        return answer


_PLURALS: Mapping[str, str] = {"StorageClass": "storageclasses"}
"""Plurals that are not the kind in small letters with an s."""


def object_path(manifest: Mapping[str, Any]) -> str:
    """Where an object of a built-in kind lives."""
    version, kind, metadata = manifest["apiVersion"], manifest["kind"], manifest["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    plural = _PLURALS.get(kind, kind.lower() + "s")
    scope = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{scope}/{plural}/{metadata['name']}"
