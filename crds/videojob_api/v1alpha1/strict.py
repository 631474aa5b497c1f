"""Strictness over models that tolerate what they do not know: a stage reads later versions; a user's typo is an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import InitErrorDetails


def unknown(model: type[BaseModel], value: Any, where: tuple[str | int, ...]) -> Iterator[InitErrorDetails]:
    """Errors of the kind, and at the places, that a strict model has: who reads specs of a later version leaves these out."""
    if not isinstance(value, dict):
        return
    for name, part in value.items():
        field = next((each for key, each in model.model_fields.items() if name in (key, each.alias)), None)
        if field is None:
            yield InitErrorDetails(type="extra_forbidden", loc=(*where, name), input=part)
            continue
        below = _model(field.annotation)
        items = enumerate(part) if isinstance(part, list | tuple) else ()
        if below is not None:
            yield from unknown(below, part, (*where, name))
            for place, item in items:
                yield from unknown(below, item, (*where, name, place))


def _model(annotation: Any) -> type[BaseModel] | None:
    """The model somewhere in a type: of an optional one, of the items of a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part)) is not None), None)
