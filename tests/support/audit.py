"""The API server's audit log as evidence: who wrote what."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class Write:
    """One write that the API server answered."""

    agent: str
    """First word of the user agent, for example `videojob-operator` or `kube-controller-manager`."""
    verb: str
    resource: str
    """With its subresource: `videojobs/status`."""
    namespace: str
    name: str
    code: int


class Audit:
    """The part of the log written after this object was made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.start = path.stat().st_size

    def writes(self, namespace: str | None = None) -> list[Write]:
        """Writes so far, in order; only of one namespace if it is given."""
        found = []
        with self.path.open("rb") as log:
            log.seek(self.start)
            for line in log:
                if line.endswith(b"\n"):
                    write = _write(json.loads(line))
                    if write is not None and namespace in (None, write.namespace):
                        found.append(write)
        return found

    def created_jobs(self, namespace: str) -> list[str]:
        """Names of the Jobs whose creation succeeded, in order."""
        return [
            write.name
            for write in self.writes(namespace)
            if write.resource == "jobs" and write.verb == "create" and write.code == 201
        ]


def _write(entry: dict[str, Any]) -> Write | None:
    reference = entry.get("objectRef") or {}
    if entry.get("verb") not in WRITES or entry.get("stage") != "ResponseComplete":
        return None
    resource = reference.get("resource", "")
    if reference.get("subresource"):
        resource += "/" + reference["subresource"]
    return Write(
        agent=(entry.get("userAgent") or "").split("/", 1)[0].split(" ", 1)[0],
        verb=entry["verb"],
        resource=resource,
        namespace=reference.get("namespace", ""),
        name=reference.get("name", ""),
        code=(entry.get("responseStatus") or {}).get("code", 0),
    )
