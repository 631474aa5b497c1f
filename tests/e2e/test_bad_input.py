"""What users get wrong, on the real cluster: the job fails at once, says why and what to do, and publishes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kube import Kube

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n../../../../etc/passwd\n#EXT-X-ENDLIST\n"


@dataclass(frozen=True)
class Case:
    """A bad file, and what the user is told."""

    name: str
    make: Callable[[Path, Path], object] | None
    code: str
    message: str
    transcode: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("a file that was never uploaded", None, "SourceNotFound", "does not exist"),
    Case("an empty file", lambda bad, _: bad.write_bytes(b""), "EmptyFile", "empty"),
    Case(
        "a file above the limit (T-014, T-021)",
        lambda bad, good: bad.write_bytes(good.read_bytes()),
        "FileTooLarge",
        "File too large",
        {"limits": {"maxInputSize": "10Ki"}},
    ),
    Case(
        "a text that calls itself a video (T-021, case 63)",
        lambda bad, _: bad.write_text("this is no video\n" * 400),
        "InvalidFileType",
        "Invalid file type",
    ),
    Case(
        "a truncated video (case 63)",
        lambda bad, good: bad.write_bytes(good.read_bytes()[: good.stat().st_size // 2]),
        "CorruptMedia",
        "truncated",
    ),
    Case(
        "a playlist in an mp4's clothes (case 64)",
        lambda bad, _: bad.write_text(PLAYLIST),
        "InvalidFileType",
        "Invalid file type",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad_file(
    case: Case,
    kube: Kube,
    namespace: str,
    small_clip: Path,
    put: Callable[[str, Path], str],
    files: Callable[[str, str], list[str]],
    tmp_path: Path,
) -> None:
    bad = tmp_path / "clip.mp4"
    uri = "store://inbox/" + "0" * 64
    if case.make is not None:
        case.make(bad, small_clip)
        uri = put(namespace, bad)
    job = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "bad", "namespace": namespace},
        "spec": {"transcode": {"source": {"uri": uri, "filename": bad.name}, **case.transcode}},
    }
    kube.apply(job)
    kube.wait("condition=Finished", "videojob", "bad", namespace, 120)
    seen = kube.get("videojob", "bad", namespace)
    status = seen["status"]
    failure = status["failure"]
    assert (status["phase"], failure["class"], failure["code"]) == ("Failed", "Permanent", case.code), failure
    assert case.message in failure["message"]
    assert failure["hint"]
    assert status["attempts"] == 1
    assert not status.get("outputs")
    assert seen["metadata"]["labels"]["videojob.dev/dead-letter"] == "true"
    if case.code == "InvalidFileType":
        assert all(kind in failure["message"] for kind in ("mp4", "mov", "avi", "mkv", "webm"))
    told_after_the_status = "--field-selector=reason=processing_failed"
    kube.watch("events", told_after_the_status, namespace, lambda _: True, 30)
    events = kube.list("events", namespace)
    told = [_text(event) for event in events if event["reason"] == "processing_failed"]
    assert len(told) == 1
    assert failure["message"] in told[0]
    assert failure["hint"] in told[0]
    left = files(namespace, f"jobs/{seen['metadata']['uid']}")
    # Nothing that it made: the evidence, and beside it for how long the evidence is kept.
    assert {path.split("/", 1)[0] for path in left} == {"debug", "retention.json"}, left
    assert files(namespace, "inbox") == ([] if case.make is None else [uri.rsplit("/", 1)[1]])


def _text(event: dict[str, Any]) -> str:
    return str(event.get("message") or event.get("note") or "")


def test_an_unknown_profile_waits_until_it_exists(
    kube: Kube, namespace: str, submit: Callable[..., str], small_clip: Path
) -> None:
    """T-008: the message lists the known names; the job runs once the profile is there."""
    name = submit(small_clip, "custom", transcode={"profiles": ["tiny", "thumbnail"]})
    kube.wait("condition=Accepted=False", "videojob", name, namespace, 60)
    seen = kube.get("videojob", name, namespace)["status"]
    accepted = next(condition for condition in seen["conditions"] if condition["type"] == "Accepted")
    assert seen["phase"] == "Pending"
    assert accepted["reason"] == "UnknownProfile"
    assert "tiny" in accepted["message"]
    assert all(known in accepted["message"] for known in ("720p", "480p", "360p", "webm", "thumbnail"))
    rendition = {"video": {"width": 160, "height": 90, "bitrate": "100k"}}
    kube.apply(
        {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoProfile",
            "metadata": {"name": "tiny", "namespace": namespace},
            "spec": {"rendition": rendition},
        }
    )
    kube.wait("condition=Complete", "videojob", name, namespace, 180)
    outputs = kube.get("videojob", name, namespace)["status"]["outputs"]
    assert [(output["name"], output["width"], output["height"]) for output in outputs] == [
        ("tiny", 160, 90),
        ("thumbnail", 320, 180),
    ]


def test_a_namespace_without_a_store_waits_for_one(
    kube: Kube, empty_namespace: Callable[[], str], namespace: str
) -> None:
    """The message carries the command that makes a store; after it the job goes on by itself."""
    bare = empty_namespace()
    kube.apply(
        {
            "apiVersion": "videojob.dev/v1alpha1",
            "kind": "VideoJob",
            "metadata": {"name": "early", "namespace": bare},
            "spec": {"transcode": {"source": {"uri": "store://inbox/" + "0" * 64}}},
        }
    )
    kube.wait("condition=Accepted=False", "videojob", "early", bare, 60)
    status = kube.get("videojob", "early", bare)["status"]
    accepted = next(condition for condition in status["conditions"] if condition["type"] == "Accepted")
    assert (status["phase"], accepted["reason"]) == ("Pending", "StoreNotFound")
    assert f"videojob init -n {bare}" in accepted["message"]
    done = kube.cli("init", "-n", bare, "--size", "1Gi")
    assert done.code == 0, done.err
    kube.wait("condition=Finished", "videojob", "early", bare, 120)
    assert kube.get("videojob", "early", bare)["status"]["failure"]["code"] == "SourceNotFound"


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({}, "exactly one kind of work"),
        (
            {"transcode": {"source": {"uri": "store://stock/a.mp4"}}, "story": {"script": {"text": "x"}}},
            "exactly one kind of work",
        ),
        ({"story": {"title": "x"}}, "a story is told in one way: set one of story.scenes"),
        (
            {"transcode": {"source": {"uri": "store://stock/a.mp4"}, "limits": {"maxInputSize": "-5Mi"}}},
            "maxInputSize",
        ),
        ({"transcode": {"source": {"uri": "file:///etc/passwd"}}}, "source.uri"),
        ({"transcode": {"source": {}}}, "source.uri"),
    ],
    ids=["no work", "two kinds", "a kind not built yet", "a negative size", "a path of the node", "no source"],
)
def test_refused_by_the_server(kube: Kube, namespace: str, spec: dict[str, Any], words: str) -> None:
    """S-003, case 58: what cannot work never gets in, and the message names the field."""
    body = {
        "apiVersion": "videojob.dev/v1alpha1",
        "kind": "VideoJob",
        "metadata": {"name": "no", "namespace": namespace},
    }
    done = kube.run("apply", "-f", "-", stdin=json.dumps({**body, "spec": spec}), check=False)
    assert done.code != 0
    assert words in done.err
