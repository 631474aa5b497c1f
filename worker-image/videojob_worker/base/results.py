"""How a container's end is told: whole in the termination message if it is small, else as a stub and by POST."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from videojob_api import contract, places
from videojob_api.contract import RunResult, StageResult

from .channel import Channel
from .logs import Log
from .watch import Stop

TRIES = (0.0, 1.0, 2.0, 4.0)
"""Seconds before each post of a result that is too large for the termination message."""
PUBLISHING = frozenset({"commit", "finalize", "deliver"})
"""Kinds whose files are published."""


def brief(stage: StageResult) -> StageResult:
    """A stage as it stands in the result: fetch and ingest tell the input, what commits tells what is published; `stage.json`
    the rest.
    """
    return stage.model_copy(
        update={
            "input": stage.input if stage.kind == "ingest" else None,
            "files": stage.files if stage.kind in PUBLISHING else (),
            "parts": (),
            "tools": {},
        }
    )


def message(result: RunResult) -> bytes:
    """The termination message: the whole result, or a stub with the digest of its bytes."""
    body = contract.canonical_json(result.dump())
    if len(body) <= contract.MAX_MESSAGE_BYTES:
        return body
    failure = None if result.failure is None else result.failure.model_copy(update={"log_tail": None})
    digest = hashlib.sha256(body).hexdigest()
    update = {"stages": (), "reported": (), "failure": failure, "sha256": digest, "size_bytes": len(body)}
    return contract.canonical_json(result.model_copy(update=update).dump())


def write_termination(path: Path, result: RunResult, log: Log) -> None:
    """The last thing a container does. The default path is never created where no kubelet made it."""
    if str(path) == places.TERMINATION_PATH and not path.exists():
        return
    try:
        path.write_bytes(message(result))
    except OSError as error:
        log.warning("the termination message could not be written", extra={"error": str(error)})


def post(channel: Channel, body: bytes, stop: Stop) -> None:
    """Bring a large result to the operator: worth several tries, unlike progress; the store has it in any case."""
    if not channel.open:
        return
    for wait in TRIES:
        if wait and not stop.requested:
            time.sleep(wait)
        status = channel.post(contract.RESULT_ROUTE, body)
        if status is not None and status < 500:
            return
