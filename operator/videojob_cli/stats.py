"""A queue in numbers: VideoQueue.status in the seeds' words (T-004)."""

from __future__ import annotations

from videojob_api.names import DEFAULT_QUEUE

from . import show
from .errors import CliError
from .init import OPERATOR_NAMESPACE
from .kube import Api, Json, status_of


def statistics(api: Api, queue: str = DEFAULT_QUEUE, namespace: str = OPERATOR_NAMESPACE) -> Json:
    """The numbers of a queue, at most ten seconds old.

    Args:
        api: the cluster.
        queue: name of the VideoQueue.
        namespace: the operator's own: only the queues there count.

    Raises:
        CliError: when there is no such queue, or no operator has looked at it.
    """
    return numbers(look(api, queue, namespace))


def look(api: Api, queue: str = DEFAULT_QUEUE, namespace: str = OPERATOR_NAMESPACE) -> Json:
    """The queue's status; raises as `statistics` does."""
    status = status_of(
        api, "VideoQueue", queue, namespace,
        "name the operator's namespace with --operator-namespace, the queue with --queue.",
    )  # fmt: skip
    if "totalJobs" not in status:
        raise CliError(f"No operator has looked at VideoQueue {namespace}/{queue} yet: is it running?")
    return status


def numbers(status: Json) -> Json:
    """Those of the seeds."""
    return {
        "queue_depth": status["queueDepth"],
        "dlq_depth": status["dlqDepth"],
        "total_jobs": status["totalJobs"],
        "jobs_by_status": status.get("jobsByStatus") or {},
        "processing_rate_per_minute": float(status["processingRatePerMinute"]),
    }


def slots(status: Json) -> str:
    """Who has the slots, for people: a Job that holds slots of two classes counts in both, as shared."""
    rows = [
        (slot["name"], slot["used"], slot["capacity"], slot.get("shared", 0), slot["waiting"])
        for slot in status.get("slots") or ()
    ]
    return show.columns(("SLOT", "USED", "OF", "SHARED", "WAITING"), rows)


def table(found: Json) -> str:
    """The same for people."""
    rows = [
        ("waiting", found["queue_depth"]),
        ("failed for good", found["dlq_depth"]),
        ("ended a minute", found["processing_rate_per_minute"]),
        *((f"  {word}", count) for word, count in found["jobs_by_status"].items()),
        ("in all", found["total_jobs"]),
    ]
    return show.columns(("VIDEOJOBS", "COUNT"), rows)
