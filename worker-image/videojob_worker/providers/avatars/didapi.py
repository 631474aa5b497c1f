"""D-ID's REST API: who is asked, in which form, and what its refusals mean.

400, 403, 404 (of a new talk), 413, 422 and 451 are Permanent; 401 and 402 are External, for a Secret or an account that a person
mends; 429 is External after its Retry-After, a minute without one; 5xx and silence are worth another try wherever asking twice
costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from videojob_api.redact import HIDDEN, redact

from ...base.errors import External, Permanent, Recoverable, WorkerError
from ...net.messages import Reply, Request
from ..calling import answered_json, at, call, secret, wrong
from .base import AVATAR_ERROR, FIELD, Dealing, Errand, service

USUAL = "https://api.d-id.com"
SERVICE = service("D-ID")
KEY = "D_ID_API_KEY"
ANSWER_BYTES = 4 << 20
LIMIT_WAIT_SECONDS = 60
"""Wait after a 429 that names none."""
OUTAGE_WAIT_SECONDS = 60
"""Wait for a service that has a problem and does not say how long (A-029)."""
PERSON_WAIT_SECONDS = 900
"""Wait for a person to mend an account or a Secret."""
JUDGED = frozenset({400, 401, 402, 403, 404, 408, 409, 410, 413, 415, 422, 425, 429, 451})
"""Refusals that are judged here, whatever else they would mean."""


class Api:
    """The account that a Secret opens."""

    def __init__(self, errand: Dealing) -> None:
        self.errand, self.choice = errand, errand.choice
        key = secret(errand.means, SERVICE, self.choice.secret_name, KEY)
        word, _, rest = key.partition(" ")
        # The console shows the key as it goes over the wire; it is encoded no second time.
        whole = key if word in {"Basic", "Bearer"} and rest else f"Basic {key}"
        self.headers = {"Authorization": whole, "Accept": "application/json"}

    def credits(self) -> int | None:
        """What is left to spend; None for an account that may not ask."""
        reply = self._call("GET", "/credits", also=frozenset({403, 404}))
        found = answered_json(SERVICE, reply) if 200 <= reply.status < 300 else {}
        left = found.get("remaining") if isinstance(found, dict) else None
        return left if isinstance(left, int) and not isinstance(left, bool) else None

    def upload(self, path: str, body: bytes, media_type: str) -> dict[str, Any]:
        """Bring a file to its temporary storage; asking twice costs nothing."""
        return self._object(self._call("POST", path, body, media_type), "id", "url")

    def talk(self, name: str) -> dict[str, Any] | None:
        """A talk as it stands; None when there is none of that name."""
        reply = self._call("GET", f"/talks/{quote(name, safe='')}", also=frozenset({404}))
        return None if reply.status == 404 else self._object(reply, "id", "status")

    def talks(self, token: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the account's talks, the youngest first, and what leads to the next page."""
        query = urlencode({"limit": 100, **({"token": token} if token is not None else {})})
        found = self._object(self._call("GET", f"/talks?{query}"), "talks")
        rows = found["talks"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise wrong(SERVICE, "its list of talks has another shape")
        onward = found.get("token")
        return rows, onward if isinstance(onward, str) and onward else None

    def create(self, body: Mapping[str, Any]) -> Reply:
        """Ask for a talk, once: the one request that costs money is repeated by nobody. Raises what the exchange raises."""
        request = self._request("POST", "/talks", json.dumps(body).encode(), "application/json")
        return self.errand.means.exchange(request, self.errand.means.policy, check=self.errand.means.check)

    def delete(self, path: str, name: str) -> str | None:
        """Delete what was left there; why that failed, as a note. One that is not there is deleted."""
        try:
            self._call("DELETE", f"{path}/{quote(name, safe='')}", also=frozenset({404, 410}))
        except (External, Permanent) as error:
            return f"D-ID keeps {path.strip('/')} {name}: {error.message}"[:200]
        return None

    # ------------------------------------------------------------ how it is asked

    def _call(
        self, method: str, path: str, body: bytes = b"", media_type: str = "", also: frozenset[int] = frozenset()
    ) -> Reply:
        request = self._request(method, path, body, media_type)
        try:
            reply = call(self.errand.means, SERVICE, request, also=JUDGED)
        except (External, Recoverable) as error:
            wait = error.retry_after_seconds if error.retry_after_seconds is not None else OUTAGE_WAIT_SECONDS
            hint = "D-ID has a problem: it goes on by itself"
            raise External(AVATAR_ERROR, error.message, hint=hint, retry_after_seconds=wait) from None
        if reply.status in also or 200 <= reply.status < 300:
            return reply
        raise self.refusal(reply)

    def refusal(self, reply: Reply) -> WorkerError:
        """What a refusal means, with D-ID's own words."""
        errand, status = self.errand, reply.status
        text = f"D-ID answered {status}{said(reply, self.headers)}"
        if status == 401:
            hint = f"correct {KEY} in the Secret {errand.choice.secret_name}; it goes on by itself within a quarter of an hour"
            return External("ProviderCredentials", text, hint=hint, retry_after_seconds=PERSON_WAIT_SECONDS)
        if status == 402:
            hint = "buy credits for the D-ID account; it goes on by itself within a quarter of an hour"
            return External("ProviderCredit", text, hint=hint, retry_after_seconds=PERSON_WAIT_SECONDS)
        if status in {408, 425, 429}:
            wait = reply.retry_after_seconds if reply.retry_after_seconds is not None else LIMIT_WAIT_SECONDS
            return External(
                AVATAR_ERROR, text, hint="its limit is reached: it goes on by itself", retry_after_seconds=wait
            )
        if status >= 500:
            hint = "D-ID has a problem: it goes on by itself"
            wait = reply.retry_after_seconds if reply.retry_after_seconds is not None else OUTAGE_WAIT_SECONDS
            return External(AVATAR_ERROR, text, hint=hint, retry_after_seconds=wait)
        hints = {
            403: f"check what the key in the Secret {errand.choice.secret_name} may do",
            451: "D-ID takes this face for a celebrity's and makes no talk of it: use another portrait, or another provider",
        }
        return Permanent(AVATAR_ERROR, text, hint=hints.get(status, f"check image, voice and options in {FIELD}"))

    def _request(self, method: str, path: str, body: bytes, media_type: str) -> Request:
        headers = {**self.headers, **({"Content-Type": media_type} if media_type else {})}
        return Request(
            at(self.choice.endpoint, USUAL, path), method, headers, body, self.choice.timeout_seconds, ANSWER_BYTES
        )

    def _object(self, reply: Reply, *keys: str) -> dict[str, Any]:
        found = answered_json(SERVICE, reply)
        if not isinstance(found, dict) or any(key not in found for key in keys):
            raise wrong(SERVICE, f"its answer has no {' and '.join(keys)}")
        return found


def said(reply: Reply, sent: Mapping[str, str]) -> str:
    """D-ID's own words about a refusal: `kind`, `description` and the celebrity it thinks of."""
    try:
        found = json.loads(reply.body)
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    words = [str(found.get(name) or "") for name in ("kind", "description", "message")]
    details = found.get("details")
    if isinstance(details, dict) and details.get("celebrity"):
        words.append(f"celebrity {details['celebrity']}")
    text = ": ".join(word for word in words if word)
    for part in sent["Authorization"].split():
        text = text.replace(part, HIDDEN) if len(part) >= 8 else text
    text = " ".join(redact(text).split())[:300]
    return f": {text}" if text else ""


def once(errand: Dealing) -> Dealing:
    """The same errand without tries within the attempt, for polls: the next poll is the next try."""
    return replace(errand, means=replace(errand.means, retries=0))


def wanted(errand: Errand, image: str, audio: str, name: str) -> dict[str, Any]:
    """The talk that is asked for."""
    choice = errand.choice
    config: dict[str, Any] = {
        "stitch": choice.stitch, "fluent": choice.fluent, "pad_audio": choice.pad_audio_ms / 1000, "result_format": "mp4",
    }  # fmt: skip
    if choice.expression is not None:
        one = {"start_frame": 0, "expression": choice.expression, "intensity": choice.intensity_percent / 100}
        config["driver_expressions"] = {"expressions": [one]}
    body: dict[str, Any] = {
        "source_url": image, "script": {"type": "audio", "audio_url": audio}, "config": config, "name": name,
        "user_data": name, "persist": False,
    }  # fmt: skip
    return body if choice.driver is None else {**body, "driver_url": choice.driver}


def bears(row: dict[str, Any], name: str) -> bool:
    """Whether a talk has this name."""
    return name in (row.get("user_data"), row.get("name"))


def nameless(row: dict[str, Any]) -> bool:
    """Whether an entry of the list leaves the names out."""
    return row.get("user_data") is None and row.get("name") is None


def young(row: dict[str, Any], since: datetime) -> bool:
    """Whether a talk was created since then, as far as it says."""
    return "created_at" not in row or moment(str(row["created_at"])) >= since


def now() -> str:
    """This moment, as it is written down."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def moment(text: str | None) -> datetime:
    """A moment as D-ID and we write it; one that cannot be read is long ago for nobody."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return datetime.now(UTC)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def age(text: str | None) -> float:
    """Seconds since then."""
    return (datetime.now(UTC) - moment(text)).total_seconds()
