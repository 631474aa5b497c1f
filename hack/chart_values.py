"""The chart's values as a model: values.yaml, values.schema.json and the table in its README are written from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from videojob_api.v1alpha1 import WorkerClass
from videojob_api.v1alpha1.base import ApiModel
from videojob_api.v1alpha1.workerclass import ClassName

Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
Name = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class Image(ApiModel):
    """Where an image comes from."""

    registry: str = ""
    """Registry host, put in front of the repository; empty leaves the choice to the node."""
    repository: Annotated[str, Field(min_length=1)]
    """Repository of the image."""
    tag: str = ""
    """Tag; empty means the chart's appVersion."""
    digest: Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64})?$")] = ""
    """Digest `sha256:...`; where given, it decides and the tag is only for people."""
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When nodes pull it."""


class PullSecret(ApiModel):
    """A reference by name."""

    name: Name
    """Secret of type kubernetes.io/dockerconfigjson, in each namespace that pulls."""


class Amounts(ApiModel):
    """CPU and memory."""

    cpu: Quantity
    """Cores, for example `500m`."""
    memory: Quantity
    """Bytes, for example `256Mi`."""


class Resources(ApiModel):
    """What the operator may use."""

    requests: Amounts = Amounts(cpu="50m", memory="128Mi")
    """What the node sets aside for it."""
    limits: Amounts = Amounts(cpu="1", memory="512Mi")
    """What it may use at most."""


class Operator(ApiModel):
    """The operator's Deployment."""

    image: Image = Image(repository="videojob-operator")
    """Its image."""
    resources: Resources = Resources()
    """Its share of a node."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Level of the JSON logs."""
    resync_seconds: Annotated[int, Field(ge=10)] = 300
    """Every so often all objects are listed again, and what an event did not tell is repaired."""
    workers: Annotated[int, Field(ge=1, le=64)] = 8
    """VideoJobs looked at at the same time."""
    status_writes_per_second: Annotated[int, Field(ge=1)] = 50
    """Most status patches a second over all VideoJobs."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels a node must have."""
    tolerations: tuple[dict[str, Any], ...] = ()
    """Taints it tolerates, besides a node that is gone for 30 s."""
    affinity: dict[str, Any] = Field(default_factory=dict)
    """Affinity rules of the pod."""
    priority_class_name: str = ""
    """PriorityClass of the pod."""
    pod_annotations: dict[str, str] = Field(default_factory=dict)
    """Further annotations of the pod."""
    pod_labels: dict[str, str] = Field(default_factory=dict)
    """Further labels of the pod."""


class Worker(ApiModel):
    """The pods that work on media."""

    image: Image = Image(repository="videojob-worker")
    """Image of every worker pod."""
    threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads of an encoder; part of a job's plan, since another number gives other bytes."""
    disruption_budget: Annotated[int, Field(ge=0)] = 5
    """Evictions and lost nodes that a group of stages survives."""
    keep_finished_seconds: Annotated[int, Field(ge=0)] = 300
    """Finished Jobs, and with them the logs of their pods, are deleted this long after their result is recorded."""


class Fetch(ApiModel):
    """Where URL sources and webhooks may lead: public addresses only, unless a network is opened here."""

    allow_networks: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-fA-F:.]+/[0-9]{1,3}$")], ...], Field(max_length=200)
    ] = ()
    """Networks such as `10.20.0.0/16` that may be fetched from although they are not public. Loopback and link-local
    addresses, where clouds keep their metadata, open only by a network wholly within them."""
    allow_hosts: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\*\.)?[A-Za-z0-9.:-]+$")], ...], Field(max_length=200)
    ] = ()
    """Hosts that alone may be fetched from, `*.example.com` for all below a name. Empty: every host."""


class Crds(ApiModel):
    """The CustomResourceDefinitions."""

    enabled: bool = True
    """Install and upgrade them with the chart; false where `kubectl apply -f crds/` or a GitOps tool does."""
    keep: bool = True
    """Leave them, and with them every VideoJob, when the release is uninstalled."""


class Watch(ApiModel):
    """Which namespaces are served."""

    namespaces: Annotated[tuple[Name, ...], Field(max_length=200)] = ()
    """Namespaces to serve, by Roles in each; the release's own always belongs to them. Empty: all, by a ClusterRole."""


class Storage(ApiModel):
    """The claim behind a store."""

    size: Quantity = "10Gi"
    """Size of the claim."""
    storage_class_name: str = ""
    """StorageClass; empty means the cluster's default."""
    access_modes: Annotated[
        tuple[Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"], ...], Field(min_length=1, max_length=3)
    ] = ("ReadWriteOnce",)
    """ReadWriteMany lets stages run on any node; with ReadWriteOnce they share one."""


class ReadyNamespace(ApiModel):
    """A namespace made ready for VideoJobs: worker ServiceAccount and, once if absent, a claim and the MediaStore `default`;
    these two hold people's videos, so that the release never changes or removes them.
    """

    name: Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")] = ""
    """An existing namespace; empty means the release's."""
    storage: Storage = Storage()
    """Its volume."""


class Rbac(ApiModel):
    """Rights."""

    create: bool = True
    """Make the operator's roles; they come from a table in its code."""
    user_roles: bool = True
    """Make the ClusterRoles for people: viewer, editor and queue admin, aggregated to view, edit and admin, and
    `videojob-uploader` for the CLI's file transfer, to be bound by hand."""
    shared_reading: bool = True
    """Let every authenticated user read queues and profiles in the release's namespace."""


class ServiceAccount(ApiModel):
    """The operator's identity."""

    create: bool = True
    """Make it."""
    name: str = ""
    """Its name; empty means the release's full name."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Its annotations."""


class NetworkPolicy(ApiModel):
    """Who may talk to whom."""

    enabled: bool = False
    """Let only worker pods reach the operator's worker port and, in `namespaces`, worker pods reach nothing else but
    DNS; those that fetch URLs or tell webhooks reach public addresses and `fetch.allowNetworks`, too. Needs a network
    plugin that enforces policies."""


class Defaults(ApiModel):
    """The default VideoQueue and the built-in VideoProfiles."""

    enabled: bool = True
    """Let the operator create those that are absent in its namespace."""


class Alerts(ApiModel):
    """Alerts of the Prometheus Operator (A-028)."""

    enabled: bool = False
    """Whether a PrometheusRule is made: avatars that fail or take long, GPU slots that are all held, stores that are nearly
    full. Its CRD must be there."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Labels by which a Prometheus chooses its rules."""


class ChartValues(ApiModel):
    """Every value of the chart."""

    global_values: Annotated[dict[str, Any], Field(alias="global")] = Field(default_factory=dict)
    """Values that a parent chart shares with its parts; this chart reads none."""
    name_override: Annotated[str, Field(max_length=63)] = ""
    """Name of the Deployment, Service and ServiceAccount instead of `videojob-operator`."""
    image_pull_secrets: tuple[PullSecret, ...] = ()
    """Secrets for pulling both images."""
    operator: Operator = Operator()
    """The operator's Deployment."""
    worker: Worker = Worker()
    """The pods that work on media."""
    worker_classes: dict[ClassName, WorkerClass] = Field(
        default_factory=dict, json_schema_extra={"additionalProperties": False}
    )
    """Further kinds of worker pods by name, which VideoJobs pick by `spec.workerClass`. The class `default`, as the fields'
    defaults have it, is there in any case."""
    fetch: Fetch = Fetch()
    """Where URL sources and webhooks may lead: public addresses only, unless a network is opened here."""
    crds: Crds = Crds()
    """The CustomResourceDefinitions."""
    watch: Watch = Watch()
    """Which namespaces are served."""
    namespaces: Annotated[tuple[ReadyNamespace, ...], Field(max_length=200)] = (ReadyNamespace(),)
    """Namespaces to make ready for VideoJobs; `videojob init -n NAMESPACE` does the same for further ones."""
    defaults: Defaults = Defaults()
    """The default VideoQueue and the built-in VideoProfiles."""
    rbac: Rbac = Rbac()
    """Rights."""
    service_account: ServiceAccount = ServiceAccount()
    """The operator's identity."""
    alerts: Alerts = Alerts()
    """Alerts."""
    network_policy: NetworkPolicy = NetworkPolicy()
    """Who may talk to whom."""
