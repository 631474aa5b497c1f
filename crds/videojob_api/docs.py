"""The sentences under the fields of a model, read from its source: for generators alone.

Pydantic could keep them in the models, but would parse the source of every class whenever a process starts.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema


@cache
def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """The docstring of each field, by the field's name in Python; inherited ones too."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            found |= _classes(each.__module__).get(each.__qualname__, {})
    return {name: text for name, text in found.items() if name in model.model_fields}


@cache
def _classes(module: str) -> dict[str, dict[str, str]]:
    """By class, by field: the string that stands after the field's annotation."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: dict(_documented(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _documented(body: list[ast.stmt]) -> list[tuple[str, str]]:
    found = []
    for field, after in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            found.append((field.target.id, inspect.cleandoc(after.value.value)))
    return found


class Documented(GenerateJsonSchema):
    """Pydantic's generator of JSON Schema, with each field's docstring as its description."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """See GenerateJsonSchema.model_schema."""
        written = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        for name, text in field_docs(model).items():
            written["properties"][model.model_fields[name].alias or name].setdefault("description", text)
        return written
