"""What every publisher is given, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlencode, urlsplit

from videojob_api.v1alpha1 import PublishTarget

from ...base.errors import External, Permanent, Recoverable
from ...net.messages import Request
from ..calling import SHORT_WAIT_SECONDS, Means, Service, answered_json, call, secret, wrong

PUBLISH_ERROR = "PublishFailed"
"""`failure.code` of every publisher."""
FIELD = "publish.platforms"
QUESTION_BYTES = 1 << 20
"""Longest answer to a question."""


def service(name: str) -> Service:
    """A platform as its failures name it."""
    return Service(name, PUBLISH_ERROR, FIELD)


@dataclass(frozen=True)
class Film:
    """What is published."""

    path: Path
    """The film's file, whole and of the digest that the manifest says."""
    size_bytes: int
    media_type: str
    uid: str
    """UID of the VideoJob: with the platform's name it makes a request's own name."""
    title: str
    description: str
    tags: tuple[str, ...]
    hashtags: tuple[str, ...]
    synthetic: bool
    """Whether the platform is to be told that machines made it."""
    facts: Mapping[str, Any]
    """All of it, as a webhook is told: job, outputs, metadata."""

    def caption(self, *, hashtags: bool = True) -> str:
        """Description and hashtags, as they stand under a video."""
        parts = [self.description, " ".join(self.hashtags) if hashtags else ""]
        return "\n\n".join(part for part in parts if part)


@dataclass(frozen=True)
class Sent:
    """What became of it."""

    state: Literal["Published", "Accepted", "QueuedManual"]
    message: str | None = None
    id: str | None = None
    url: str | None = None


class Ledger(Protocol):
    """What a publisher remembers of one platform, over attempts."""

    def read(self) -> dict[str, str]:
        """What was written last; empty at first."""

    def write(self, known: Mapping[str, str]) -> None:
        """Keep this instead, before anything goes on."""


@dataclass(frozen=True)
class Errand:
    """One film to one platform."""

    film: Film
    target: PublishTarget
    label: str
    """The platform as people call it."""
    means: Means
    ledger: Ledger
    told: Callable[[int], None]
    """Hears how many bytes have arrived."""


class Publisher(Protocol):
    """A way to a platform."""

    def publish(self, errand: Errand) -> Sent:
        """Bring it there, or find that it is there. Raises Permanent, External or Recoverable (PublishFailed)."""


def bearer(errand: Errand, who: Service, url: str, client: str) -> str:
    """A token of the account: a fresh one where the Secret can get it, else the one it holds.

    Args:
        errand: whose Secret.
        who: the platform.
        url: where tokens are given.
        client: what the platform calls the client's id there.
    """
    means, name = errand.means, errand.target.secret_name
    refresh = secret(means, who, name, "refreshToken", optional=True)
    if not refresh:
        return secret(means, who, name, "accessToken")
    form = {
        client: secret(means, who, name, "clientId"), "client_secret": secret(means, who, name, "clientSecret"),
        "refresh_token": refresh, "grant_type": "refresh_token",
    }  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    request = Request(
        url, headers=headers, body=urlencode(form).encode(), seconds=errand.target.timeout_seconds,
        max_bytes=QUESTION_BYTES,
    )  # fmt: skip
    try:
        found = answered_json(who, call(means, who, request))
    except Permanent as error:
        # Nothing of what a token endpoint says is repeated: it may hold what was sent.
        raise Permanent(
            PUBLISH_ERROR, f"{who.name} gives no token for the Secret {name}",
            hint=f"check clientId, clientSecret and refreshToken of the Secret that {FIELD}[].secretName names",
        ) from error  # fmt: skip
    token = found.get("access_token") if isinstance(found, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise wrong(who, "its token endpoint gave no token")
    return token


def asked_json(errand: Errand, who: Service, url: str, body: Any, headers: Mapping[str, str]) -> dict[str, Any]:
    """A question in JSON, and its answer."""
    request = Request(
        url, headers={"Content-Type": "application/json; charset=UTF-8", "Accept": "application/json", **headers},
        body=json.dumps(body).encode(), seconds=errand.target.timeout_seconds, max_bytes=QUESTION_BYTES,
    )  # fmt: skip
    found = answered_json(who, call(errand.means, who, request))
    if not isinstance(found, dict):
        raise wrong(who, "its answer is no JSON object")
    return found


def trusted(who: Service, url: object, asked: str, family: str) -> str:
    """An address that a platform gives to send the film to: of the host that was asked, or of the platform's family of hosts.
    Raises Recoverable for any other, so that no answer leads a film, or a token, elsewhere.
    """
    here, there = urlsplit(asked), urlsplit(url if isinstance(url, str) else "")
    same = (there.scheme, there.netloc) == (here.scheme, here.netloc)
    if same or (there.scheme == "https" and there.port in (None, 443) and f".{there.hostname}".endswith(f".{family}")):
        return str(url)
    raise wrong(who, "it gave no address of its own to upload to")


def piece(film: Film, start: int, length: int) -> bytes:
    """Bytes of the film."""
    with film.path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def patient(errand: Errand, step: Callable[[Means], bool], again: Callable[[], bool]) -> None:
    """Send parts until `step` says that all are there. After a part that failed, wait, and let `again` look where the other side
    stands; when that fails too often in a row, or a longer wait is asked for, the failure is raised.

    Both answer whether everything has arrived.
    """
    once, failures = replace(errand.means, retries=0), 0
    while True:
        errand.means.check()
        try:
            if step(once):
                return
            failures = 0
        except (External, Recoverable) as error:
            failures += 1
            asked = error.retry_after_seconds
            if failures > errand.means.retries or (asked is not None and asked > SHORT_WAIT_SECONDS):
                raise
            errand.means.wait(float(2**failures) if asked is None else asked)
            if again():
                return
