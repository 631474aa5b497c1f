"""What an HTTP server's answer means for a download: go on, go elsewhere, come back later, or give up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from videojob_api.contract import MAX_RETRY_AFTER_SECONDS

from ..base.errors import External, NotSent, Permanent

REDIRECTS = frozenset({301, 302, 303, 307, 308})
LATER = frozenset({408, 425, 429})
"""Besides 5xx, what another attempt may mend."""


def redirect(response: aiohttp.ClientResponse, url: URL) -> str | None:
    """Where the answer sends us, or None for an answer with the file. Raises Permanent or External for any other."""
    status = response.status
    if status == 200:
        return None
    if status in REDIRECTS:
        onward = response.headers.get("Location")
        if not onward:
            raise Permanent("SourceRefused", f"{url.host} redirects ({status}) to nowhere", hint="give the final URL")
        return onward
    text = f"{url.host} answered {status}"
    if status in LATER or status >= 500:
        hint = "the other side asks to come back later" if status == 429 else "the other side has a problem"
        raise External("SourceUnavailable", text, hint=hint, retry_after_seconds=retry_after(response))
    if status in (404, 410):
        raise Permanent("SourceNotFound", text, hint="check the URL; a share link may have ended")
    if status in (401, 403):
        hint = (
            "a signed URL may have expired: create another VideoJob with a fresh one; else name a Secret with an "
            "Authorization header in the field secretName beside the URL"
        )
        raise Permanent("SourceForbidden", text, hint=hint)
    raise Permanent("SourceRefused", text, hint="the URL must answer a plain GET with 200 and the file")


def retry_after(response: aiohttp.ClientResponse, now: datetime | None = None) -> int | None:
    """Seconds the other side asks to wait for (a number, or a date), at most a day."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(int(value[:9]), MAX_RETRY_AFTER_SECONDS)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    wait = (date if date.tzinfo else date.replace(tzinfo=UTC)) - (now or datetime.now(UTC))
    return max(0, min(round(wait.total_seconds()), MAX_RETRY_AFTER_SECONDS))


def announced(response: aiohttp.ClientResponse, url: URL, limit: int) -> int | None:
    """Length of the body as announced. Raises Permanent for one beyond the limit, or for a compressed body."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", ""):
        text = f"{url.host} sends the file compressed ({coding[:20]}) although it was asked not to"
        raise Permanent("SourceRefused", text, hint="serve the file as it is; a video does not get smaller")
    length = response.content_length
    if length is not None and length > limit:
        raise too_large(f"{length} bytes", limit)
    return length


def too_large(found: str, limit: int) -> Permanent:
    """File too large (T-014)."""
    return Permanent(
        "FileTooLarge",
        f"File too large: {found}, the limit is {limit} bytes",
        hint="raise spec.transcode.limits.maxInputSize, or give a smaller file",
    )


@contextmanager
def explained(url: URL) -> Iterator[None]:
    """The client library's errors in our words; theirs would name the whole URL."""
    host = url.host
    later = "the other side, or the way to it, has a problem: try again later"
    try:
        yield
    except aiohttp.ClientConnectorDNSError:
        raise NotSent("HostNotFound", f"the name {host} cannot be resolved", hint="check the URL's host") from None
    except aiohttp.ClientConnectorCertificateError as error:
        why = getattr(error.certificate_error, "verify_message", None) or "it does not fit"
        hint = "mend the server's certificate; its authority must be a public one"
        raise Permanent("CertificateInvalid", f"the certificate of {host} is not trusted: {why}", hint=hint) from None
    except (TimeoutError, aiohttp.ConnectionTimeoutError):
        raise External("SourceTooSlow", f"{host} did not answer in time", hint=later) from None
    except aiohttp.ClientConnectorError as error:
        why = error.os_error.strerror or type(error.os_error).__name__
        raise NotSent("SourceUnreachable", f"{host} cannot be reached: {why}", hint=later) from None
    except aiohttp.ClientPayloadError:
        raise External("SourceIncomplete", f"{host} ended before the whole file had come", hint=later) from None
    except aiohttp.InvalidURL:
        hint = "write an address in its usual form, or give a name"
        raise Permanent("UnsafeUrl", f"the URL cannot be fetched: {host} is no host", hint=hint) from None
    except aiohttp.ClientResponseError:
        raise External("SourceUnavailable", f"{host} answered what is no HTTP", hint=later) from None
    except aiohttp.ClientError as error:
        why = type(error).__name__
        raise External("SourceUnreachable", f"the connection to {host} broke ({why})", hint=later) from None
