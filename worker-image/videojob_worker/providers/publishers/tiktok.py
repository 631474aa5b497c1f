"""TikTok's direct post: creator info, init, the film in chunks to an address of its own, then what became of it (S-047).

The post's id and address are kept before a byte of the film goes out. A later attempt asks what became of that post, and begins
another one only when it has failed, so that no video is there twice.
"""

from __future__ import annotations

from typing import Any

from ...base.errors import External, Permanent
from ...net.messages import Request
from ..calling import Means, Service, at, call, wrong
from .base import PUBLISH_ERROR, QUESTION_BYTES, Errand, Sent, asked_json, bearer, patient, piece, service, trusted

USUAL = "https://open.tiktokapis.com"
FAMILY = "tiktokapis.com"
SERVICE: Service = service("tiktok")
MAX_CAPTION = 2200
LEAST_CHUNK, CHUNK = 5_000_000, 10_000_000
"""A film below the one goes whole; a larger one in chunks of the other, the last of which takes the rest."""
PRIVACY = {"Private": "SELF_ONLY", "Public": "PUBLIC_TO_EVERYONE"}
LOOKS, LOOK_SECONDS = 30, 2.0
"""How often it is asked what became of a post, and how long in between; then it counts as accepted."""
ANEW_SECONDS = 10
"""So long that not this attempt begins another post, but the next."""
AT_WORK = frozenset({"PROCESSING_DOWNLOAD", "SEND_TO_USER_INBOX"})
UPLOADING = "PROCESSING_UPLOAD"


class TikTok:
    """One post, over as many attempts as it takes."""

    def publish(self, errand: Errand) -> Sent:
        """Take up the post that was begun, or begin one."""
        privacy = PRIVACY.get(errand.target.visibility)
        if privacy is None:
            hint = f"set {errand.target.name}'s visibility to Private or Public"
            raise Permanent(PUBLISH_ERROR, f"TikTok has no videos that are {errand.target.visibility}", hint=hint)
        token = bearer(errand, SERVICE, at(errand.target.endpoint, USUAL, "/v2/oauth/token/"), "client_key")
        post = _Post(errand, {"Authorization": f"Bearer {token}"})
        return post.run(privacy)


class _Post:
    def __init__(self, errand: Errand, headers: dict[str, str]) -> None:
        self.errand, self.headers, self.offset = errand, headers, 0
        known = errand.ledger.read()
        self.id, self.address = known.get("publishId", ""), known.get("uploadUrl", "")
        size = errand.film.size_bytes
        self.chunks = max(1, size // CHUNK) if size >= LEAST_CHUNK else 1
        self.chunk = CHUNK if self.chunks > 1 else size

    def run(self, privacy: str) -> Sent:
        """From where it stands to its end."""
        found = self._asked() if self.id else {"status": "FAILED"}
        if found.get("status") == "FAILED":
            self._begin(privacy)
            found = {"status": UPLOADING}
        if found.get("status") == UPLOADING:
            arrived = found.get("uploaded_bytes", 0)
            self.offset = self._aligned(arrived if isinstance(arrived, int) else 0)
            patient(self.errand, self._part, self._again)
        return self._end()

    def _begin(self, privacy: str) -> None:
        creator = self._data("/v2/post/publish/creator_info/query/", {})
        options = creator.get("privacy_level_options")
        if isinstance(options, list) and privacy not in options:
            text = f"this TikTok account may not post as {privacy}; it may as: {', '.join(map(str, options))}"[:300]
            raise Permanent(PUBLISH_ERROR, text, hint="set another visibility in publish.platforms[]")
        film = self.errand.film
        title = " ".join([film.title, *film.hashtags])
        body = {
            "post_info": {
                "title": title.encode("utf-16-le")[: 2 * MAX_CAPTION].decode("utf-16-le", errors="ignore"),
                "privacy_level": privacy, "disable_comment": False, "disable_duet": False, "disable_stitch": False,
                "is_aigc": film.synthetic,
            },
            "source_info": {
                "source": "FILE_UPLOAD", "video_size": film.size_bytes, "chunk_size": self.chunk,
                "total_chunk_count": self.chunks,
            },
        }  # fmt: skip
        made = self._data("/v2/post/publish/video/init/", body)
        name = made.get("publish_id")
        if not isinstance(name, str) or not 0 < len(name) <= 128:
            raise wrong(SERVICE, "its answer names no post")
        self.address = trusted(SERVICE, made.get("upload_url"), self._url(""), FAMILY)
        self.id, self.offset = name, 0
        self.errand.ledger.write({"publishId": self.id, "uploadUrl": self.address})

    def _part(self, means: Means) -> bool:
        film = self.errand.film
        last = self.offset // self.chunk >= self.chunks - 1
        data = piece(film, self.offset, film.size_bytes - self.offset if last else self.chunk)
        headers = {
            "Content-Type": film.media_type,
            "Content-Range": f"bytes {self.offset}-{self.offset + len(data) - 1}/{film.size_bytes}",
        }
        seconds = self.errand.target.timeout_seconds
        request = Request(self.address, "PUT", headers, data, seconds, QUESTION_BYTES)
        reply = call(means, SERVICE, request, also=frozenset({403, 404, 410, 416}))
        if not 200 <= reply.status < 300:
            # The address lives for an hour. With the post forgotten, the next attempt begins another one.
            self.errand.ledger.write({})
            text = f"TikTok's address to upload to has ended ({reply.status})"
            raise External(PUBLISH_ERROR, text, hint="another attempt begins anew", retry_after_seconds=ANEW_SECONDS)
        self.offset += len(data)
        self.errand.told(self.offset)
        return self.offset >= film.size_bytes

    def _again(self) -> bool:
        found = self._asked()
        if found.get("status") != UPLOADING:
            return True
        arrived = found.get("uploaded_bytes", 0)
        self.offset = self._aligned(arrived if isinstance(arrived, int) else 0)
        return False

    def _aligned(self, arrived: int) -> int:
        """Where the first chunk begins that is not there as a whole."""
        return min(max(0, arrived) // max(1, self.chunk), self.chunks - 1) * self.chunk

    def _end(self) -> Sent:
        for _ in range(LOOKS):
            found = self._asked()
            status = found.get("status")
            if status == "PUBLISH_COMPLETE":
                posts = found.get("publicaly_available_post_id")  # so it is spelt there
                post = str(posts[0]) if isinstance(posts, list) and posts else self.id
                return Sent("Published", None, post)
            if status == "FAILED":
                why = str(found.get("fail_reason", "no reason given"))[:100]
                self.errand.ledger.write({})
                raise Permanent(
                    PUBLISH_ERROR, f"TikTok did not take the video: {why}",
                    hint="see TikTok's list of fail reasons; then retry",
                )  # fmt: skip
            self.errand.means.check()
            self.errand.means.wait(LOOK_SECONDS)
        return Sent("Accepted", "TikTok has it and still processes it", self.id)

    def _asked(self) -> dict[str, Any]:
        found = self._data("/v2/post/publish/status/fetch/", {"publish_id": self.id})
        if found.get("status") not in {UPLOADING, "PUBLISH_COMPLETE", "FAILED", *AT_WORK}:
            raise wrong(SERVICE, "it does not say what became of the post")
        return found

    def _data(self, path: str, body: Any) -> dict[str, Any]:
        """The `data` of an answer; its `error` says `ok` when all is well."""
        found = asked_json(self.errand, SERVICE, self._url(path), body, self.headers)
        error = found.get("error")
        code = error.get("code") if isinstance(error, dict) else None
        if code != "ok":
            raise wrong(SERVICE, f"it answered {str(code)[:60]}")
        data = found.get("data")
        return data if isinstance(data, dict) else {}

    def _url(self, path: str) -> str:
        return at(self.errand.target.endpoint, USUAL, path)
