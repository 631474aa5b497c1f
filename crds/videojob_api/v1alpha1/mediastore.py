"""MediaStore: where a namespace keeps its bytes (T-022, X-016), for how long (A-015), and how full it is (A-017, A-018)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from .base import ApiModel, Rule, StatusModel
from .retention import StoreRetention
from .spec import QUANTITY, quantity_bytes
from .status import ConditionStatus

TierName = Literal["uploads", "processed", "videos", "temp", "debug", "stock", "cache"]


class PvcStore(ApiModel):
    """A PersistentVolumeClaim in the same namespace."""

    cel = (
        Rule(
            "self == oldSelf",
            "spec.pvc is immutable, for the files stay on their claim: create another MediaStore and name it in spec.store of "
            "new VideoJobs",
        ),
    )

    claim_name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of the claim. ReadWriteMany lets stages run on any node; with ReadWriteOnce they share one node."""


class MediaStoreSpec(ApiModel):
    """Where uploads, intermediate files and outputs live."""

    cel = (
        Rule(
            "has(self.pvc)",
            "set spec.pvc.claimName: a PersistentVolumeClaim is the one kind of store of this version",
        ),
        Rule(
            "quantity(self.minFreeSpace).isGreaterThan(quantity('0'))",
            "spec.minFreeSpace must be above zero, for example 5G",
            field_path=".minFreeSpace",
        ),
    )

    pvc: PvcStore | None = None
    """A volume of this namespace."""
    retention: StoreRetention = StoreRetention()
    """How long the files of each tier stay."""
    min_free_space: Annotated[str, Field(pattern=QUANTITY, max_length=20)] = "5G"
    """Below this much free space, as a quantity, the condition LowSpace is True and what has expired is swept at once, at
    most every ten minutes (A-016, A-017)."""

    public_base_url: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$", max_length=500)] | None = None
    """Where a web server or a CDN of yours serves this store's files (S-066, S-070): `status.outputs[].url` is this address,
    `/<namespace>/` and the file's place below it. It serves `videos/` alone, if it is wise."""

    @property
    def min_free_bytes(self) -> int:
        """`min_free_space` in bytes."""
        return quantity_bytes(self.min_free_space)

    @field_validator("min_free_space")
    @classmethod
    def _positive(cls, value: str) -> str:
        if quantity_bytes(value) <= 0:
            raise ValueError(cls.cel[1].message)
        return value

    @model_validator(mode="after")
    def _a_kind_of_store(self) -> MediaStoreSpec:
        if self.pvc is None:
            raise ValueError(self.cel[0].message)
        return self


class TierUse(StatusModel):
    """What one tier holds."""

    name: TierName
    """The tier; `stock` and `cache` belong to no VideoJob."""
    files: int = 0
    """Number of files."""
    size_bytes: int = 0
    """Their bytes."""


class DiskStatus(StatusModel):
    """The volume, as a worker that has it mounted last reported it."""

    free_bytes: int
    """Bytes that can be written."""
    capacity_bytes: int
    """Its size."""
    free_gb: float = 0.0
    """The same in gigabytes."""
    percent_used: float = 0.0
    """Used part of it in percent."""
    time: datetime
    """When that was reported."""


class SweepStatus(StatusModel):
    """How the latest sweep ended."""

    number: int = 0
    """Sweeps so far, failed ones included; part of the next one's Job name."""
    job: str | None = None
    """Its Job."""
    succeeded: bool = True
    """Whether it came to its end."""
    completion_time: datetime | None = None
    """When it ended."""
    deleted_files: int = 0
    """Files it deleted."""
    deleted_bytes: int = 0
    """Their bytes."""
    deleted_folders: int = 0
    """Folders of VideoJobs that are gone, among them."""
    failures: int = 0
    """Failed ones in a row; the next waits longer after each."""
    message: str | None = None
    """Why it failed, or what it could not delete."""
    tiers: Annotated[tuple[TierUse, ...], Field(json_schema_extra={"list_map_key": "name"})] = ()
    """What the latest successful one found and left there."""


class MediaStoreStatus(StatusModel):
    """The store in numbers (A-018). Free space is at most a minute old while VideoJobs run; totals are what the latest sweep
    counted and what was published since.
    """

    observed_generation: int = -1
    """Generation of the spec that this goes by."""
    total_files: int = 0
    """Files in the namespace's part of the volume."""
    total_size_bytes: int = 0
    """Their bytes."""
    total_size_mb: float = 0.0
    """The same in megabytes."""
    disk: DiskStatus | None = None
    """Free space and size of the volume; absent until a worker has reported them."""
    tiers: Annotated[tuple[TierUse, ...], Field(json_schema_extra={"list_map_key": "name"})] = ()
    """The totals by tier."""
    last_sweep_time: datetime | None = None
    """Everything that had expired at this moment is deleted."""
    sweep: SweepStatus | None = None
    """How the latest sweep ended."""
    conditions: Annotated[tuple[ConditionStatus, ...], Field(json_schema_extra={"list_map_key": "type"})] = ()
    """`LowSpace`: less is free than spec.minFreeSpace. `Swept`: the latest sweep came to its end."""
