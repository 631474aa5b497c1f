"""Templates filled and laid under what a VideoJob says itself (S-067): plain substitution, no language, nothing is evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from ..contract import canonical_json
from ..v1alpha1.story import StorySpec
from ..v1alpha1.strict import unknown
from ..v1alpha1.template import BLANK, StoryTemplate, TemplateRef

MAX_FILLED_BYTES = 6144
"""What a template may bring to one VideoJob: it is kept in `status.plan`, beside everything else that stands in a status."""
BY_NAME = "kubectl explain videojob.spec.story names them"
_MARK = re.compile(r"\{\{\s*(" + BLANK + r")\s*\}\}")


def filled(template: StoryTemplate, given: Mapping[str, str]) -> dict[str, Any]:
    """The template's fields with its blanks filled, once: what a value says is not looked at again.

    Raises ValueError naming the blank and what helps: one without a value, a value without its blank, a mark of no blank.
    """
    named = {blank.name: blank for blank in template.blanks}
    strange = sorted(set(given) - set(named))
    if strange:
        known = ", ".join(named) or "none"
        raise ValueError(
            f"story.template.values has {', '.join(strange)}, for which the template has no blank; its blanks: {known}. "
            "Leave it out, or add it to the profile's story.blanks"
        )
    values = {name: given.get(name, blank.default) for name, blank in named.items()}
    empty = [
        f"{name} ({named[name].description})" if named[name].description else name
        for name in named
        if values[name] is None
    ]
    if empty:
        raise ValueError(
            f"story.template.values lacks {', '.join(empty)}: give each a value, or the profile's story.blanks a default"
        )
    found: dict[str, Any] = _each(template.defaults, lambda text: _MARK.sub(lambda mark: values[mark[1]] or "", text))
    return found


def problems(template: StoryTemplate) -> tuple[str, ...]:
    """What can be said against a template before anybody uses it: fields that no story has, marks of no blank."""
    named = {blank.name for blank in template.blanks}
    marks = sorted({mark for text in _texts(template.defaults) for mark in _MARK.findall(text)} - named)
    found = [
        f"story.defaults.{'.'.join(map(str, error.get('loc', ())))}: no story has this field; {BY_NAME}"
        for error in unknown(StorySpec, template.defaults, ())
    ]
    if "template" in template.defaults:
        found.append("story.defaults.template: a template stands on no other one; put that one's fields here")
    found += [f"story.defaults has {{{{{mark}}}}}, which is no blank: add {mark} to story.blanks" for mark in marks]
    return tuple(found)


def brought(asked: StorySpec, ref: TemplateRef, template: StoryTemplate) -> dict[str, Any]:
    """What the template brings: its fields, filled, less those that the story sets itself.

    Raises ValueError naming the field and what helps when that makes no story.
    """
    wrong = problems(template)
    if wrong:
        raise ValueError("; ".join(wrong))
    own = _own(asked)
    fields = {name: value for name, value in filled(template, ref.values).items() if name not in own}
    if own.keys() & {"script", "scenes"}:  # a story is told in one way, and the VideoJob says which
        fields = {name: value for name, value in fields.items() if name not in {"script", "scenes"}}
    size = len(canonical_json(fields))
    if size > MAX_FILLED_BYTES:
        raise ValueError(
            f"story.defaults brings {size} bytes, {MAX_FILLED_BYTES} is the most: put its script into the store and name it in "
            "script.uri, or into a ConfigMap"
        )
    told(asked, fields)
    return fields


def told(asked: StorySpec, fields: Mapping[str, Any]) -> StorySpec:
    """The story with what a template has brought, held against the same rules as one without.

    Raises ValueError naming the field.
    """
    try:
        return StorySpec.model_validate({**fields, **_own(asked)})
    except ValidationError as error:
        raise ValueError(_sentence(error)) from None


def _own(asked: StorySpec) -> dict[str, Any]:
    """What the story sets itself, the template's name apart."""
    return asked.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True, exclude={"template"})


def _each(value: Any, change: Callable[[str], str]) -> Any:
    """A value with all its texts changed; names of fields are no texts."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each(part, change) for key, part in value.items()}
    return [_each(part, change) for part in value] if isinstance(value, list | tuple) else value


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    for part in parts:
        yield from _texts(part)


def _sentence(error: ValidationError) -> str:
    found = []
    for each in error.errors(include_url=False, include_input=False)[:4]:
        where = ".".join(("story", *map(str, each["loc"])))
        found.append(f"{where}: {each['msg'].removeprefix('Value error, ')}")
    return "; ".join(found)
