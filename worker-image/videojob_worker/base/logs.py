"""JSON lines on standard output, each with job, namespace, group, attempt and stage (T-012)."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import IO, Any

from pythonjsonlogger.json import JsonFormatter

from videojob_api.contract import TaskDocument
from videojob_api.redact import redact, redact_json


class Log(logging.LoggerAdapter[logging.Logger]):
    """A logger that adds the job's identity and the running stage to every record."""

    def __init__(self, logger: logging.Logger, fields: dict[str, Any]) -> None:
        super().__init__(logger, fields)
        self.fields = fields

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        """Merge the record's own fields over the common ones; neither they nor the message carry credentials."""
        kwargs["extra"] = redact_json({**self.fields, **(kwargs.get("extra") or {})})
        return redact(str(msg)), kwargs

    def describe(self, document: TaskDocument, container: str) -> None:
        """Name the job in every further record."""
        self.fields.update(
            job=document.job.name,
            namespace=document.job.namespace,
            uid=document.job.uid,
            group=document.group,
            attempt=document.attempt,
            container=container,
        )


def json_log(stream: IO[str] | None = None) -> Log:
    """A fresh log; nobody else's handlers are touched."""
    logger = logging.Logger("videojob_worker", logging.INFO)  # noqa: LOG001 - apart from the process-wide tree
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(message)s", rename_fields={"levelname": "level"}, timestamp="time", json_ensure_ascii=False
        )
    )
    logger.addHandler(handler)
    return Log(logger, {})
