"""Stories through the CLI: where their scripts go, what is planned, what is printed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from builders import NOW
from cli_api import HandApi
from storyboard import published, story_spec
from videojob_cli import show
from videojob_cli.client import VideoJobs
from videojob_cli.embedded import builtin_profiles
from videojob_cli.errors import CliError
from videojob_cli.main import from_manifests
from videojob_cli.planning import forecast
from videojob_cli.run import load
from videojob_operator.decide.rates import Rates

LONG = "A fig fell into the grass, and nobody saw it. " * 500
DIGEST = hashlib.sha256(LONG.encode()).hexdigest()


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HandApi:
    """A namespace with a store."""
    monkeypatch.delenv("VIDEOJOB_WORKER_IMAGE", raising=False)
    made = HandApi(tmp_path / "volume", "team")
    made.put("/apis/videojob.dev/v1alpha1/namespaces/team/mediastores/default", spec={"pvc": {"claimName": "c"}})
    account = made.put("/api/v1/namespaces/team/serviceaccounts/videojob-worker")
    account["metadata"]["annotations"] = {"videojob.dev/worker-image": "worker:1"}
    return made


def written(folder: Path, story: dict[str, Any], **spec: Any) -> Path:
    """A manifest of one story."""
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoJob", "metadata": {"name": "fig"},
        "spec": {"story": story, **spec},
    }  # fmt: skip
    path = folder / "fig.yaml"
    path.write_text(yaml.safe_dump(body))
    return path


def submitted(api: HandApi, path: Path, file: Path | None = None) -> dict[str, Any]:
    """The story of the VideoJob as it would be created."""
    (document,) = from_manifests(VideoJobs(api), [path], file, None)
    story: dict[str, Any] = document["spec"]["story"]
    return story


def test_a_short_script_stays_in_the_manifest(api: HandApi, tmp_path: Path) -> None:
    assert submitted(api, written(tmp_path, {"script": {"text": "A fig fell."}})) == {"script": {"text": "A fig fell."}}
    assert api.commands == []


def test_a_long_script_goes_into_the_store_and_is_named_by_its_digest(api: HandApi, tmp_path: Path) -> None:
    """A task document has 32 KiB: scripts above 16 KiB reach the store by the CLI."""
    story = submitted(api, written(tmp_path, {"title": "Figs", "script": {"text": LONG, "markup": "Plain"}}))
    assert story == {"title": "Figs", "script": {"markup": "Plain", "uri": f"store://inbox/{DIGEST}"}}
    assert (api.store / "team/inbox" / DIGEST).read_text() == LONG


def test_a_script_of_sixteen_kibibytes_in_bytes_counts_not_in_characters(api: HandApi, tmp_path: Path) -> None:
    story = submitted(api, written(tmp_path, {"script": {"text": "\u7121\u82b1\u679c\u3002" * 2000}, "language": "ja"}))
    assert story["script"].keys() == {"uri"}


def test_a_file_given_by_hand_is_the_script(api: HandApi, tmp_path: Path) -> None:
    file = tmp_path / "fig.md"
    file.write_text(LONG)
    story = submitted(api, written(tmp_path, {"script": {"configMapRef": {"name": "scripts"}}}), file)
    assert story["script"] == {"uri": f"store://inbox/{DIGEST}"}
    assert (api.store / "team/inbox" / DIGEST).exists()


def test_a_script_beyond_a_mebibyte_is_refused_before_anything_moves(api: HandApi, tmp_path: Path) -> None:
    with pytest.raises(
        CliError, match=r"VideoJob fig: the script has 1380000 bytes, 1Mi is the most\. Divide the story"
    ):
        submitted(api, written(tmp_path, {"script": {"text": LONG * 60}}))
    assert api.requests == []


def test_a_script_has_no_place_beside_scenes(api: HandApi, tmp_path: Path) -> None:
    file = tmp_path / "fig.md"
    file.write_text(LONG)
    with pytest.raises(CliError, match="lists its scenes: a script in --file has no place in it"):
        submitted(api, written(tmp_path, {"scenes": [{"text": "A fig."}]}), file)


def test_a_misspelt_field_is_named(api: HandApi, tmp_path: Path) -> None:
    with pytest.raises(CliError, match=r"spec\.story\.captions\.styel: Extra inputs are not permitted"):
        submitted(api, written(tmp_path, {"script": {"text": "A fig."}, "captions": {"styel": "karaoke"}}))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"configMapRef": {"name": "scripts"}}, r"the script lies in a ConfigMap: give it with --file"),
        ({"uri": f"store://inbox/{DIGEST}"}, r"the script is an upload: give it with --file"),
    ],
    ids=["a ConfigMap", "an upload"],
)
def test_what_a_run_without_a_cluster_cannot_see_is_asked_for(
    tmp_path: Path, script: dict[str, Any], words: str
) -> None:
    path = written(tmp_path, {"script": script})
    with pytest.raises(CliError, match=words):
        load([path], None, tmp_path)
    file = tmp_path / "fig.md"
    file.write_text(LONG)
    ((job,), _) = load([path], file, tmp_path)
    assert [file.sha256 for file in job.files] == [DIGEST]


def test_a_plan_names_jobs_and_outputs_with_their_shape(tmp_path: Path) -> None:
    """S-027: the platform's shape; the default output names."""
    path = written(tmp_path, {"script": {"text": "A fig fell."}, "platform": "youtube"}, execution={"mode": "Spread"})
    (found,) = forecast([path], None, rates=Rates(), known=builtin_profiles(), now=NOW)
    body = found.dump()
    assert [group["name"] for group in body["groups"]] == [
        "scenes", "audio", "images", "layout", "compose", "join", "thumbnail", "finalize",
    ]  # fmt: skip
    assert [(one["name"], one["size"]) for one in body["outputs"]] == [
        ("video", "1920x1080"), ("thumbnail", "1920x1080"), ("metadata", None), ("captions-srt", None), ("captions-vtt", None),
    ]  # fmt: skip
    assert "VideoJob fig: Story, queue default, priority Normal" in str(found)


def test_a_long_script_is_planned_as_well(tmp_path: Path) -> None:
    (found,) = forecast([written(tmp_path, {"script": {"text": LONG}})], None, rates=Rates(), known=(), now=NOW)
    assert found.problem is None


def test_outputs_without_a_picture_are_shown_without_its_size() -> None:
    table = show.outputs([output.dump() for output in published(story_spec())])
    assert "metadata.json" in table
    assert "None" not in table


def _with_template(path: Path, defaults: dict[str, Any]) -> Path:
    """The same file with the template `morning` in it."""
    body = {
        "apiVersion": "videojob.dev/v1alpha1", "kind": "VideoProfile", "metadata": {"name": "morning"},
        "spec": {"story": {"blanks": [{"name": "city"}], "defaults": defaults}},
    }  # fmt: skip
    path.write_text(path.read_text() + "---\n" + yaml.safe_dump(body))
    return path


MORNING = {"template": {"name": "morning", "values": {"city": "Oslo"}}}


def test_a_plan_fills_the_template_and_shows_all_films_and_thumbnails(tmp_path: Path) -> None:
    """S-067: each in its own shape."""
    variants = [{"name": "sq", "aspectRatio": "1:1"}, {"name": "b", "thumbnail": {"width": 640, "height": 360}}]
    defaults = {
        "script": {"text": "{{city}}."},
        "platform": "youtube",
        "captions": {"sidecars": []},
        "variants": variants,
    }
    path = _with_template(written(tmp_path, MORNING), defaults)
    (found,) = forecast([path], None, rates=Rates(), known=builtin_profiles(), now=NOW)
    assert [(one["name"], one["size"], one["frameRate"]) for one in found.dump()["outputs"]] == [
        ("video", "1920x1080", 30.0), ("thumbnail", "1920x1080", None), ("metadata", None, None),
        ("video-sq", "1080x1080", 30.0), ("thumbnail-sq", "1080x1080", None), ("metadata-sq", None, None),
        ("thumbnail-b", "640x360", None),
    ]  # fmt: skip


def test_a_plan_says_what_a_template_lacks(tmp_path: Path) -> None:
    (found,) = forecast([written(tmp_path, MORNING)], None, rates=Rates(), known=builtin_profiles(), now=NOW)
    assert found.problem is not None
    assert "no VideoProfile morning with spec.story" in found.problem


@pytest.mark.parametrize(
    ("defaults", "expect"),
    [
        ({"title": "{{town}}"}, r"spec\.story\.defaults has {{town}}, which is no blank: add town to story\.blanks"),
        ({"captions": {"styel": "word"}}, r"spec\.story\.defaults\.captions\.styel: no story has this field"),
    ],
)
def test_a_faulty_template_is_found_before_anything_moves(
    api: HandApi, tmp_path: Path, defaults: dict[str, Any], expect: str
) -> None:
    path = _with_template(written(tmp_path, MORNING), defaults)
    with pytest.raises(CliError, match=f"VideoProfile morning: {expect}"):
        from_manifests(VideoJobs(api), [path], None, None)
    assert api.requests == []


def test_another_template_makes_another_story_in_a_kept_store(tmp_path: Path) -> None:
    """A run goes on where an earlier one of the same words ended, and nowhere else."""
    path, uids = written(tmp_path, MORNING), []
    plain = path.read_text()
    for text in ("{{city}}.", "{{city}}!", "{{city}}."):
        path.write_text(plain)
        ((job,), _) = load([_with_template(path, {"script": {"text": text}})], None, tmp_path)
        uids.append(job.view.uid)
    assert uids[0] == uids[2] != uids[1]
