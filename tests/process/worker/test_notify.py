"""What webhooks hear: bodies, signatures, tries and refusals, against a server on loopback (S-015, A-013, case 60)."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from videojob_api.contract import FetchPolicy, Identity, RunResult, StageTask, StorePaths, TaskDocument, canonical_json
from videojob_api.notices import NotifyEvent, NotifyFailure, NotifyOutput, NotifyParams
from videojob_worker import runner
from videojob_worker.base.watch import Stop
from videojob_worker.net import posting
from videojob_worker.net.signing import signature

JOB = Identity(namespace="team-a", name="trailer", uid="1111-2222")
TIME = datetime(2025, 11, 7, 10, 30, 45, 123000, tzinfo=UTC)
KEY = b"hush"
LOOPBACK = FetchPolicy(allow_networks=("127.0.0.0/8",))
COMPLETED = NotifyEvent(
    id="1111-2222.7.1762511445", event="processing_completed", time=TIME, sequence=7, phase="Succeeded", stage="Commit",
    seed_stage="commit", percent=100, attempt=1, message="3 outputs published",
    outputs=(
        NotifyOutput(name="poster", uri="store://jobs/u/videos/p.jpg", media_type="image/jpeg", size_bytes=1, sha256="a"),
        NotifyOutput(name="720p", uri="store://jobs/u/videos/720p.mp4", media_type="video/mp4", size_bytes=2, sha256="b"),
    ),
)  # fmt: skip
DETECTED = NotifyEvent(
    id="1111-2222.4.1", event="progress_update", time=TIME, sequence=4, phase="Running", stage="Detection",
    seed_stage="detection_complete", percent=40, message="Detected 3 persons, selected person #1",
)  # fmt: skip
FAILED = NotifyEvent(
    id="1111-2222.5.1", event="processing_failed", time=TIME, sequence=5, phase="Failed", stage="Ingest",
    seed_stage="ingest", percent=5, message="InvalidFileType",
    failure=NotifyFailure(failure_class="Permanent", code="InvalidFileType", message="Invalid file type: gif"),
)  # fmt: skip


@dataclass
class Hook:
    """A webhook that answers as it is told, the last answer for ever."""

    answers: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/hook?key=private"


@pytest.fixture
def hook() -> Iterator[Hook]:
    mine = Hook([200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            mine.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status = mine.answers.pop(0) if len(mine.answers) > 1 else mine.answers[0]
            self.send_response(status)
            for name, value in mine.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    mine.port = server.server_port
    yield mine
    server.shutdown()
    server.server_close()
    thread.join()


def tell(
    folder: Path, url: str, *events: NotifyEvent, policy: FetchPolicy | None = LOOPBACK, **params: Any
) -> tuple[int, RunResult]:
    """Run the container as Kubernetes would: document in, exit code and termination message out."""
    for name in ("scratch", "secrets/signing"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "secrets/signing/secret").write_bytes(KEY)
    wanted = NotifyParams(**{"url": url, "format": "CloudEvents", "type": "Transcode", "events": events} | params)
    document = TaskDocument(
        job=JOB, group="notify-1", attempt=1, fetch=policy,
        stages=(StageTask(kind="notify", container="notify", key="k", params=wanted.dump()),),
        store=StorePaths(job=str(folder / "scratch"), scratch=str(folder / "scratch")),
    )  # fmt: skip
    (folder / "task.json").write_bytes(canonical_json(document.dump()))
    settings = runner.Settings(
        task=folder / "task.json", termination=folder / "termination", token=folder / "none",
        secrets=folder / "secrets",
    )  # fmt: skip
    code = runner.run(settings, Stop())
    return code, RunResult.model_validate_json((folder / "termination").read_bytes())


def test_a_cloud_event_has_all_that_the_standard_asks_for(tmp_path: Path, hook: Hook) -> None:
    """CloudEvents 1.0, structured mode: the four required attributes, and what completes the picture."""
    code, result = tell(tmp_path, hook.url(), COMPLETED)
    assert code == 0
    headers, body = hook.heard[0]
    assert headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    event = json.loads(body)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "id": COMPLETED.id,
        "source": "/namespaces/team-a/videojobs/trailer",
        "type": "dev.videojob.processing_completed",
        "time": "2025-11-07T10:30:45.123Z",
        "datacontenttype": "application/json",
    }
    assert event["data"]["phase"] == "Succeeded"
    assert [output["uri"] for output in event["data"]["outputs"]][-1] == "store://jobs/u/videos/720p.mp4"
    assert "videojob-signature" not in headers, "nobody named a Secret"
    assert result.free_bytes is None, "its scratch space is not the store's"


def test_a_signature_can_be_checked_and_an_old_post_cannot_be_replayed(tmp_path: Path, hook: Hook) -> None:
    tell(tmp_path, hook.url(), COMPLETED, secret_name="signing")
    headers, body = hook.heard[0]
    parts = dict(part.split("=", 1) for part in headers["videojob-signature"].split(","))
    wanted = hmac.new(KEY, f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
    assert parts["v1"] == wanted
    assert signature(KEY, int(parts["t"]) - 600, body) != headers["videojob-signature"]
    assert signature(b"other", int(parts["t"]), body) != headers["videojob-signature"]


def test_the_seeds_message_has_its_very_shape(tmp_path: Path, hook: Hook) -> None:
    """A-013, A-014: task_id, event_type stage_update, data{stage, progress_percent, message}, timestamp."""
    tell(tmp_path, hook.url(), DETECTED, COMPLETED, FAILED, format="Seed")
    first, done, failed = (json.loads(body) for _, body in hook.heard)
    assert first == {
        "task_id": "1111-2222",
        "event_type": "stage_update",
        "data": {
            "stage": "detection_complete",
            "progress_percent": 40,
            "message": "Detected 3 persons, selected person #1",
        },
        "timestamp": "2025-11-07T10:30:45.123Z",
    }
    assert (done["event_type"], done["data"]["video_url"]) == ("processing_completed", "store://jobs/u/videos/720p.mp4")
    assert (failed["event_type"], failed["data"]["error"]) == ("processing_failed", "Invalid file type: gif")


def test_what_may_mend_is_tried_again_under_the_same_id(tmp_path: Path, hook: Hook) -> None:
    hook.answers = [503, 200]
    code, _ = tell(tmp_path, hook.url(), COMPLETED)
    assert code == 0
    assert [headers["videojob-event-id"] for headers, _ in hook.heard] == [COMPLETED.id, COMPLETED.id]
    assert hook.heard[0][1] == hook.heard[1][1]


@dataclass(frozen=True)
class Case:
    name: str
    status: int
    expect: str


@pytest.mark.parametrize(
    "case",
    [
        Case("a refusal is not repeated at once", 401, "127.0.0.1 answered 401 to processing_completed"),
        Case("a redirect is not followed", 302, "127.0.0.1 answered 302 to processing_completed"),
    ],
    ids=lambda case: case.name,
)
def test_an_answer_that_is_no_yes_fails_the_container(tmp_path: Path, hook: Hook, case: Case) -> None:
    """Case 60: a redirect leads nowhere."""
    hook.answers = [case.status]
    hook.headers = {"Location": "http://127.0.0.1:1/elsewhere"}
    code, result = tell(tmp_path, hook.url(), COMPLETED)
    assert code == 69
    assert result.failure is not None
    assert result.failure.message == case.expect
    assert len(hook.heard) == 1
    assert "private" not in (tmp_path / "termination").read_text(), "a webhook's URL is a secret (case 62)"


def test_an_address_inside_is_refused_unless_the_administrator_opens_it(tmp_path: Path, hook: Hook) -> None:
    """Case 60: loopback, private and link-local addresses, by number or by name."""
    for url in (hook.url(), hook.url("localhost"), "http://169.254.169.254/latest"):
        code, result = tell(tmp_path, url, COMPLETED, policy=FetchPolicy())
        assert code == 65, url
        assert result.failure is not None
        assert result.failure.code == "AddressRefused"
    assert hook.heard == []


def test_a_name_is_talked_to_at_the_address_that_was_vetted(hook: Hook) -> None:
    """Case 60: what the name means later does not matter."""
    asked: list[str] = []

    def find(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    answer = posting.post(hook.url("hooks.example.org"), b"{}", {}, LOOPBACK, find=find)
    assert answer.status == 200
    assert asked == ["hooks.example.org"]
    assert hook.heard[0][0]["host"] == f"hooks.example.org:{hook.port}"


def test_a_missing_key_is_said_by_name_and_nothing_is_sent_unsigned(tmp_path: Path, hook: Hook) -> None:
    code, result = tell(tmp_path, hook.url(), COMPLETED, secret_name="absent")
    assert code == 69
    assert result.failure is not None
    assert result.failure.message.startswith("the Secret absent of this namespace has no key secret")
    assert hook.heard == []


def test_nobody_at_the_other_end_is_an_error_that_names_the_host(tmp_path: Path) -> None:
    code, result = tell(tmp_path, "http://127.0.0.1:9/", COMPLETED)
    assert code == 69
    assert result.failure is not None
    assert "127.0.0.1" in result.failure.message
