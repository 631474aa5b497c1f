"""The stage Fetch, as its pod runs it: a URL becomes a file of the job's folder, and nobody learns the URL's secrets."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from videojob_api.contract import RunResult, StorePaths
from videojob_api.exits import ExitCode
from videojob_worker.base.errors import Permanent
from videojob_worker.media.sniff import require_video
from videojob_worker.storage.paths import Store
from webserver import WebServer, redirect, reply, serve
from workbench import Workbench

CLIP = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
SHA = hashlib.sha256(CLIP).hexdigest()


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path / "store")


def run(bench: Workbench, url: str, attempt: int = 1, **source: Any) -> RunResult:
    """One attempt."""
    bench.source = {"uri": url, **source}
    return bench.run("fetch", bench.fetching(attempt))


def test_a_url_becomes_a_file_under_its_digest(bench: Workbench) -> None:
    """T-001: in uploads/, told with digest and size; staging and all else is gone."""
    with serve({"/clip.mp4": reply(CLIP)}) as server:
        result = run(bench, server.url("/clip.mp4?X-Sig=geheim"), sha256=SHA)
    (stage,) = result.stages
    assert stage.fetched is not None
    assert stage.fetched.dump() == {"uri": f"store://uploads/{SHA}", "sizeBytes": len(CLIP), "sha256": SHA}
    assert (bench.job / "uploads" / SHA).read_bytes() == CLIP
    assert bench.staged() == []
    assert [path.name for path in (bench.job / "uploads").iterdir()] == [SHA]


def test_what_is_there_and_whole_is_not_fetched_again(bench: Workbench) -> None:
    with serve({"/clip.mp4": reply(CLIP)}) as server:
        url = server.url("/clip.mp4")
        assert not run(bench, url).stages[0].reused
        assert run(bench, url, 2).stages[0].reused
        assert len(server.seen) == 1
        (bench.job / "uploads" / SHA).write_bytes(b"changed")
        again = run(bench, url, 3).stages[0]
        assert (again.reused, len(server.seen)) == (False, 2)
    assert (bench.job / "uploads" / SHA).read_bytes() == CLIP


def test_a_url_is_told_without_its_query_wherever_it_is_told(bench: Workbench) -> None:
    """Case 62: log, result, debug folder; whether it works or fails."""
    with serve({"/clip.mp4": reply(CLIP), "/old.mp4": reply(status="403 Forbidden")}) as server:
        for path, code in (("/clip.mp4", ExitCode.OK), ("/old.mp4", ExitCode.PERMANENT)):
            shutil.rmtree(bench.job / "processed", ignore_errors=True)
            result = run(bench, server.url(f"{path}?X-Amz-Signature=geheim"))
            assert result.exit_code == code
            told = json.dumps([result.dump(), bench.logs])
            assert "geheim" not in told
            assert f"{path}?***" in told
    kept = "".join(path.read_text() for path in (bench.job / "debug").rglob("*") if path.is_file())
    assert "/old.mp4?***" in kept
    assert "geheim" not in kept


@dataclass(frozen=True)
class Case:
    """A source, and how its fetch ends."""

    name: str
    given: Callable[[WebServer], str]
    code: str
    exit_code: ExitCode
    text: str
    source: dict[str, Any] = field(default_factory=dict)


PERMANENT, EXTERNAL = ExitCode.PERMANENT, ExitCode.EXTERNAL
CASES = (
    Case("the metadata", lambda _: "http://169.254.169.254/latest", "AddressRefused", PERMANENT, "link-local"),
    Case("the API server", lambda _: "http://10.96.0.1/version", "AddressRefused", PERMANENT, "private"),
    Case(
        "a redirect to the metadata", lambda server: server.url("/away"), "AddressRefused", PERMANENT, "169.254.169.254"
    ),
    Case("a web page", lambda server: server.url("/page"), "InvalidFileType", PERMANENT, "an HTML or XML page"),
    Case("a playlist", lambda server: server.url("/list"), "InvalidFileType", PERMANENT, "an HLS playlist"),
    Case("a large file", lambda server: server.url("/large"), "FileTooLarge", PERMANENT, "File too large: 20000 bytes"),
    Case("a busy server", lambda server: server.url("/busy"), "SourceUnavailable", EXTERNAL, "answered 429"),
    Case(
        "another file than promised",
        lambda server: server.url("/clip"),
        "SourceChanged",
        PERMANENT,
        f"source.sha256 promises {'0' * 64}",
        {"sha256": "0" * 64},
    ),
)
PAGES = {
    "/clip": reply(CLIP),
    "/away": redirect("http://169.254.169.254/"),
    "/page": reply(b"<!doctype html><title>Log in</title>"),
    "/list": reply(b"#EXTM3U\nhttp://10.96.0.1/\n"),
    "/large": reply(length=20_000),
    "/busy": reply(status="429 Slow", headers=("Retry-After: 7",)),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_cannot_be_fetched_is_said_with_its_class(case: Case, bench: Workbench) -> None:
    """Cases 60 and 63: nothing is kept, and nothing was decoded to find out."""
    bench.limits = {"maxInputSize": "15k"}
    with serve(PAGES) as server:
        result = run(bench, case.given(server), **case.source)
    failure = result.failure
    assert failure is not None
    assert (failure.code, result.exit_code) == (case.code, case.exit_code)
    assert case.text in failure.message
    assert failure.hint
    assert failure.retry_after_seconds == (7 if case.name == "a busy server" else None)
    assert not (bench.job / "uploads").exists()
    assert bench.staged() == []


def test_a_secret_that_is_missing_or_no_header_is_said(bench: Workbench, tmp_path: Path) -> None:
    """The pod starts without it; retried, since it may come."""
    secrets = tmp_path / "secrets"
    bench.source = {"uri": "https://127.0.0.1:1/clip.mp4", "secretName": "media-key"}

    def attempt() -> tuple[str, int]:
        result = bench.run("fetch", bench.fetching(), VIDEOJOB_SECRETS=str(secrets))
        assert result.failure is not None
        assert "geheim" not in json.dumps([result.dump(), bench.logs])
        return result.failure.code, result.exit_code

    assert attempt() == ("SecretNotFound", ExitCode.RECOVERABLE)
    (secrets / "media-key").mkdir(parents=True)
    (secrets / "media-key" / "authorization").write_text("Bearer geheim\nX-Other: 1")
    assert attempt() == ("SecretUnusable", ExitCode.PERMANENT)
    (secrets / "media-key" / "authorization").write_text("Bearer geheim\n")
    assert attempt() == ("SourceUnreachable", ExitCode.EXTERNAL)


def test_a_fetched_file_is_found_by_its_digest_and_a_link_is_not_followed(bench: Workbench) -> None:
    """Case 65."""
    store = Store(StorePaths(job=str(bench.job)))
    (bench.job / "uploads").mkdir()
    (bench.job / "uploads" / SHA).write_bytes(CLIP)
    assert store.source(f"store://uploads/{SHA}", None).read_bytes() == CLIP
    (bench.job / "uploads").rename(bench.root / "elsewhere")
    (bench.job / "uploads").symlink_to(bench.root / "elsewhere")
    with pytest.raises(Permanent, match="symbolic link"):
        store.source(f"store://uploads/{SHA}", None)
    with pytest.raises(Permanent, match="neither in inbox") as caught:
        store.source("https://media.example/?key=geheim", None)
    assert "geheim" not in caught.value.message


def test_the_first_bytes_say_what_it_is() -> None:
    assert require_video(CLIP[:100]) == "mp4"
    with pytest.raises(Permanent, match="allowed: webm"):
        require_video(CLIP[:100], ("webm",))


SCRIPT = ("\u7121\u82b1\u679c\u304c\u843d\u3061\u305f\u3002\n" * 400).encode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (SCRIPT, ExitCode.OK),
        (b"\xef\xbb\xbf# Fig\n", ExitCode.OK),
        (CLIP, ExitCode.PERMANENT),
        (b"<!DOCTYPE html><p>Fig", ExitCode.PERMANENT),
        ("F\u00e4ige".encode("latin-1"), ExitCode.PERMANENT),
    ],
    ids=["Japanese, cut within a letter", "with a mark", "a clip", "a page that shows it", "another encoding"],
)
def test_a_script_behind_a_url_is_text(bench: Workbench, body: bytes, code: ExitCode) -> None:
    """S-001: what is none is refused by its first bytes, before it is read."""
    with serve({"/fig.md": reply(body)}) as server:
        bench.source = {"uri": server.url("/fig.md")}
        document = bench.fetching()
        document["stages"][0]["params"]["text"] = True
        result = bench.run("fetch", document)
    assert result.exit_code == code
    if code != ExitCode.OK:
        assert result.failure is not None
        assert result.failure.code == "InvalidFileType"
