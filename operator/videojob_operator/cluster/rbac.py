"""Every right the operator uses, with its reason. The chart's roles are generated from this table, and nothing else.

No Secrets, no wildcards, nothing that could change another's pod. Tests compare the table with the calls that are made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from videojob_api.names import GROUP

Scope = Literal["watched", "own", "cluster"]
"""`watched`: in every namespace that is served (a ClusterRole when that is all of them); `own`: in the operator's namespace
only, which is always watched as well; `cluster`: cannot be granted in a namespace."""


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    api_group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    scope: Scope
    reason: str

    def manifest(self) -> dict[str, list[str]]:
        """The row as a PolicyRule."""
        return {"apiGroups": [self.api_group], "resources": list(self.resources), "verbs": list(self.verbs)}


_FOLLOW = ("list", "watch")

ROLE_RULES: tuple[Rule, ...] = (
    Rule(
        GROUP,
        ("videojobs",),
        (*_FOLLOW, "get", "patch"),
        "watched",
        "see requests, again after a conflict; set the label of dead letters",
    ),
    Rule(GROUP, ("videojobs/status",), ("patch",), "watched", "report"),
    Rule(
        GROUP,
        ("videojobs/finalizers",),
        ("update",),
        "watched",
        "own Jobs where the admission plugin OwnerReferencesPermissionEnforcement asks for it; no finalizer is ever set",
    ),
    Rule(
        GROUP, ("videojobs",), ("delete",), "watched", "delete one by its own ttlSecondsAfterFinished, never otherwise"
    ),
    Rule(GROUP, ("mediastores",), _FOLLOW, "watched", "find the store a VideoJob names; see when it is to be swept"),
    Rule(GROUP, ("mediastores/status",), ("patch",), "watched", "report how full a store is and what a sweep did"),
    Rule(GROUP, ("videoprofiles",), _FOLLOW, "watched", "find profiles in the VideoJob's namespace"),
    Rule(
        "batch",
        ("jobs",),
        (*_FOLLOW, "get", "create", "patch", "delete"),
        "watched",
        "run stages and sweeps, each once; let a fan-out use slots that have become free; clear finished ones",
    ),
    Rule(
        "",
        ("pods",),
        _FOLLOW,
        "watched",
        "see a stage end the moment its container does, and, in the operator's namespace, whether the Lease's holder is gone",
    ),
    Rule("", ("events",), ("list",), "watched", "read why the Job controller cannot make a pod (quota, Pod Security)"),
    Rule("events.k8s.io", ("events",), ("create", "patch"), "watched", "tell what happens to a VideoJob"),
    Rule(
        GROUP,
        ("videoqueues",),
        _FOLLOW,
        "watched",
        "read limits; only those in the operator's namespace count, but one watch covers all namespaces",
    ),
    Rule(
        GROUP,
        ("videoqueues", "videoprofiles"),
        ("get", "create", "patch"),
        "own",
        "create the default queue and profiles, and change them while nobody else has",
    ),
    Rule(
        GROUP, ("videoqueues/status",), ("patch",), "own", "report how full a queue is, who is next, how fast it goes"
    ),
    Rule("coordination.k8s.io", ("leases",), ("get", "create", "patch"), "own", "one operator at a time"),
    Rule("apps", ("deployments",), ("get",), "own", "make the operator's Deployment the owner of its defaults"),
    Rule(
        "authentication.k8s.io",
        ("tokenreviews",),
        ("create",),
        "cluster",
        "know which pod sent a progress post; the one right that no namespace can grant",
    ),
)
"""Every right."""


def rules(scope: Scope) -> list[dict[str, list[str]]]:
    """The PolicyRules of one scope."""
    return [rule.manifest() for rule in ROLE_RULES if rule.scope == scope]
