"""Platforms under test: servers that take a film in parts and answer as the vendors' manuals show, and that fail as told."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from voices import json_reply
from webserver import Answer, Request, WebServer, reply, serve

VIDEO = "dQw4w9WgXcQ"
POST = "v_pub_file~v2-1.123456789"


@dataclass
class Platform:
    """What has arrived, and what is to go wrong."""

    film: bytearray = field(default_factory=bytearray)
    faults: list[tuple[str, Answer]] = field(default_factory=list)
    """What is answered next to a request of that name, instead of what is right; each once, in order."""
    asked: list[str] = field(default_factory=list)
    """Names of the requests so far, in order."""
    begun: list[dict[str, Any]] = field(default_factory=list)
    """What was told of each video that was begun."""
    published: int = 0
    states: list[dict[str, Any]] = field(default_factory=list)
    """What TikTok answers about a post, the last for good."""
    server: WebServer | None = None

    def url(self, path: str = "") -> str:
        """Where it listens."""
        assert self.server is not None
        return self.server.url(path)

    def heard(self, name: str, request: Request, connection: socket.socket, answer: Callable[[], Answer]) -> None:
        """One request: the fault that is due, else what is right."""
        self.asked.append(name)
        place = next((n for n, (wanted, _) in enumerate(self.faults) if wanted == name), None)
        found = self.faults.pop(place)[1] if place is not None else answer()
        found(request, connection)

    def take(self, request: Request) -> tuple[int, int]:
        """Bytes of a part at their place; answers where the part ends, and how long the whole is."""
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers["content-range"])
        assert match is not None
        start, last, size = (int(part) for part in match.groups())
        assert start <= len(self.film)
        assert last - start + 1 == len(request.body)
        self.film[start : last + 1] = request.body
        return last + 1, size


def youtube(platform: Platform) -> dict[str, Answer]:
    """The resumable upload of its Data API."""
    done = {"kind": "youtube#video", "etag": "x", "id": VIDEO, "snippet": {}, "status": {"uploadStatus": "uploaded"}}

    def page(request: Request, connection: socket.socket) -> None:
        query = parse_qs(urlsplit(request.path).query)
        if request.method == "POST":
            assert (query["uploadType"], query["part"]) == (["resumable"], ["snippet,status"])
            platform.heard("begin", request, connection, lambda: begin(request))
        elif request.headers["content-range"].startswith("bytes */"):
            platform.heard("where", request, connection, lambda: stands(request))
        else:
            platform.heard("part", request, connection, lambda: part(request))

    def begin(request: Request) -> Answer:
        platform.film.clear()
        platform.begun.append(json.loads(request.body) | {"length": request.headers["x-upload-content-length"]})
        session = platform.url(f"/upload/youtube/v3/videos?uploadType=resumable&upload_id=s{len(platform.begun)}")
        return reply(headers=(f"Location: {session}",))

    def part(request: Request) -> Answer:
        _, size = platform.take(request)
        return stood(size)

    def stands(request: Request) -> Answer:
        return stood(int(request.headers["content-range"].rpartition("/")[2]))

    def stood(size: int) -> Answer:
        if len(platform.film) >= size:
            platform.published += 1
            return json_reply(done, "201 Created")
        got = (f"Range: bytes=0-{len(platform.film) - 1}",) if platform.film else ()
        return reply(status="308 Resume Incomplete", headers=got)

    return {"/upload/youtube/v3/videos": page, "/token": token(platform)}


def token(platform: Platform) -> Answer:
    """An OAuth token endpoint."""

    def page(request: Request, connection: socket.socket) -> None:
        form = parse_qs(request.body.decode())
        assert form["grant_type"] == ["refresh_token"]
        assert form["client_secret"] == ["hush-hush-hush"]
        answer = json_reply({"access_token": "fresh-token-0001", "expires_in": 3599, "token_type": "Bearer"})
        platform.heard("token", request, connection, lambda: answer)

    return page


def tiktok(platform: Platform) -> dict[str, Answer]:
    """Its Content Posting API: direct post by file upload."""
    ok = {"code": "ok", "message": "", "log_id": "202210112248442CB9319E1FB30C1073F3"}
    options = ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]

    def creator() -> Answer:
        facts = {"creator_nickname": "Ada", "privacy_level_options": options, "max_video_post_duration_sec": 300}
        return json_reply({"data": facts, "error": ok})

    def begin(request: Request) -> Answer:
        platform.film.clear()
        platform.begun.append(json.loads(request.body))
        data = {"publish_id": POST, "upload_url": platform.url("/video/?upload_id=67890&upload_token=Xza123")}
        return json_reply({"data": data, "error": ok})

    def part(request: Request) -> Answer:
        end, size = platform.take(request)
        return reply(status="201 Created" if end == size else "206 PartialContent")

    def status() -> Answer:
        known = platform.states[0] if platform.states else None
        platform.states = platform.states[1:] or platform.states
        size = platform.begun[-1]["source_info"]["video_size"] if platform.begun else 0
        if known is None and len(platform.film) < size:
            known = {"status": "PROCESSING_UPLOAD", "uploaded_bytes": len(platform.film)}
        return json_reply(
            {"data": known or {"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [7301]}, "error": ok}
        )

    def at(name: str, answer: Callable[[Request], Answer]) -> Answer:
        return lambda request, connection: platform.heard(name, request, connection, lambda: answer(request))

    return {
        "/v2/post/publish/creator_info/query/": at("creator", lambda _: creator()),
        "/v2/post/publish/video/init/": at("begin", begin),
        "/video/": at("part", part),
        "/v2/post/publish/status/fetch/": at("where", lambda _: status()),
        "/v2/oauth/token/": token(platform),
    }


def webhook(platform: Platform) -> dict[str, Answer]:
    """A server of one's own."""

    def page(request: Request, connection: socket.socket) -> None:
        platform.begun.append(json.loads(request.body))
        answer = json_reply({"id": "post-17", "url": "https://cms.example/post-17"})
        platform.heard("begin", request, connection, lambda: answer)

    return {"/hook": page}


PAGES: dict[str, Callable[[Platform], dict[str, Answer]]] = {"youtube": youtube, "tiktok": tiktok, "webhook": webhook}


@contextmanager
def platform(*names: str) -> Iterator[Platform]:
    """A server that is all of these platforms."""
    found = Platform()
    with serve({}) as server:
        found.server = server
        for name in names:
            server.pages.update(PAGES[name](found))
        yield found
