"""Signing what is told to a webhook, so that it knows who told it and when."""

from __future__ import annotations

import hashlib
import hmac

SIGNATURE_HEADER = "Videojob-Signature"


def signature(key: bytes, moment: int, body: bytes) -> str:
    """`t=<unix seconds>,v1=<hex>`: an HMAC-SHA256 of the seconds, a dot and the body, so that an old POST cannot be replayed."""
    digest = hmac.new(key, str(moment).encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"
