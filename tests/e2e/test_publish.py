"""A story that is to go out, on real pods: it waits for a word, and then leaves what a person needs to post it (S-050, S-052)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import yaml

from kube import Kube

EXAMPLE = Path(__file__).resolve().parents[2] / "crds/examples/story-publish.yaml"


def test_a_story_waits_for_a_word_and_is_queued_for_a_person(
    kube: Kube, namespace: str, files: Callable[[str, str], list[str]]
) -> None:
    """By plain kubectl. Its outputs are there before; the pod that publishes is one with a way out and no decoder."""
    manifest = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    manifest["metadata"]["namespace"] = namespace
    manifest["spec"]["publish"]["auto"] = False
    manifest["spec"]["story"]["quality"] = "Draft"
    kube.apply(manifest)
    name = manifest["metadata"]["name"]
    kube.wait("jsonpath={.status.queue.reason}=WaitingForApproval", "videojob", name, namespace, 240)
    found = kube.get("videojob", name, namespace)
    assert found["status"]["phase"] == "Suspended"
    assert {output["name"] for output in found["status"]["outputs"]} >= {"video", "thumbnail", "metadata"}
    approve = json.dumps({"spec": {"publish": {"auto": True}}})
    kube.run("patch", "videojob", name, "-n", namespace, "--type=merge", "-p", approve)
    kube.wait("condition=Complete", "videojob", name, namespace, 120)
    found = kube.get("videojob", name, namespace)
    (row,) = found["status"]["publish"]
    assert (row["platform"], row["state"], row["attempts"]) == ("instagram_reels", "QueuedManual", 1)
    assert row["message"] == "Video queued for manual Instagram posting"
    stages = {stage["name"]: stage["attempt"] for stage in found["status"]["stages"]}
    assert stages["Publish"] == 1
    assert "publish/instagram_reels.json" in files(namespace, f"jobs/{found['metadata']['uid']}")
