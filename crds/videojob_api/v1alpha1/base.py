"""What the API models have in common: frozen, camelCase, strict on input, documented by attribute docstrings."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


class Rule:
    """One CEL rule of a schema: the condition, and a message that names the field and the fix."""

    def __init__(self, rule: str, message: str, *, field_path: str | None = None) -> None:
        self.rule = rule
        self.message = message
        self.field_path = field_path

    def schema(self) -> dict[str, str]:
        """The rule as an entry of `x-kubernetes-validations`."""
        entry = {"rule": self.rule, "message": self.message}
        if self.field_path is not None:
            entry["fieldPath"] = self.field_path
        return entry


class ApiModel(BaseModel):
    """A part of a spec: unknown fields are refused, so that a typo never passes silently.

    Validators are built at first use, and the fields' docstrings are left to `docs`: containers and commands live for
    seconds, and use few of the models.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )

    cel: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules of this object, written into the CRD."""
    unset_stays: ClassVar[bool] = False
    """Whether the API server stores what was not set as absent: its fields' defaults are told in their descriptions then. For
    where it matters who said a value, since a stored default looks like a user's word."""

    def dump(self) -> dict[str, Any]:
        """The JSON form as the API server stores it: camelCase, without what was not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StatusModel(ApiModel):
    """A part of a status or of a message: unknown fields are ignored, since a newer or older version may have
    written them. Numbers that an API server does not store (infinite ones, integers beyond 64 bits) are refused: a
    status that held one could never be written.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    @model_validator(mode="after")
    def _integers_have_64_bits(self) -> Self:
        for name, value in self:
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ValueError(f"{name} does not fit 64 bits; give a number from -2^63 to 2^63 - 1")
        return self
