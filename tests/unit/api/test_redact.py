"""What people read carries no credentials, and stays readable (cases 59 and 62)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from videojob_api.redact import redact, redact_json

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@dataclass(frozen=True)
class Case:
    """A text, and what is left of it."""

    name: str
    given: str
    expect: str


CASES = (
    Case("userinfo of a URL", "GET https://ann:s3cret@host/a.mp4", "GET https://***@host/a.mp4"),
    Case(
        "a presigned link's query",
        "fetch 'https://b.example/k.mp4?X-Amz-Signature=abc&X-Amz-Expires=60' failed",
        "fetch 'https://b.example/k.mp4?***' failed",
    ),
    Case("a fragment after the query stays", "https://h/p?sig=1#top", "https://h/p?***#top"),
    Case("a bearer token", "Authorization: Bearer abc.def-123456789", "Authorization: Bearer ***"),
    Case("a token anywhere", f"got {JWT} from it", "got *** from it"),
    Case(
        "an environment variable", "AWS_SECRET_ACCESS_KEY=abc/def ffmpeg -i a", "AWS_SECRET_ACCESS_KEY=*** ffmpeg -i a"
    ),
    Case("a header in an argument list", "-headers 'x-api-key: 1234'", "-headers 'x-api-key: ***'"),
    Case("JSON text", '{"password": "a b", "size": 3}', '{"password": ***, "size": 3}'),
    Case(
        "a plain command",
        "ffmpeg -i file:/store/job/a.mp4 -vf scale=640:-2",
        "ffmpeg -i file:/store/job/a.mp4 -vf scale=640:-2",
    ),
    Case(
        "prose about tokens",
        "the token is not valid; send a bearer token again",
        "the token is not valid; send a bearer token again",
    ),
    Case("a store's URI", "store://inbox/" + "a1" * 32, "store://inbox/" + "a1" * 32),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_text_without_its_secrets(case: Case) -> None:
    assert redact(case.given) == case.expect
    assert redact(case.expect) == case.expect, "a second pass changes nothing"


def test_a_json_value_without_its_secrets() -> None:
    value = {"url": "https://h/p?sig=1", "authToken": "x", "env": [{"DB_PASSWORD": "y"}], "tokens": 3, "key": "4" * 32}
    assert redact_json(value) == {
        "url": "https://h/p?***", "authToken": "***", "env": [{"DB_PASSWORD": "***"}], "tokens": 3, "key": "4" * 32,
    }  # fmt: skip


HOSTILE = (
    "x", "a.b-", "a://", "a://b", "eyJaaaaa-", "eyJaaaaa.", "password ", "password", 'secret="', "secret='", "bearer ",
    "token \t", "a_", "x@", "auth-", "access_key_id",
)  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    """Case 44: the operator reads what workers say. Half a megabyte takes a fraction of a second; by the square, hours."""
    assert redact(piece * (500_000 // len(piece)) + " PASSWORD=hunter2").count("hunter2") == 0
