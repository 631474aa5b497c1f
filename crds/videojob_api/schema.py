"""From models to CustomResourceDefinitions: structural OpenAPI v3 with the CEL rules of each model.

Pydantic writes JSON Schema; an API server takes a smaller language: no references, no `null`, no titles, no closed
objects. What cannot be said in it raises `NotStructuralError` here, at generation, rather than at `kubectl apply`.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from . import names
from .docs import Documented
from .v1alpha1.base import ApiModel
from .v1alpha1.kinds import Kind

_KEPT = (
    "type", "format", "description", "enum", "default", "pattern", "minLength", "maxLength", "minimum", "maximum",
    "multipleOf", "minItems", "maxItems", "maxProperties", "required", "x-kubernetes-validations",
)  # fmt: skip
"""Keywords that mean the same in both languages; every other one is translated, dropped on purpose, or refused."""

_ORDER = (*_KEPT, "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "items", "properties")
"""How a node reads best: what it is, what may stand there, what lies below."""

_DROPPED = frozenset({"title", "additionalProperties", "list_type", "list_map_key", "preserve_unknown"})
"""Keywords without a place in a structural schema, or read elsewhere in this module."""

UNSEEN = -1
"""Default of `status.observedGeneration`: kstatus then reports an object nobody has looked at as in progress."""


class NotStructuralError(ValueError):
    """A model says something that a structural schema cannot; the message names the place."""


def _without_none(value: Any) -> Any:
    """A default as the API server stores it: what is not set is absent."""
    if isinstance(value, dict):
        return {key: _without_none(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_none(part) for part in value]
    return value


class _Generator(Documented):
    """The documented generator, with optional meaning absent (never null) and each model's CEL rules beside it."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        if "default" in written:
            written["default"] = _without_none(written["default"])
            if written["default"] is None:
                del written["default"]
        return written

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        written = super().model_schema(schema)
        model = schema["cls"]
        if issubclass(model, ApiModel) and model.cel:
            written["x-kubernetes-validations"] = [rule.schema() for rule in model.cel]
        if issubclass(model, ApiModel) and model.unset_stays:
            written["properties"] = {name: _told(part) for name, part in written.get("properties", {}).items()}
        return written


def _told(node: dict[str, Any]) -> dict[str, Any]:
    """A field whose default is said instead of stored; what an object's parts are without it stands at the parts."""
    default = node.get("default")
    if default in (None, "", [], ()) or isinstance(default, dict):
        said = ""
    else:
        values = default if isinstance(default, list | tuple) else [default]
        said = f" Without it {', '.join(f'`{value}`' for value in values)}."
    kept = {key: value for key, value in node.items() if key != "default"}
    return {**kept, "description": node["description"] + said} if said else kept


def structural(model: type[ApiModel]) -> dict[str, Any]:
    """The schema of one model as an API server takes it. Raises NotStructuralError naming the place."""
    raw = model.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions = raw.pop("$defs", {})
    return _translate(raw, definitions, model.__name__)


def _translate(node: dict[str, Any], definitions: dict[str, Any], where: str) -> dict[str, Any]:
    """One node and all below it; `where` is the path that an error names."""
    merged = dict(node)
    while "$ref" in merged:
        target = definitions[merged.pop("$ref").removeprefix("#/$defs/")]
        merged = {**target, **merged}  # what stands beside a reference (the field's own sentence) wins
    out: dict[str, Any] = {}
    for key, value in merged.items():
        if key == "const":
            out["enum"] = [value]
        elif key == "properties":
            out["properties"] = {name: _translate(part, definitions, f"{where}.{name}") for name, part in value.items()}
        elif key == "items":
            out["items"] = _translate(value, definitions, f"{where}[]")
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            # a number in JSON Schema, a switch beside the bound in OpenAPI 3.0
            out[key.removeprefix("exclusive").lower()] = value
            out[key] = True
        elif key == "description":
            out["description"] = " ".join(value.split())
        elif key in _KEPT:
            out[key] = value
        elif key not in _DROPPED:
            raise NotStructuralError(f"{where}: {key} has no structural form; use an optional member and a CEL rule")
    return _typed(out, merged, definitions, where)


def _typed(out: dict[str, Any], merged: dict[str, Any], definitions: dict[str, Any], where: str) -> dict[str, Any]:
    """Add what depends on the node's type."""
    kind = out.get("type")
    if kind == "integer":
        out["format"] = "int64"
    elif kind == "array":
        if "items" not in out:
            raise NotStructuralError(f"{where}: a list needs one type for its items")
        if "list_map_key" in merged:
            out["x-kubernetes-list-type"] = "map"
            out["x-kubernetes-list-map-keys"] = [merged["list_map_key"]]
        else:
            out["x-kubernetes-list-type"] = merged.get("list_type", "atomic")
    elif kind == "object":
        values = merged.get("additionalProperties")
        if merged.get("preserve_unknown"):
            out["x-kubernetes-preserve-unknown-fields"] = True
        elif isinstance(values, dict):
            out["additionalProperties"] = _translate(values, definitions, f"{where}{{}}")
        elif "properties" not in out:
            raise NotStructuralError(f"{where}: an open object needs preserve_unknown in json_schema_extra")
    elif kind is None:
        raise NotStructuralError(f"{where}: has no single type; annotate it more closely")
    return dict(sorted(out.items(), key=lambda item: _ORDER.index(item[0]) if item[0] in _ORDER else len(_ORDER)))


def object_schema(kind: Kind) -> dict[str, Any]:
    """The schema of a whole object of this kind."""
    properties: dict[str, Any] = {
        "apiVersion": {"type": "string", "description": f"`{names.API_VERSION}`."},
        "kind": {"type": "string", "description": f"`{kind.kind}`."},
        "metadata": {"type": "object"},
        "spec": structural(kind.spec),
    }
    if kind.status is not None:
        properties["status"] = structural(kind.status) | {"default": {"observedGeneration": UNSEEN}}
    return {"type": "object", "description": kind.doc, "required": ["spec"], "properties": properties}


def crd(kind: Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind, ready for `kubectl apply`."""
    version: dict[str, Any] = {
        "name": names.VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            {"name": column.name, "type": column.type, "jsonPath": column.json_path}
            | ({"priority": column.priority} if column.priority else {})
            for column in kind.columns
        ],
        "schema": {"openAPIV3Schema": object_schema(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    if kind.status is not None:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [kind.short],
                "categories": [names.CATEGORY],
            },
            "versions": [version],
        },
    }
