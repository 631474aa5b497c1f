"""Prometheus metrics (T-017). Counted from what was applied, never from inside a decision.

The names without the prefix `videojob_` are the seeds'. Only what this operator can say truthfully is exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from videojob_api.names import TERMINAL_PHASES, Phase
from videojob_api.v1alpha1 import VideoJobStatus

_METHODS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WAITS = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
_MINUTES = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_SIZES = tuple(float(1 << power) for power in range(16, 34, 2))


class Metrics:
    """One registry per operator, so that tests can run several in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(name, text, registry=self.registry, buckets=buckets)

        self.uploads = counter("video_uploads_total", "Sources looked at by ingest, by status.", "status")
        self.upload_size = histogram("video_upload_size_bytes", "Size of accepted sources in bytes.", _SIZES)
        self.processed = counter(
            "video_jobs_processed_total", "Finished VideoJobs by status and profile.", "status", "profile"
        )
        self.duration = histogram(
            "video_processing_duration_seconds", "Seconds from the first stage's start to the end.", _MINUTES
        )
        self.reconciles = counter("videojob_reconciles_total", "Looks at one VideoJob, by outcome.", "outcome")
        self.plan_seconds = histogram("videojob_plan_seconds", "Seconds that deciding took.", _LATENCY)
        self.event_to_create = histogram(
            "videojob_event_to_create_seconds", "From an event's arrival to the answered creation of a Job.", _LATENCY
        )
        self.events_seen = counter("videojob_watch_events_total", "Watch events, by kind.", "kind")
        self.drift = counter(
            "videojob_cache_drift_total", "What resync had to repair because the watch missed it.", "kind", "direction"
        )
        self.writes = counter("videojob_api_writes_total", "Writes sent to the API server.", "verb", "resource", "code")
        self.posts = counter(
            "videojob_worker_posts_total", "Posts from workers, by route and HTTP status.", "route", "code"
        )
        self.events_dropped = counter("videojob_events_dropped_total", "Kubernetes Events that could not be written.")
        self.queue_wait = histogram(
            "videojob_queue_wait_seconds", "Wait of a stage for its slot, from the first asking.", _WAITS
        )
        self.budget_wait = histogram(
            "videojob_status_budget_wait_seconds", "Wait of a status patch for its turn in the write budget.", _LATENCY
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """A gauge read when it is scraped."""
        Gauge(name, text, registry=self.registry).set_function(read)

    def family(
        self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], dict[tuple[str, ...], float]]
    ) -> None:
        """A gauge with labels, read when it is scraped; values that are gone vanish."""
        self.registry.register(_Family(name, text, labels, read))

    def write(self, method: str, resource: str, subresource: str, code: int) -> None:
        """A write was answered."""
        name = f"{resource}/{subresource}" if subresource else resource
        self.writes.labels(_METHODS.get(method, method.lower()), name, str(code)).inc()

    def post(self, route: str, code: int) -> None:
        """A worker's post was answered."""
        self.posts.labels(route, str(code)).inc()

    def status_written(self, before: VideoJobStatus, after: VideoJobStatus) -> None:
        """A status patch was accepted: count what it reports for the first time."""
        if after.input is not None and before.input is None:
            self.uploads.labels("success").inc()
            self.upload_size.observe(after.input.size_bytes)
        if after.phase == before.phase or after.phase not in TERMINAL_PHASES:
            return
        status = {Phase.SUCCEEDED: "success", Phase.FAILED: "failed"}.get(after.phase, "cancelled")
        if after.input is None and after.phase == Phase.FAILED and after.failure and after.failure.stage == "Ingest":
            self.uploads.labels("failed").inc()
        for output in after.plan.outputs if after.plan else ():
            self.processed.labels(status, output.name).inc()
        if after.start_time and after.completion_time:
            self.duration.observe(max(0.0, (after.completion_time - after.start_time).total_seconds()))

    def exposition(self) -> bytes:
        """The text Prometheus reads."""
        return generate_latest(self.registry)


class _Family(Collector):
    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], dict[tuple[str, ...], float]]
    ) -> None:
        self._head = (name, text)
        self._labels = labels
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(*self._head, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(*self._head, labels=self._labels)
        for values, number in self._read().items():
            family.add_metric(values, number)
        return [family]
