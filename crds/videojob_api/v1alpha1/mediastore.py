"""MediaStore: where a namespace keeps its bytes (T-022, X-016)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from .base import ApiModel, Rule


class PvcStore(ApiModel):
    """A PersistentVolumeClaim in the same namespace."""

    claim_name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """Name of the claim. ReadWriteMany lets stages run on any node; with ReadWriteOnce they share one node."""


class MediaStoreSpec(ApiModel):
    """Where uploads, intermediate files and outputs live."""

    cel = (
        Rule(
            "has(self.pvc)",
            "set spec.pvc.claimName: a PersistentVolumeClaim is the one kind of store of this version",
        ),
    )

    pvc: PvcStore | None = None
    """A volume of this namespace."""

    @model_validator(mode="after")
    def _a_kind_of_store(self) -> MediaStoreSpec:
        if self.pvc is None:
            raise ValueError(self.cel[0].message)
        return self
