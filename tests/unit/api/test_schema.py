"""The generator of CRDs: what it translates, and what it refuses to write."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from videojob_api.schema import NotStructuralError, structural
from videojob_api.v1alpha1.base import ApiModel, Rule


class Colour(StrEnum):
    """A closed set."""

    RED = "Red"
    BLUE = "Blue"


class Part(ApiModel):
    """A part with a rule."""

    cel = (Rule("self.low <= self.high", "high must be at least low", field_path=".high"),)

    low: int = 1
    """The lower end."""
    high: Annotated[int, Field(gt=0)] | None = None
    """The upper
    end."""


class Whole(ApiModel):
    """Everything a schema can say."""

    text: Annotated[str, Field(max_length=3)] | None = None
    """A text that may be absent."""
    colour: Colour
    """One of a closed set."""
    fixed: Literal["only"] = "only"
    """A set of one."""
    half: Annotated[float, Field(gt=0.5)] = 1.0
    """More than a half."""
    when: datetime | None = None
    """A moment."""
    part: Part = Part()
    """A part with defaults of its own."""
    words: Annotated[tuple[str, ...], Field(json_schema_extra={"list_type": "set"})] = ()
    """A set."""
    parts: Annotated[tuple[Part, ...], Field(json_schema_extra={"list_map_key": "low"})] = ()
    """A map written as a list."""
    plain: tuple[int, ...] = ()
    """A list that is replaced as a whole."""
    free: Annotated[dict[str, Any] | None, Field(json_schema_extra={"preserve_unknown": True})] = None
    """Anything."""
    labels: dict[str, str] = Field(default_factory=dict)
    """A map."""


@dataclass(frozen=True)
class Case:
    """A field of Whole and its node."""

    name: str
    given: str
    expect: dict[str, Any]


CASES = (
    Case("optional means absent, never null", "text", {"type": "string", "maxLength": 3}),
    Case("an enum is a list of words", "colour", {"type": "string", "enum": ["Red", "Blue"]}),
    Case("a constant is an enum of one", "fixed", {"type": "string", "enum": ["only"], "default": "only"}),
    Case(
        "an open bound is a switch",
        "half",
        {"type": "number", "minimum": 0.5, "exclusiveMinimum": True, "default": 1.0},
    ),
    Case("a moment is a string with a format", "when", {"type": "string", "format": "date-time"}),
    Case(
        "a set",
        "words",
        {"type": "array", "default": [], "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
    ),
    Case(
        "a list without more is atomic",
        "plain",
        {
            "type": "array",
            "default": [],
            "items": {"type": "integer", "format": "int64"},
            "x-kubernetes-list-type": "atomic",
        },
    ),
    Case("an open object", "free", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    Case("a map of texts", "labels", {"type": "object", "additionalProperties": {"type": "string"}}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_field_becomes_a_node(case: Case) -> None:
    node = structural(Whole)["properties"][case.given]
    assert {key: value for key, value in node.items() if key != "description"} == case.expect


def test_a_nested_model_is_written_in_place_with_its_rules_and_defaults() -> None:
    node = structural(Whole)["properties"]["part"]
    assert node["description"] == "A part with defaults of its own."
    assert node["default"] == {"low": 1}
    assert node["x-kubernetes-validations"] == [
        {"rule": "self.low <= self.high", "message": "high must be at least low", "fieldPath": ".high"}
    ]
    assert node["properties"]["high"]["description"] == "The upper end."


def test_a_list_of_parts_merges_by_their_key() -> None:
    node = structural(Whole)["properties"]["parts"]
    assert (node["x-kubernetes-list-type"], node["x-kubernetes-list-map-keys"]) == ("map", ["low"])
    assert node["items"]["description"] == "A part with a rule."


def test_only_fields_without_a_default_are_required() -> None:
    assert structural(Whole)["required"] == ["colour"]


def test_the_root_is_an_open_object_since_the_server_refuses_unknown_fields_itself() -> None:
    assert "additionalProperties" not in structural(Whole)


class EitherOr(ApiModel):
    """Two types in one field."""

    value: int | str
    """Either."""


class Pair(ApiModel):
    """A list of two types."""

    value: tuple[int, str]
    """A pair."""


class Anything(ApiModel):
    """A field of any type."""

    value: Any
    """Anything."""


class Open(ApiModel):
    """An open object that does not say so."""

    value: dict[str, Any]
    """An object."""


@pytest.mark.parametrize("model", [EitherOr, Pair, Anything, Open], ids=lambda model: model.__name__)
def test_what_cannot_be_said_is_refused_by_its_place(model: type[ApiModel]) -> None:
    with pytest.raises(NotStructuralError, match=rf"{model.__name__}\.value: "):
        structural(model)
