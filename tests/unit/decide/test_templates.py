"""Stories by templates: looked up once, followed as on record, and waiting while there is none, or none that fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import BUILTINS, a_videojob, seen
from storyboard import Tale, a_story
from videojob_api.contract import MAX_DOCUMENT_BYTES, canonical_json
from videojob_api.names import Phase, Reason
from videojob_api.story.tasks import SceneParsingParams
from videojob_api.v1alpha1 import VideoProfileSpec
from videojob_operator.decide.bounds import MAX_BYTES, size
from videojob_operator.decide.job import plan
from videojob_operator.decide.world import ProfileView

TEMPLATE: dict[str, Any] = {
    "blanks": [{"name": "city"}, {"name": "weather", "default": "sun"}],
    "defaults": {"title": "Good morning, {{city}}", "script": {"text": "There is {{weather}} in {{city}}."}},
}


def a_template(namespace: str = "team-a", name: str = "morning", **changes: Any) -> ProfileView:
    """A VideoProfile with a template."""
    return ProfileView(namespace, name, VideoProfileSpec.model_validate({"story": {**TEMPLATE, **changes}}))


def a_morning(values: dict[str, str] | None = None, mode: str = "Compact", **own: Any) -> Any:
    """A VideoJob by that template."""
    values = {"city": "Oslo"} if values is None else values
    return a_story(mode, story={"script": None, "template": {"name": "morning", "values": values}, **own})


def begun(*profiles: ProfileView, job: Any = None) -> Tale:
    """It was looked at, and what may start has started."""
    scene = Tale(seen(job or a_morning(), profiles=(*profiles, *BUILTINS)))
    scene.settle()
    return scene


def said(scene: Tale) -> tuple[str, str, str]:
    """What the condition Accepted says."""
    found = next(each for each in scene.status.conditions if each.type == "Accepted")
    return found.status, found.reason, found.message


def parsed(scene: Tale) -> SceneParsingParams:
    """What the stage that reads the script was given."""
    task = next(task for task in scene.launched("main").document.stages if task.kind == "scenes")
    return SceneParsingParams.model_validate(task.params)


def test_a_story_by_a_template_is_told_as_if_it_stood_in_the_spec() -> None:
    """S-067; T-008's rule for names: the job's namespace first, then the operator's."""
    shared = a_template("videojob-system", defaults={"script": {"text": "{{city}}{{weather}} Shared."}})
    scene = begun(a_template(), shared)
    story = parsed(scene).story
    assert (story.title, story.script.text) == ("Good morning, Oslo", "There is sun in Oslo.")
    assert scene.status.plan is not None
    record = scene.status.plan.template
    assert record is not None
    assert (record.namespace, record.profile) == ("team-a", "morning")
    plain = begun(
        job=a_story(story={"title": "Good morning, Oslo", "script": {"text": "There is sun in Oslo."}})
    )  # what is the same is not made again
    assert [stage.key for stage in scene.status.stages] == [stage.key for stage in plain.status.stages]


def test_the_operators_namespace_serves_all() -> None:
    assert parsed(begun(a_template("videojob-system"))).story.title == "Good morning, Oslo"


def test_a_template_is_read_once() -> None:
    """An edit, or its deletion, changes nothing for a VideoJob that was accepted."""
    scene = begun(a_template(), job=a_morning(mode="Spread"))
    keys = [stage.key for stage in scene.status.stages]
    for profiles in ((a_template(defaults={"script": {"text": "{{city}} {{weather}} Other words."}}),), ()):
        scene.set(profiles=profiles)
        scene.settle()
    scene.ok("scenes").ok("audio", "images")
    assert [stage.key for stage in scene.status.stages] == keys
    assert said(scene)[0] == "True"
    assert scene.launched("layout").document.stages[0].kind == "layout"


WAITS = (
    (
        "no such template",
        (),
        None,
        Reason.UNKNOWN_PROFILE,
        "morning with spec.story in namespace team-a or videojob-system; known templates: none",
    ),
    (
        "templates by other names",
        (a_template(name="evening"),),
        None,
        Reason.UNKNOWN_PROFILE,
        "known templates: evening. Create it, or",
    ),
    (
        "a profile of an output",
        (ProfileView("team-a", "morning", BUILTINS[0].spec),),
        None,
        Reason.UNKNOWN_PROFILE,
        "with spec.story",
    ),
    (
        "a value too few",
        (a_template(),),
        {},
        Reason.INVALID_TEMPLATE,
        "story.template.values lacks city: give each a value",
    ),
    (
        "a value too many",
        (a_template(),),
        {"city": "Oslo", "town": "Bath"},
        Reason.INVALID_TEMPLATE,
        "has town, for which",
    ),
    (
        "no story",
        (a_template(defaults={"fps": "{{city}}"}),),
        None,
        Reason.INVALID_TEMPLATE,
        "story.fps: Input should be 24",
    ),
)


@pytest.mark.parametrize(("name", "profiles", "values", "reason", "text"), WAITS, ids=[each[0] for each in WAITS])
def test_a_story_waits_for_a_template_that_fits(
    name: str, profiles: tuple[ProfileView, ...], values: dict[str, str] | None, reason: str, text: str
) -> None:
    """S-003, S-067: Pending, saying the field and what helps; it goes on once the profile is there, or mended."""
    scene = begun(*profiles, job=a_morning(values))
    assert scene.status.phase == Phase.PENDING, name
    status, why, message = said(scene)
    assert (status, why) == ("False", reason)
    assert text in message
    given = values if values is not None else {"city": "Oslo"}
    blanks = [{"name": "weather", "default": "sun"}, *({"name": key} for key in given)]
    fits = a_template(blanks=blanks, defaults={"script": {"text": "There is {{weather}}."}})
    scene.set(profiles=(fits, *BUILTINS))
    scene.settle()
    assert scene.status.phase == Phase.RUNNING
    assert parsed(scene).story.script.text == "There is sun."


def test_a_template_is_no_profile_of_an_output() -> None:
    """T-008: the encode profile of that name in the operator's namespace is found behind it."""
    job = a_videojob(transcode={"source": {"uri": "store://stock/a.mp4"}, "profiles": ["720p"]})
    found = plan(seen(job, profiles=(a_template(name="720p"), *BUILTINS))).status
    assert found is not None
    assert found.plan is not None
    assert [one.spec.keys() & {"rendition", "story"} for one in found.plan.outputs] == [{"rendition"}]


def test_the_largest_template_fits_document_and_status() -> None:
    text = "A word. " * 740
    scene = begun(a_template(defaults={"script": {"text": f"{{{{city}}}} {{{{weather}}}} {text}"}}))
    assert scene.status.plan is not None
    assert scene.status.plan.template is not None
    assert 5900 < len(canonical_json(scene.status.plan.template.story)) < 6145
    assert size(scene.status) < MAX_BYTES
    assert len(canonical_json(scene.launched("main").document.dump())) < MAX_DOCUMENT_BYTES


def test_a_record_that_a_later_version_cannot_read_fails_by_name() -> None:
    scene = begun(a_template())
    assert scene.status.plan is not None
    assert scene.status.plan.template is not None
    broken = scene.status.plan.template.model_copy(update={"story": {"script": {"text": "A."}, "fps": 7}})
    status = scene.status.model_copy(update={"plan": scene.status.plan.model_copy(update={"template": broken})})
    found = plan(replace(scene.seen, job=replace(scene.seen.job, status=status))).status
    assert found is not None
    assert found.failure is not None
    assert (found.phase, found.failure.code) == (Phase.FAILED, Reason.INVALID_SPEC)
    assert "status.plan.template: story.fps" in found.failure.message
