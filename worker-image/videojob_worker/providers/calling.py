"""Asking a paid service: credentials, tries, and what its answers mean (case 60, 62).

401 and 403 are Permanent, 429 is External and keeps its Retry-After, 5xx is Recoverable, silence is External. A short wait
that the service asks for is waited here; a longer one is the operator's, who gives the slot away meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol
from urllib.parse import urlsplit

from videojob_api.contract import FetchPolicy
from videojob_api.redact import HIDDEN, redact

from ..base.errors import External, Permanent, Recoverable, WorkerError
from ..base.process import Finished
from ..net.messages import Reply, Request

SHORT_WAIT_SECONDS = 5
"""So long a service may ask us to wait before the same attempt asks again."""
BACKOFF_SECONDS = (0.5, 1.5, 4.0)
MAX_SECRET_BYTES = 16_384
SAID_BYTES = 300
"""So much of what a service says about a refusal is repeated."""


class RunTool(Protocol):
    """Runs a program under the stage's fences."""

    def __call__(self, argv: Sequence[str], on_line: Callable[[str], None] | None = None) -> Finished:
        """Run it to its end."""


def _over_http(*asked: Any, **how: Any) -> Reply:
    """The HTTP client, loaded when somebody is asked: stories that are made offline do without."""
    from ..net.exchange import exchange  # noqa: PLC0415 - a third of a second of a worker's start

    return exchange(*asked, **how)


@dataclass(frozen=True)
class Means:
    """What a provider may use."""

    run: RunTool
    """Runs a local program."""
    scratch: Path
    """A folder of its own."""
    stock: Path
    """Files the team keeps: pictures, models."""
    secrets: Path
    """Mounted Secrets: `<name>/<key>`."""
    policy: FetchPolicy
    """Where it may go on the network."""
    check: Callable[[], None]
    """Raises when it is time to end."""
    wait: Callable[[float], None]
    """Sleeps, and wakes for a stop."""
    retries: int = 2
    """Further tries of one request."""
    threads: int = 1
    """Lines an engine may speak at a time."""
    inbox: Path | None = None
    """Uploads by their digest."""
    exchange: Callable[..., Reply] = _over_http
    """The HTTP client."""


@dataclass(frozen=True)
class Service:
    """Who is asked, and what a failure is called."""

    name: str
    """Row of the table."""
    code: str
    """`failure.code`, such as TTSError (S-071)."""
    field: str
    """Field of the spec that chooses it, such as `story.voice.providers`."""
    many: bool = True
    """Whether that is a list."""

    @property
    def own(self) -> str:
        """The field whose parts are its own."""
        return f"{self.field}[]" if self.many else self.field


def secret(means: Means, service: Service, name: str | None, key: str, *, optional: bool = False) -> str:
    """One key of the mounted Secret; it is told nowhere. Raises Permanent naming the field, the Secret and the key."""
    if name is None:
        if optional:
            return ""
        raise Permanent(
            service.code, f"{service.name} needs credentials", hint=f"name a Secret with the key {key} in "
            f"{service.own}.secretName",
        )  # fmt: skip
    path = means.secrets / name / key
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_SECRET_BYTES else b""
        value = data.decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        value = ""
    if not value and optional:
        return ""
    if not value or not value.isprintable():
        raise Permanent(
            service.code, f"there is no Secret {name} with a usable key {key} for {service.name}",
            hint=f"kubectl create secret generic {name} --from-literal={key}=..., then retry",
        )  # fmt: skip
    return value


def call(means: Means, service: Service, request: Request, also: frozenset[int] = frozenset()) -> Reply:
    """Ask until there is a good answer, or a bad one that will not change; `also` are good ones besides 2xx. Raises Permanent,
    External or Recoverable.
    """
    for place in range(means.retries + 1):
        try:
            reply = means.exchange(request, means.policy, check=means.check)
            if 200 <= reply.status < 300 or reply.status in also:
                return reply
            refuse(service, request, reply)
        except Permanent as error:
            raise _named(error, service) from None
        except (External, Recoverable) as error:
            wait = error.retry_after_seconds
            if place == means.retries or (wait is not None and wait > SHORT_WAIT_SECONDS):
                raise _named(error, service) from None
            means.wait(BACKOFF_SECONDS[min(place, len(BACKOFF_SECONDS) - 1)] if wait is None else wait)
    raise AssertionError("unreachable: the last try returns or raises")


def refuse(service: Service, request: Request, reply: Reply) -> NoReturn:
    """Raise what an answer that is not 2xx means."""
    host, status = urlsplit(request.url).hostname, reply.status
    text = f"{service.name} ({host}) answered {status}{_said(request, reply)}"
    if status in {401, 403}:
        hint = f"check the key in the Secret that {service.own}.secretName names, and what it may do"
        raise Permanent(service.code, text, hint=hint)
    if status in {408, 425, 429}:
        hint = "its limit is reached: it goes on by itself later; a larger plan raises the limit"
        raise External(service.code, text, hint=hint, retry_after_seconds=reply.retry_after_seconds)
    if status >= 500:
        error = Recoverable(service.code, text, hint="the service has a problem; another attempt may work")
        error.retry_after_seconds = reply.retry_after_seconds
        raise error
    raise Permanent(service.code, text, hint=f"check voice, model, language and endpoint in {service.field}")


def wrong(service: Service, text: str) -> Recoverable:
    """The error of an answer that came well and holds what nobody asked for."""
    return Recoverable(
        service.code, f"{service.name}: {text}", hint=f"another attempt may work; else check {service.field}"
    )


def answered_json(service: Service, reply: Reply) -> Any:
    """The answer as JSON. Raises Recoverable for what is none."""
    try:
        return json.loads(reply.body)
    except ValueError:
        raise wrong(service, f"the answer is no JSON ({reply.media_type or 'no type'})") from None


def _named(error: WorkerError, service: Service) -> WorkerError:
    """The same failure under the service's own code; what the wall refuses keeps its name in the message."""
    if error.code == service.code:
        return error
    named: WorkerError
    if isinstance(error, External):
        named = External(service.code, f"{service.name}: {error.message}", hint=error.hint)
    else:
        named = type(error)(service.code, f"{service.name}: {error.message}", hint=error.hint)
    named.retry_after_seconds = error.retry_after_seconds
    return named


def _said(request: Request, reply: Reply) -> str:
    """What the service says about it, one line, without what was sent as a credential or looks like one."""
    text = reply.body[:4000].decode("utf-8", "replace")
    found = re.search(r'"(?:message|detail|Message|error)"\s*:\s*"((?:[^"\\]|\\.){1,400})"', text)
    said = found[1] if found else ("" if "<html" in text.lower() else text)
    for value in request.headers.values():
        for part in value.split():
            said = said.replace(part, HIDDEN) if len(part) >= 8 else said
    said = " ".join(redact(said).split())[:SAID_BYTES]
    return f": {said}" if said else ""


def at(endpoint: str | None, usual: str, path: str) -> str:
    """URL of a service's method: at the endpoint the user gave, else the usual one."""
    return (endpoint or usual).rstrip("/") + path
