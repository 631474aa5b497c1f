"""The models refuse what the CRDs refuse, in the same words: `videojob run` never meets an API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from videojob_api.contract import RunResult
from videojob_api.v1alpha1 import MediaStoreSpec, Source, VideoJobSpec, VideoProfileSpec
from videojob_api.v1alpha1.base import ApiModel
from videojob_api.v1alpha1.spec import quantity_bytes

URI = "store://stock/a.mp4"
PICTURE = {"width": 1280, "height": 720, "bitrate": "2500k"}


@dataclass(frozen=True)
class Case:
    """A spec that does not pass, and what is said."""

    name: str
    model: type[ApiModel]
    given: dict[str, Any]
    expect: str


def told(**spec: Any) -> dict[str, Any]:
    """A story of one sentence."""
    return {"story": {"script": {"text": "A fig fell."}}, **spec}


def transcode(**fields: Any) -> dict[str, Any]:
    """A VideoJob's spec."""
    return {"transcode": {"source": {"uri": URI}}, **fields}


FILE = {"uri": "store://stock/face.png"}


def face(**fields: Any) -> dict[str, Any]:
    """An avatar."""
    return {"avatar": {"image": FILE, "speech": {"text": "Hello."}, **fields}}


REFUSED = (
    Case("nothing asked for", VideoJobSpec, {}, "asks for exactly one kind of work"),
    Case(
        "two kinds of work", VideoJobSpec, transcode(story={"script": {"text": "A fig."}}), "exactly one kind of work"
    ),
    Case("a story without words", VideoJobSpec, {"story": {}}, "a story is told in one way: set one of story.scenes"),
    Case(
        "a script in two places",
        VideoJobSpec,
        {"story": {"script": {"text": "A fig.", "uri": "store://stock/fig.md"}}},
        "set one of story.scenes, script.text, script.uri, script.configMapRef and script.fromPrompt",
    ),
    Case(
        "a misspelt field of a story",
        VideoJobSpec,
        {"story": {"scenes": [{"text": "A fig.", "image": {"colour": "#000000"}}]}},
        "scenes.0.image.colour\n  Extra inputs are not permitted",
    ),
    Case(
        "a stop of a transcode after a story's",
        VideoJobSpec,
        {"story": {"script": {"text": "A fig."}}, "stopAfter": "Ingest"},
        "spec.stopAfter must be a stage of what is asked for",
    ),
    Case(
        "a stop of a story", VideoJobSpec, transcode(stopAfter="SceneParsing"), "spec.stopAfter must be a stage of what"
    ),
    Case(
        "a script's secret over an open line",
        VideoJobSpec,
        {"story": {"script": {"uri": "http://docs.example/fig.md", "secretName": "docs"}}},
        "story.script.secretName goes with an https:// URL",
    ),
    Case(
        "a misspelt piece of metadata",
        VideoJobSpec,
        {"story": {"script": {"text": "A."}, "metadata": {"tag": []}}},
        "tag",
    ),
    Case(
        "publishing what is no story",
        VideoJobSpec,
        transcode(publish={}),
        "spec.publish goes with spec.story: remove it",
    ),
    Case(
        "a time of no zone",
        VideoJobSpec,
        told(publish={"scheduleAt": "2026-12-24T18:00:00"}),
        "scheduleAt needs a time zone",
    ),
    Case(
        "a platform twice",
        VideoJobSpec,
        told(publish={"platforms": [{"name": "tiktok"}, {"name": "tiktok", "via": "queued_manual"}]}),
        "publish.platforms names tiktok more than once",
    ),
    Case("an avatar without a face", VideoJobSpec, {"avatar": {"audio": FILE}}, "avatar.image"),
    Case(
        "an avatar without a voice",
        VideoJobSpec,
        {"avatar": {"image": FILE}},
        "set one of avatar.audio and avatar.speech",
    ),
    Case(
        "an avatar with two voices",
        VideoJobSpec,
        {"avatar": {"image": FILE, "audio": FILE, "speech": {"text": "Hello."}}},
        "set one of avatar.audio and avatar.speech",
    ),
    Case(
        "a look that sees less the second time",
        VideoJobSpec,
        face(detection={"secondPassPercent": 60}),
        "sees more, not less",
    ),
    Case(
        "two backgrounds",
        VideoJobSpec,
        face(matting={"color": "#FFFFFF", "blur": 9}),
        "at most one of color, image and blur",
    ),
    Case("D-ID without a Secret", VideoJobSpec, face(provider={"name": "did"}), "provider.secretName names the Secret"),
    Case(
        "a server without an address",
        VideoJobSpec,
        face(provider={"name": "http"}),
        "provider.endpoint is the https:// URL",
    ),
    Case("a misspelt field", VideoJobSpec, transcode(prioritty="High"), "Extra inputs are not permitted"),
    Case(
        "a first wait beyond the longest",
        VideoJobSpec,
        transcode(retry={"backoffSeconds": 400}),
        "retry.maxBackoffSeconds must be at least retry.backoffSeconds",
    ),
    Case(
        "a size of nothing",
        VideoJobSpec,
        {"transcode": {"source": {"uri": URI}, "limits": {"maxInputSize": "0"}}},
        "limits.maxInputSize must be above zero",
    ),
    Case("a path of the machine", VideoJobSpec, {"transcode": {"source": {"uri": "file:///x"}}}, "String should match"),
    Case("a profile of nothing", VideoProfileSpec, {}, "describes exactly one thing"),
    Case(
        "a profile of two outputs", VideoProfileSpec, {"thumbnail": {}, "rendition": {"video": PICTURE}}, "exactly one"
    ),
    Case(
        "VP9 in mp4",
        VideoProfileSpec,
        {"rendition": {"video": {**PICTURE, "codec": "vp9"}}},
        "use codecs of one container",
    ),
    Case(
        "H.264 in webm",
        VideoProfileSpec,
        {"rendition": {"container": "webm", "video": PICTURE}},
        "use codecs of one container",
    ),
    Case("a store of no kind", MediaStoreSpec, {}, "set spec.pvc.claimName"),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_spec_is_refused_in_words_that_help(case: Case) -> None:
    with pytest.raises(ValidationError, match=case.expect.replace(".", r"\.")):
        case.model.model_validate(case.given)


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("524288000", 524288000),
        ("500Mi", 500 * 2**20),
        ("2G", 2 * 10**9),
        ("1.5Gi", 3 * 2**29),
        ("3k", 3000),
        ("1Ti", 2**40),
    ],
)
def test_t_014_a_quantity_in_bytes(text: str, expect: int) -> None:
    assert quantity_bytes(text) == expect


@pytest.mark.parametrize("text", ["", "Mi", "5MB", "-1", "1 Gi", "1e9"])
def test_what_is_no_quantity_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="is not a quantity of bytes such as 500Mi or 2G"):
        quantity_bytes(text)


@pytest.mark.parametrize(("uri", "expect"), [("store://inbox/" + "ab" * 32, "ab" * 32), (URI, None)])
def test_an_upload_promises_its_digest(uri: str, expect: str | None) -> None:
    assert Source(uri=uri).digest == expect


def test_a_spec_survives_the_way_through_the_server() -> None:
    spec = VideoJobSpec.model_validate(transcode(externalId="order-7", timeoutSeconds=30))
    assert VideoJobSpec.model_validate(spec.dump()) == spec
    assert spec.dump()["externalId"] == "order-7"
    assert "story" not in spec.dump()


NUMBERS = (
    ("infinite seconds", '"cpuSeconds":Infinity', "cpuSeconds"),
    ("seconds beyond a double", '"cpuSeconds":1e999', "cpuSeconds"),
    ("no number at all", '"seconds":NaN', "seconds"),
)


@pytest.mark.parametrize(("name", "part", "where"), NUMBERS, ids=[name for name, _, _ in NUMBERS])
def test_a_message_with_a_number_that_no_api_server_stores_is_refused(name: str, part: str, where: str) -> None:
    """Case 44: a status that took it over could never be written."""
    head = '{"uid":"u","group":"main","attempt":1,"container":"work","exitCode":0,"stages":[{"kind":"ingest",'
    with pytest.raises(ValidationError, match=where):
        RunResult.model_validate_json(head + part + "}]}")


@pytest.mark.parametrize(("number", "taken"), [(2**63 - 1, True), (2**63, False), (-(2**63), True), (-(2**64), False)])
def test_integers_of_a_message_have_64_bits(number: int, taken: bool) -> None:
    body = f'{{"uid":"u","group":"main","attempt":1,"container":"work","exitCode":0,"freeBytes":{number}}}'
    if taken:
        assert RunResult.model_validate_json(body).free_bytes == number
        return
    with pytest.raises(ValidationError, match="free_bytes does not fit 64 bits"):
        RunResult.model_validate_json(body)


@pytest.mark.parametrize(
    "uri",
    [
        "https://media.example/a.mp4",
        "http://media.example:8080/a%20b.mp4?X-Amz-Signature=ab%2Fcd+e&x=[1]",
        "https://[2001:db8::1]/a.mp4",
        "https://media.example",
        "https://media.example?id=5",
    ],
)
def test_a_url_may_be_a_source(uri: str) -> None:
    assert Source(uri=uri).fetched
    assert Source(uri=uri).digest is None
    assert Source(uri=uri, sha256="ab" * 32).digest == "ab" * 32


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"uri": "https://user:pass@media.example/a.mp4"}, "must not carry a user or password"),
        ({"uri": "https://user@media.example/a.mp4"}, "must not carry a user or password"),
        ({"uri": "https://media.example/a b.mp4"}, "match"),
        ({"uri": "https://media.example/a.mp4#t=5"}, "match"),
        ({"uri": "https://media.example/a.mp4?k='b'"}, "match"),
        ({"uri": "https://"}, "match"),
        ({"uri": "ftp://media.example/a.mp4"}, "match"),
        ({"uri": "https://media.example/" + "a" * 2048}, "2048"),
        ({"uri": URI, "sha256": "ab" * 32}, "source.sha256 goes with a URL"),
        ({"uri": URI, "secretName": "key"}, "source.secretName goes with an https:// URL"),
        ({"uri": "http://media.example/a.mp4", "secretName": "key"}, "source.secretName goes with an https:// URL"),
    ],
)
def test_a_url_that_cannot_be_is_refused_with_the_reason(source: dict[str, str], why: str) -> None:
    """Case 60: what `videojob run` says is what the API server says."""
    with pytest.raises(ValidationError, match=why):
        Source.model_validate(source)
