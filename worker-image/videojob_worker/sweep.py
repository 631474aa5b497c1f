"""`sweep`: the command that cleans a store; what it does stands in `storage.sweep`."""

from __future__ import annotations

import argparse
import json
import logging
import signal
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from videojob_api import contract, places
from videojob_api.exits import ExitCode
from videojob_api.sweeping import SweepDocument, SweepResult

from .base import errors
from .base.asking import Asker
from .base.channel import Channel
from .base.errors import BadConfig, External, WorkerError
from .base.logs import Log, json_log
from .base.watch import Stop
from .storage.sweep import Sweep


def load(path: Path) -> SweepDocument:
    """The document of a sweep. Raises BadConfig naming what is wrong."""
    try:
        return SweepDocument.model_validate(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError) as error:
        raise BadConfig("BadDocument", f"the sweep's document {path} is not as agreed: {error}"[:500]) from error


def command(arguments: argparse.Namespace, log: Log | None = None) -> int:
    """`sweep`: the exit code; the result is the termination message."""
    log, stop = log or json_log(), Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.request())
    document: SweepDocument | None = None
    began = time.monotonic()
    try:
        document = load(arguments.task)
        log.fields.update(namespace=document.namespace, store=document.store, sweep=document.number)
        channel = Channel(document.operator_url, arguments.token)
        if not channel.open:
            raise External("OperatorAway", "no operator can be asked, so nothing is deleted")  # noqa: TRY301
        result = Sweep(document, Asker(channel, stop), log, stop.check).run()
    except Exception as error:  # noqa: BLE001 - every failure becomes a result
        failure: WorkerError = errors.from_exception(error)
        log.log(logging.ERROR, failure.message, extra={"code": failure.code})
        if document is None:
            return int(failure.exit_code)
        result = SweepResult(
            uid=document.uid,
            number=document.number,
            cutoff=document.cutoff,
            exit_code=int(failure.exit_code),
            failure=failure.status(None, document.number).model_copy(update={"log_tail": None}),
        )
    with suppress(OSError):
        arguments.termination.write_bytes(contract.canonical_json(result.dump()))
    log.info("swept", extra={"seconds": round(time.monotonic() - began, 3), "result": result.dump()})
    return result.exit_code or int(ExitCode.OK)


def add_subcommands(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sweep` to the worker's command line."""
    parser = subparsers.add_parser("sweep", help="delete what has expired in a store, count what is left")
    parser.add_argument("--task", type=Path, default=Path(places.TASK_PATH), help="the sweep's document")
    parser.add_argument(
        "--termination", type=Path, default=Path(places.TERMINATION_PATH), help="where the result is written last"
    )
    parser.add_argument("--token", type=Path, default=Path(places.TOKEN_PATH), help="the token for the operator")
    parser.set_defaults(func=command)
