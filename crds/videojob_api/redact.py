"""Secrets out of texts: what people read (logs, debug/, status, events) never carries what opens a door.

A text is changed only where something in it looks like a credential; the rest stays as it is, so that a command can still be
read, and pasted where nothing was secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

HIDDEN = "***"

# Each expression takes time in proportion to its text, whatever stands there: a worker's words are read by the operator, too.
_USERINFO = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://)[^\s/?#@'\"]+@")
"""`https://user:password@host`."""
_QUERY = re.compile(r"(?i)\b([a-z][a-z0-9+.-]{0,20}://[^\s?#'\"<>]*+)(\?[^\s#'\"<>]+)?")
"""The query of a URL: signatures and keys of presigned links live there, under more names than anybody can list."""
_BEARER = re.compile(r"(?i)\b(bearer|basic|token|apikey)(\s+)(?=\S*[0-9._~+/-])[A-Za-z0-9._~+/=-]{12,}")
"""What follows the scheme of an Authorization header."""
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,1000}\.[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*")
"""A JSON Web Token, wherever it stands."""
_NAMED = re.compile(
    r"(?i)((?:pass(?:word|wd|phrase)?|secret|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|"
    r"auth[_-]?token|access[_-]?token|refresh[_-]?token|session[_-]?token|signature|credentials?)[\"']?\s*[=:]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;&'\"}\])]+)"
)
"""`PASSWORD=...`, `"apiKey": "..."`, `x-amz-signature: ...`."""
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_-])(?:pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|authorization|cookie|"
    r"signature|credentials?)(?:$|[_-])"
)


def redact(text: str) -> str:
    """The text without credentials."""
    text = _USERINFO.sub(rf"\1{HIDDEN}@", text)
    text = _QUERY.sub(lambda found: f"{found[1]}?{HIDDEN}" if found[2] else found[0], text)
    text = _BEARER.sub(rf"\1\2{HIDDEN}", text)
    text = _JWT.sub(HIDDEN, text)
    return _NAMED.sub(rf"\1{HIDDEN}", text)


def redact_json(value: Any) -> Any:
    """The same for every text in a JSON value; a member whose name says that it is secret loses its value altogether."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: HIDDEN if _secret(key, part) else redact_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [redact_json(part) for part in value]
    return value


def _secret(name: Any, value: Any) -> bool:
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", str(name))
    return isinstance(value, str) and _SECRET_NAME.search(snake) is not None
