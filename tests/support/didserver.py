"""D-ID under test: its whole contract as its manual shows it, an account with credits, and all that goes wrong there.

Every talk that was accepted and did not fail is billed; `billed` is what the account would pay for.
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from voices import json_reply
from webserver import Answer, Request, WebServer, raw, reply, serve

KEY = "YWRhQGV4YW1wbGUuY29t:sEcReTsEcReTsEcReT"
MP4 = b"\0\0\0\x18ftypmp42" + b"\0\0\0\0mp42isom" + bytes(range(256)) * 400
IMAGE_LIMIT, AUDIO_LIMIT = 10_000_000, 15_000_000


@dataclass
class Talk:
    """One talk of the account."""

    id: str
    body: dict[str, Any]
    created: float
    looks: int = 0
    status: str | None = None
    """What it ends as; None: what `DidServer.states` says."""

    def row(self, status: str) -> dict[str, Any]:
        """As it is listed."""
        stamp = datetime.fromtimestamp(self.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "id": self.id, "object": "talk", "created_at": stamp, "created_by": "google-oauth2|1", "user_id": "google-oauth2|1",
            "status": status, "user_data": self.body.get("user_data"), "name": self.body.get("name"),
            "source_url": self.body["source_url"],
        }  # fmt: skip


@dataclass
class DidServer:
    """The account, and what is to go wrong."""

    credits: int = 40
    states: tuple[str, ...] = ("created", "started", "done")
    """Status of a talk at each look at it, the last for good."""
    failure: dict[str, Any] = field(default_factory=dict)
    """What a talk that ends badly says as `error`."""
    faults: list[tuple[str, Answer]] = field(default_factory=list)
    """What is answered next to a request of that name instead of what is right, which is not done; each once, in order."""
    lost: list[tuple[str, Answer]] = field(default_factory=list)
    """The same, but the request is done: only its answer is lost."""
    hear: Callable[[str], None] = lambda _: None
    """Told of each moment: `talk` when a request has come, `talk done` when it was done and is not yet answered, `talk told`."""
    unlisted: int = 0
    """So many looks at the list do not show any talk."""
    terse: bool = False
    """Whether the list leaves `user_data` and `name` out."""
    page: int = 100
    """Most talks on a page."""
    url_seconds: float = 3600.0
    """So long a signed address lives."""
    asked: list[str] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Uploads by id: folder, bytes."""
    talks: dict[str, Talk] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    video: bytes = MP4
    server: WebServer | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    made: int = 0
    billed: int = 0

    @property
    def url(self) -> str:
        """Where the API listens."""
        assert self.server is not None
        return self.server.url("")

    def answer(self, request: Request, connection: socket.socket) -> None:
        """One request to whatever address."""
        name, right = self._route(request, urlsplit(request.path).path)
        with self.lock:
            self.asked.append(name)
        self.hear(name)
        with self.lock:
            found = self._due(self.faults, name)
            if found is None:
                found = right()
                found = self._due(self.lost, name) or found
        self.hear(f"{name} done")
        found(request, connection)
        self.hear(f"{name} told")

    def _due(self, faults: list[tuple[str, Answer]], name: str) -> Answer | None:
        place = next((n for n, (wanted, _) in enumerate(faults) if wanted == name), None)
        return faults.pop(place)[1] if place is not None else None

    def _route(self, request: Request, path: str) -> tuple[str, Callable[[], Answer]]:
        if path.startswith("/results/"):
            return "video", lambda: self._video(request)
        if request.headers.get("authorization") != f"Basic {KEY}":
            return "stranger", lambda: problem(401, "AuthorizationError", "user unauthenticated")
        what, _, name = path.strip("/").partition("/")
        if (request.method, what, name) == ("GET", "credits", ""):
            return "credits", self._credits
        if what in {"images", "audios"}:
            if request.method == "POST" and not name:
                return what[:-1], lambda: self._upload(request, what)
            return f"delete {what[:-1]}", lambda: self._remove(self.files, name)
        if what == "talks" and request.method == "POST":
            return "talk", lambda: self._create(request)
        if what == "talks" and request.method == "DELETE":
            return "delete talk", lambda: self._remove(self.talks, name)
        if what == "talks" and name:
            return "look", lambda: self._look(name)
        if what == "talks":
            return "list", lambda: self._list(request)
        return "nothing", lambda: problem(404, "NotFoundError", "no such endpoint")

    def _credits(self) -> Answer:
        total = {"remaining": self.credits - self.billed, "total": 40}
        return json_reply({"credits": [{"owner_id": "google-oauth2|1", **total}], **total})

    def _upload(self, request: Request, what: str) -> Answer:
        part = form_part(request, what[:-1])
        if part is None:
            return problem(400, "BadRequestError", f"no part {what[:-1]}")
        kind, data = part
        if what == "images" and (
            kind not in {"image/jpeg", "image/png"} or data[:4] not in {b"\xff\xd8\xff\xe0", b"\x89PNG"}
        ):
            return problem(400, "BadRequestError", "image must be jpeg or png")
        if what == "audios" and not kind.startswith(("audio/", "video/")):
            return problem(400, "BadRequestError", "file must be audio or video")
        if len(data) > (IMAGE_LIMIT if what == "images" else AUDIO_LIMIT):
            return problem(413, "PayloadTooLargeError", "file is too large")
        self.made += 1
        name = f"{what[:3]}_{self.made}"
        self.files[name] = (what, data)
        found: dict[str, Any] = {"id": name, "url": f"s3://d-id-{what}-prod/google-oauth2|1/{name}"}
        if what == "audios":
            found["duration"] = 2.0
        return json_reply(found, "201 Created")

    def _create(self, request: Request) -> Answer:
        try:
            body = json.loads(request.body)
        except ValueError:
            body = {}
        script = body.get("script")
        urls = {f"s3://d-id-{what}-prod/google-oauth2|1/{name}": what for name, (what, _) in self.files.items()}
        if not isinstance(script, dict) or script.get("type") not in {"text", "audio"}:
            return problem(400, "BadRequestError", "Failed to validate script")
        if script["type"] == "audio" and urls.get(str(script.get("audio_url"))) != "audios":
            return problem(400, "BadRequestError", "Failed to validate script", {"audio_url": "not found"})
        if script["type"] == "text" and not script.get("input"):
            return problem(400, "BadRequestError", "Failed to validate script", {"input": "required"})
        if urls.get(str(body.get("source_url"))) != "images":
            return problem(400, "BadRequestError", "source_url must lead to an image")
        if not 1 <= len(body.get("user_data", "x")) <= 1000:
            return problem(400, "BadRequestError", "user_data has 1 to 1000 characters")
        if self.billed >= self.credits:
            return problem(402, "InsufficientCreditsError", "not enough credits")
        self.made += 1
        talk = Talk(f"tlk_{self.made:021d}", body, time.time())
        self.talks[talk.id] = talk
        self.billed += 1
        row = talk.row("created")
        return json_reply(
            {key: row[key] for key in ("id", "object", "created_at", "created_by", "status")}, "201 Created"
        )

    def _look(self, name: str) -> Answer:
        talk = self.talks.get(name)
        if talk is None:
            return problem(404, "NotFoundError", f"talk {name} was not found")
        talk.looks += 1
        status = self.states[min(talk.looks, len(self.states)) - 1]
        if status in {"error", "rejected"} and talk.status != status:
            talk.status = status
            self.billed -= 1
        row = talk.row(status)
        if status == "done":
            ends = time.time() + self.url_seconds
            assert self.server is not None
            row |= {
                "result_url": self.server.url(f"/results/{name}/image.mp4?Expires={ends}&Signature=x"), "duration": 2.0,
                "metadata": {"num_faces": 1, "num_frames": 50, "resolution": [512, 512]},
            }  # fmt: skip
        elif status in {"error", "rejected"}:
            row["error"] = self.failure
        else:
            row["pending_url"] = "s3://d-id-talks-prod/pending"
        return json_reply(row)

    def _list(self, request: Request) -> Answer:
        if self.unlisted > 0:
            self.unlisted -= 1
            return json_reply({"talks": []})
        query = parse_qs(urlsplit(request.path).query)
        start = int(query.get("token", ["0"])[0])
        rows = [talk.row("created") for talk in reversed(self.talks.values())]
        for row in rows if self.terse else []:
            del row["user_data"], row["name"]
        onward = {"token": str(start + self.page)} if start + self.page < len(rows) else {}
        return json_reply({"talks": rows[start : start + self.page], **onward})

    def _remove(self, table: dict[str, Any], name: str) -> Answer:
        if table.pop(name, None) is None:
            return problem(404, "NotFoundError", "it is not there")
        self.deleted.append(name)
        return json_reply({})

    def _video(self, request: Request) -> Answer:
        place = urlsplit(request.path)
        name = place.path.split("/")[2]
        if "authorization" in request.headers:
            return reply(status="400 Bad Request")  # as S3 answers a signed address with another signature
        if name not in self.talks or float(parse_qs(place.query)["Expires"][0]) < time.time():
            return reply(b"<Error><Code>AccessDenied</Code></Error>", "403 Forbidden")
        return reply(self.video, headers=("Content-Type: video/mp4",))


def problem(status: int, kind: str, description: str, details: Any = None, headers: tuple[str, ...] = ()) -> Answer:
    """A refusal, as D-ID words it."""
    body = {"kind": kind, "description": description, "details": details or {}}
    return json_reply(body, f"{status} No", headers)


CELEBRITY = problem(451, "CelebrityDetectedError", "celebrity detected", {"celebrity": "Grace Hopper"})
SLOW = json_reply({"message": "Endpoint request timed out"}, "504 Gateway Timeout")
HANG_UP = raw(b"")


def form_part(request: Request, field: str) -> tuple[str, bytes] | None:
    """Type and bytes of a file in a form."""
    match = re.search(r"boundary=(\S+)", request.headers.get("content-type", ""))
    for part in request.body.split(f"--{match[1]}".encode()) if match is not None else []:
        head, _, data = part.partition(b"\r\n\r\n")
        if f'name="{field}"'.encode() in head:
            kind = re.search(rb"Content-Type: (\S+)", head)
            return (kind[1].decode() if kind is not None else "", data.removesuffix(b"\r\n"))
    return None


class Everywhere(dict[str, Answer]):
    """Every address answers the same way."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._answer = answer

    def get(self, _path: Any, _default: Any = None) -> Any:
        return self._answer


@contextmanager
def did(listen: tuple[str, int] = ("127.0.0.1", 0), name: str = "127.0.0.1", **how: Any) -> Iterator[DidServer]:
    """Start it; it is gone at the end. `name` is what clients call its host."""
    found = DidServer(**how)
    with serve(Everywhere(found.answer), listen=listen, name=name) as server:
        found.server = server
        yield found
