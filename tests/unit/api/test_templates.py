"""Templates of stories: blanks filled, what a VideoJob says itself on top, and the result held against the same rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from videojob_api.story import templates
from videojob_api.story.templates import MAX_FILLED_BYTES
from videojob_api.v1alpha1 import StorySpec, StoryTemplate, VideoProfileSpec

BLANKS = [{"name": "city", "description": "whose weather it is"}, {"name": "weather", "default": "sun"}]
DEFAULTS = {"title": "Good morning, {{city}}", "script": {"text": "Good morning, {{ city }}. There is {{weather}}."}}


def template(defaults: dict[str, Any] | None = None, blanks: list[dict[str, Any]] | None = None) -> StoryTemplate:
    """A morning, or what a case makes of it."""
    return StoryTemplate.model_validate(
        {"blanks": BLANKS if blanks is None else blanks, "defaults": defaults or DEFAULTS}
    )


def asked(values: dict[str, str] | None = None, **own: Any) -> StorySpec:
    """A story by a template, with fields of its own."""
    return StorySpec.model_validate({"template": {"name": "morning", "values": values or {}}, **own})


def told(by: StoryTemplate, story: StorySpec) -> StorySpec:
    """What comes of both."""
    assert story.template is not None
    return templates.told(story, templates.brought(story, story.template, by))


@dataclass(frozen=True)
class Case:
    """A template and a story; what is expected of the whole."""

    name: str
    expect: dict[str, Any]
    values: dict[str, str] = field(default_factory=lambda: {"city": "Oslo"})
    own: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] | None = None


CASES = (
    Case("a value at every mark", {"title": "Good morning, Oslo", "script.text": "Good morning, Oslo. There is sun."}),
    Case(
        "a value instead of a default",
        {"script.text": "Good morning, Bath. There is rain."},
        {"city": "Bath", "weather": "rain"},
    ),
    Case("an empty value is a value", {"title": "Good morning, "}, {"city": ""}),
    Case("a value is not looked at again", {"title": "Good morning, {{weather}}"}, {"city": "{{weather}}"}),
    Case("nor evaluated", {"title": r"Good morning, \1 {city} $(id) {% x %}"}, {"city": r"\1 {city} $(id) {% x %}"}),
    Case(
        "the story's own title wins",
        {"title": "Hello {{city}}", "script.text": "Good morning, Oslo. There is sun."},
        own={"title": "Hello {{city}}"},
    ),
    Case(
        "even one that is what a story has without it",
        {"language": "en", "fps": 30},
        own={"language": "en", "fps": 30},
        defaults={**DEFAULTS, "language": "de", "fps": 24},
    ),
    Case(
        "a field as a whole",
        {"captions.style": "word", "captions.size": 48},
        own={"captions": {"style": "word"}},
        defaults={**DEFAULTS, "captions": {"size": 60}},
    ),
    Case("its own scenes for the template's script", {"script": None}, own={"scenes": [{"text": "A fig."}]}),
    Case(
        "its own script for the template's scenes",
        {"scenes": ()},
        own={"script": {"text": "A fig."}},
        defaults={"scenes": [{"text": "{{city}}{{weather}}"}]},
    ),
    Case(
        "a number at a blank",
        {"target_duration_ms": 24000},
        {"city": "24000"},
        defaults={"targetDurationMs": "{{city}}", "script": {"text": "{{weather}}."}},
    ),
    Case(
        "in lists and in what they hold",
        {"scenes.0.image.tags": ("Oslo", "sun")},
        defaults={"scenes": [{"text": "A.", "image": {"tags": ["{{city}}", "{{weather}}"]}}]},
    ),
    Case(
        "braces that are no mark stay",
        {"title": "{{ }} {city} {{9}}"},
        defaults={**DEFAULTS, "title": "{{ }} {city} {{9}}"},
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_template_brings_what_the_story_does_not_say(case: Case) -> None:
    """S-067: plain substitution."""
    found = told(template(case.defaults), asked(case.values, **case.own))
    for path, value in case.expect.items():
        part: Any = found
        for step in path.split("."):
            part = part[int(step)] if step.isdigit() else getattr(part, step)
        assert part == value, path


@dataclass(frozen=True)
class Refused:
    """A template and a story that make none together, and the words of it."""

    name: str
    expect: str
    values: dict[str, str] = field(default_factory=lambda: {"city": "Oslo"})
    own: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, Any] | None = None


REFUSED = (
    Refused("a blank without a value", "story.template.values lacks city (whose weather it is): give each a value", {}),
    Refused(
        "a value without a blank",
        "values has town, for which the template has no blank; its blanks: city, weather.",
        {"city": "Oslo", "town": "Oslo"},
    ),
    Refused(
        "a mark of no blank",
        "story.defaults has {{town}}, which is no blank: add town to story.blanks",
        defaults={"title": "{{town}}"},
    ),
    Refused(
        "a field that no story has",
        "story.defaults.captions.styel: no story has this field; kubectl explain",
        defaults={"captions": {"styel": "word"}},
    ),
    Refused(
        "a template on a template",
        "story.defaults.template: a template stands on no other one",
        defaults={**DEFAULTS, "template": {"name": "other"}},
    ),
    Refused(
        "a word for a number",
        "story.fps: Input should be 24, 25, 30, 50 or 60",
        defaults={**DEFAULTS, "fps": "{{city}}"},
    ),
    Refused("no words at all", "a story is told in one way: set one of story.scenes", defaults={"title": "{{city}}"}),
    Refused(
        "a language that is none",
        "story.language: String should match pattern",
        {"city": "Oslo"},
        {},
        {**DEFAULTS, "language": "{{city}} "},
    ),
    Refused(
        "a script that is too long for a status",
        f"{MAX_FILLED_BYTES} is the most: put its script into the store",
        defaults={"title": "{{city}}", "script": {"text": "a" * MAX_FILLED_BYTES}},
    ),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_makes_no_story_is_refused_with_the_field_and_what_helps(case: Refused) -> None:
    with pytest.raises(ValueError, match=r"story\.") as caught:
        told(template(case.defaults), asked(case.values, **case.own))
    assert case.expect in str(caught.value)


def test_what_is_brought_is_what_the_story_does_not_say() -> None:
    story = asked({"city": "Oslo"}, script={"text": "A fig."})
    assert story.template is not None
    assert templates.brought(story, story.template, template()) == {"title": "Good morning, Oslo"}


@pytest.mark.parametrize(
    ("spec", "expect"),
    [
        ({"story": {"blanks": [{"name": "city"}, {"name": "city"}], "defaults": {}}}, "names city more than once"),
        ({"story": {"blanks": [{"name": "City"}], "defaults": {}}}, "should match pattern"),
        ({"story": {"blanks": [{"name": "a", "default": "x" * 2001}], "defaults": {}}}, "at most 2000 characters"),
        ({"story": {"defaults": {}}, "thumbnail": {}}, "set one of spec.rendition, spec.thumbnail and spec.story"),
    ],
)
def test_a_profile_is_one_thing_with_each_blank_once(spec: dict[str, Any], expect: str) -> None:
    with pytest.raises(ValidationError, match=expect):
        VideoProfileSpec.model_validate(spec)
