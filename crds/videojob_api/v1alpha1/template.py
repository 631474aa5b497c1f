"""Templates of stories: a VideoProfile brings fields of a story, a VideoJob names it and says what stands at its blanks."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from .base import ApiModel

BLANK = r"[a-z][a-zA-Z0-9_]{0,62}"
MAX_BLANKS = 32
MAX_VALUE = 2000


class TemplateRef(ApiModel):
    """The VideoProfile that tells the rest of a story."""

    name: Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
    """A VideoProfile with `spec.story`: of this namespace, else of the operator's. It is read once, at acceptance: a later edit
    changes nothing for this VideoJob."""
    values: Annotated[
        dict[str, Annotated[str, Field(max_length=MAX_VALUE)]], Field(default_factory=dict, max_length=MAX_BLANKS)
    ]
    """What stands at the template's blanks: `city: Oslo` at each `{{city}}`. Plain text; it is not looked at again."""


class Blank(ApiModel):
    """One blank of a template."""

    name: Annotated[str, Field(pattern=f"^{BLANK}$", max_length=63)]
    """Its name: `{{name}}` stands for it in any text of `defaults`."""
    default: Annotated[str, Field(max_length=MAX_VALUE)] | None = None
    """What stands there when a VideoJob gives no value; without a default each has to give one."""
    description: Annotated[str, Field(max_length=200)] = ""
    """What belongs there."""


class StoryTemplate(ApiModel):
    """What many stories have in common."""

    blanks: Annotated[tuple[Blank, ...], Field(max_length=MAX_BLANKS, json_schema_extra={"list_map_key": "name"})] = ()
    """Blanks in the texts of `defaults`."""
    defaults: Annotated[dict[str, Any], Field(json_schema_extra={"preserve_unknown": True})]
    """Fields of `VideoJob.spec.story`. A field that the VideoJob sets itself takes the place of the whole field here; a script or
    scenes of its own take the place of both. Numbers may be blanks, too: `targetDurationMs: "{{length}}"`."""

    @model_validator(mode="after")
    def _each_once(self) -> StoryTemplate:
        named = [blank.name for blank in self.blanks]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"story.blanks names {', '.join(twice)} more than once: name each blank once")
        return self
