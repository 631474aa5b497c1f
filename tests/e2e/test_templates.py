"""A story by a template, in two shapes and with a second thumbnail, on real pods (S-067)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kube import Kube

DEFAULTS = {
    "title": "Good morning, {{city}}", "quality": "Draft", "aspectRatio": "1:1", "fps": 24,
    "script": {"text": "There is {{weather}} in {{city}}."}, "images": {"providers": [{"name": "gradient"}]},
    "variants": [
        {"name": "wide", "aspectRatio": "16:9"},
        {"name": "b", "thumbnail": {"atMs": 100, "title": "{{weather}}!"}},
    ],
}  # fmt: skip


def _object(kind: str, namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": name, "namespace": namespace}
    return {"apiVersion": "videojob.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}


def test_a_story_waits_for_its_template_and_is_made_in_all_its_shapes(
    kube: Kube, namespace: str, tmp_path: Path
) -> None:
    """S-003, S-067: refused by name until the profile is there; then one Job, two films, three thumbnails, one narration."""
    values = {"city": "Oslo", "weather": "snow"}
    kube.apply(_object("VideoJob", namespace, "oslo", {"story": {"template": {"name": "morning", "values": values}}}))
    kube.wait(
        "jsonpath={.status.conditions[?(@.type=='Accepted')].reason}=UnknownProfile", "videojob", "oslo", namespace, 60
    )
    template = {"blanks": [{"name": name} for name in values], "defaults": DEFAULTS}
    kube.apply(_object("VideoProfile", namespace, "morning", {"story": template}))
    kube.wait("condition=Complete", "videojob", "oslo", namespace, 240)
    found = kube.get("videojob", "oslo", namespace)
    assert found["spec"]["story"] == {"template": {"name": "morning", "values": values}}, "the server adds nothing"
    status = found["status"]
    assert status["plan"]["template"]["story"]["title"] == "Good morning, Oslo"
    assert [group["name"] for group in status["plan"]["groups"]] == ["main"]
    assert [(one["name"], one["language"]) for one in status["story"]["variants"]] == [("wide", "en")]
    done = kube.cli("outputs", "-n", namespace, "oslo", "--download", str(tmp_path))
    assert done.code == 0, done.out + done.err
    sizes = {one["name"]: (one.get("width"), one.get("height")) for one in status["outputs"]}
    assert (sizes["video"], sizes["video-wide"], sizes["thumbnail-b"]) == ((1080, 1080), (1920, 1080), (1080, 1080))
    texts = [(tmp_path / name).read_text() for name in ("video.srt", "video-wide.srt")]
    assert texts[0] == texts[1]
    assert "There is snow in Oslo." in " ".join(texts[0].split())
    assert json.loads((tmp_path / "metadata-wide.json").read_text())["title"] == "Good morning, Oslo"
