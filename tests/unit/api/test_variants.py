"""Variants: what makes a film of its own, what a thumbnail alone, and what each has in common with the story."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import ValidationError

from videojob_api.story import tasks, templates, variants
from videojob_api.story.asked import resolved
from videojob_api.story.params import StoryFallback, StoryParams
from videojob_api.v1alpha1 import StorySpec, StoryTemplate

SCENES = [{"text": "A fig.", "image": {"tags": ["fig"]}, "durationMs": 900}, {"text": "A wasp.", "spoken": "A wossp."}]
FILM = ("video", "thumbnail", "metadata", "captions-srt", "captions-vtt")


def asked(*given: dict[str, Any], **story: Any) -> StorySpec:
    """A story with variants."""
    told = story if {"script", "scenes"} & story.keys() else {"scenes": SCENES, **story}
    return StorySpec.model_validate({"title": "The Last Fig", "variants": given, **told})


def params(*given: dict[str, Any], **story: Any) -> StoryParams:
    """The same as the stages have it."""
    return resolved(asked(*given, **story), StoryFallback())


@dataclass(frozen=True)
class Case:
    """A variant, and what its take says."""

    name: str
    given: dict[str, Any]
    expect: dict[str, Any]
    story: dict[str, Any] = field(default_factory=dict)


TAKES = (
    Case(
        "another shape", {"aspectRatio": "1:1"}, {"aspect_ratio": "1:1", "platform": "tiktok"}, {"platform": "tiktok"}
    ),
    Case(
        "another platform brings its shape",
        {"platform": "youtube"},
        {"aspect_ratio": None, "platform": "youtube"},
        {"aspectRatio": "1:1"},
    ),
    Case("another title", {"aspectRatio": "1:1", "title": "Fig"}, {"title": "Fig", "metadata": None}),
    Case(
        "its title wins over metadata of the story's own",
        {"aspectRatio": "1:1", "title": "Fig"},
        {"metadata.title": None, "metadata.description": "A fig falls."},
        {"metadata": {"title": "Tonight", "description": "A fig falls."}},
    ),
    Case(
        "what was said of the story in its language is not said of another",
        {"language": "de", "texts": ["Eine Feige.", "Eine Wespe."]},
        {"metadata": None, "language": "de", "scenes.0.text": "Eine Feige.", "scenes.1.spoken": None},
        {"metadata": {"title": "Tonight"}},
    ),
    Case(
        "texts leave pictures and lengths",
        {"texts": ["A.", "B."]},
        {"scenes.0.image.tags": ("fig",), "scenes.0.duration_ms": 900},
    ),
    Case(
        "a script instead of scenes", {"script": {"text": "Eine Feige."}}, {"scenes": (), "script.text": "Eine Feige."}
    ),
    Case(
        "a script in the story's markup",
        {"script": {"uri": "store://stock/fig.md"}},
        {"script.uri": "store://stock/fig.md", "script.text": None, "script.markup": "Plain"},
        {"script": {"text": "A fig.", "markup": "Plain"}},
    ),
    Case("another voice", {"voice": {"ratePercent": 120}}, {"voice.rate_percent": 120, "scenes.1.spoken": "A wossp."}),
)


@pytest.mark.parametrize("case", TAKES, ids=lambda case: case.name)
def test_a_take_is_the_story_with_what_differs(case: Case) -> None:
    """S-067."""
    story = params({"name": "x", **case.given}, **case.story)
    main, take = variants.takes(story)
    assert main.story == story.model_copy(update={"variants": None})
    assert (main.name, take.name, take.story.variants) == ("", "x", None)
    for path, value in case.expect.items():
        part: Any = take.story
        for step in path.split("."):
            part = part[int(step)] if step.isdigit() else getattr(part, step, None)
        assert part == value, path


def test_the_same_scene_in_another_language_has_the_same_picture_and_another_script_its_own() -> None:
    story = params({"name": "de", "texts": ["A", "B"]}, {"name": "fr", "script": {"text": "Une figue."}})
    assert [(take.name, take.pictured) for take in variants.takes(story)] == [("", ""), ("de", ""), ("fr", "fr")]


def test_a_thumbnail_to_choose_is_no_film() -> None:
    """S-067, A/B: it shows the story's own film, in another frame or under another title."""
    story = params(
        {"name": "b", "thumbnail": {"atMs": 900, "title": "It fell!"}}, {"name": "c", "title": "Why?"},
        {"name": "sq", "aspectRatio": "1:1", "title": "Square"}, thumbnail={"atMs": 100},
    )  # fmt: skip
    assert [take.name for take in variants.takes(story)] == ["", "sq"]
    found = [(still.name, still.of, still.look.at_ms, still.look.title) for still in variants.stills(story)]
    assert found == [("", "", 100, None), ("b", "", 900, "It fell!"), ("c", "", 100, "Why?"), ("sq", "sq", 100, None)]
    wanted = variants.outputs(asked({"name": "b", "title": "x"}, {"name": "sq", "aspectRatio": "1:1"}))
    assert wanted == (*FILM, "thumbnail-b", *(f"{name}-sq" for name in FILM))


@pytest.mark.parametrize(
    ("given", "renewed"),
    [
        ({"thumbnail": {"atMs": 900}}, {"still"}),
        ({"title": "Fig"}, {"still"}),
        ({"aspectRatio": "1:1"}, {"scene", "audio", "image", "layout", "join", "still", "finalize"}),
    ],
)
def test_a_stage_is_told_of_variants_that_concern_it_and_of_no_others(given: dict[str, Any], renewed: set[str]) -> None:
    """Without variants, what stages are told is what it was before there were any: no key changes."""
    plain, other = params(), params({"name": "x", **given})
    for kind in ("scene", "audio", "image", "layout", "join", "still", "finalize"):
        part = getattr(tasks, f"{kind}_params")
        assert (part(plain).dump() != part(other).dump()) == (kind in renewed), kind
        assert not {"takes", "others", "variants"} & part(plain).dump().keys()


REFUSED = (
    ("nothing that differs", [{"name": "x"}], {}, "a variant differs in something"),
    ("one name twice", [{"name": "x", "title": "a"}] * 2, {}, "story.variants names x more than once"),
    ("too many texts", [{"name": "x", "texts": ["a"] * 3}], {}, "one text for each of story.scenes"),
    (
        "texts for a script",
        [{"name": "x", "texts": ["a"]}],
        {"script": {"text": "A."}},
        "one text for each of story.scenes",
    ),
    ("words in two places", [{"name": "x", "texts": ["a"], "script": {"text": "a"}}], {}, "has its words in one place"),
    (
        "a script in two places",
        [{"name": "x", "script": {"text": "a", "uri": "store://stock/a"}}],
        {},
        "script has one place",
    ),
    ("a script behind a URL", [{"name": "x", "script": {"uri": "https://a.example/x"}}], {}, "should match pattern"),
    ("a name with a dot", [{"name": "x.y", "title": "a"}], {}, "should match pattern"),
    ("six", [{"name": f"x{n}", "title": "a"} for n in range(6)], {}, "at most 5 items"),
    ("a misspelt field", [{"name": "x", "titel": "a"}], {}, "Extra inputs are not permitted"),
    ("one below it", [{"name": "x", "thumbnail": {"at": 3}}], {}, "Extra inputs are not permitted"),
)


@pytest.mark.parametrize(("name", "given", "story", "expect"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_no_variant_is_refused(name: str, given: list[Any], story: dict[str, Any], expect: str) -> None:
    with pytest.raises(ValidationError, match=expect):
        asked(*given, **story)


def test_a_template_may_bring_the_scenes_that_texts_go_with() -> None:
    story = StorySpec.model_validate(
        {"template": {"name": "t"}, "variants": [{"name": "de", "texts": ["Eine Feige."]}]}
    )
    assert story.template is not None
    with pytest.raises(ValueError, match=r"one text for each of story\.scenes"):
        templates.brought(story, story.template, StoryTemplate(defaults={"scenes": SCENES}))
    assert templates.brought(story, story.template, StoryTemplate(defaults={"scenes": SCENES[:1]}))
