"""Prometheus metrics (X-015, T-017, A-027). Counted from what was applied, never from inside a decision.

The names without the prefix `videojob_` are the seeds'. Only what this operator can say truthfully is exported. Labels are
bounded: namespaces, queues, slot classes, phases, stages, profiles' output names, never a VideoJob's name or UID.
`operator/METRICS.md` lists every metric.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_METHODS = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete"}
_LATENCY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_WAITS = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0)
_MINUTES = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)
_PERCENTS = (5.0, 10.0, 25.0, 50.0, 75.0, 80.0, 90.0, 95.0, 100.0)
_SIZES = tuple(float(1 << power) for power in range(16, 34, 2))


@dataclass(frozen=True)
class Entry:
    """One metric, for those who read about it."""

    type: str
    labels: tuple[str, ...]
    text: str


class Metrics:
    """One registry per operator, so that tests can run several in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.catalogue: dict[str, Entry] = {}
        """Every metric by name, as `operator/METRICS.md` has it."""

        def counter(name: str, text: str, *labels: str) -> Counter:
            self.catalogue[name] = Entry("counter", labels, text)
            return Counter(name, text, labels, registry=self.registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            self.catalogue[name] = Entry("histogram", labels, text)
            return Histogram(name, text, labels, registry=self.registry, buckets=buckets)

        self.uploads = counter("video_uploads_total", "Sources looked at by ingest, by status.", "status")
        self.upload_size = histogram("video_upload_size_bytes", "Size of accepted sources in bytes.", _SIZES)
        self.processed = counter(
            "video_jobs_processed_total", "Finished VideoJobs by status and profile.", "status", "profile"
        )
        self.duration = histogram(
            "video_processing_duration_seconds", "Seconds from the first stage's start to the end.", _MINUTES
        )
        self.videos = counter("videos_generated_total", "Story VideoJobs that succeeded.")
        self.story_duration = histogram(
            "video_generation_duration_seconds", "Seconds from the first stage's start to the end, of Story.", _MINUTES
        )
        self.story_errors = counter(
            "video_generation_errors_total", "Story VideoJobs that failed, by failure code.", "error_type"
        )
        self.pipeline_time = histogram(
            "pipeline_execution_time_seconds", "Seconds from the first stage's start to the end, of Avatar.", _MINUTES
        )
        self.pipelines = Rolling()
        self.stage_seconds = histogram(
            "videojob_stage_seconds",
            "Seconds of each stage that succeeded, by what its models really computed on.", _MINUTES, "type", "stage",
            "accelerator",
        )  # fmt: skip
        self.finished = counter(
            "videojob_finished_total", "VideoJobs that ended, by kind of work and how.", "type", "status"
        )
        self.cpu_seconds = counter(
            "videojob_cpu_seconds_total", "CPU seconds of stages that succeeded.", "namespace", "stage"
        )
        self.gpu_seconds = counter(
            "videojob_gpu_seconds_total", "GPU seconds held by stages that succeeded.", "namespace", "stage"
        )
        self.gpu_load = histogram(
            "videojob_gpu_load_percent",
            "Load of a stage's GPUs in percent, at each of its workers' samples (NVML); of a shared card, all of it.",
            _PERCENTS, "stage",
        )  # fmt: skip
        self.retries = counter(
            "videojob_retries_total", "Failed attempts that were repeated, by failure class.", "class"
        )
        self.stalls = counter("videojob_stalls_total", "Attempts that made no progress, or ran out of time.")
        self.degraded = counter("videojob_degraded_total", "VideoJobs that became Degraded, by reason.", "reason")
        self.notifications = counter(
            "videojob_notifications_total", "Attempts to tell a webhook, by outcome.", "outcome"
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
        self.catalogue[name] = Entry("gauge", (), text)
        Gauge(name, text, registry=self.registry).set_function(read)

    def family(
        self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], dict[tuple[str, ...], float]]
    ) -> None:
        """A gauge with labels, read when it is scraped; values that are gone vanish."""
        self.catalogue[name] = Entry("gauge", labels, text)
        self.registry.register(_Family(name, text, labels, read))

    def write(self, method: str, resource: str, subresource: str, code: int) -> None:
        """A write was answered."""
        name = f"{resource}/{subresource}" if subresource else resource
        self.writes.labels(_METHODS.get(method, method.lower()), name, str(code)).inc()

    def post(self, route: str, code: int) -> None:
        """A worker's post was answered."""
        self.posts.labels(route, str(code)).inc()

    def exposition(self) -> bytes:
        """The text Prometheus reads."""
        return generate_latest(self.registry)


class Rolling:
    """The share of successes among the last so many ends."""

    def __init__(self, size: int = 100) -> None:
        self._ends: deque[bool] = deque(maxlen=size)

    def add(self, success: bool) -> None:
        """One more end."""
        self._ends.append(success)

    def rate(self) -> dict[tuple[str, ...], float]:
        """From 0 to 1; nothing before the first end."""
        return {(): sum(self._ends) / len(self._ends)} if self._ends else {}


class _Family(Collector):
    def __init__(
        self, name: str, text: str, labels: tuple[str, ...], read: Callable[[], dict[tuple[str, ...], float]]
    ) -> None:
        self._head = (name, text)
        self.labels = labels
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(*self._head, labels=self.labels)]

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(*self._head, labels=self.labels)
        for values, number in self._read().items():
            family.add_metric(values, number)
        return [family]
