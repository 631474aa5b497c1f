"""YouTube's resumable upload: `POST /upload/youtube/v3/videos?uploadType=resumable`, then the film in parts (S-047).

A session's address is kept before a byte of the film goes out. A later attempt asks it how far it came, and learns of an upload
whose last answer was lost, so that no video is there twice.
"""

from __future__ import annotations

import json
import re
from typing import Any

from ...net.messages import Reply, Request
from ..calling import Means, answered_json, at, call, wrong
from .base import QUESTION_BYTES, Errand, Film, Sent, bearer, patient, piece, service, trusted

USUAL = "https://www.googleapis.com"
TOKENS = "https://oauth2.googleapis.com"
FAMILY = "googleapis.com"
WATCH = "https://www.youtube.com/watch?v="
SERVICE = service("youtube")
PART_BYTES = 8 << 20
"""A multiple of 256 KiB, as the service wants it."""
MAX_TITLE, MAX_DESCRIPTION, MAX_TAGS = 100, 5000, 500
PRIVACY = {"Private": "private", "Unlisted": "unlisted", "Public": "public"}
GONE = frozenset({404, 410})
"""Answers of a session that has ended."""
ON = 308
"""`Resume Incomplete`: it wants the rest."""


class YouTube:
    """One upload, over as many attempts as it takes."""

    def publish(self, errand: Errand) -> Sent:
        """Take up the session that was begun, or begin one."""
        token = bearer(errand, SERVICE, at(errand.target.endpoint, TOKENS, "/token"), "client_id")
        upload = _Upload(errand, {"Authorization": f"Bearer {token}"})
        upload.session = errand.ledger.read().get("session", "")
        if upload.session and upload.where() is None:
            upload.session = ""
        if not upload.session:
            upload.begin()
        if upload.video is None:
            patient(errand, upload.part, upload.again)
        if upload.video is None:
            raise wrong(SERVICE, "its answer to the upload names no video")
        return Sent("Published", "YouTube has it and still processes it", upload.video, WATCH + upload.video)


class _Upload:
    """A session."""

    def __init__(self, errand: Errand, headers: dict[str, str]) -> None:
        self.errand, self.headers = errand, headers
        self.session, self.offset = "", 0
        self.video: str | None = None

    def begin(self) -> None:
        """Tell the metadata; the answer names the session's address."""
        film, target = self.errand.film, self.errand.target
        url = at(target.endpoint, USUAL, "/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status")
        headers = {
            **self.headers, "Content-Type": "application/json; charset=UTF-8",
            "X-Upload-Content-Length": str(film.size_bytes), "X-Upload-Content-Type": film.media_type,
        }  # fmt: skip
        body = json.dumps(described(film, PRIVACY[target.visibility], kids=target.made_for_kids)).encode()
        reply = call(self.errand.means, SERVICE, Request(url, "POST", headers, body, target.timeout_seconds))
        self.session = trusted(SERVICE, reply.headers.get("location"), url, FAMILY)
        self.offset = 0
        self.errand.ledger.write({"session": self.session})

    def where(self) -> int | None:
        """How many bytes have arrived; None when the session has ended without a video."""
        film = self.errand.film
        reply = self._put(self.errand.means, b"", f"bytes */{film.size_bytes}", also=GONE | {ON})
        if reply.status in GONE:
            return None
        self._take(reply)
        return self.offset

    def again(self) -> bool:
        """Look where it stands; a session that has ended is begun anew."""
        if self.where() is None:
            self.begin()
        return self.video is not None

    def part(self, means: Means) -> bool:
        """Send the next bytes; whether all have arrived."""
        film = self.errand.film
        data = piece(film, self.offset, PART_BYTES)
        before, last = self.offset, self.offset + len(data) - 1
        self._take(self._put(means, data, f"bytes {self.offset}-{last}/{film.size_bytes}", also=frozenset({ON})))
        if self.video is None and self.offset <= before:
            raise wrong(SERVICE, "it takes no more of the film")
        self.errand.told(self.offset)
        return self.video is not None

    def _put(self, means: Means, data: bytes, ranged: str, also: frozenset[int]) -> Reply:
        headers = {**self.headers, "Content-Range": ranged, "Content-Type": self.errand.film.media_type}
        seconds = self.errand.target.timeout_seconds
        request = Request(self.session, "PUT", headers, data, seconds, QUESTION_BYTES)
        return call(means, SERVICE, request, also=also)

    def _take(self, reply: Reply) -> None:
        if reply.status == ON:
            match = re.fullmatch(r"bytes=0-(\d+)", reply.headers.get("range", ""))
            self.offset = min(int(match[1]) + 1, self.errand.film.size_bytes - 1) if match is not None else 0
            return
        found = answered_json(SERVICE, reply)
        video = found.get("id") if isinstance(found, dict) else None
        if not isinstance(video, str) or re.fullmatch(r"[\w-]{1,64}", video) is None:
            raise wrong(SERVICE, "its answer to the upload names no video")
        self.video, self.offset = video, self.errand.film.size_bytes


def described(film: Film, privacy: str, *, kids: bool) -> dict[str, Any]:
    """The video resource: what it is called, who may see it, and that machines made it."""
    plain = str.maketrans("", "", "<>")  # which the service refuses
    title = film.title.translate(plain).strip()[:MAX_TITLE] or "Untitled Story"
    text = film.caption().translate(plain).encode()[:MAX_DESCRIPTION].decode(errors="ignore")
    tags, room = [], MAX_TAGS
    for tag in film.tags:
        room -= len(tag) + 3  # a comma, and quotes where it has a blank
        if room >= 0:
            tags.append(tag.translate(plain))
    return {
        "snippet": {"title": title, "description": text, "tags": tags},
        "status": {
            "privacyStatus": privacy,
            "selfDeclaredMadeForKids": kids,
            "containsSyntheticMedia": film.synthetic,
        },
    }
