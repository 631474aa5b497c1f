"""YouTube's resumable upload: `POST /upload/youtube/v3/videos?uploadType=resumable`, then the film in parts (S-047).

A session's address is kept before a byte of the film goes out. A later attempt asks it how far it came, and learns of an upload
whose last answer was lost, so that no video is there twice.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from ...base.errors import External
from ...net.messages import Reply, Request
from ..calling import Means, answered_json, at, call, refuse, wrong
from .base import PUBLISH_ERROR, QUESTION_BYTES, Errand, Film, Sent, bearer, patient, piece, service, trusted

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
LIMITED = frozenset({400, 403})
"""Answers that may be a limit which ends by itself: the reason tells."""
DAILY = frozenset({"quotaExceeded", "dailyLimitExceeded"})
OFTEN = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
UPLOADS = "uploadLimitExceeded"
DAY_SECONDS = 86_400
RESET_HOUR = 8
"""Quotas are given anew at midnight of the Pacific coast. That is its hour in UTC in winter; in summer it is an hour too late."""


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
        reply = asked(self.errand.means, Request(url, "POST", headers, body, target.timeout_seconds))
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
        return asked(means, request, also)

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


def asked(means: Means, request: Request, also: frozenset[int] = frozenset()) -> Reply:
    """Ask as everybody is asked; but a limit that was reached is External, with the wait until it is lifted, and no refusal."""
    reply = call(means, SERVICE, request, also=also | LIMITED)
    if reply.status not in LIMITED:
        return reply
    why = reasons(reply) & (DAILY | OFTEN | {UPLOADS})
    if not why:
        refuse(SERVICE, request, reply)
    wait: int | None
    if UPLOADS in why:
        text, wait = "the channel has uploaded as many videos as it may in a day", DAY_SECONDS
        hint = "it goes on by itself a day later; a verified channel may upload more"
    elif why & DAILY:
        text, wait = "the project's quota of this day is used up", until_reset(datetime.now(UTC))
        hint = "it goes on by itself after midnight Pacific time; Google gives larger quotas on request"
    else:
        text, wait, hint = "the project asks too often", reply.retry_after_seconds, "it goes on by itself later"
    said = ", ".join(sorted(why))
    raise External(
        PUBLISH_ERROR, f"youtube answered {reply.status} ({said}): {text}", hint=hint, retry_after_seconds=wait
    )


def reasons(reply: Reply) -> set[str]:
    """Why the service refuses, in its own words for programs."""
    try:
        rows = json.loads(reply.body)["error"]["errors"]
        return {str(row["reason"]) for row in rows}
    except (ValueError, KeyError, TypeError):
        return set()


def until_reset(now: datetime) -> int:
    """Seconds until quotas are given anew."""
    since = (now.hour - RESET_HOUR) % 24 * 3600 + now.minute * 60 + now.second
    return DAY_SECONDS - since


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
