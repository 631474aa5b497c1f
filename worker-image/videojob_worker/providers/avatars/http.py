"""A server of one's own, by four verbs on one resource whose name we choose, so that asking twice is asking once:

- `PUT <endpoint>/<name>`: a form with the files `image` and `audio` and the field `options` (JSON). 2xx takes it; a server that
  knows the name answers 2xx too, and begins nothing anew.
- `GET <endpoint>/<name>`: JSON with `status` (queued, running, done, failed or rejected), `percent` and `error`. The percent
  tells when to ask again; a `Retry-After` is honoured.
- `GET <endpoint>/<name>/video`: the MP4.
- `DELETE <endpoint>/<name>`: forget it.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar

from ...base.errors import External, Permanent, Recoverable
from ...net.messages import Reply, Request
from ..calling import answered_json, call, secret, wrong
from .base import AVATAR_ERROR, FIELD, Dealing, Errand, Performance, bring, kept, service
from .fetching import AddressEnded, fetched
from .multipart import Part, form
from .pace import Pace

SERVICE = service("http")
ANSWER_BYTES = 1 << 20
IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
AUDIO_TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4"}
ABSENT = frozenset({404, 410})


class Http:
    """One resource, over as many attempts as it takes."""

    version: ClassVar[int] = 1

    def perform(self, errand: Errand) -> Performance:
        """The video: kept before, or asked for under the request's own name as often as it takes."""
        work = _Work(errand)
        found = kept(errand) or work.made(errand)
        return Performance(found.path, found.size_bytes, found.sha256, work.name, work.clean())

    def withdraw(self, dealing: Dealing) -> tuple[str, ...]:
        """A video that is done is kept; then the server is told to forget the name, and so to stop what it makes of it."""
        return _Work(dealing).withdrawn()


class _Work:
    def __init__(self, dealing: Dealing) -> None:
        self.dealing, self.choice = dealing, dealing.choice
        if self.choice.endpoint is None:
            raise Permanent(
                AVATAR_ERROR, "the provider http needs a server", hint=f"set {FIELD}.endpoint to its https:// URL"
            )
        self.name = re.sub(r"[^A-Za-z0-9._-]", "-", dealing.tag)
        self.url = f"{self.choice.endpoint.rstrip('/')}/{self.name}"
        key = secret(dealing.means, SERVICE, self.choice.secret_name, "key", optional=self.choice.secret_name is None)
        self.authorization = f"Bearer {key}" if key else None

    def made(self, errand: Errand) -> Performance:
        """Ask, wait, bring it home. A server that has forgotten the name is asked again, once an attempt."""
        if self._look() is None:
            self._put(errand)
        self._wait()
        return self._home()

    def _home(self) -> Performance:
        try:
            made = fetched(f"{self.url}/video", self.dealing, SERVICE, self.authorization)
        except AddressEnded:
            raise wrong(SERVICE, "it says that the video is done, and has none") from None
        return bring(self.dealing, made, {"id": self.name})

    def clean(self) -> tuple[str, ...]:
        """Have it forgotten, once the video is kept; what stays there is told."""
        try:
            self._call("DELETE", also=ABSENT | {405, 501})
        except (External, Permanent, Recoverable) as error:
            return (error.message[:200],)
        return ()

    def withdrawn(self) -> tuple[str, ...]:
        """Keep what is done, and have the rest forgotten. Raises External: something is left there."""
        if kept(self.dealing) is None and (self._look() or {}).get("status") == "done":
            self._home()
        self.dealing.means.check()
        left = self.clean()
        if left:
            raise External(
                AVATAR_ERROR, "; ".join(left), hint=f"it is tried again; else delete {self.name} at the server"
            )
        return ()

    def _look(self) -> dict[str, Any] | None:
        return self._told()[0]

    def _told(self) -> tuple[dict[str, Any] | None, int | None]:
        """What the server says, and after how many seconds it wants to be asked again."""
        reply = self._call("GET", also=ABSENT)
        if reply.status in ABSENT:
            return None, None
        found = answered_json(SERVICE, reply)
        if not isinstance(found, dict) or not isinstance(found.get("status"), str):
            raise wrong(SERVICE, "its answer has no status")
        return found, reply.retry_after_seconds

    def _put(self, errand: Errand) -> None:
        choice = self.choice
        errand.told(0, "Sending portrait and voice")
        options = {
            "model": choice.model, "expression": choice.expression, "intensityPercent": choice.intensity_percent,
            "padAudioMs": choice.pad_audio_ms,
        }  # fmt: skip
        image, audio = errand.image, errand.audio
        kind, body = form(
            [
                Part(
                    "image", image.name, IMAGE_TYPES.get(image.suffix, "application/octet-stream"), image.read_bytes()
                ),
                Part(
                    "audio", audio.name, AUDIO_TYPES.get(audio.suffix, "application/octet-stream"), audio.read_bytes()
                ),
            ],
            {"options": json.dumps({key: value for key, value in options.items() if value is not None})},
        )
        self._call("PUT", body, {"Content-Type": kind})

    def _wait(self) -> None:
        choice, means = self.choice, self.dealing.means
        pace = Pace(choice.poll_seconds, choice.patience_seconds)
        while True:
            means.check()
            found, later = self._told()
            if found is None:
                raise External(
                    AVATAR_ERROR, f"http: the server knows {self.name} no more", hint="it is asked for again"
                )
            status, percent = found["status"], found.get("percent")
            if status == "done":
                return
            if status in {"failed", "rejected"}:
                self._failed(found)
            if status not in {"queued", "running"}:
                raise wrong(SERVICE, f"status {status[:40]} is not known")
            share = percent if isinstance(percent, int) and 0 <= percent <= 100 else None
            self.dealing.told(10 + (share or 0) * 70 // 100, f"The avatar is {status}")
            means.wait(pace.wait(share, later))
            if pace.over:
                break
        text = f"http: {self.name} is not done within {choice.patience_seconds} s"
        raise External(AVATAR_ERROR, text, hint=f"it is waited for again; raise {FIELD}.patienceSeconds")

    def _failed(self, found: dict[str, Any]) -> None:
        text = (
            f"http: the avatar is {found['status']}: {str(found.get('error') or 'the server does not say why')[:300]}"
        )
        if found["status"] == "rejected":
            raise Permanent(AVATAR_ERROR, text, hint="the server refuses this portrait or this voice: change them")
        self.clean()  # so that the name can be asked for again
        raise Recoverable(AVATAR_ERROR, text, hint="another attempt asks for it again")

    def _call(
        self, method: str, body: bytes = b"", more: dict[str, str] | None = None, also: frozenset[int] = frozenset()
    ) -> Reply:
        headers = {"Accept": "application/json", **(more or {})}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization
        request = Request(self.url, method, headers, body, self.choice.timeout_seconds, ANSWER_BYTES)
        return call(self.dealing.means, SERVICE, request, also=also)
