"""The operator's settings: one model, read from environment variables `VIDEOJOB_*`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import TypeAdapter, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from videojob_api.contract import FetchPolicy
from videojob_api.names import DEFAULT_WORKER_CLASS
from videojob_api.v1alpha1 import WorkerClass
from videojob_api.v1alpha1.workerclass import ClassName

_CLASSES: TypeAdapter[dict[str, WorkerClass]] = TypeAdapter(dict[ClassName, WorkerClass])


class Settings(BaseSettings):
    """What an admin can set. The chart's values map onto these one to one."""

    model_config = SettingsConfigDict(env_prefix="VIDEOJOB_", frozen=True, extra="ignore")

    namespace: str = "videojob-system"
    """The operator's own namespace: queues and shared profiles live here."""
    watch_namespaces: Annotated[tuple[str, ...], NoDecode] = ()
    """Namespaces to serve, comma-separated in the environment; empty means all."""
    worker_image: str = "videojob-worker:dev"
    """Image of every worker pod."""
    image_pull_policy: str = "IfNotPresent"
    """Pull policy of worker pods."""
    worker_classes_file: Path | None = None
    """YAML file with the worker classes by name; without one, or without a class `default` in it, there is that one as the
    stages' table has it."""
    defaults_file: Path | None = None
    """YAML file with the default queue and the built-in profiles, created at start if absent."""
    progress_url: str | None = None
    """Base URL under which worker pods reach this operator; None switches progress posts off."""
    host: str = "0.0.0.0"  # noqa: S104 - inside a pod, behind the Service
    """Address the HTTP servers listen on."""
    http_port: int = 8080
    """Port of /healthz, /readyz, /metrics."""
    worker_port: int = 8081
    """Port that takes progress and results from workers."""
    resync_seconds: int = 300
    """Every so often all objects are listed and the cache is repaired."""
    crd_wait_seconds: int = 120
    """At start, wait this long for the CRDs to be served, then exit naming the missing ones."""
    workers: int = 8
    """Reconciles that run at the same time."""
    status_writes_per_second: int = 50
    """Most status patches a second over all VideoJobs."""
    threads: int = 2
    """Encoder threads of each worker."""
    fetch_allow_networks: Annotated[tuple[str, ...], NoDecode] = ()
    """Networks (CIDR) that URLs may lead to although they are not public, comma-separated in the environment."""
    fetch_allow_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Hosts that alone may be fetched from, `*.example.com` for all below a name; empty means every host."""
    disruption_budget: int = 5
    """Evictions and lost nodes a stage group survives."""
    keep_finished_seconds: int = 300
    """Finished Jobs are deleted this long after their result is recorded."""
    deployment: str | None = None
    """Name of the operator's Deployment: it becomes the owner of the defaults, so that an uninstall removes them."""
    lease_name: str = "videojob-operator"
    """Lease that fences this operator against another one."""
    pod_uid: str | None = None
    """UID of the operator's pod, the Lease's holder; None holds no Lease (a run outside a cluster)."""
    noop: bool = False
    """Every VideoJob runs the recipe that does nothing, parameters in `spec.externalId`: for tests of the operator alone.
    No chart sets it."""
    log_level: str = "INFO"
    """Level of the JSON logs (X-017)."""

    @field_validator("watch_namespaces", "fetch_allow_networks", "fetch_allow_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Names from a comma-separated list; the chart gives an empty text for none."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("fetch_allow_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Networks that can be read, at start rather than in every fetch."""
        return FetchPolicy(allow_networks=value).allow_networks

    @property
    def fetch(self) -> FetchPolicy:
        """Where URLs may lead, as task documents carry it."""
        return FetchPolicy(allow_networks=self.fetch_allow_networks, allow_hosts=self.fetch_allow_hosts)

    @field_validator("progress_url", "pod_uid", "deployment", "defaults_file", "worker_classes_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        """An empty variable means the same as none: templates cannot always leave one out."""
        return value or None


def read_classes(value: object) -> dict[str, WorkerClass]:
    """Worker classes from what YAML made of them. Raises ValueError naming class and field."""
    try:
        found = _CLASSES.validate_python(value)
    except ValidationError as error:
        problems = (
            f"workerClasses.{'.'.join(str(part) for part in entry['loc'] if part != '[key]')}: {entry['msg']}"
            for entry in error.errors()[:5]
        )
        raise ValueError("; ".join(problems)) from None
    for name, row in found.items():
        cards = found.get(row.gpu_class)
        if row.gpu_class and (cards is None or cards.gpu is None):
            what = "is not declared" if cards is None else "has no gpu"
            raise ValueError(f"workerClasses.{name}.gpuClass: class {row.gpu_class} {what}; name one that has gpu")
    return {DEFAULT_WORKER_CLASS: WorkerClass(), **found}
