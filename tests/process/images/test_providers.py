"""Services that have or draw pictures, against servers that answer as they do (S-035 to S-037, S-041, S-071, case 62)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import voices
from galleries import BASES, GOOD, PATHS, jpeg, link, wish
from videojob_worker.base.errors import External, Permanent, Recoverable, WorkerError
from videojob_worker.providers.images import provider
from videojob_worker.providers.images.base import Picture, Wish
from webserver import Answer, Request, WebServer, raw, reply, serve


def ask(
    name: str, folder: Path, answer: Answer | None = None, want: Wish | None = None, retries: int = 0, **more: Any
) -> tuple[Picture | None, WebServer]:
    """One wish to one provider, whose server answers well unless told otherwise."""
    with serve({}) as server:
        server.pages[PATHS[name]] = answer or GOOD[name](server)
        for path in ("/photos/0.jpeg", "/photos/1.jpeg", "/raw/photo-1", "/made.png"):
            server.pages[path] = reply(jpeg(), headers=("Content-Type: image/jpeg",))
        server.pages["/photos/eOLpJytrbsQ/download"] = voices.json_reply({"url": "https://example.com"})
        choice = link(name, endpoint=server.url(BASES.get(name, "")), secretName="tts", timeoutSeconds=2, **more)
        means = voices.means(folder, secrets=voices.SECRETS, retries=retries)
        return provider(choice).find(want or wish(), choice, means), server


@pytest.mark.parametrize("name", PATHS)
def test_s_035_s_036_a_picture_comes_from(name: str, tmp_path: Path) -> None:
    found, server = ask(name, tmp_path)
    assert found is not None
    assert found.path is not None
    assert (found.kind, found.path.read_bytes()[:2] in {b"\xff\xd8", b"\x89P"}) == ("image", True)
    wanted = {"pexels": "Photo by Joey Farina on Pexels", "unsplash": "Photo by Jeff Sheldon on Unsplash"}
    assert found.credit == wanted.get(name)
    first = server.seen[0]
    sent = {"pexels": "{}", "unsplash": "Client-ID {}"}.get(name, "Bearer {}").format(voices.SECRETS["key"])
    assert first.headers["authorization"] == sent
    assert all(
        "authorization" not in each.headers for each in server.seen if "/raw/" in each.path or ".jpeg" in each.path
    )


@pytest.mark.parametrize(
    ("size", "shape"), [((1080, 1920), "portrait"), ((1920, 1080), "landscape"), ((1080, 1080), "square")]
)
def test_s_036_what_searches_are_asked(tmp_path: Path, size: tuple[int, int], shape: str) -> None:
    _, pexels = ask("pexels", tmp_path, want=wish("Red foxes", size))
    query = parse_qs(urlsplit(pexels.seen[0].path).query)
    assert (query["query"], query["orientation"]) == (["Red foxes"], [shape])
    _, unsplash = ask("unsplash", tmp_path, want=wish("x", size, query="blue sea"))
    query = parse_qs(urlsplit(unsplash.seen[0].path).query)
    assert (query["query"], query["orientation"]) == (["blue sea"], ["squarish" if shape == "square" else shape])
    assert [each.path.partition("?")[0] for each in unsplash.seen[1:]] == [
        "/raw/photo-1",
        "/photos/eOLpJytrbsQ/download",
    ]


def test_s_035_what_drawers_are_asked(tmp_path: Path) -> None:
    _, openai = ask("openai", tmp_path, want=replace(wish(), style="watercolour"))
    assert json.loads(openai.seen[0].body) == {
        "model": "gpt-image-1", "prompt": "The old lighthouse stands above the sea., watercolour", "n": 1, "size": "1024x1536",
    }  # fmt: skip
    _, dalle = ask("openai", tmp_path, model="dall-e-3", want=wish(size=(1920, 1080)))
    asked = json.loads(dalle.seen[0].body)
    assert (asked["size"], asked["response_format"]) == ("1792x1024", "b64_json")
    _, stability = ask("stability", tmp_path)
    form = stability.seen[0].body.decode()
    assert 'name="aspect_ratio"\r\n\r\n9:16\r\n' in form
    assert 'name="prompt"\r\n\r\nThe old lighthouse stands above the sea.\r\n' in form
    border = stability.seen[0].headers["content-type"].partition("boundary=")[2]
    assert form.endswith(f"--{border}--\r\n")
    _, again = ask("stability", tmp_path)
    assert again.seen[0].body == stability.seen[0].body


def test_an_address_instead_of_the_picture_is_followed(tmp_path: Path) -> None:
    with serve({"/made.png": reply(jpeg(form="PNG"))}) as server:
        server.pages[PATHS["openai"]] = voices.json_reply({"data": [{"url": server.url("/made.png")}]})
        choice = link("openai", endpoint=server.url("/v1"))
        found = provider(choice).find(wish(), choice, voices.means(tmp_path))
        assert found is not None
        assert found.suffix == "png"
        assert "authorization" not in server.seen[0].headers


ENDS: list[tuple[str, Answer, type[WorkerError], int | None]] = [
    ("401", voices.json_reply({"error": {"message": "Incorrect API key"}}, "401 Unauthorized"), Permanent, None),
    ("403", voices.json_reply({"errors": ["OAuth error"]}, "403 Forbidden"), Permanent, None),
    ("429", voices.json_reply({"error": "Rate limit"}, "429 Too Many Requests", ("Retry-After: 120",)), External, 120),
    ("500", reply(b"<html>oops</html>", "500 Internal Server Error"), Recoverable, None),
    ("nonsense", reply(b"not json, no picture", headers=("Content-Type: text/plain",)), Recoverable, None),
    ("empty", reply(b""), Recoverable, None),
    ("cut off", reply(b"{", length=500), External, None),
    ("silence", lambda _request, connection: connection.recv(1), External, None),
    ("no HTTP", raw(b"\x00\x01\x02"), External, None),
]  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(("said", "answer", "kind", "wait"), ENDS, ids=[row[0] for row in ENDS])
def test_s_041_every_bad_answer_has_its_class(
    name: str, said: str, answer: Answer, kind: type[WorkerError], wait: int | None, tmp_path: Path
) -> None:
    """S-071: the code is the seed's; case 62: nothing of the key is told."""
    with pytest.raises(kind) as caught:
        ask(name, tmp_path, answer)
    error = caught.value
    assert (error.code, error.retry_after_seconds) == ("ImageGenerationError", wait), said
    assert name in error.message
    assert voices.SECRETS["key"] not in f"{error.message}{error.hint}"


def test_a_short_wait_is_waited_and_the_picture_comes(tmp_path: Path) -> None:
    """S-035: three further tries."""
    turns: list[Answer] = [
        reply(status="503 Busy"),
        reply(status="429 Slow", headers=("Retry-After: 1",)),
        reply(status="502 Bad"),
    ]

    def page(request: Request, connection: Any) -> None:
        (turns.pop(0) if turns else GOOD["openai"](WebServer(0, {})))(request, connection)

    found, server = ask("openai", tmp_path, page, retries=3)
    assert found is not None
    assert len(server.seen) == 4


@pytest.mark.parametrize(("name", "none"), [("pexels", {"photos": []}), ("unsplash", {"results": []})])
def test_a_search_that_finds_nothing_is_no_failure(name: str, none: dict[str, Any], tmp_path: Path) -> None:
    assert ask(name, tmp_path, voices.json_reply(none))[0] is None


def test_a_withheld_picture_is_a_failure(tmp_path: Path) -> None:
    blurred = reply(jpeg(), headers=("Content-Type: image/jpeg", "finish-reason: CONTENT_FILTERED"))
    with pytest.raises(Recoverable, match="withheld"):
        ask("stability", tmp_path, blurred)
