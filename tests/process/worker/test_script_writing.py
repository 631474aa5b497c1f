"""A script that a language model writes: the service, and the stage (S-071, S-072, cases 60 and 62)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import stages as support
import voices
from videojob_api.contract import FetchPolicy
from videojob_api.story.tasks import PromptParams
from videojob_worker.base.errors import External, Permanent, Recoverable, WorkerError
from videojob_worker.providers.writing import write
from videojob_worker.stages import caching, prompt
from webserver import Answer, WebServer, raw, reply, serve

TEXT = "A fig fell. A wasp told no one."
PATH = "/v1/chat/completions"


def answered(text: str | None = TEXT, finish: str = "stop", **message: Any) -> Answer:
    """A chat completion (from OpenAI's reference)."""
    said = {"role": "assistant", "content": text, "refusal": None, "annotations": [], **message}
    usage = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    return voices.json_reply(
        {
            "id": "chatcmpl-B9MBs8",
            "object": "chat.completion",
            "created": 1741569952,
            "choices": [choice],
            "usage": usage,
        }
    )


def order(server: WebServer, **asked: Any) -> PromptParams:
    """What is asked of a server."""
    given = {"prompt": "A fig falls.", "model": "small", "baseUrl": server.url("/v1"), "secretName": "tts", **asked}
    found = PromptParams.model_validate({"prompt": given, "language": "de", "genre": "fable"})
    return found.model_copy(update={"prompt": found.prompt.model_copy(update={"timeout_seconds": 2})})


def ask(folder: Path, answer: Answer, retries: int = 0, **asked: Any) -> tuple[str, WebServer]:
    with serve({PATH: answer}) as server:
        return write(order(server, **asked), voices.means(folder, secrets=voices.SECRETS, retries=retries)), server


def test_s_072_the_model_is_told_what_a_script_is(tmp_path: Path) -> None:
    text, server = ask(tmp_path, answered(), temperaturePercent=70, maxWords=150)
    assert text == TEXT + "\n"
    (request,) = server.seen
    assert request.headers["authorization"] == f"Bearer {voices.SECRETS['key']}"
    body = json.loads(request.body)
    assert (body["model"], body["temperature"]) == ("small", 0.7)
    assert body["messages"][1] == {"role": "user", "content": "A fig falls."}
    told = body["messages"][0]["content"]
    assert all(word in told for word in ("at most 150 words", "tag de.", "genre is fable"))


def test_a_server_of_ones_own_may_need_no_key(tmp_path: Path) -> None:
    _, server = ask(tmp_path, answered(), secretName=None)
    assert "authorization" not in server.seen[0].headers
    assert "temperature" not in json.loads(server.seen[0].body)


ENDS: list[tuple[str, Answer, type[WorkerError], int | None]] = [
    ("401", voices.json_reply({"error": {"message": "Incorrect API key"}}, "401 Unauthorized"), Permanent, None),
    ("403", voices.json_reply({"error": {"message": "no"}}, "403 Forbidden"), Permanent, None),
    ("429", voices.json_reply({"error": {}}, "429 Too Many Requests", ("Retry-After: 120",)), External, 120),
    ("500", reply(b"<html>oops</html>", "500 Internal Server Error"), Recoverable, None),
    ("silence", lambda _request, connection: connection.recv(1), External, None),
    ("no HTTP", raw(b"\x00\x01\x02"), External, None),
    ("no JSON", reply(b"A fig fell."), Recoverable, None),
    ("no choice", voices.json_reply({"choices": []}), Recoverable, None),
    ("no text", answered(None), Recoverable, None),
    ("blanks", answered("  "), Recoverable, None),
    ("cut off", answered(finish="length"), Recoverable, None),
    ("filtered", answered(finish="content_filter"), Permanent, None),
    ("refused", answered(None, refusal="I cannot"), Permanent, None),
    ("endless", answered("word " * 300_000), Recoverable, None),
]


@pytest.mark.parametrize(("said", "answer", "kind", "wait"), ENDS, ids=[row[0] for row in ENDS])
def test_every_bad_answer_has_its_class(
    said: str, answer: Answer, kind: type[WorkerError], wait: int | None, tmp_path: Path
) -> None:
    with pytest.raises(kind) as caught:
        ask(tmp_path, answer)
    error = caught.value
    assert (error.code, error.retry_after_seconds) == ("SceneGenerationError", wait), said
    assert voices.SECRETS["key"] not in f"{error.message}{error.hint}"


def test_a_key_that_is_not_there_names_secret_and_field(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as caught:
        ask(tmp_path, answered(), secretName="absent")
    assert "Secret absent" in caught.value.message


# ---------------------------------------------------------------- the stage


def stage(root: Path, server: WebServer, uid: str = "one", **asked: Any) -> Any:
    """The stage about to run for a VideoJob."""
    params = order(server, secretName=None, **asked)
    found = support.context(root, uid, "prompt", params=params)
    document = found.document.model_copy(update={"fetch": FetchPolicy(allow_networks=("127.0.0.0/8",))})
    task = found.task.model_copy(update={"key": hashlib.sha256(str(asked).encode()).hexdigest()[:32]})
    return replace(found, document=document, task=task)


def test_s_072_the_text_lies_under_its_digest_and_is_asked_for_once(tmp_path: Path) -> None:
    """An attempt that is repeated takes what was written; so does another VideoJob of the namespace, once this one has
    published (S-056).
    """
    with serve({PATH: answered()}) as server:
        first = stage(tmp_path, server)
        result = prompt.run(first)
        digest = hashlib.sha256(f"{TEXT}\n".encode()).hexdigest()
        assert result.fetched is not None
        assert (result.fetched.uri, result.fetched.sha256) == (f"store://uploads/{digest}", digest)
        assert (tmp_path / "one/uploads" / digest).read_text() == f"{TEXT}\n"
        assert prompt.run(first).fetched == result.fetched
        caching.keep_parts(support.context(tmp_path, kind="finalize"))
        other = prompt.run(stage(tmp_path, server, "two"))
        assert other.fetched == result.fetched
        assert "asked for before" in (other.message or "")
        assert (tmp_path / "two/uploads" / digest).is_file()
        assert len(server.seen) == 1
        prompt.run(stage(tmp_path, server, "three", prompt="A pear falls."))
        assert len(server.seen) == 2


def test_a_script_that_is_longer_than_asked_says_so(tmp_path: Path) -> None:
    with serve({PATH: answered("word " * 12)}) as server:
        result = prompt.run(stage(tmp_path, server, maxWords=10))
    assert result.notes == ("the script has 12 words, 10 were asked for",)
