"""How many pods worked at once, told from every state that a watch of pods has seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def at_work(states: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Each state in the API server's order, with the UIDs of the pods at work by then.

    A pod is at work from its creation until all its containers have ended: so long its slot is held.
    """
    working: set[str] = set()
    for pod in states:
        status, uid = pod["status"], pod["metadata"]["uid"]
        reports = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
        if reports and all("terminated" in report["state"] for report in reports):
            working.discard(uid)
        else:
            working.add(uid)
        yield pod, frozenset(working)


def most_at_work(states: Iterable[dict[str, Any]]) -> int:
    """Most pods at work at once; 0 without a pod."""
    return max((len(uids) for _, uids in at_work(states)), default=0)
