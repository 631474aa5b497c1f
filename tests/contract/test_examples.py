"""The examples are true: they fit the models, name a clip that is there, and show every kind."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from videojob_api import names
from videojob_api.profiles import BUILTIN_PROFILES, object_name
from videojob_api.story import tasks, templates
from videojob_api.v1alpha1 import KINDS, PlannedTemplate, VideoJobSpec, VideoProfileSpec
from videojob_operator.decide.recipes.story import parameters
from videojob_operator.decide.templates import with_template

FOLDER = Path(__file__).resolve().parents[2] / "crds" / "examples"
MODELS = {kind.kind: kind.spec for kind in KINDS}
OBJECTS: dict[str, dict[str, Any]] = {
    f"{path.name}: {document['kind']} {document['metadata']['name']}": document
    for path in sorted(FOLDER.glob("*.yaml"))
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
}
OURS = {name: body for name, body in OBJECTS.items() if body["apiVersion"] == names.API_VERSION}
ASKED = {name: VideoJobSpec.model_validate(body["spec"]) for name, body in OURS.items() if body["kind"] == "VideoJob"}
JOBS = {name: spec for name, spec in ASKED.items() if spec.transcode is not None}
TEMPLATES = {
    body["metadata"]["name"]: spec.story
    for body in OURS.values()
    if body["kind"] == "VideoProfile"
    if (spec := VideoProfileSpec.model_validate(body["spec"])).story is not None
}
AVATARS = {name: spec for name, spec in ASKED.items() if spec.avatar is not None}
STORIES = {name: spec for name, spec in ASKED.items() if spec.story is not None}


@pytest.mark.parametrize("name", OURS)
def test_an_example_fits_its_model(name: str) -> None:
    body = OURS[name]
    assert MODELS[body["kind"]].model_validate(body["spec"]).dump().keys() >= body["spec"].keys()


def test_every_kind_has_an_example() -> None:
    assert {body["kind"] for body in OURS.values()} == set(MODELS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_begins_by_saying_what_it_is_for(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("name", JOBS)
def test_the_clip_of_an_example_lies_beside_it(name: str) -> None:
    """`videojob run` and `videojob submit -f` look there and compare the digest."""
    asked = JOBS[name].transcode
    assert asked is not None
    clip = FOLDER / "media" / str(asked.source.filename)
    assert hashlib.sha256(clip.read_bytes()).hexdigest() == asked.source.digest
    assert clip.stat().st_size < 400_000


@pytest.mark.parametrize("name", AVATARS)
def test_portrait_and_voice_of_an_avatar_lie_beside_it(name: str) -> None:
    """A-001: `videojob submit -f` and `videojob run` bring both along; who is shown is said."""
    asked = AVATARS[name].avatar
    assert asked is not None
    assert asked.audio is not None
    for file in (asked.image, asked.audio):
        body = (FOLDER / "media" / str(file.filename)).read_bytes()
        assert file.uri == f"store://inbox/{hashlib.sha256(body).hexdigest()}"
        assert len(body) < 200_000
    assert asked.provider.name == "builtin"
    assert asked.consent is not None


@pytest.mark.parametrize("name", JOBS)
def test_the_profiles_of_an_example_exist(name: str) -> None:
    asked = JOBS[name].transcode
    assert asked is not None
    own = {body["metadata"]["name"] for body in OURS.values() if body["kind"] == "VideoProfile"}
    assert {object_name(profile) for profile in asked.profiles} <= own | set(BUILTIN_PROFILES)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_of_the_examples_needs_no_network_and_no_secret(name: str) -> None:
    """S-032, S-037: offline voices and pictures are the first choice."""
    spec = STORIES[name]
    assert spec.story is not None
    if spec.story.template is not None:
        by = TEMPLATES[spec.story.template.name]
        record = PlannedTemplate(profile="", namespace="", story=templates.brought(spec.story, spec.story.template, by))
        spec = with_template(spec, record)
    params = parameters(spec)
    assert params is not None
    assert not tasks.online(params.voice)
    assert not tasks.online_images(params.images, params.scenes)


def test_every_way_to_work_has_an_example_and_a_minimal_one() -> None:
    assert {name.partition(".")[0] for name in ASKED} >= {
        "transcode",
        "transcode-minimal",
        "story",
        "story-minimal",
        "avatar",
    }


def test_transcode_shows_all_five_profiles() -> None:
    """T-006."""
    asked = JOBS["transcode.yaml: VideoJob trailer"].transcode
    assert asked is not None
    assert {object_name(profile) for profile in asked.profiles} == set(BUILTIN_PROFILES)


def test_a_profile_of_ones_own_has_the_fields_of_t_008() -> None:
    """T-008: a format, a height of 1080, a bit rate of 5000k."""
    body = next(body for body in OURS.values() if body["kind"] == "VideoProfile")
    rendition = VideoProfileSpec.model_validate(body["spec"]).rendition
    assert rendition is not None
    assert (rendition.container, rendition.video.height, rendition.video.bitrate) == ("mp4", 1080, "5000k")
