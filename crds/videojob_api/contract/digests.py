"""The one byte form of a value, and the keys that follow from it."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def content_key(kind: str, version: int, params: Any, inputs: tuple[str, ...]) -> str:
    """Key of a stage's outputs: kind, the stage's own version, parameters and the keys or digests it reads.

    32 hexadecimal digits of a sha256: 128 bits, short enough for a path.
    """
    body = canonical_json({"kind": kind, "version": version, "params": params, "inputs": list(inputs)})
    return hashlib.sha256(body).hexdigest()[:32]


def cache_key(key: str, source_sha256: str) -> str:
    """Name of a stage's entry in the cache: its content key, and the digest of the source's bytes.

    A key alone names the source by its URI, and a file of the stock can be replaced.
    """
    return hashlib.sha256(canonical_json({"key": key, "source": source_sha256})).hexdigest()[:32]
