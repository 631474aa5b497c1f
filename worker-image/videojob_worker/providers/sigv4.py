"""AWS Signature Version 4, as its documentation describes it: headers for one request."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Credentials:
    """An access key; the session token goes with temporary ones."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def signed(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, credentials: Credentials, region: str, service: str,
    now: datetime,
) -> dict[str, str]:  # fmt: skip
    """The headers with date, token and Authorization added."""
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    parts = urlsplit(url)
    found = {**headers, "host": parts.netloc, "x-amz-date": moment}
    if credentials.session_token:
        found["x-amz-security-token"] = credentials.session_token
    plain = sorted((name.lower(), " ".join(value.split())) for name, value in found.items())
    names = ";".join(name for name, _ in plain)
    query = "&".join(sorted(part if "=" in part else f"{part}=" for part in parts.query.split("&") if part))
    canonical = "\n".join(
        [
            method, quote(parts.path or "/", safe="/~-._%"), query, *(f"{name}:{value}" for name, value in plain), "", names,
            hashlib.sha256(body).hexdigest(),
        ]
    )  # fmt: skip
    scope = f"{moment[:8]}/{region}/{service}/aws4_request"
    text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in (moment[:8], region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    found["Authorization"] = (
        f"{ALGORITHM} Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return found
