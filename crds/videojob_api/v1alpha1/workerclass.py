"""Worker classes: bounded ways to run worker pods, which an administrator declares in the chart and a VideoJob picks by name."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from .base import ApiModel
from .spec import QUANTITY, quantity_bytes

MAX_CLASS_BYTES = 2048
"""Largest class as JSON: it stands in the status of every VideoJob that uses it."""
MIB = 2**20
Memory = Annotated[str, Field(pattern=QUANTITY, max_length=20)]
Cpu = Annotated[str, Field(pattern=r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$", max_length=12)]
Label = Annotated[str, Field(max_length=253, pattern=r"^([A-Za-z0-9][A-Za-z0-9./_-]*)?$")]
ObjectName = Annotated[str, Field(max_length=253, pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")]
Namespace = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ClassName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]


class ClassAmounts(ApiModel):
    """CPU and memory; what is absent is as the stages' table has it."""

    cpu: Cpu | None = None
    """Cores, for example `500m` or `2`."""
    memory: Memory | None = None
    """Bytes, for example `2Gi`; at least 32Mi."""


class ClassResources(ApiModel):
    """What the container that decodes and encodes asks for and may use."""

    requests: ClassAmounts = ClassAmounts()
    """What the node sets aside for it."""
    limits: ClassAmounts = ClassAmounts()
    """What it may use in the first attempt."""


class Gpu(ApiModel):
    """GPUs of the container that decodes and encodes."""

    resource: Annotated[str, Field(max_length=100, pattern=r"^[a-z0-9.-]+/[A-Za-z0-9][A-Za-z0-9._-]*$")] = (
        "nvidia.com/gpu"
    )
    """Name of the extended resource: `nvidia.com/gpu`, `nvidia.com/gpu.shared`, `amd.com/gpu`."""
    count: Annotated[int, Field(ge=1, le=16)] = 1
    """How many."""


GPU_ENV = (
    ("PYTORCH_CUDA_ALLOC_CONF", "max_split_size_mb:512"),
    ("YOLO_CONFIDENCE_THRESHOLD", "0.5"),
    ("BIREFNET_USE_TENSORRT", "true"),
    ("BIREFNET_USE_FP16", "true"),
)
"""Environment of containers that hold a GPU, unless the class says otherwise (A-022). CUDA_VISIBLE_DEVICES is the device
plugin's to set."""


class Toleration(ApiModel):
    """A taint that the pods tolerate."""

    key: Label = ""
    """Key of the taint; empty with operator Exists means every taint."""
    operator: Literal["Equal", "Exists"] = "Equal"
    """How key and value are compared."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; absent means all."""
    toleration_seconds: Annotated[int, Field(ge=0)] | None = None
    """For NoExecute: how long it is tolerated."""


class EnvVar(ApiModel):
    """An environment variable."""

    name: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    """Its name; `VIDEOJOB_*` belong to the operator."""
    value: Annotated[str, Field(max_length=256)] = ""
    """Its value; it is readable in the status of VideoJobs, so no secret belongs here."""

    @field_validator("name")
    @classmethod
    def _ours(cls, value: str) -> str:
        if value.startswith("VIDEOJOB_") or value == "PYTHONUNBUFFERED":
            raise ValueError(f"{value} is set by the operator; choose another name")
        return value


class WorkerClass(ApiModel):
    """How worker pods run. A class without any field is what every VideoJob gets that names none."""

    image: Annotated[str, Field(max_length=255, pattern=r"^([A-Za-z0-9][A-Za-z0-9./:@_-]*)?$")] = ""
    """Image of the pods with its tag or digest; empty means `worker.image`."""
    resources: ClassResources = ClassResources()
    """Requests and limits of the container that decodes and encodes; others keep those of the stages' table."""
    max_memory: Memory | None = None
    """Most memory that an attempt may get: one after an attempt that ran out of memory gets half as much again, up to this.
    Absent means twice what the first one got."""
    scratch: Memory = "1Gi"
    """Size of /tmp in the pod; a pod that writes more is evicted."""
    max_scratch: Memory | None = None
    """Most that /tmp may grow to after attempts that ran out of disk. Absent means twice `scratch`."""
    gpu: Gpu | None = None
    """GPUs; absent means none."""
    gpu_class: Annotated[str, Field(max_length=63, pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$")] = ""
    """Worker class with a GPU in which stages work that can compute on one, while all other stages stay in this one; empty
    means that this class's own GPUs, if any, do. `spec.accelerator` of a VideoJob chooses between the two."""
    node_selector: Annotated[dict[Label, Annotated[str, Field(max_length=63)]], Field(max_length=16)] = Field(
        default_factory=dict
    )
    """Labels a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints the pods tolerate."""
    spot: Literal["Any", "Tolerate", "Avoid"] = "Any"
    """Nodes that a cloud may take back at any moment: `Tolerate` adds the tolerations that clouds' spot nodes ask for, `Avoid`
    keeps the pods off them, `Any` leaves it to the scheduler."""
    disruption_budget: Annotated[int, Field(ge=0, le=1000)] | None = None
    """Evictions and lost nodes that a group of stages survives; absent means `worker.disruptionBudget`."""
    protect_long_stages: bool = True
    """Whether pods of long stages carry the marks that keep node autoscalers from taking them away
    (`cluster-autoscaler.kubernetes.io/safe-to-evict: "false"`, `karpenter.sh/do-not-disrupt: "true"`)."""
    runtime_class_name: ObjectName = ""
    """RuntimeClass of the pods, for example `gvisor` or `nvidia`."""
    priority_class_name: ObjectName = ""
    """PriorityClass of the pods."""
    env: Annotated[tuple[EnvVar, ...], Field(max_length=16)] = ()
    """Environment variables of every container. Those that hold a GPU have, unless named here, also
    `PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:512`, `YOLO_CONFIDENCE_THRESHOLD=0.5`, `BIREFNET_USE_TENSORRT=true` and
    `BIREFNET_USE_FP16=true`."""
    kueue_queue: ObjectName = ""
    """LocalQueue of the VideoJob's namespace that Kueue admits the Jobs through; empty means what the VideoQueue says."""
    namespaces: Annotated[tuple[Namespace, ...], Field(max_length=32)] = ()
    """Namespaces whose VideoJobs may use the class; empty means all."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        requests, limits = self.resources.requests, self.resources.limits
        named = {
            "resources.requests.memory": requests.memory,
            "resources.limits.memory": limits.memory,
            "maxMemory": self.max_memory,
            "scratch": self.scratch,
            "maxScratch": self.max_scratch,
        }
        for field, text in named.items():
            if text is not None and quantity_bytes(text) < 32 * MIB:
                raise ValueError(f"{field} is {text}, at least 32Mi are needed")
        for less, more in (
            ("resources.requests.memory", "resources.limits.memory"),
            ("resources.requests.memory", "maxMemory"),
            ("resources.limits.memory", "maxMemory"),
            ("scratch", "maxScratch"),
        ):
            low, high = named[less], named[more]
            if low is not None and high is not None and quantity_bytes(low) > quantity_bytes(high):
                raise ValueError(f"{more} ({high}) must be at least {less} ({low})")
        if requests.cpu is not None and limits.cpu is not None and millis(requests.cpu) > millis(limits.cpu):
            raise ValueError(
                f"resources.limits.cpu ({limits.cpu}) must be at least resources.requests.cpu ({requests.cpu})"
            )
        size = len(json.dumps(self.dump()).encode())
        if size > MAX_CLASS_BYTES:
            raise ValueError(f"the class has {size} bytes as JSON, {MAX_CLASS_BYTES} is the most: shorten it")
        return self

    def environment(self, *, gpu: bool) -> tuple[tuple[str, str], ...]:
        """Names and values for a container with or without a GPU; the class's own come last."""
        own = {each.name: each.value for each in self.env}
        given = tuple(pair for pair in GPU_ENV if pair[0] not in own) if gpu else ()
        return (*given, *own.items())

    def allows(self, namespace: str) -> bool:
        """Whether VideoJobs of that namespace may use it."""
        return not self.namespaces or namespace in self.namespaces


def millis(cpu: str) -> int:
    """Thousandths of a core of a CPU quantity (`500m` -> 500, `1.5` -> 1500)."""
    return int(cpu[:-1]) if cpu.endswith("m") else round(float(cpu) * 1000)


def mebibytes(quantity: str) -> int:
    """Whole MiB of a quantity of bytes (`1Gi` -> 1024), rounded down."""
    return quantity_bytes(quantity) // MIB
